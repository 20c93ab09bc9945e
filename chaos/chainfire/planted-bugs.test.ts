/** Bugs that the runs of members must find. If one passes unseen, they have gone blind, whatever else is green. */
import test, { type ExecutionContext } from "ava"
import { Mvcc } from "#actors/chainfire/mvcc.ts"
import { plant } from "#actors/raft/fixtures/raft-bugs.ts"
import { Leader } from "#actors/raft/raft-leader.ts"
import { type RunOptions, runMembers } from "./member-run.ts"

test("a leader that reads without asking a quorum is found out, by clients that it keeps from a new one's writes", (t) => {
  const confirmedRound = function (this: Leader) {
    return this.reads.round
  }
  const restore = plant(Leader.prototype, { confirmedRound })
  found(t, /is not linearizable/, {}, restore)
})

test("lease reads with clocks that run apart by more than was promised are found out", (t) => {
  found(t, /is not linearizable/, { config: { clockDriftMax: 0.01 }, faults: ["leader alone"] })
})

test("members that read what they have, and call it linearizable, are found out", (t) => {
  found(t, /is not linearizable/, { serializableReads: true })
})

test("disks that forget the end of what they acknowledged are found out by clients", (t) => {
  found(t, /is not linearizable/, { lyingDisks: true, faults: ["power cut of all"] })
})

test("disks that forget some of what they acknowledged are found out by their members, which stay away", (t) => {
  found(t, /does not start: StorageCorrupt/, { lyingDisks: true, faults: ["power cut"] })
})

test("an error that says for certain that nothing happened, when something may have, is found out", (t) => {
  found(t, /failed for certain/, { isDefinite: () => true })
})

test("a watch that begins one revision too late when it is resumed is found out", (t) => {
  const { changes } = Mvcc.prototype
  const late = {
    changes(this: Mvcc, from: number, to: number, withPrevious: boolean) {
      return changes.call(this, from > 1 ? from + 1 : from, to, withPrevious)
    }
  }
  found(t, /watch .* has not seen/, {}, plant(Mvcc.prototype, late))
})

const seedsMax = 300

/** By some seed, with these words. */
const found = (
  t: ExecutionContext,
  words: RegExp,
  options: Omit<RunOptions, "seed" | "nowMillis">,
  restore = () => {}
): void => {
  t.timeout(120_000)
  try {
    for (let seed = 1; seed <= seedsMax; seed++) {
      const { problems } = runMembers({ seed, nowMillis: () => performance.now(), ...options })
      const problem = problems.find((line) => words.test(line))
      if (problem === undefined) continue
      t.log(`seed ${seed}: ${problem}`)
      t.pass()
      return
    }
    t.fail(`not found in ${seedsMax} seeds`)
  } finally {
    restore()
  }
}
