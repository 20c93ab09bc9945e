/**
 * What a member proposes by itself, without a client: here, that an alarm be raised. Where it does not lead it has
 * the leader propose it; where nobody does, it is for whoever asked to ask again.
 */
import type { Either } from "effect"
import { AlarmAction, AlarmRequest } from "#protocols/wire/etcd/cluster.ts"
import type { EtcdError } from "#protocols/wire/etcd/errors.ts"
import { encodeCommand } from "./command.ts"
import type { Endpoint } from "./etcd-calls.ts"
import type { Member } from "./member.ts"

export interface Proposer extends Pick<Endpoint, "forward" | "memberId"> {
  readonly member: Pick<Member, "id" | "leader" | "propose">
}

/** `done` says only that it is over; whether it came to anything is seen where it was applied. */
export const proposeAnywhere = (endpoint: Proposer, command: Uint8Array, done: () => void): void => {
  const { member } = endpoint
  member.propose(command, (proposed) => {
    const elsewhere = proposed._tag === "Refused" && proposed.refusal._tag === "NotLeader"
    if (!elsewhere || member.leader === 0 || member.leader === member.id) return done()
    endpoint.forward(member.leader, command, (_answer: Either.Either<Uint8Array, EtcdError>) => done())
  })
}

/** One at a time, however often it is asked for meanwhile. */
export class RaisedAlarm {
  readonly #endpoint: () => Proposer
  #isUnderWay = false

  /** Asked for late: what raises alarms is itself a part of the endpoint. */
  constructor(endpoint: () => Proposer) {
    this.#endpoint = endpoint
  }

  propose(alarm: number): void {
    if (this.#isUnderWay) return
    this.#isUnderWay = true
    const endpoint = this.#endpoint()
    const { activate: action } = AlarmAction
    const request = AlarmRequest.encode({ action, memberID: endpoint.memberId, alarm })
    proposeAnywhere(endpoint, encodeCommand("Alarm", request), () => {
      this.#isUnderWay = false
    })
  }
}
