/**
 * What operators ask of a member of chainfire, see protocols/chainfire-operations.ts: its members, its leader, a
 * backup of it. It ends with its member, and backups that are being read with it.
 */
import { Either, Schema } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import type { ReplyTo } from "#actors/kernel/context.ts"
import type { Metrics } from "#actors/kernel/metrics.ts"
import { EtcdRefusal } from "#protocols/chainfire.ts"
import {
  AddMember,
  BackupGone,
  BeginBackup,
  GetChainfireMembers,
  GetChainfireMetrics,
  PromoteMember,
  ReadBackup,
  RemoveMember,
  TooManyBackups,
  TransferLeader
} from "#protocols/chainfire-operations.ts"
import { type EtcdError, etcdErrors } from "#protocols/wire/etcd/errors.ts"
import { CLUSTER } from "#protocols/wire/etcd/methods.ts"
import { BackupReads } from "./backup-reads.ts"
import { backendBuckets } from "./etcd-backend.ts"
import type { Endpoint } from "./etcd-calls.ts"
import { changeMembers } from "./etcd-cluster.ts"
import { sendSnapshot } from "./etcd-snapshot.ts"
import { faultOfWork, withBackend } from "./etcd-work.ts"

export interface OperationsArgs {
  readonly endpoint: Endpoint
  readonly metrics: Metrics
}

const backupsMax = 2
const idleMillisMax = 30_000
const lookMillis = 5_000

class BackupTick extends Schema.TaggedClass<BackupTick>()("BackupTick", {}) {}

interface State extends OperationsArgs {
  readonly backups: Map<number, BackupReads>
  readonly ids: { last: number }
}

export const ChainfireOperations = Actor.make("operations", {
  messages: [
    GetChainfireMembers,
    AddMember,
    PromoteMember,
    RemoveMember,
    TransferLeader,
    BeginBackup,
    ReadBackup,
    GetChainfireMetrics,
    BackupTick
  ],
  init: (context, args: OperationsArgs): State => {
    context.every(lookMillis, new BackupTick())
    return { ...args, backups: new Map(), ids: { last: 0 } }
  },
  handlers: {
    GetChainfireMembers: (state) => {
      const { changes, member } = state.endpoint
      return Actor.reply(
        state,
        changes.members.map(({ ID, clientURLs, isLearner, name, peerURLs }) => ({
          id: Number(ID),
          name,
          peerUrls: peerURLs,
          clientUrls: clientURLs,
          learner: isLearner,
          leads: Number(ID) === member.leader
        }))
      )
    },
    AddMember: (state, asked, context) => {
      const { path, request, response } = CLUSTER.memberAdd
      const bytes = request.encode({ peerURLs: [asked.peerUrl], isLearner: true })
      change(state, path, bytes, context.replyTo(asked), (encoded) => ({
        member: Number(response.decode(encoded).member?.ID ?? 0n)
      }))
      return Actor.later(state)
    },
    PromoteMember: (state, asked, context) => {
      const { path, request } = CLUSTER.memberPromote
      change(state, path, request.encode({ ID: BigInt(asked.member) }), context.replyTo(asked), done)
      return Actor.later(state)
    },
    RemoveMember: (state, asked, context) => {
      const { path, request } = CLUSTER.memberRemove
      change(state, path, request.encode({ ID: BigInt(asked.member) }), context.replyTo(asked), done)
      return Actor.later(state)
    },
    TransferLeader: (state, asked, context) => {
      const { member } = state.endpoint
      const to = asked.member
      if (!member.leads) return Actor.refuse(state, refusal(etcdErrors.notLeader))
      if (!member.membership.isVoter(to)) return Actor.refuse(state, refusal(etcdErrors.badLeaderTransferee))
      const { refuse, reply } = context.replyTo(asked)
      if (to !== member.id) member.transfer(to)
      member.whenLed((led) => (led ? reply(undefined) : refuse(refusal(etcdErrors.timeout))), to)
      return Actor.later(state)
    },
    BeginBackup: (state, _asked, context) => {
      const { backups, endpoint, ids } = state
      if (backups.size >= backupsMax) return Actor.refuse(state, new TooManyBackups({ backupsMax }))
      const backup = ++ids.last
      const reads = new BackupReads(context.nowMillis())
      backups.set(backup, reads)
      const { mvcc } = endpoint.member.machine
      withBackend(
        endpoint,
        (backend) => sendSnapshot(backendBuckets(backend, mvcc), reads),
        (problem) => reads.finish(problem === undefined ? undefined : faultOfWork(problem).message)
      )
      return Actor.reply(state, { backup })
    },
    ReadBackup: (state, asked, context) => {
      const { backup } = asked
      const reads = state.backups.get(backup)
      if (reads === undefined)
        return Actor.refuse(state, new BackupGone({ backup, reason: "there is none of that number" }))
      const { refuse, reply } = context.replyTo(asked)
      reads.read((part) => {
        if (Either.isLeft(part) || part.right.done) state.backups.delete(backup)
        if (Either.isLeft(part)) refuse(new BackupGone({ backup, reason: part.left }))
        else reply(part.right)
      }, context.nowMillis())
      return Actor.later(state)
    },
    GetChainfireMetrics: (state) => Actor.reply(state, state.metrics.text()),
    BackupTick: (state, _tick, context) => {
      for (const [backup, reads] of state.backups) {
        if (reads.idleMillis(context.nowMillis()) < idleMillisMax) continue
        reads.giveUp(`nobody has read on for ${idleMillisMax / 1_000} s`)
        state.backups.delete(backup)
      }
      return state
    }
  },
  onStop: ({ backups }) => {
    for (const reads of backups.values()) reads.giveUp("the member has stopped")
  },
  inspect: ({ backups }) => ({ backups: backups.size })
})

const done = (): void => {}

/** Whoever leads changes them. */
const change = <A>(
  { endpoint }: State,
  method: string,
  request: Uint8Array,
  { refuse, reply }: ReplyTo<A, EtcdRefusal>,
  answerOf: (response: Uint8Array) => A
): void => {
  const { member } = endpoint
  const answer = (outcome: Either.Either<Uint8Array, EtcdError>) =>
    Either.match(outcome, {
      onLeft: (error) => refuse(refusal(error)),
      onRight: (encoded) => reply(answerOf(encoded))
    })
  if (member.leads) changeMembers(endpoint, method, request, answer)
  else endpoint.forwardChange(member.leader, method, request, answer)
}

const refusal = ({ code, message }: EtcdError): EtcdRefusal => new EtcdRefusal({ code, reason: message })
