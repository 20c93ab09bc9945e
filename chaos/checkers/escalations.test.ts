import test from "ava"
import { escalations } from "./escalations.ts"
import { judged, sight } from "./fixtures/evidence.ts"

const check = escalations({ expected: [/^\/node01\/roles$/] })
const restarted = (...paths: ReadonlyArray<string>) => [
  sight(1_000, "node01", "node01", { restartsByPath: Object.fromEntries(paths.map((path) => [path, 1])) })
]

test("a supervisor that gave up passes", (t) => {
  const sights = restarted("/node01/roles", "/node01/roles/role-agent")
  t.deepEqual(judged(check, { sights }).lines, ["/node01/roles gave up and were restarted"])
})

test("a supervisor that never gave up fails", (t) => {
  const { lines, verdict } = judged(check, { sights: restarted("/node01/roles/role-agent") })
  t.is(verdict, "failed")
  t.regex(lines.join(), /no supervisor gave up/)
})

test("a node that ended of it fails, since that is too much", (t) => {
  const complaints = [{ atMillis: 12, node: "node01", what: "ended with code 1" }]
  t.is(judged(check, { sights: restarted("/node01/roles"), complaints }).verdict, "failed")
})

test("where nobody looked nothing was shown", (t) => {
  t.is(judged(check, {}).verdict, "unknown")
})
