/**
 * What clients of chainfire rely on, under everything that a seed can draw: each answer is right at some moment
 * between question and answer, nothing acknowledged is lost, and watches miss nothing.
 *
 * `UC_SEEDS=2000` plays so many seeds, about two a second, and `UC_FIRST_SEED=1001` begins elsewhere; a failing one
 * is printed with the command that plays just that one. With `UC_HISTORY=path` the history of that one is saved.
 */
import { writeFileSync } from "node:fs"
import test from "ava"
import { HistoryFormat } from "#chaos/checkers/history.ts"
import { EtcdInput, EtcdOutput, etcdModel } from "#chaos/models/etcd-model.ts"
import { faults } from "./member-nemesis.ts"
import { runMembers } from "./member-run.ts"

const { UC_FIRST_SEED = "1", UC_HISTORY, UC_SEED, UC_SEEDS = "32" } = process.env
const seeds =
  UC_SEED === undefined
    ? Array.from({ length: Number(UC_SEEDS) }, (_, index) => index + Number(UC_FIRST_SEED))
    : [Number(UC_SEED)]
const nowMillis = () => performance.now()

test("whatever goes wrong with members, disks, clocks and networks, clients see one history, and watches all of it", (t) => {
  t.timeout(60_000 + seeds.length * 10_000)
  const counts: Record<string, number> = {}
  let failed = 0
  for (const seed of seeds) {
    const run = runMembers({ seed, nowMillis })
    for (const [what, count] of Object.entries(run.counts)) counts[what] = (counts[what] ?? 0) + count
    if (UC_HISTORY !== undefined && UC_SEED !== undefined)
      writeFileSync(UC_HISTORY, new HistoryFormat(EtcdInput, EtcdOutput).encode(run.history))
    if (run.problems.length === 0) continue
    failed++
    t.log(`replay with UC_SEED=${seed} npx ava chaos/chainfire/linearizability.test.ts`)
    for (const problem of run.problems) t.log(problem)
  }
  t.log(`${seeds.length} seeds`, counts)
  t.is(failed, 0, `${failed} of ${seeds.length} seeds`)
  if (UC_SEED !== undefined) return
  // Whoever is never answered sees no wrong answers.
  const { answered = 0, events = 0, "lost and found": found = 0, restarts = 0, resumed = 0 } = counts
  t.true(answered > 500 * seeds.length && events > 500 * seeds.length)
  t.true(found > seeds.length && restarts > 2 * seeds.length && resumed > 10 * seeds.length)
  for (const fault of faults) t.true((counts[fault] ?? 0) > 0, `no ${fault} ever struck`)
})

test("the same seed gives the same history", (t) => {
  const [one, other] = [runMembers({ seed: 7, nowMillis }), runMembers({ seed: 7, nowMillis })]
  t.true(one.history.length > 500)
  t.deepEqual(other.history, one.history)
})

test("each key is a partition, but for the pair that is written together", (t) => {
  const { history } = runMembers({ seed: 3, nowMillis, faults: ["kill"] })
  t.deepEqual([...etcdModel.partition(history).keys()].toSorted(), ["a", "b", "c", "d", "e", "x, y"])
})
