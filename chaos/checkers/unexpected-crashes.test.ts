import test from "ava"
import { BrokenDisk, Crash } from "#chaos/faults/action.ts"
import { judged, sight, struck } from "./fixtures/evidence.ts"
import { noUnexpectedCrash } from "./unexpected-crashes.ts"

const restarted = (restartsByPath: Record<string, number>) => [
  sight(1_000, "node01", "node01", { restartsByPath, members: { node01: "alive" } })
]
const path = "/node01/roles/role-agent"

test("nothing that crashed passes, and what was planned or struck does", (t) => {
  t.is(judged(noUnexpectedCrash(), { sights: restarted({}) }).verdict, "passed")
  const planned = (node: string) =>
    judged(noUnexpectedCrash([/\/roles/]), {
      sights: restarted({ [path]: 3 }),
      timeline: [{ ...struck(400, new BrokenDisk({ node })), nodes: [node] }]
    }).verdict
  t.is(planned("node01"), "passed")
  t.is(planned("node02"), "failed", "nothing was done to the node that it is on")
  const timeline = [struck(500, new Crash({ node: "node01", path }))]
  t.is(judged(noUnexpectedCrash(), { sights: restarted({ [path]: 1 }), timeline }).verdict, "passed")
})

test("a restart that nobody planned fails, with its path", (t) => {
  const { lines, verdict } = judged(noUnexpectedCrash([/roles/]), {
    timeline: [{ ...struck(400, new BrokenDisk({ node: "node01" })), nodes: ["node01"] }],
    sights: [...restarted({ [path]: 3, "/node01/chainfire/member": 1 }), ...restarted({})]
  })
  t.is(verdict, "failed")
  t.deepEqual(lines, ["/node01/chainfire/member was restarted 1 times, and nobody crashed it"])
})

test("a node that ended by itself fails, in the words of its world", (t) => {
  const complaints = [{ atMillis: 12, node: "node02", what: "ended with code 1" }]
  t.deepEqual(judged(noUnexpectedCrash(), { complaints }).lines, ["node02 at 12 ms: ended with code 1"])
})

test("where nobody looked nothing was shown", (t) => {
  t.is(judged(noUnexpectedCrash(), {}).verdict, "unknown")
  t.is(judged(noUnexpectedCrash(), { sights: [sight(1_000, "node01", "node01")] }).verdict, "unknown")
})
