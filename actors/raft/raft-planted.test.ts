/**
 * Bugs that the simulator must find. If one of these passes unseen, it has gone blind, whatever else is
 * green. Each takes the place of one method while its seeds are played.
 */
import test, { type ExecutionContext } from "ava"
import { Prng } from "#chaos/sim/prng.ts"
import { plant } from "./fixtures/raft-bugs.ts"
import { type Fault, type GroupOptions, groupOf, haunt, recover } from "./fixtures/raft-nemesis.ts"
import { type NetworkOptions, RaftNetwork } from "./fixtures/raft-network.ts"
import { RaftBug } from "./raft-check.ts"
import { ElectionClock } from "./raft-election.ts"
import { Leader } from "./raft-leader.ts"
import { RaftLog } from "./raft-log.ts"
import { Membership, type Verdict } from "./raft-membership.ts"
import type { NodeId } from "./raft-messages.ts"
import { Replica } from "./raft-replica.ts"

test("a member that votes twice in a term is found out", (t) => {
  found(t, plant(Replica.prototype, { mayVoteFor: () => true }), ["crash", "partition"])
})

test("a member that votes for a log worse than its own is found out", (t) => {
  found(t, plant(RaftLog.prototype, { isUpToDate: () => true }), ["crash", "partition"])
})

test("figure 8: an entry of an older term on a majority is not committed, and may be overwritten", (t) => {
  const net = figure8()
  // Of the rival, whose term was the second.
  t.is(net.invariants.committedTerm(2), 2)
})

test("a leader that commits an entry of an older term by counting is found out by figure 8", (t) => {
  const restore = plant(Leader.prototype, { mayCommit: () => true })
  try {
    t.throws(figure8, { instanceOf: RaftBug, message: /which is committed|commits/ })
  } finally {
    restore()
  }
})

test("a shell that acknowledges before it persists is found out", (t) => {
  found(t, () => {}, ["crash", "disk"], {}, { hasty: true })
})

test("a leader that reads without asking a quorum is found out", (t) => {
  const confirmedRound = function (this: Leader) {
    return this.reads.round
  }
  // A leader that was paused does not know yet that it is none.
  found(t, plant(Leader.prototype, { confirmedRound }), ["pause", "oneWay", "partition"])
})

test("a follower that sticks to no leader breaks leases, which is found out", (t) => {
  found(t, plant(ElectionClock.prototype, { sticks: () => false }), ["partition", "oneWay", "pause"], {
    leases: true
  })
})

test("a leader that counts only the new side of a joint membership is found out", (t) => {
  const { reached, verdict } = Membership.prototype
  const incoming = (membership: Membership) => new Membership(membership.voters)
  const planted = {
    reached(this: Membership, valueOf: (node: NodeId) => number): number {
      return reached.call(incoming(this), valueOf)
    },
    verdict(this: Membership, votes: ReadonlyMap<NodeId, boolean>): Verdict {
      return verdict.call(incoming(this), votes)
    }
  }
  found(t, plant(Membership.prototype, planted), ["change", "partition", "crash"], { spares: 2 })
})

test("a follower that cuts its log off behind every Append is found out", (t) => {
  found(t, plant(Replica.prototype, { firstFresh: () => 0 }), ["weather", "crash"])
})

const seedsMax = 3_000

/** The history of figure 8 in the paper, with members numbered as they come to lead. */
const figure8 = (): RaftNetwork => {
  const net = new RaftNetwork({ seed: 1, voters: 5, config: { appendEntriesMax: 1, inflightMessagesMax: 1 } })
  const lead = (): NodeId => {
    if (!net.run(30_000, () => net.leader !== undefined)) throw new Error("nobody leads")
    return net.leader?.id ?? 0
  }
  const first = lead()
  net.run(500)
  const [second = 0, third = 0, fourth = 0, fifth = 0] = net.ids.filter((id) => id !== first)
  const rest = [third, fourth, fifth]
  // (a) the first leader has an entry at 2, which only the second member gets.
  net.partition([first, second])
  net.propose(first)
  net.run(100)
  net.crash(first)
  net.crash(second)
  net.heal()
  // (b) one of the others leads, and has another entry at 2, which nobody gets.
  net.onMessage = (message) => {
    if (message._tag === "Append") net.cut(message.from, message.to)
  }
  const rival = lead()
  net.run(100)
  net.crash(rival)
  net.onMessage = undefined
  net.heal()
  net.restart(first)
  net.restart(second)
  // (c) an old holder of the entry leads again and spreads it, but not what it has added itself.
  const given = new Set<NodeId>()
  net.onMessage = (message) => {
    if (message._tag !== "Append" || !rest.includes(message.to)) return
    if (given.has(message.to) && message.prevIndex >= 2) net.cut(message.from, message.to)
    if (message.prevIndex === 1) given.add(message.to)
  }
  const heir = lead()
  if (heir !== first && heir !== second) throw new Error(`${heir} cannot lead`)
  net.run(1_000)
  // (d) it crashes, and the rival leads with the votes of those that have the old entry only.
  net.crash(first)
  net.crash(second)
  net.onMessage = undefined
  net.heal()
  net.restart(rival)
  net.run(10_000)
  return net
}

const found = (
  t: ExecutionContext,
  restore: () => void,
  faults: ReadonlyArray<Fault>,
  options: GroupOptions = {},
  network: Partial<NetworkOptions> = {}
): void => {
  try {
    for (let seed = 1; seed <= seedsMax; seed++) {
      const prng = new Prng(seed)
      try {
        const net = new RaftNetwork({ ...groupOf(seed, prng, options), ...network })
        haunt(net, prng, faults)
        const problem = recover(net, 20_000)
        if (problem !== undefined) throw new Error(problem)
      } catch (error) {
        t.log(`seed ${seed}: ${error instanceof Error ? error.message : error}`)
        t.pass()
        return
      }
    }
    t.fail(`not found in ${seedsMax} seeds`)
  } finally {
    restore()
  }
}
