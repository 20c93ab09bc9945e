/**
 * Everything that can happen to three members within a budget, or as much of it as the number says.
 * `UC_STATES=200000` looks at so much of each; that is all of "two elections", in half a minute.
 */
import test from "ava"
import { plant } from "./fixtures/raft-bugs.ts"
import { type Budget, explore } from "./fixtures/raft-explorer.ts"
import { Replica } from "./raft-replica.ts"

const chosenStates = process.env["UC_STATES"] === undefined ? undefined : Number(process.env["UC_STATES"])

// biome-ignore format: a table to be read at a glance
const budgets: ReadonlyArray<readonly [title: string, budget: Budget, statesMax: number]> = [
  ["one election and two proposals", { elections: 1, proposals: 2, crashes: 0, slowDisks: [] }, 60_000],
  ["one election and a crash", { elections: 1, proposals: 0, crashes: 1, slowDisks: [] }, 60_000],
  ["one election, slow disks and a crash", { elections: 1, proposals: 0, crashes: 1, slowDisks: [1, 2] }, 60_000],
  ["two elections", { elections: 2, proposals: 0, crashes: 0, slowDisks: [] }, 25_000],
  [
    "three elections, two proposals, two crashes and a slow disk",
    { elections: 3, proposals: 2, crashes: 2, slowDisks: [1] }, 25_000
  ]
]

for (const [title, budget, statesMax] of budgets) {
  test(`no order of ${title} breaks an invariant`, (t) => {
    const { depth, isComplete, states, transitions } = explore(budget, chosenStates ?? statesMax)
    t.log(
      `${states} states, ${transitions} transitions, depth ${depth}${isComplete ? ", all there are" : ""}`
    )
    t.true(states > 50)
  })
}

test("a member that votes twice in a term is found, with the path that leads there", (t) => {
  const restore = plant(Replica.prototype, { mayVoteFor: () => true })
  try {
    const budget = { elections: 2, proposals: 0, crashes: 0, slowDisks: [] }
    t.throws(() => explore(budget, 20_000), { message: /votes once in term 1.* after: elect/ })
  } finally {
    restore()
  }
})
