import test from "ava"
import { Crash } from "#chaos/faults/action.ts"
import { escalations } from "./escalations.ts"
import { judged, sight, struck } from "./fixtures/evidence.ts"

const check = escalations({ expected: [/^\/node01\/roles$/] })
const restarted = (...paths: ReadonlyArray<string>) => [
  sight(1_000, "node01", "node01", {
    restartsByPath: Object.fromEntries(paths.map((path) => [path, 1])),
    members: { node01: "alive" }
  })
]
const timeline = [struck(500, new Crash({ node: "node01", path: "/node01/roles/role-agent" }))]

test("a supervisor that gave up passes", (t) => {
  const sights = restarted("/node01/roles", "/node01/roles/role-agent")
  t.deepEqual(judged(check, { sights, timeline }).lines, ["/node01/roles gave up and were restarted"])
})

test("a supervisor that never gave up fails", (t) => {
  const { lines, verdict } = judged(check, { sights: restarted("/node01/roles/role-agent"), timeline })
  t.is(verdict, "failed")
  t.regex(lines.join(), /no supervisor gave up/)
})

test("a node that ended of it fails, since that is too much", (t) => {
  const complaints = [{ atMillis: 12, node: "node01", what: "ended with code 1" }]
  t.is(judged(check, { sights: restarted("/node01/roles"), complaints, timeline }).verdict, "failed")
})

test("where nobody looked, or nothing was crashed, nothing was shown", (t) => {
  t.is(judged(check, { timeline }).verdict, "unknown")
  t.is(judged(check, { sights: restarted() }).verdict, "unknown")
})
