import test from "ava"
import { Prng } from "#chaos/sim/prng.ts"
import { decodeMembership, encodeMembership, Membership, Memberships } from "./raft-membership.ts"

const votes = (granted: ReadonlyArray<number>, refused: ReadonlyArray<number> = []) =>
  new Map([...granted.map((id) => [id, true] as const), ...refused.map((id) => [id, false] as const)])

test("a quorum is more than half, and of a joint membership more than half of both", (t) => {
  const four = new Membership([1, 2, 3, 4])
  t.is(four.verdict(votes([1, 2])), "pending")
  t.is(four.verdict(votes([1, 2, 4])), "won")
  t.is(four.verdict(votes([1], [2, 3])), "lost")
  const joint = new Membership([1, 2, 3], [], [3, 4, 5])
  t.is(joint.verdict(votes([1, 2, 3])), "pending")
  t.is(joint.verdict(votes([1, 3, 4])), "won")
  t.is(joint.verdict(votes([1, 2, 3], [4, 5])), "lost")
})

test("what a quorum has reached is the same as counted one by one", (t) => {
  for (let seed = 1; seed <= 500; seed++) {
    const prng = new Prng(seed)
    const nodes = () => Array.from({ length: 1 + prng.below(5) }, () => 1 + prng.below(7))
    const membership = new Membership(nodes(), [], prng.chance(0.5) ? nodes() : [])
    const values = Array.from({ length: 9 }, () => prng.below(6))
    const valueOf = (node: number) => values[node] ?? 0
    const hasQuorum = (value: number) =>
      [membership.voters, membership.outgoing].every(
        (side) => side.length === 0 || side.filter((node) => valueOf(node) >= value).length * 2 > side.length
      )
    const counted = [5, 4, 3, 2, 1, 0].find(hasQuorum) ?? 0
    t.is(membership.reached(valueOf), counted, `seed ${seed}`)
  }
})

test("one voter more or less needs no joint phase, and two do", (t) => {
  const three = new Membership([1, 2, 3], [4, 5])
  t.is(`${three.changed([{ _tag: "AddVoter", node: 4 }])}`, "voters 1,2,3,4 learners 5")
  t.is(`${three.changed([{ _tag: "Remove", node: 3 }])}`, "voters 1,2 learners 4,5")
  const replaced = three.changed([
    { _tag: "AddVoter", node: 4 },
    { _tag: "AddLearner", node: 3 }
  ])
  t.is(`${replaced}`, "voters 1,2,4 from 1,2,3 learners 3,5")
  t.true(replaced.isVoter(3))
  t.is(`${replaced.left()}`, "voters 1,2,4 learners 3,5")
})

test("a membership comes back from its bytes", (t) => {
  const membership = new Membership([1, 300, 2 ** 40], [7], [1, 9])
  t.true(decodeMembership(encodeMembership(membership)).equals(membership))
})

test("a log that is cut back goes back to the membership before", (t) => {
  const history = new Memberships(0, new Membership([1]))
  const change = (index: number, voters: ReadonlyArray<number>) =>
    history.add({ index, term: 1, kind: "change", data: encodeMembership(new Membership(voters)) })
  change(4, [1, 2])
  change(9, [1, 2, 3])
  t.is(`${history.at(8)}`, "voters 1,2")
  t.true(history.truncateFrom(9))
  t.is(history.index, 4)
  history.compact(6)
  t.is(`${history.at(6)}`, "voters 1,2")
})
