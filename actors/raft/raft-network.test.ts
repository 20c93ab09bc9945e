/**
 * Properties of a whole group in bad weather. A seed decides its size, its limits, the weather and what
 * happens; a failing seed is printed with the command that plays just that one. `UC_SEEDS=4000` plays so
 * many of each story, in about two minutes.
 */
import test, { type ExecutionContext } from "ava"
import { Prng } from "#chaos/sim/prng.ts"
import { type Fault, type GroupOptions, groupOf, haunt, recover } from "./fixtures/raft-nemesis.ts"
import { RaftNetwork } from "./fixtures/raft-network.ts"

const seedsPerStory = Number(process.env["UC_SEEDS"] ?? 200)
const chosenSeed = process.env["UC_SEED"] === undefined ? undefined : Number(process.env["UC_SEED"])

/** In this much time after everything is well again there is a leader, and all have all: 20 T. */
const recoveryMillisMax = 20_000

type Story = readonly [title: string, faults: ReadonlyArray<Fault>, options?: GroupOptions]

const stories: ReadonlyArray<Story> = [
  ["through crashes and slow disks nothing is lost", ["crash", "disk"]],
  ["through partitions, one way and both, there is one history", ["partition", "oneWay", "bridge"]],
  [
    "through pauses and drifting clocks lease reads are fresh",
    ["pause", "partition", "crash"],
    { leases: true }
  ],
  ["through snapshots and compaction members catch up", ["snapshot", "crash", "partition"]],
  ["through changes of members there is one history", ["change", "crash", "partition"], { spares: 2 }],
  [
    "through transfers of the leadership there is one history",
    ["transfer", "crash", "partition"],
    { leases: true }
  ],
  ["a group that falls asleep wakes when it is needed", ["crash", "partition", "sleep"], { quiesces: true }],
  [
    "through everything at once there is one history",
    ["crash", "disk", "partition", "oneWay", "bridge", "pause", "snapshot", "change", "transfer", "weather"],
    { spares: 2, leases: true }
  ]
]

for (const [index, story] of stories.entries()) {
  test(story[0], (t) => {
    let played = 0
    const counts: Record<string, number> = {}
    for (let turn = 0; turn < seedsPerStory; turn++) {
      const seed = 1 + turn * stories.length + index
      if (chosenSeed !== undefined && seed !== chosenSeed) continue
      for (const [what, count] of Object.entries(play(t, seed, story)))
        counts[what] =
          what === "recoveryMillis" ? Math.max(counts[what] ?? 0, count) : (counts[what] ?? 0) + count
      played++
    }
    t.log(`${played} seeds`, counts)
    t.pass()
  })
}

const play = (t: ExecutionContext, seed: number, [, faults, options = {}]: Story): RaftNetwork["counts"] => {
  const prng = new Prng(seed)
  const net = new RaftNetwork(groupOf(seed, prng, options))
  try {
    haunt(net, prng, faults)
    const problem = recover(net, recoveryMillisMax)
    if (problem !== undefined) throw new Error(problem)
  } catch (error) {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error)
    t.fail(`seed ${seed}: ${what}; replay: UC_SEED=${seed} npx ava actors/raft/raft-network.test.ts`)
    throw error
  }
  return net.counts
}

test("the same seed gives the same run", (t) => {
  const run = () => {
    const prng = new Prng(7)
    const net = new RaftNetwork(groupOf(7, prng, { spares: 1 }))
    const said: Array<string> = []
    net.onMessage = ({ _tag, from, term, to }) => said.push(`${net.nowMillis} ${from} ${to} ${term} ${_tag}`)
    haunt(net, prng, ["crash", "partition", "change"])
    return said
  }
  t.true(run().length > 100)
  t.deepEqual(run(), run())
})
