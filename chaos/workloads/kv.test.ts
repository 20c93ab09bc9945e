import test from "ava"
import { Effect } from "effect"
import { faults as allFaults } from "#chaos/chainfire/member-nemesis.ts"
import { acknowledgedWrites } from "#chaos/checkers/acknowledged-writes-kept.ts"
import { clientsUndisturbed } from "#chaos/checkers/clients-undisturbed.ts"
import { linearizable } from "#chaos/checkers/linearizable.ts"
import { revisionsInOrder } from "#chaos/checkers/revisions-in-order.ts"
import { watchesComplete } from "#chaos/checkers/watches-complete.ts"
import { played } from "./fixtures/members.ts"
import { kv } from "./kv.ts"
import { watching } from "./watching.ts"

const bounds = { nowMillis: () => performance.now(), millisMax: 60_000 }
const checks = [linearizable, acknowledgedWrites, revisionsInOrder, watchesComplete, clientsUndisturbed]
const seeds = [1, 2, 3, 4, 5, 6]

for (const seed of seeds)
  test(`what clients read, write and watch while everything goes wrong passes all checks: seed ${seed}`, (t) => {
    t.timeout(100_000)
    const { evidence, running } = played(seed, [kv(), watching()], ({ nemesis }) =>
      nemesis.torment(allFaults, 8)
    )
    for (const { judge } of checks) {
      const { check, lines, verdict } = judge(evidence, bounds)
      t.is(verdict, "passed", `${check}: ${lines.join("\n")}`)
      t.log(check, ...lines)
    }
    const [counts] = running.map((one) => one.counts())
    t.true(counts !== undefined && counts.acknowledged > 100 && counts.answered > counts.acknowledged)
    t.true(counts !== undefined && counts.unknown > 0)
    t.true(
      evidence.watches.every(({ events, throughRevision = 0 }) => events.length > 100 && throughRevision > 0)
    )
    t.is(new Set(evidence.final.map(({ hash, revision }) => `${hash} at ${revision}`)).size, 1)
    t.deepEqual(
      evidence.final.map(({ voter }) => voter),
      [true, true, true]
    )
  })

test("clients stop when they should, and without faults everything is answered", (t) => {
  const { evidence, running } = played(1, [kv({ writers: 2, readers: 1 })], () => Effect.sleep("5 seconds"))
  const [counts] = running.map((one) => one.counts())
  t.is(counts?.unknown, 0)
  t.is(counts?.failed, 0)
  t.is(counts?.answered, evidence.history.length)
  t.is(new Set(evidence.history.map(({ client }) => client)).size, 3)
  t.true(evidence.endedMillis < 15_000)
})

test("a history has an end, and clients stop there", (t) => {
  const { evidence } = played(1, [kv({ operationsMax: 50 })], () => Effect.sleep("5 seconds"))
  t.is(evidence.history.length, 50)
})
