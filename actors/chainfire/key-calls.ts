/**
 * The typed messages of protocols/chainfire-keys.ts on a member that is held directly: what etcd-calls.ts and
 * its services are for the bytes of gRPC. Each answers once, now or later, through the token of its ask.
 *
 * Writes go to the leader, wherever that is; reads are linearizable unless they ask to be serializable, and are
 * answered by the member that was asked. What of a message can be refused without the store is refused before
 * anything is proposed.
 */
import { Either } from "effect"
import type { NodeId } from "#actors/raft/raft-messages.ts"
import type {
  CompactKeys,
  DeleteKeys,
  GetLease,
  GrantLease,
  KeepLease,
  KeysFault,
  ListLeases,
  PutKey,
  RangeKeys,
  RevokeLease,
  TxnKeys
} from "#protocols/chainfire-keys.ts"
import { LeaseNotFound, StoreUnavailable } from "#protocols/chainfire-keys.ts"
import { type EtcdError, etcdErrors } from "#protocols/wire/etcd/errors.ts"
import { CompactionRequest, CompactionResponse } from "#protocols/wire/etcd/kv.ts"
import {
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  PutResponse
} from "#protocols/wire/etcd/kv-fast.ts"
import {
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseRevokeRequest,
  LeaseRevokeResponse
} from "#protocols/wire/etcd/lease.ts"
import { TxnRequest, TxnResponse } from "#protocols/wire/etcd/txn-fast.ts"
import {
  compactionRequest,
  deleted,
  deleteRequest,
  found,
  grantRequest,
  keysFault,
  leaseName,
  leaseNumber,
  putRequest,
  rangeRequest,
  txnDone,
  txnRequest,
  written
} from "#protocols/wire/etcd/typed-keys.ts"
import type { Message } from "#protocols/wire/protobuf-message.ts"
import { type Command, encodeCommand } from "./command.ts"
import { checkRange, range } from "./kv-range.ts"
import { checkDeleteRange, checkPut, checkTxn, isReadOnly, txn } from "./kv-write.ts"
import type { Member, Proposed } from "./member.ts"
import type { ChainfireSettings } from "./settings.ts"
import type { Response } from "./state-machine.ts"

/** What of the member's endpoint is needed here; see etcd-calls.ts. */
export interface KeysEndpoint {
  readonly member: Member
  readonly forward: (
    leader: NodeId,
    command: Uint8Array,
    done: (answer: Either.Either<Uint8Array, EtcdError>) => void
  ) => void
  readonly remainingMillis: (lease: bigint, done: (remaining: number | undefined | EtcdError) => void) => void
  /** Of the leader; undefined when there is no such lease. */
  readonly renew: (lease: bigint, done: (ttlSeconds: number | undefined | EtcdError) => void) => void
  /** For ids of leases that the asker leaves to us. */
  readonly random: () => number
  readonly settings: Pick<ChainfireSettings, "requestBytesMax" | "transactionOpsMax">
}

/** The way back of an ask. */
export interface AnswerTo<in A> {
  readonly reply: (answer: A) => void
  readonly refuse: (fault: KeysFault) => void
}

export class KeyCalls {
  readonly #endpoint: KeysEndpoint

  constructor(endpoint: KeysEndpoint) {
    this.#endpoint = endpoint
  }

  range(asked: RangeKeys, to: AnswerTo<typeof RangeKeys.success.Type>): void {
    const { member } = this.#endpoint
    const { mvcc } = member.machine
    const request = rangeRequest(asked)
    const refused = checkRange(request)
    if (refused !== undefined) return to.refuse(keysFault(refused))
    const answer = () => {
      const ranged = range(mvcc, request)
      if (Either.isLeft(ranged)) to.refuse(keysFault(ranged.left))
      else to.reply(found(ranged.right, mvcc.revision))
    }
    // While a snapshot takes the place of the state, nobody reads it.
    if (request.serializable && !member.isInstalling) answer()
    else this.#afterRead(to, answer)
  }

  put(asked: PutKey, to: AnswerTo<typeof PutKey.success.Type>): void {
    const request = putRequest(asked)
    const refused = checkPut(request)
    if (refused !== undefined) return to.refuse(keysFault(refused))
    this.#propose("Put", PutRequest.encode(request), PutResponse, to, written)
  }

  delete(asked: DeleteKeys, to: AnswerTo<typeof DeleteKeys.success.Type>): void {
    const request = deleteRequest(asked)
    const refused = checkDeleteRange(request)
    if (refused !== undefined) return to.refuse(keysFault(refused))
    this.#propose("DeleteRange", DeleteRangeRequest.encode(request), DeleteRangeResponse, to, deleted)
  }

  txn(asked: TxnKeys, to: AnswerTo<typeof TxnKeys.success.Type>): void {
    const { machine } = this.#endpoint.member
    const request = txnRequest(asked)
    const refused = checkTxn(request, this.#endpoint.settings.transactionOpsMax)
    if (refused !== undefined) return to.refuse(keysFault(refused))
    if (!isReadOnly(request))
      return this.#propose("Txn", TxnRequest.encode(request), TxnResponse, to, txnDone)
    this.#afterRead(to, () => {
      const outcome = txn(machine, request)
      if (Either.isLeft(outcome)) return to.refuse(keysFault(outcome.left))
      machine.mvcc.commit()
      to.reply(txnDone(outcome.right))
    })
  }

  compact(asked: CompactKeys, to: AnswerTo<typeof CompactKeys.success.Type>): void {
    const request = CompactionRequest.encode(compactionRequest(asked))
    this.#propose("Compact", request, CompactionResponse, to, revisionOf)
  }

  grant(asked: GrantLease, to: AnswerTo<typeof GrantLease.success.Type>): void {
    const request = grantRequest(asked)
    const ID = request.ID === 0n ? this.#newLease() : request.ID
    const command = LeaseGrantRequest.encode({ ...request, ID })
    this.#propose("LeaseGrant", command, LeaseGrantResponse, to, (granted) => ({
      ...revisionOf(granted),
      lease: leaseName(granted.ID),
      ttlSeconds: granted.TTL
    }))
  }

  #newLease(): bigint {
    const { random } = this.#endpoint
    const high = BigInt(Math.floor(random() * 2 ** 31))
    return (high << 32n) | BigInt(1 + Math.floor(random() * (2 ** 32 - 1)))
  }

  revoke({ lease }: RevokeLease, to: AnswerTo<typeof RevokeLease.success.Type>): void {
    const request = LeaseRevokeRequest.encode({ ID: leaseNumber(lease) })
    this.#propose("LeaseRevoke", request, LeaseRevokeResponse, to, revisionOf)
  }

  keep({ lease }: KeepLease, to: AnswerTo<typeof KeepLease.success.Type>): void {
    this.#whenServing(to, () =>
      this.#endpoint.renew(leaseNumber(lease), (ttlSeconds) => {
        if (ttlSeconds === undefined) to.refuse(new LeaseNotFound())
        else if (typeof ttlSeconds === "object") to.refuse(keysFault(ttlSeconds))
        else to.reply({ ttlSeconds })
      })
    )
  }

  lease({ keys, lease }: GetLease, to: AnswerTo<typeof GetLease.success.Type>): void {
    const { member, remainingMillis } = this.#endpoint
    const { lessor } = member.machine
    const ID = leaseNumber(lease)
    this.#afterRead(to, () =>
      remainingMillis(ID, (remaining) => {
        if (typeof remaining === "object") return to.refuse(keysFault(remaining))
        const grantedTtlSeconds = remaining === undefined ? undefined : lessor.ttlSeconds(ID)
        if (remaining === undefined || grantedTtlSeconds === undefined) return to.refuse(new LeaseNotFound())
        const hanging = keys === true ? lessor.keys(ID) : []
        to.reply({ ttlSeconds: Math.ceil(remaining / 1_000), grantedTtlSeconds, keys: hanging })
      })
    )
  }

  leases(_asked: ListLeases, to: AnswerTo<typeof ListLeases.success.Type>): void {
    this.#afterRead(to, () => to.reply(this.#endpoint.member.machine.lessor.ids.map(leaseName)))
  }

  /** Runs it unless this member serves nobody, and once a leader is known. */
  #whenServing(to: AnswerTo<never>, then: () => void): void {
    const { member } = this.#endpoint
    const unable = this.#unable
    if (unable !== undefined) return to.refuse(unable)
    member.whenLed((led) => (led ? then() : to.refuse(nobodyLeads)))
  }

  get #unable(): KeysFault | undefined {
    const { member } = this.#endpoint
    if (member.isLearner) return keysFault(etcdErrors.notSupportedForLearner)
    if (!member.isRemoved) return undefined
    return new StoreUnavailable({ reason: "this member was removed", definite: true })
  }

  /** Proposes here, or has it proposed where the leader is. */
  #propose<Answer extends Response, Told>(
    kind: Command["_tag"],
    request: Uint8Array,
    response: Message<Answer>,
    to: AnswerTo<Told>,
    told: (answer: Answer) => Told,
    waits = true
  ): void {
    const { member, settings } = this.#endpoint
    const unable = this.#unable
    if (unable !== undefined) return to.refuse(unable)
    if (request.length > settings.requestBytesMax) return to.refuse(keysFault(etcdErrors.requestTooLarge))
    const command = encodeCommand(kind, request)
    member.propose(command, (proposed) => {
      if (proposed._tag === "Applied") {
        const { outcome } = proposed
        // The response to a command is that of its kind.
        if (Either.isRight(outcome)) to.reply(told(outcome.right as Answer))
        else to.refuse(keysFault(outcome.left))
        return
      }
      const elsewhere = proposed._tag === "Refused" && proposed.refusal._tag === "NotLeader"
      const leader = elsewhere ? member.leader : 0
      // Who comes during an election waits for its end.
      if (elsewhere && leader === 0 && waits) {
        return member.whenLed((led) =>
          led ? this.#propose(kind, request, response, to, told, false) : to.refuse(nobodyLeads)
        )
      }
      if (leader === 0 || leader === member.id) return to.refuse(faultOf(proposed))
      this.#endpoint.forward(leader, command, (answer) => {
        if (Either.isLeft(answer)) to.refuse(keysFault(answer.left))
        else to.reply(told(response.decode(answer.right)))
      })
    })
  }

  /** Linearizable: what was acknowledged to anybody before is seen. */
  #afterRead(to: AnswerTo<never>, then: () => void, waits = true): void {
    const { member } = this.#endpoint
    const unable = this.#unable
    if (unable !== undefined) return to.refuse(unable)
    member.read((refused) => {
      if (refused === undefined) then()
      else if (refused === "NoLeader" && waits)
        member.whenLed((led) => (led ? this.#afterRead(to, then, false) : to.refuse(nobodyLeads)))
      else to.refuse(new StoreUnavailable({ reason: readRefusals[refused], definite: true }))
    })
  }
}

const nobodyLeads = new StoreUnavailable({
  reason: "nobody leads, and there was no election",
  definite: true
})

/** A read has never done anything. */
const readRefusals = {
  NoLeader: "no leader",
  LeaderLost: "the leader changed",
  Overloaded: "too many requests",
  TimedOut: "no quorum answered in time"
} as const

const revisionOf = ({ header }: { readonly header: { readonly revision: number } | undefined }) => ({
  revision: header?.revision ?? 0
})

/** Unlike over gRPC it is told whether anything may have happened. */
const faultOf = (proposed: Exclude<Proposed, { readonly _tag: "Applied" }>): KeysFault => {
  switch (proposed._tag) {
    case "Superseded":
      return new StoreUnavailable({ reason: "the leader changed", definite: true })
    case "TimedOut":
      return new StoreUnavailable({ reason: "no quorum took it in time", definite: false })
    case "Failed":
      return proposed.fault._tag === "StorageFull"
        ? keysFault(etcdErrors.noSpace)
        : new StoreUnavailable({ reason: "the disk of this member failed", definite: false })
    case "Refused": {
      const overloaded = proposed.refusal._tag === "Overloaded"
      return new StoreUnavailable({
        reason: overloaded ? "too many requests" : "nobody leads",
        definite: true
      })
    }
  }
}
