import test from "ava"
import { Effect, Either } from "effect"
import { Crash, Cut, fairNetwork, Network, PowerOff } from "#chaos/faults/action.ts"
import { played } from "#chaos/workloads/fixtures/members.ts"
import { kv } from "#chaos/workloads/kv.ts"
import { locks } from "#chaos/workloads/locks.ts"
import { watching } from "#chaos/workloads/watching.ts"
import type { Evidence } from "./evidence.ts"
import { evidenceOf, held, sight, sightsOf, silence, struck } from "./fixtures/evidence.ts"
import { decodeEvidence, encodeEvidence } from "./recordings.ts"

const readBack = (evidence: Evidence): Evidence =>
  Either.getOrThrow(decodeEvidence(encodeEvidence(evidence), evidence.history))

const everything = evidenceOf({
  slowness: 2.5,
  timeline: [
    struck(1, new PowerOff({ node: "node01" })),
    struck(2, new Network({ ...fairNetwork, loss: 0.1 })),
    struck(3, new Cut({ from: ["node01"], to: ["node02", "node03"] })),
    { ...struck(4, new Crash({ node: "node01", path: "/node01/roles" })), action: undefined, ends: true }
  ],
  watches: [
    { name: "w", first: "a", last: "z", fromRevision: 1, events: [{ revision: 2, key: "a", value: null }] },
    { name: "v", first: "a", last: "a", fromRevision: 1, events: [], throughRevision: 9 }
  ],
  problems: ['a "problem"\nof two lines'],
  changes: [{ revision: 2, key: "a", value: "ü" }],
  holdings: [held("a", 1, 0), { ...held("b", 2, 5, 6), leaseMillis: 7, lostMillis: 6, fenced: true }],
  sights: [
    ...sightsOf("node01", [1, 2], { members: { node02: "failed" }, fleetBreaker: "open" }),
    silence(3, "node01"),
    sight(4, "node01", undefined, { residentBytes: 5, restartsByPath: { "/node01/roles": 2 } }),
    sight(5, "node01", undefined)
  ],
  final: [{ node: "node01", revision: 2, hash: 4_294_967_295, voter: false }],
  complaints: [{ atMillis: 0.5, node: "node01", what: "ended with code 1" }]
})

test("evidence is the same after it was saved and read back", (t) => {
  t.deepEqual(readBack(everything), everything)
  const ignorant = evidenceOf({ changes: undefined })
  t.deepEqual(readBack(ignorant), ignorant)
})

test("what clients of a run saw is the same too", (t) => {
  const { evidence } = played(1, [kv(), watching(), locks()], () => Effect.sleep("5 seconds"))
  t.true(evidence.watches.length > 0 && evidence.holdings.length > 0)
  t.deepEqual(readBack(evidence), evidence)
})

test("looks at nodes that nothing happens to are short", (t) => {
  const members = { node01: "alive", node02: "alive", node03: "alive" } as const
  const long = evidenceOf({
    sights: sightsOf(
      "node01",
      Array.from({ length: 1_000 }, (_, at) => at),
      { members }
    )
  })
  t.true(encodeEvidence(long).length < 120 * 3_000)
  t.deepEqual(readBack(long), long)
})

test("evidence that was cut off, or is none, is refused with the line", (t) => {
  const lines = encodeEvidence(everything).split("\n")
  const refusal = (text: string) => Either.getOrThrow(Either.flip(decodeEvidence(text, []))).message
  t.regex(refusal(lines.slice(0, 3).join("\n")), /line 3 .* 2 lines, .* promises 21/)
  t.regex(refusal(lines.slice(1).join("\n")), /line 1 of the evidence cannot be read/)
  t.regex(refusal(lines.with(2, "{}").join("\n")), /line 3 of the evidence cannot be read/)
  t.regex(refusal(""), /line 1/)
})
