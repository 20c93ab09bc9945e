/**
 * What the calls of etcd v3 share that are answered once. Each is a function from the bytes of a request to one
 * reply, on a member that is held directly; they are grouped by service in the files etcd-kv.ts,
 * etcd-lease.ts and so on.
 *
 * Writes go to the leader, wherever that is; reads are linearizable unless they ask to be serializable, and
 * are answered by the member that was called. What of a request can be refused without the store is refused
 * before anything is proposed.
 */
import { Either } from "effect"
import type { Unary, UnaryCall } from "#actors/kernel/ports/grpc.ts"
import type { NodeId } from "#actors/raft/raft-messages.ts"
import { type EtcdError, etcdErrors, GrpcCode } from "#protocols/wire/etcd/errors.ts"
import type { ResponseHeader } from "#protocols/wire/etcd/kv.ts"
import type { Method } from "#protocols/wire/etcd/methods.ts"
import { ProtobufMalformed } from "#protocols/wire/protobuf.ts"
import { type Command, encodeCommand } from "./command.ts"
import type { Member, Proposed } from "./member.ts"
import type { MemberChanges } from "./member-changes.ts"
import type { Response } from "./state-machine.ts"

/** As etcd's default. */
const requestBytesMax = 1.5 * 1024 * 1024
export interface Endpoint {
  readonly member: Member
  readonly clusterId: bigint
  readonly memberId: bigint
  readonly changes: MemberChanges
  /** Has the leader carry a command out; its answer in etcd's encoding, or why there is none. */
  readonly forward: (
    leader: NodeId,
    command: Uint8Array,
    done: (answer: Either.Either<Uint8Array, EtcdError>) => void
  ) => void
  /** Has the leader change who the members are: a method of the Cluster service. */
  readonly forwardChange: (
    leader: NodeId,
    method: string,
    request: Uint8Array,
    done: (answer: Either.Either<Uint8Array, EtcdError>) => void
  ) => void
  /** What a lease has left, as the leader counts; undefined when there is no such lease. */
  readonly remainingMillis: (lease: bigint, done: (remaining: number | undefined | EtcdError) => void) => void
  /** For ids of leases that the client leaves to us. */
  readonly random: () => number
  readonly storeBytes: () => number
}

export const headerOf = ({ clusterId, member, memberId }: Endpoint, revision: number): ResponseHeader => ({
  clusterId,
  memberId,
  revision,
  raftTerm: member.term
})

export const headerNow = (endpoint: Endpoint): ResponseHeader =>
  headerOf(endpoint, endpoint.member.machine.mvcc.revision)

const malformed: EtcdError = { code: GrpcCode.internal, message: "grpc: error while marshaling" }

/** Decodes, and answers what does not decode. */
export const unary =
  <Request extends object, Answer extends object>(
    method: Method<Request, Answer>,
    handle: (request: Request, call: UnaryCall, bytes: Uint8Array) => void
  ): Unary =>
  (bytes, call) => {
    if (bytes.length > requestBytesMax) return call.fail(etcdErrors.requestTooLarge)
    let request: Request
    try {
      request = method.request.decode(bytes)
    } catch (problem) {
      if (problem instanceof ProtobufMalformed) return call.fail(malformed)
      throw problem
    }
    handle(request, call, bytes)
  }

/** Why a proposal came to nothing, in etcd's words. */
const faultOf = (proposed: Exclude<Proposed, { readonly _tag: "Applied" }>): EtcdError => {
  switch (proposed._tag) {
    case "Superseded":
      return etcdErrors.leaderChanged
    case "TimedOut":
      return etcdErrors.timeout
    case "Failed":
      return proposed.fault._tag === "StorageFull" ? etcdErrors.noSpace : etcdErrors.stopped
    case "Refused":
      return proposed.refusal._tag === "Overloaded" ? etcdErrors.tooManyRequests : etcdErrors.noLeader
  }
}

/** A command to this member, for callers on others: answered by whoever leads, and refused by all the rest. */
export const carryOut = (
  member: Member,
  command: Uint8Array,
  encode: (response: Response) => Uint8Array,
  done: (answer: Either.Either<Uint8Array, EtcdError>) => void
): void =>
  member.propose(command, (proposed) =>
    done(proposed._tag === "Applied" ? Either.map(proposed.outcome, encode) : Either.left(faultOf(proposed)))
  )

/** The way of a request through raft: what changes something is proposed, what reads waits until it may. */
export class Calls {
  readonly endpoint: Endpoint

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint
  }

  /** Whether this member serves anybody: its client is to go to another one. */
  get #unable(): EtcdError | undefined {
    const { member } = this.endpoint
    if (member.isLearner) return etcdErrors.notSupportedForLearner
    return member.isRemoved ? etcdErrors.stopped : undefined
  }

  /** Proposes here, or has it proposed where the leader is. */
  propose<Request extends object, Answer extends Response>(
    kind: Command["_tag"],
    method: Method<Request, Answer>,
    bytes: Uint8Array,
    call: UnaryCall,
    waits = true
  ): void {
    const { endpoint } = this
    const { member } = endpoint
    const { response } = method
    const unable = this.#unable
    if (unable !== undefined) return call.fail(unable)
    const command = encodeCommand(kind, bytes)
    const answered = (answer: Answer): void => {
      const revision = answer.header?.revision ?? 0
      call.reply(response.encode({ ...answer, header: headerOf(endpoint, revision) }))
    }
    member.propose(command, (proposed) => {
      if (proposed._tag === "Applied") {
        return Either.match(proposed.outcome, {
          onLeft: (refused) => call.fail(refused),
          onRight: (answer) => answered(answer as Answer)
        })
      }
      const elsewhere = proposed._tag === "Refused" && proposed.refusal._tag === "NotLeader"
      const leader = elsewhere ? member.leader : 0
      // As etcd does: who comes during an election waits for its end.
      if (elsewhere && leader === 0 && waits) {
        return member.whenLed((led) =>
          led ? this.propose(kind, method, bytes, call, false) : call.fail(etcdErrors.timeout)
        )
      }
      if (leader === 0 || leader === member.id) return call.fail(faultOf(proposed))
      endpoint.forward(leader, command, (answer) =>
        Either.match(answer, {
          onLeft: (refused) => call.fail(refused),
          onRight: (encoded) => answered(response.decode(encoded))
        })
      )
    })
  }

  /** What only the leader can do: here, or there. Both give the answer in etcd's encoding. */
  onLeader(
    call: UnaryCall,
    here: (answer: (outcome: Either.Either<Uint8Array, EtcdError>) => void) => void,
    there: (leader: NodeId, answer: (outcome: Either.Either<Uint8Array, EtcdError>) => void) => void,
    reply: (encoded: Uint8Array) => void,
    waits = true
  ): void {
    const { member } = this.endpoint
    const unable = this.#unable
    if (unable !== undefined) return call.fail(unable)
    const answer = (outcome: Either.Either<Uint8Array, EtcdError>): void =>
      Either.match(outcome, { onLeft: (refused) => call.fail(refused), onRight: reply })
    if (member.leads) here(answer)
    else if (member.leader !== 0 && member.leader !== member.id) there(member.leader, answer)
    else if (!waits) call.fail(etcdErrors.noLeader)
    else
      member.whenLed((led) =>
        led ? this.onLeader(call, here, there, reply, false) : call.fail(etcdErrors.timeout)
      )
  }

  /** Linearizable: what was acknowledged to anybody before is seen. */
  afterRead(call: UnaryCall, then: () => void, waits = true): void {
    const { member } = this.endpoint
    const unable = this.#unable
    if (unable !== undefined) return call.fail(unable)
    member.read((refused) => {
      if (refused === undefined) then()
      else if (refused === "NoLeader" && waits)
        member.whenLed((led) => (led ? this.afterRead(call, then, false) : call.fail(etcdErrors.timeout)))
      else if (refused === "Overloaded") call.fail(etcdErrors.tooManyRequests)
      else call.fail(refused === "TimedOut" ? etcdErrors.timeout : etcdErrors.noLeader)
    })
  }
}
