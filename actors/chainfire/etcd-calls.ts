/**
 * The calls of etcd v3 that are answered once: keys, leases, members, status. Each is a function from the bytes
 * of a request to one reply, on a member that is held directly.
 *
 * Writes go to the leader, wherever that is; reads are linearizable unless they ask to be serializable, and
 * are answered by the member that was called. What of a request can be refused without the store is refused
 * before anything is proposed.
 */
import { Either } from "effect"
import type { Unary, UnaryCall } from "#actors/kernel/ports/grpc.ts"
import type { NodeId } from "#actors/raft/raft-messages.ts"
import { MemberListResponse, StatusResponse } from "#protocols/wire/etcd/cluster.ts"
import { type EtcdError, etcdErrors, GrpcCode } from "#protocols/wire/etcd/errors.ts"
import type { ResponseHeader } from "#protocols/wire/etcd/kv.ts"
import { RangeResponse } from "#protocols/wire/etcd/kv-fast.ts"
import {
  LeaseLeasesResponse,
  type LeaseTimeToLiveRequest,
  LeaseTimeToLiveResponse
} from "#protocols/wire/etcd/lease.ts"
import { CLUSTER, KV, LEASE, MAINTENANCE, type Method } from "#protocols/wire/etcd/methods.ts"
import { ProtobufMalformed } from "#protocols/wire/protobuf.ts"
import { type Command, encodeCommand } from "./command.ts"
import { checkRange, range } from "./kv-range.ts"
import { checkDeleteRange, checkPut, checkTxn, isReadOnly, txn } from "./kv-write.ts"
import type { Member, Proposed } from "./member.ts"
import type { Response } from "./state-machine.ts"

/** As etcd's default. */
export const requestBytesMax = 1.5 * 1024 * 1024
/** The release of etcd whose answers these are. */
export const etcdVersion = "3.4.23"

export interface Endpoint {
  readonly member: Member
  readonly clusterId: bigint
  readonly members: ReadonlyArray<{
    readonly node: NodeId
    readonly id: bigint
    readonly name: string
    readonly peerUrl: string
    readonly clientUrl: string
  }>
  /** Has the leader carry a command out; its answer in etcd's encoding, or why there is none. */
  readonly forward: (
    leader: NodeId,
    command: Uint8Array,
    done: (answer: Either.Either<Uint8Array, EtcdError>) => void
  ) => void
  /** What a lease has left, as the leader counts; undefined when there is no such lease. */
  readonly remainingMillis: (lease: bigint, done: (remaining: number | undefined | EtcdError) => void) => void
  /** For ids of leases that the client leaves to us. */
  readonly random: () => number
  readonly storeBytes: () => number
}

export const headerOf = ({ clusterId, member, members }: Endpoint, revision: number): ResponseHeader => ({
  clusterId,
  memberId: members.find(({ node }) => node === member.id)?.id ?? 0n,
  revision,
  raftTerm: member.term
})

export const headerNow = (endpoint: Endpoint): ResponseHeader =>
  headerOf(endpoint, endpoint.member.machine.mvcc.revision)

const malformed: EtcdError = { code: GrpcCode.internal, message: "grpc: error while marshaling" }

/** Decodes, and answers what does not decode. */
const unary =
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

export const etcdCalls = (endpoint: Endpoint): Readonly<Record<string, Unary>> => {
  const { member } = endpoint
  const { lessor, mvcc } = member.machine

  /** Proposes here, or has it proposed where the leader is. */
  const propose = <Request extends object, Answer extends Response>(
    kind: Command["_tag"],
    method: Method<Request, Answer>,
    bytes: Uint8Array,
    call: UnaryCall,
    waits = true
  ): void => {
    const { response } = method
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
          led ? propose(kind, method, bytes, call, false) : call.fail(etcdErrors.timeout)
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

  /** Linearizable: what was acknowledged to anybody before is seen. */
  const afterRead = (call: UnaryCall, then: () => void, waits = true): void =>
    member.read((refused) => {
      if (refused === undefined) then()
      else if (refused === "NoLeader" && waits)
        member.whenLed((led) => (led ? afterRead(call, then, false) : call.fail(etcdErrors.timeout)))
      else if (refused === "Overloaded") call.fail(etcdErrors.tooManyRequests)
      else call.fail(refused === "TimedOut" ? etcdErrors.timeout : etcdErrors.noLeader)
    })

  const timeToLive = ({ ID, keys }: LeaseTimeToLiveRequest, remainingMillis: number | undefined) => {
    const grantedTTL = remainingMillis === undefined ? undefined : lessor.ttlSeconds(ID)
    return LeaseTimeToLiveResponse.encode({
      header: headerNow(endpoint),
      ID,
      TTL: grantedTTL === undefined ? -1 : Math.ceil((remainingMillis ?? 0) / 1_000),
      grantedTTL: grantedTTL ?? 0,
      keys: keys && grantedTTL !== undefined ? lessor.keys(ID) : []
    })
  }

  return {
    [KV.put.path]: unary(KV.put, (request, call, bytes) => {
      const refused = checkPut(request)
      if (refused !== undefined) call.fail(refused)
      else propose("Put", KV.put, bytes, call)
    }),

    [KV.deleteRange.path]: unary(KV.deleteRange, (request, call, bytes) => {
      const refused = checkDeleteRange(request)
      if (refused !== undefined) call.fail(refused)
      else propose("DeleteRange", KV.deleteRange, bytes, call)
    }),

    [KV.txn.path]: unary(KV.txn, (request, call, bytes) => {
      const refused = checkTxn(request)
      if (refused !== undefined) return call.fail(refused)
      if (!isReadOnly(request)) return propose("Txn", KV.txn, bytes, call)
      afterRead(call, () => {
        const outcome = txn(member.machine, request)
        if (Either.isLeft(outcome)) return call.fail(outcome.left)
        mvcc.commit()
        const header = headerNow(endpoint)
        call.reply(KV.txn.response.encode({ ...outcome.right, header }))
      })
    }),

    [KV.compact.path]: unary(KV.compact, (_request, call, bytes) =>
      propose("Compact", KV.compact, bytes, call)
    ),

    [KV.range.path]: unary(KV.range, (request, call) => {
      const refused = checkRange(request)
      if (refused !== undefined) return call.fail(refused)
      const answer = () =>
        Either.match(range(mvcc, request), {
          onLeft: (unreadable) => call.fail(unreadable),
          onRight: (found) => call.reply(RangeResponse.encode({ header: headerNow(endpoint), ...found }))
        })
      if (request.serializable) answer()
      else afterRead(call, answer)
    }),

    [LEASE.grant.path]: unary(LEASE.grant, (request, call, bytes) => {
      if (request.ID !== 0n) return propose("LeaseGrant", LEASE.grant, bytes, call)
      const high = BigInt(Math.floor(endpoint.random() * 2 ** 31))
      const ID = (high << 32n) | BigInt(1 + Math.floor(endpoint.random() * (2 ** 32 - 1)))
      propose("LeaseGrant", LEASE.grant, LEASE.grant.request.encode({ ...request, ID }), call)
    }),

    [LEASE.revoke.path]: unary(LEASE.revoke, (_request, call, bytes) =>
      propose("LeaseRevoke", LEASE.revoke, bytes, call)
    ),

    [LEASE.timeToLive.path]: unary(LEASE.timeToLive, (request, call) =>
      afterRead(call, () =>
        endpoint.remainingMillis(request.ID, (remaining) =>
          typeof remaining === "object" ? call.fail(remaining) : call.reply(timeToLive(request, remaining))
        )
      )
    ),

    [LEASE.leases.path]: unary(LEASE.leases, (_request, call) =>
      afterRead(call, () =>
        call.reply(
          LeaseLeasesResponse.encode({
            header: headerNow(endpoint),
            leases: lessor.ids.map((ID) => ({ ID }))
          })
        )
      )
    ),

    [CLUSTER.memberList.path]: unary(CLUSTER.memberList, (_request, call) =>
      call.reply(
        MemberListResponse.encode({
          header: { ...headerOf(endpoint, 0) },
          members: endpoint.members.map(({ clientUrl, id, name, peerUrl }) => ({
            ID: id,
            name,
            peerURLs: [peerUrl],
            clientURLs: [clientUrl],
            isLearner: false
          }))
        })
      )
    ),

    [MAINTENANCE.status.path]: unary(MAINTENANCE.status, (_request, call) => {
      const { commit, leader, term } = member.status
      const bytes = endpoint.storeBytes()
      call.reply(
        StatusResponse.encode({
          header: headerNow(endpoint),
          version: etcdVersion,
          dbSize: bytes,
          leader: endpoint.members.find(({ node }) => node === leader)?.id ?? 0n,
          raftIndex: commit,
          raftTerm: term,
          raftAppliedIndex: member.machine.appliedIndex,
          errors: leader === 0 ? [etcdErrors.noLeader.message] : [],
          dbSizeInUse: bytes,
          isLearner: false
        })
      )
    })
  }
}
