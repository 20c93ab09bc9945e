import test from "ava"
import { Either } from "effect"
import { AlarmAction, AlarmType } from "#protocols/wire/etcd/cluster.ts"
import { etcdErrors } from "#protocols/wire/etcd/errors.ts"
import { decodeCommand } from "./command.ts"
import type { Proposed } from "./member.ts"
import { type Proposer, proposeAnywhere, RaisedAlarm } from "./own-proposals.ts"

const notLeader = (leader: number): Proposed => ({ _tag: "Refused", refusal: { _tag: "NotLeader", leader } })

/** A member of which the leader is known, and what was proposed and forwarded. */
const member = (leader: number, outcome: Proposed) => {
  const proposed: Array<Uint8Array> = []
  const forwarded: Array<number> = []
  const ends: Array<() => void> = []
  const proposer: Proposer = {
    memberId: 111n,
    member: {
      id: 1,
      leader,
      propose: (command, done) => {
        proposed.push(command)
        ends.push(() => done(outcome))
      }
    },
    forward: (to, _command, done) => {
      forwarded.push(to)
      done(Either.left(etcdErrors.timeout))
    }
  }
  const settle = () => {
    for (const end of ends.splice(0)) end()
  }
  return { proposer, proposed, forwarded, settle }
}

test("where it does not lead, the leader proposes it; where nobody does, it is over", (t) => {
  for (const [leader, expected] of [
    [2, [2]],
    [0, []],
    [1, []]
  ] as const) {
    const { forwarded, proposer, settle } = member(leader, notLeader(leader))
    let over = 0
    proposeAnywhere(proposer, Uint8Array.of(1), () => void over++)
    settle()
    t.deepEqual(forwarded, [...expected])
    t.is(over, 1)
  }
})

test("an alarm is proposed once at a time, in the name of this member", (t) => {
  const { proposed, proposer, settle } = member(1, { _tag: "TimedOut" })
  const raised = new RaisedAlarm(() => proposer)
  raised.propose(AlarmType.noSpace)
  raised.propose(AlarmType.noSpace)
  t.is(proposed.length, 1)
  t.deepEqual(decodeCommand(proposed[0] ?? new Uint8Array(0)), {
    _tag: "Alarm",
    request: { action: AlarmAction.activate, memberID: 111n, alarm: AlarmType.noSpace }
  })
  settle()
  raised.propose(AlarmType.noSpace)
  t.is(proposed.length, 2)
})
