/**
 * A member of chainfire as an actor: opens its journal and its stores, plays raft with the others over the
 * node's links, and serves etcd v3 on the node's gRPC port.
 *
 * The engine in member.ts does the work. Calls of clients reach it directly, without a message; what comes in
 * between two turns is carried out together in the next one, which is a message to itself. A fault of the
 * disk is its crash: its supervisor opens everything again, and what was acknowledged is read back.
 */
import { Cause, Effect, Either, Exit, Option, Schema } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import type { Request, Success } from "#actors/kernel/ask.ts"
import type { InitContext } from "#actors/kernel/context.ts"
import { Grpc } from "#actors/kernel/ports/grpc.ts"
import { Journals } from "#actors/kernel/ports/journal.ts"
import { Scheduling } from "#actors/kernel/ports/scheduling.ts"
import { Secrets } from "#actors/kernel/ports/secrets.ts"
import { Stores } from "#actors/kernel/ports/store.ts"
import { RaftCodecError } from "#actors/raft/raft-bytes.ts"
import { decodePacket, encodePacket } from "#actors/raft/raft-codec.ts"
import { defaultConfig, type RaftConfig } from "#actors/raft/raft-config.ts"
import { Membership } from "#actors/raft/raft-membership.ts"
import type { NodeId } from "#actors/raft/raft-messages.ts"
import { address } from "#protocols/address.ts"
import {
  AbortReplacement,
  Announce,
  CarryOut,
  type ChainfireStatus,
  ChangeMembers,
  EtcdRefusal,
  Expelled,
  GetChainfire,
  GetReplacement,
  RaftPacket,
  RemainingLease,
  RenewLease,
  ReplaceMember,
  type Replacement,
  ReplacementRefused,
  WasThere
} from "#protocols/chainfire.ts"
import { AlarmType } from "#protocols/wire/etcd/cluster.ts"
import type { EtcdError } from "#protocols/wire/etcd/errors.ts"
import { etcdErrors, GrpcCode } from "#protocols/wire/etcd/errors.ts"
import { CompactionRequest } from "#protocols/wire/etcd/kv.ts"
import { LeaseRevokeRequest } from "#protocols/wire/etcd/lease.ts"
import { identity } from "./admission-actor.ts"
import { alarmKinds, alarmText } from "./alarms.ts"
import { type Asker, root } from "./auth-store.ts"
import { type AutoCompactor, autoCompactorOf } from "./auto-compaction.ts"
import { decodeCommand, encodeCommand } from "./command.ts"
import { encodeResponse } from "./command-codecs.ts"
import { authCalls } from "./etcd-auth.ts"
import { Calls, carryOut, type Endpoint } from "./etcd-calls.ts"
import { changeMembers, clusterCalls } from "./etcd-cluster.ts"
import { kvCalls } from "./etcd-kv.ts"
import { leaseCalls } from "./etcd-lease.ts"
import { maintenanceCalls } from "./etcd-maintenance.ts"
import { snapshotStream } from "./etcd-snapshot.ts"
import { etcdStreams } from "./etcd-streams.ts"
import { EtcdSurface } from "./etcd-surface.ts"
import { Keys } from "./keys-actor.ts"
import { LongWorks } from "./long-work.ts"
import { Member } from "./member.ts"
import { MemberChanges } from "./member-changes.ts"
import type { MemberRecord } from "./member-records.ts"
import type { LogLimits } from "./member-snapshots.ts"
import { publishNews, type Told } from "./news-actor.ts"
import { openState } from "./open-state-actor.ts"
import { ChainfireOperations } from "./operations-actor.ts"
import { RaisedAlarm } from "./own-proposals.ts"
import { Quota } from "./quota.ts"
import { type ChainfireSettings, settingsOf } from "./settings.ts"
import type { Response } from "./state-machine.ts"
import { spanOfProposal } from "./traced-command.ts"
import { WatchProgress } from "./watch-progress.ts"
import { Watches } from "./watches-actor.ts"

export interface MemberArgs {
  readonly clusterId: bigint
  /** Of the node. */
  readonly name: string
  readonly peerUrl: string
  readonly clientUrl: string
  /** All members that the group begins with, or that somebody who joins it may ask. */
  readonly initial: ReadonlyArray<MemberRecord>
  /** This one was added to a group that is there already. */
  readonly joins?: boolean
  /** The path of the member's actor on a node. */
  readonly pathOf: (node: string) => string
  readonly config?: Partial<RaftConfig>
  readonly log?: Partial<LogLimits>
  /** Of web pages that may call, `*` for all of them; none where nothing is said. */
  readonly origins?: ReadonlyArray<string>
  readonly settings?: Partial<ChainfireSettings>
}

const group = 1
const forwardMillis = 5_000
/** So often a leader looks for leases that have run out, and proposes their end again. */
const leaseTickMillis = 250
const revocationsMax = 1_000
const revocationAgainMillis = 2_000
/** What compaction has freed is removed so much at a time. */
const sweptAtOnce = 2_000
const announceMillis = 2_000
const countedAtOnce = 2_000
/** A group has a few members, so more than these were made up. */
const strangersMax = 64
/** Commands and reads that wait, up to which each is carried out as it comes. */
const loadMax = 4

/** Between two slices of long work, so that what clients want comes in and goes out in between. */
const workPauseMillis = 1

class Turn extends Schema.TaggedClass<Turn>()("Turn", {}) {}
const nextTurn = new Turn()
class LeaseTick extends Schema.TaggedClass<LeaseTick>()("LeaseTick", {}) {}
class AnnounceTick extends Schema.TaggedClass<AnnounceTick>()("AnnounceTick", {}) {}
/** A slice of what takes long. */
class WorkTurn extends Schema.TaggedClass<WorkTurn>()("WorkTurn", {}) {}
/** As the links say. */
class LeaderLost extends Schema.TaggedClass<LeaderLost>()("LeaderLost", { leader: Schema.Int }) {}
class DiskFailed extends Schema.TaggedClass<DiskFailed>()("DiskFailed", { fault: Schema.Unknown }) {}

/** What members send each other. */
const fromMembers = [
  RaftPacket,
  Expelled,
  CarryOut,
  ChangeMembers,
  Announce,
  WasThere,
  RenewLease,
  RemainingLease,
  ReplaceMember,
  AbortReplacement
] as const
type FromMembers = Schema.Schema.Type<(typeof fromMembers)[number]>

type Message =
  | Turn
  | LeaseTick
  | AnnounceTick
  | WorkTurn
  | LeaderLost
  | DiskFailed
  | FromMembers
  | GetChainfire
  | GetReplacement
type Context = InitContext<Message, Journals | Stores | Grpc | Secrets | Scheduling>

type AskLeader = <Asked extends FromMembers & Request>(
  leader: NodeId,
  asked: Asked,
  done: (answer: Either.Either<Success<Asked>, EtcdError | string>) => void
) => void

interface State {
  readonly askLeader: AskLeader
  readonly member: Member
  readonly endpoint: Endpoint
  readonly announce: () => void
  readonly told: Told
  readonly watchLeader: (leader: NodeId) => void
  readonly heardFrom: (member: NodeId, node: string) => void
  readonly expel: (name: string, member: NodeId) => void
  readonly surface: EtcdSurface
  readonly turn: { armed: boolean; timerMillis: number }
  readonly works: LongWorks
  readonly quota: Quota
  readonly progress: WatchProgress
  readonly compactor: AutoCompactor | undefined
}

export const Chainfire = Actor.make("chainfire", {
  messages: [
    Turn,
    LeaseTick,
    AnnounceTick,
    WorkTurn,
    LeaderLost,
    DiskFailed,
    ...fromMembers,
    GetChainfire,
    GetReplacement
  ],
  services: [Journals, Stores, Grpc, Secrets, Scheduling],
  mailbox: { capacity: 100_000 },
  init: (context: Context, args: MemberArgs) =>
    Effect.gen(function* () {
      const { environment, journal, self, shelf, stores, tables } = yield* openState({})
      const nodeOf = (name: string) => context.at(address(args.pathOf(name), ...fromMembers))
      const { dataId, id } = yield* identity(args, { environment, self }, nodeOf, context)
      const secrets = yield* Secrets
      const turn = { armed: false, timerMillis: Number.POSITIVE_INFINITY }
      const scheduling = yield* Scheduling
      const go = () => context.self.tell(nextTurn)
      // With few to wait for, at once; with many, what else has arrived comes along: a sync and a packet for all.
      const wake = () => {
        if (turn.armed) return
        turn.armed = true
        if (member.load <= loadMax) go()
        else scheduling.arm(go, "after-io")
      }
      const nowMillis = () => context.nowMillis()
      const random = () => context.random()
      const member: Member = new Member(
        {
          id,
          membership: new Membership(args.joins === true ? [] : args.initial.map(({ ID }) => Number(ID))),
          config: { ...defaultConfig, ...args.config },
          ...(args.log !== undefined && { log: args.log })
        },
        {
          journal,
          tables,
          shelf,
          send: (to, messages) => {
            const all = messages.map((message) => ({ group, message }))
            const packet = encodePacket({ from: id, to, messages: all })
            member.counts.sentTo(to).add(packet.length)
            peerOf(to)?.tell(new RaftPacket({ node: args.name, bytes: packet }, true))
          },
          wake,
          failed: (fault) => context.self.tell(new DiskFailed({ fault })),
          spans: context.spans,
          nowMillis,
          random
        }
      )
      const changes = new MemberChanges(member, args.initial, {
        nowMillis,
        wallMillis: () => context.wallMillis(),
        random
      })
      const nodes = new Map<string, ReturnType<typeof nodeOf>>()
      /** Members of which the log, as far as it is known here, does not say yet where they live; they have. */
      const strangers = new Map<NodeId, string>()
      const heardFrom = (one: NodeId, node: string) => {
        if (changes.nameOf(one) !== undefined) strangers.delete(one)
        else if (strangers.has(one) || strangers.size < strangersMax) strangers.set(one, node)
      }
      /** Undefined for one that has not said yet where it lives. */
      const peerOf = (to: NodeId) => {
        const name = changes.nameOf(to) ?? strangers.get(to)
        if (name === undefined) return undefined
        const node = nodes.get(name) ?? nodeOf(name)
        nodes.set(name, node)
        return node
      }
      const askLeader = <Asked extends FromMembers & Request>(
        leader: NodeId,
        asked: Asked,
        done: (answer: Either.Either<Success<Asked>, EtcdError>) => void
      ): void => {
        const peer = peerOf(leader)
        if (peer === undefined) return done(Either.left(etcdErrors.noLeader))
        context.ask<Asked>(peer, asked, forwardMillis, (answered) => {
          done(
            answered._tag === "Success"
              ? Either.right(answered.value)
              : Either.left(refusalOf(answered.cause))
          )
          return nextTurn
        })
      }
      const works = new LongWorks({
        wake: () => context.after(workPauseMillis, new WorkTurn(undefined, true), "work"),
        nowMillis: () => nowMillis()
      })
      const settings = settingsOf(args.settings)
      const usedBytes = () =>
        Object.values(stores).reduce(
          (sum, store) => sum + store.usedBytes(),
          environment.usage().pendingBytes
        )
      const raising = new RaisedAlarm(() => endpoint)
      const quota = new Quota({
        quotaBytes: settings.quotaBytes,
        usedBytes,
        alarms: () => member.machine.alarms,
        raise: () => raising.propose(AlarmType.noSpace)
      })
      const endpoint: Endpoint = {
        member,
        quota,
        memberId: BigInt(id),
        clusterId: args.clusterId,
        changes,
        random,
        nowMillis,
        secrets,
        storeBytes: () => environment.usage().bytes,
        usedBytes,
        settings,
        works,
        flushed: environment.onFlushed,
        spans: context.spans,
        snapshot: (done) => {
          const taken = Effect.gen(function* () {
            const snapshot = yield* environment.snapshot
            const { leases, meta, roles, users } = stores
            const reads = {
              meta: snapshot.of(meta),
              leases: snapshot.of(leases),
              users: snapshot.of(users),
              roles: snapshot.of(roles)
            }
            yield* Effect.async<void>((resume) =>
              done(Either.right({ reads, release: () => resume(Effect.void) }))
            )
          }).pipe(Effect.scoped)
          context.pipe(
            Effect.catchAll(taken, (fault) => Effect.sync(() => done(Either.left(fault)))),
            (exit) => (Exit.isFailure(exit) ? new DiskFailed({ fault: Cause.squash(exit.cause) }) : nextTurn)
          )
        },
        remainingMillis: (lease, done) => {
          const { lessor } = member.machine
          if (lessor.counts) return done(lessor.remainingMillis(lease, nowMillis()))
          askLeader(member.leader, new RemainingLease({ lease }, true), (answer) =>
            done(Either.match(answer, { onLeft: (error) => error, onRight: (left) => left ?? undefined }))
          )
        },
        forward: (leader, command, done) => askLeader(leader, new CarryOut({ command }), done),
        forwardChange: (leader, method, request, done) =>
          askLeader(leader, new ChangeMembers({ method, request }), done)
      }
      const renew = (lease: bigint, done: (ttlSeconds: number | undefined | EtcdError) => void) => {
        const { lessor } = member.machine
        if (lessor.counts) return done(lessor.renew(lease, nowMillis()))
        askLeader(member.leader, new RenewLease({ lease }), (answer) =>
          done(Either.match(answer, { onLeft: (error) => error, onRight: (ttl) => ttl ?? undefined }))
        )
      }
      /** Tells the leader when what it knows of this member is not what it is. */
      const announce = () => {
        const { clientUrl, name, peerUrl } = args
        const known = member.machine.memberRecords.get(id)
        if (known === undefined || !known.peerURLs.includes(peerUrl)) return
        if (known.name === name && known.clientURLs.includes(clientUrl) && known.dataId !== "") return
        const announcement = { name, peerUrl, clientUrl, dataId }
        if (member.leads) changes.announce(announcement, () => {})
        else askLeader(member.leader, new Announce(announcement), () => {})
      }
      const progress = new WatchProgress(settings.watchProgressMillis, () => context.random())
      const calls = new Calls(endpoint)
      const surface = new EtcdSurface({
        endpoint,
        handlers: {
          unary: {
            ...kvCalls(calls),
            ...leaseCalls(calls),
            ...clusterCalls(calls),
            ...maintenanceCalls(calls),
            ...authCalls(calls)
          },
          streams: { ...etcdStreams(calls, renew, progress), ...snapshotStream(calls) }
        },
        alarms: () => member.machine.alarms.list().map(alarmText),
        origins: args.origins ?? [],
        nowMillis
      })
      yield* Effect.addFinalizer(() => Effect.sync(() => surface.close()))
      yield* (yield* Grpc).serve(surface.service)
      context.spawn(Keys, { args: { endpoint: { ...endpoint, renew } } })
      context.spawn(Watches, { args: { member } })
      context.spawn(ChainfireOperations, { args: { endpoint, metrics: surface.metrics } })
      context.every(leaseTickMillis, new LeaseTick(), "leases")
      context.every(announceMillis, new AnnounceTick(), "announcement")
      wake()
      const expel = (name: string, one: NodeId) => nodeOf(name).tell(new Expelled({ member: one }))
      let watched: ReturnType<typeof nodeOf> | undefined
      /** One that dies is missed at once, and not only when it has been silent for long. */
      const watchLeader = (leader: NodeId) => {
        if (watched !== undefined) context.unwatch(watched)
        watched = leader === 0 || leader === id ? undefined : peerOf(leader)
        if (watched !== undefined) context.watch(watched, () => new LeaderLost({ leader }))
      }
      const state: State = {
        watchLeader,
        heardFrom,
        member,
        endpoint,
        askLeader,
        announce,
        surface,
        expel,
        turn,
        works,
        quota,
        progress,
        compactor: autoCompactorOf(settings),
        told: { leader: 0, term: 0, members: undefined, replacement: undefined }
      }
      return state
    }),
  handlers: {
    Turn: (state, _turn, context) => {
      state.turn.armed = false
      state.member.turn()
      publishNews(state, context)
      wakeInTime(state, context)
      return state
    },
    LeaseTick: (state, _tick, context) => {
      const { machine } = state.member
      const over = machine.lessor.expired(context.nowMillis(), revocationsMax, revocationAgainMillis)
      for (const ID of over) state.member.propose(revocation(state.member, ID), () => {})
      state.member.sweep(sweptAtOnce)
      state.member.tend()
      state.endpoint.changes.tend()
      state.member.countKeys(countedAtOnce)
      state.surface.tick()
      state.works.expire()
      state.progress.look(context.nowMillis())
      compactByItself(state, () => context.nowMillis())
      state.quota.look(machine.mvcc.revision)
      return state
    },
    AnnounceTick: (state) => {
      state.announce()
      return state
    },
    WorkTurn: (state) => {
      state.works.turn()
      return state
    },
    LeaderLost: (state, { leader }) => {
      if (state.member.leader === leader) state.member.lost(leader)
      return state
    },
    DiskFailed: (_state, { fault }) => {
      throw fault
    },
    RaftPacket: (state, { bytes, node }) => {
      try {
        const { from, messages } = decodePacket(bytes)
        state.member.counts.receivedFrom(from).add(bytes.length)
        state.heardFrom(from, node)
        const term = messages.reduce((latest, { message }) => Math.max(latest, message.term), 0)
        const name = state.endpoint.changes.expelled(from, term)
        if (name !== undefined) state.expel(name, from)
        else state.member.receive(messages.map(({ message }) => message))
      } catch (problem) {
        // What is no packet is lost, as packets may be.
        if (!(problem instanceof RaftCodecError)) throw problem
      }
      return state
    },
    Expelled: (state, { member }, context) => {
      if (member !== state.member.id || state.member.isRemoved) return state
      context.log("warn", "this member was removed from chainfire, and serves nobody any more")
      state.member.expel()
      return state
    },
    CarryOut: (state, ask, context) => {
      const { refuse, reply } = context.replyTo(ask)
      const { command } = ask
      const { _tag } = decodeCommand(command)
      const encode = (response: Response) => encodeResponse(_tag, response)
      const span = spanOfProposal(context.spans, command)
      carryOut(state.member, command, encode, (answer) => {
        span?.end(Either.isLeft(answer) ? answer.left.message : undefined)
        Either.match(answer, { onLeft: (error) => refuse(refusal(error)), onRight: reply })
      })
      return Actor.later(state)
    },
    ChangeMembers: (state, ask, context) => {
      const { refuse, reply } = context.replyTo(ask)
      if (!state.member.leads) return Actor.refuse(state, refusal(etcdErrors.noLeader))
      changeMembers(state.endpoint, ask.method, ask.request, (answer) =>
        Either.match(answer, { onLeft: (error) => refuse(refusal(error)), onRight: reply })
      )
      return Actor.later(state)
    },
    Announce: (state, ask, context) => {
      const { refuse, reply } = context.replyTo(ask)
      const { changes } = state.endpoint
      if (!state.member.leads) return Actor.refuse(state, refusal(etcdErrors.noLeader))
      changes.announce(ask, (answer) =>
        Either.match(answer, {
          onLeft: (error) => refuse(refusal(error)),
          onRight: ({ ID }) => {
            const members = changes.members.map((one) => ({ id: Number(one.ID), name: one.name }))
            reply({ id: Number(ID), members })
          }
        })
      )
      return Actor.later(state)
    },
    WasThere: (state, { member }) => {
      const known = state.member.machine.memberRecords.get(member)
      return Actor.reply(state, known !== undefined && known.dataId !== "")
    },
    ReplaceMember: (state, ask, context) => {
      const { refuse, reply } = context.replyTo(ask)
      const answer = (outcome: Either.Either<Replacement, EtcdError | string>) =>
        Either.match(outcome, { onLeft: (error) => refuse(replacementRefusal(error)), onRight: reply })
      const { changes } = state.endpoint
      if (state.member.leads) changes.replace(ask.old, ask.peerUrl, answer)
      else state.askLeader(state.member.leader, ask, answer)
      return Actor.later(state)
    },
    AbortReplacement: (state, ask, context) => {
      const { refuse, reply } = context.replyTo(ask)
      const answer = (outcome: Either.Either<Replacement, EtcdError | string>) =>
        Either.match(outcome, { onLeft: (error) => refuse(replacementRefusal(error)), onRight: reply })
      if (state.member.leads) state.endpoint.changes.abortReplacement(answer)
      else state.askLeader(state.member.leader, ask, answer)
      return Actor.later(state)
    },
    GetReplacement: (state) => Actor.reply(state, state.endpoint.changes.replacement ?? null),
    RenewLease: (state, { lease }, context) => {
      const { lessor } = state.member.machine
      return lessor.counts
        ? Actor.reply(state, lessor.renew(lease, context.nowMillis()) ?? null)
        : Actor.refuse(state, refusal(etcdErrors.noLeader))
    },
    RemainingLease: (state, { lease }, context) => {
      const { lessor } = state.member.machine
      return lessor.counts
        ? Actor.reply(state, lessor.remainingMillis(lease, context.nowMillis()) ?? null)
        : Actor.refuse(state, refusal(etcdErrors.noLeader))
    },
    GetChainfire: (state) => Actor.reply(state, statusOf(state.member))
  },
  inspect: ({ member }) => statusOf(member)
})

/** Each heartbeat puts off an election, and no timer: one that rings too early finds that out. */
const wakeInTime = ({ member, turn }: State, context: Context): void => {
  const nowMillis = context.nowMillis()
  const timerMillis = turn.timerMillis > nowMillis ? turn.timerMillis : Number.POSITIVE_INFINITY
  turn.timerMillis = Math.min(timerMillis, member.wakeMillis)
  if (turn.timerMillis < timerMillis)
    context.after(Math.max(0, turn.timerMillis - nowMillis), nextTurn, "turn")
}

/** The period that etcd calls retention is over, or there are more revisions than are kept. */
const compactByItself = ({ compactor, member }: State, nowMillis: () => number): void => {
  const { lessor, mvcc } = member.machine
  const revision = compactor?.look(nowMillis(), mvcc.revision, lessor.counts)
  if (compactor === undefined || revision === undefined) return
  const request = CompactionRequest.encode({ revision, physical: false })
  member.propose(encodeCommand("Compact", request, itself(member)), (proposed) => {
    // Refused by the state machine: somebody has compacted as far already.
    if (proposed._tag === "Applied") compactor.done(nowMillis(), revision)
  })
}

/** On its own account a member does what it does as root, as in etcd. */
const itself = ({ machine: { auth } }: Member): Asker | undefined =>
  auth.enabled ? { user: root, revision: auth.revision } : undefined

const revocation = (member: Member, ID: bigint): Uint8Array =>
  encodeCommand("LeaseRevoke", LeaseRevokeRequest.encode({ ID }), itself(member))

const refusal = ({ code, message }: EtcdError): EtcdRefusal => new EtcdRefusal({ code, reason: message })

const replacementRefusal = (error: EtcdError | string): EtcdRefusal | ReplacementRefused =>
  typeof error === "string" ? new ReplacementRefused({ reason: error }) : refusal(error)

/** Whatever kept the leader from answering, the command may have been carried out. */
const refusalOf = (cause: Cause.Cause<unknown>): EtcdError => {
  const fault = Option.getOrUndefined(Cause.failureOption(cause))
  if (fault instanceof EtcdRefusal) return { code: fault.code, message: fault.reason }
  if (fault instanceof ReplacementRefused) return { code: GrpcCode.failedPrecondition, message: fault.reason }
  return etcdErrors.timeoutDueToConnectionLost
}

const statusOf = (member: Member): ChainfireStatus => {
  const { commit, id, leader, role, term } = member.status
  const { alarms, appliedIndex, auth, lessor, mvcc } = member.machine
  const watches = member.hub.statuses
  return {
    member: id,
    role,
    term,
    leader,
    commitIndex: commit,
    appliedIndex,
    revision: mvcc.revision,
    compactRevision: mvcc.compactRevision,
    leases: lessor.ids.length,
    authentication: auth.enabled,
    watches: watches.length,
    parkedWatches: watches.filter(({ state }) => state === "parked").length,
    snapshotsInstalled: member.installs,
    firstIndex: member.firstIndex,
    voters: member.membership.voters,
    learners: member.membership.learners,
    removed: member.isRemoved,
    alarms: alarmKinds(alarms.list()),
    failed: member.failed?.message ?? ""
  }
}
