import test from "ava"
import { Effect } from "effect"
import { faults as allFaults } from "#chaos/chainfire/member-nemesis.ts"
import { fencesHold } from "#chaos/checkers/fences-hold.ts"
import { judged } from "#chaos/checkers/fixtures/evidence.ts"
import { leaseSafety } from "#chaos/checkers/lease-safety.ts"
import { singleHolder } from "#chaos/checkers/single-holder.ts"
import { watchesComplete } from "#chaos/checkers/watches-complete.ts"
import { played } from "./fixtures/members.ts"
import { locks } from "./locks.ts"
import { watching } from "./watching.ts"

/** Under these a lease may end before its holder knows. */
const clockFaults = new Set<string>(["slow clock", "fast clock", "clock jump"])

test("locks have one holder at a time, whatever happens to members", (t) => {
  t.timeout(100_000)
  const counts = { holdings: 0, writes: 0, several: 0 }
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    const workloads = [locks({ holdMillisMax: 2_000 }), watching()]
    const { evidence, running } = played(seed, workloads, ({ nemesis }) =>
      nemesis.torment(
        allFaults.filter((fault) => !clockFaults.has(fault)),
        8
      )
    )
    for (const check of [singleHolder, leaseSafety, fencesHold, watchesComplete]) {
      const { lines, verdict } = judged(check, evidence)
      t.is(verdict, "passed", `seed ${seed}, ${check.name}: ${lines.join("\n")}`)
    }
    counts.holdings += evidence.holdings.length
    counts.writes += running[0]?.counts().acknowledged ?? 0
    if (new Set(evidence.holdings.map(({ holder }) => holder)).size > 1) counts.several++
  }
  t.log(counts)
  t.true(counts.holdings > 20 && counts.writes > 100 && counts.several > 2)
})

test("a store that ends leases too early is found out, and fences keep former holders out all the same", (t) => {
  const { evidence } = played(1, [locks()], () => Effect.sleep("30 seconds"), { leasesEndEarlyMillis: 2_500 })
  const safety = judged(leaseSafety, evidence)
  t.is(safety.verdict, "failed")
  t.regex(safety.lines.join("\n"), /was told that it had lost it, with a lease until/)
  t.is(judged(singleHolder, evidence).verdict, "passed")
  t.is(judged(fencesHold, evidence).verdict, "passed")
})

test("holders keep a lock for longer than a lease lasts, and two locks have two holders", (t) => {
  const { evidence } = played(1, [locks({ holders: 4, locks: 2, ttlSeconds: 2, holdMillisMax: 8_000 })], () =>
    Effect.sleep("40 seconds")
  )
  const { holdings } = evidence
  t.is(judged(leaseSafety, evidence).verdict, "passed")
  t.true(holdings.some(({ fromMillis, untilMillis = 0 }) => untilMillis - fromMillis > 4_000))
  t.deepEqual([...new Set(holdings.map(({ what }) => what))].toSorted(), ["lock 1", "lock 2"])
  t.true(holdings.every(({ lostMillis }) => lostMillis === undefined))
})
