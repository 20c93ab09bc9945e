import test from "ava"
import { draw } from "../engine/tree.ts"
import { chainfire, memberPath } from "./chainfire.ts"

test("a member is started again and again, more and more slowly", (t) => {
  const tree = chainfire({ name: "node01", clusterId: 1n, peerUrl: "", clientUrl: "", initial: [] })
  t.is(
    draw(tree),
    `
chainfire [one-for-one, 1000 restarts in 60000 ms]
  member (permanent, backoff)
    `.trim()
  )
  t.is(memberPath("node01"), "/node01/chainfire/member")
})
