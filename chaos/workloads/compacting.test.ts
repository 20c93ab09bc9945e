/** Whoever compacts takes the past away from others, and is the one who can still tell what it was. */
import test from "ava"
import { Effect } from "effect"
import { faults as allFaults } from "#chaos/chainfire/member-nemesis.ts"
import { linearizable } from "#chaos/checkers/linearizable.ts"
import { watchesComplete } from "#chaos/checkers/watches-complete.ts"
import { compacting } from "./compacting.ts"
import { played } from "./fixtures/members.ts"
import { kv } from "./kv.ts"
import { watching } from "./watching.ts"

const bounds = { nowMillis: () => performance.now(), millisMax: 60_000 }
const often = compacting({ everyMillis: 200, keep: 10 })
const writing = kv({ writers: 3, readers: 1, pauseMillisMax: 20 })

test("the past is compacted away while clients write, and whoever did it knows all of it", (t) => {
  const { evidence, running } = played(1, [writing, often], () => Effect.sleep("10 seconds"))
  const [, compactor] = running.map((one) => one.counts())
  t.true(compactor !== undefined && compactor.answered > 10, JSON.stringify(compactor))
  t.deepEqual(evidence.problems, [], "it compacts nothing that it has not seen")
  const changes = running[1]?.gathered().changes ?? []
  const revisions = changes.map(({ revision }) => revision)
  t.deepEqual(
    revisions,
    revisions.toSorted((one, other) => one - other)
  )
  const written = new Set(revisions)
  const last = Math.max(...revisions)
  t.true(last > 100, `${last} revisions were made`)
  // The first revision of an empty store is 1, and puts come after it.
  for (let revision = 2; revision <= last; revision++) t.true(written.has(revision), `revision ${revision}`)
})

test("watches that are too late for it are told so, and miss nothing otherwise", (t) => {
  t.timeout(100_000)
  const slow = watching({ watchers: 3, slowMillisMax: 40, stayMillisMax: 1_000, isCompacted: true })
  const { evidence } = played(2, [writing, slow, often], ({ nemesis }) => nemesis.torment(allFaults, 4))
  for (const { judge } of [linearizable, watchesComplete]) {
    const { check, lines, verdict } = judge(evidence, bounds)
    t.is(verdict, "passed", `${check}: ${lines.join("\n")}`)
  }
})
