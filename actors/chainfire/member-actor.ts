/**
 * A member of chainfire as an actor: opens its journal and its stores, plays raft with the others over the
 * node's links, and serves etcd v3 on the node's gRPC port.
 *
 * The engine in member.ts does the work. Calls of clients reach it directly, without a message; what comes in
 * between two turns is carried out together in the next one, which is a message to itself. A fault of the
 * disk is its crash: its supervisor opens everything again, and what was acknowledged is read back.
 */
import { Cause, Effect, Either, Option, Schema } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import type { InitContext } from "#actors/kernel/context.ts"
import { Grpc } from "#actors/kernel/ports/grpc.ts"
import { type JournalLimits, Journals } from "#actors/kernel/ports/journal.ts"
import { Stores } from "#actors/kernel/ports/store.ts"
import { RaftCodecError } from "#actors/raft/raft-bytes.ts"
import { decodePacket, encodePacket } from "#actors/raft/raft-codec.ts"
import { defaultConfig, type RaftConfig } from "#actors/raft/raft-config.ts"
import { encodeMembership, Membership } from "#actors/raft/raft-membership.ts"
import type { NodeId } from "#actors/raft/raft-messages.ts"
import { address } from "#protocols/address.ts"
import {
  CarryOut,
  type ChainfireStatus,
  EtcdRefusal,
  GetChainfire,
  RaftPacket,
  RemainingLease,
  RenewLease
} from "#protocols/chainfire.ts"
import type { EtcdError } from "#protocols/wire/etcd/errors.ts"
import { etcdErrors } from "#protocols/wire/etcd/errors.ts"
import { CompactionResponse } from "#protocols/wire/etcd/kv.ts"
import { DeleteRangeResponse, PutResponse } from "#protocols/wire/etcd/kv-fast.ts"
import { LeaseGrantResponse, LeaseRevokeRequest, LeaseRevokeResponse } from "#protocols/wire/etcd/lease.ts"
import { TxnResponse } from "#protocols/wire/etcd/txn-fast.ts"
import type { Message as ProtobufMessage } from "#protocols/wire/protobuf-message.ts"
import { type Command, decodeCommand, encodeCommand } from "./command.ts"
import { Calls, carryOut, type Endpoint } from "./etcd-calls.ts"
import { clusterCalls } from "./etcd-cluster.ts"
import { kvCalls } from "./etcd-kv.ts"
import { leaseCalls } from "./etcd-lease.ts"
import { maintenanceCalls } from "./etcd-maintenance.ts"
import { etcdStreams } from "./etcd-streams.ts"
import { Member } from "./member.ts"
import { SnapshotShelf } from "./snapshot-shelf.ts"
import { putMembership, type Response } from "./state-machine.ts"
import { StoreTables } from "./store-tables.ts"

export interface MemberArgs {
  readonly id: NodeId
  readonly clusterId: bigint
  /** All members that the group began with, this one included. */
  readonly members: Endpoint["members"]
  /** The path of the member's actor on its node. */
  readonly pathOf: (member: NodeId) => string
  readonly config?: Partial<RaftConfig>
}

const group = 1
const forwardMillis = 5_000
/** So often a leader looks for leases that have run out, and proposes their end again. */
const leaseTickMillis = 250
const revocationsMax = 1_000
const revocationAgainMillis = 2_000
/** What compaction has freed is removed so much at a time. */
const sweptAtOnce = 2_000

class Turn extends Schema.TaggedClass<Turn>()("Turn", {}) {}
class LeaseTick extends Schema.TaggedClass<LeaseTick>()("LeaseTick", {}) {}
class DiskFailed extends Schema.TaggedClass<DiskFailed>()("DiskFailed", { fault: Schema.Unknown }) {}

type Message =
  | Turn
  | LeaseTick
  | DiskFailed
  | RaftPacket
  | CarryOut
  | RenewLease
  | RemainingLease
  | GetChainfire
type Context = InitContext<Message, Journals | Stores | Grpc>

interface State {
  readonly member: Member
  readonly turn: { armed: boolean }
}

export const Chainfire = Actor.make("chainfire", {
  messages: [Turn, LeaseTick, DiskFailed, RaftPacket, CarryOut, RenewLease, RemainingLease, GetChainfire],
  services: [Journals, Stores, Grpc],
  mailbox: { capacity: 100_000 },
  init: (context: Context, args: MemberArgs) =>
    Effect.gen(function* () {
      const { environment, journal, shelf, tables } = yield* openState({})
      const turn = { armed: false }
      const wake = () => {
        if (turn.armed) return
        turn.armed = true
        context.self.tell(new Turn(undefined, true))
      }
      const peers = new Map(
        args.members.map(({ node }) => [
          node,
          context.at(address(args.pathOf(node), RaftPacket, CarryOut, RenewLease, RemainingLease))
        ])
      )
      const member = new Member(
        {
          id: args.id,
          membership: new Membership(args.members.map(({ node }) => node)),
          config: { ...defaultConfig, ...args.config }
        },
        {
          journal,
          tables,
          shelf,
          send: (to, messages) => {
            const packet = encodePacket({
              from: args.id,
              to,
              messages: messages.map((message) => ({ group, message }))
            })
            peers.get(to)?.tell(new RaftPacket({ bytes: packet }, true))
          },
          wake,
          failed: (fault) => context.self.tell(new DiskFailed({ fault })),
          nowMillis: () => context.nowMillis(),
          random: () => context.random()
        }
      )
      const endpoint: Endpoint = {
        member,
        clusterId: args.clusterId,
        members: args.members,
        random: () => context.random(),
        storeBytes: () => environment.usage().bytes,
        remainingMillis: (lease, done) => {
          const { lessor } = member.machine
          if (lessor.counts) return done(lessor.remainingMillis(lease, context.nowMillis()))
          const peer = peers.get(member.leader)
          if (peer === undefined) return done(etcdErrors.noLeader)
          context.ask(peer, new RemainingLease({ lease }), forwardMillis, (answered) => {
            done(answered._tag === "Success" ? (answered.value ?? undefined) : refusalOf(answered.cause))
            return new Turn(undefined, true)
          })
        },
        forward: (leader, command, done) => {
          const peer = peers.get(leader)
          if (peer === undefined) return done(Either.left(etcdErrors.noLeader))
          context.ask(peer, new CarryOut({ command }), forwardMillis, (answered) => {
            done(
              answered._tag === "Success"
                ? Either.right(answered.value)
                : Either.left(refusalOf(answered.cause))
            )
            return new Turn(undefined, true)
          })
        }
      }
      const renew = (lease: bigint, done: (ttlSeconds: number | undefined | EtcdError) => void) => {
        const { lessor } = member.machine
        if (lessor.counts) return done(lessor.renew(lease, context.nowMillis()))
        const peer = peers.get(member.leader)
        if (peer === undefined) return done(etcdErrors.noLeader)
        context.ask(peer, new RenewLease({ lease }), forwardMillis, (answered) => {
          done(answered._tag === "Success" ? (answered.value ?? undefined) : refusalOf(answered.cause))
          return new Turn(undefined, true)
        })
      }
      const calls = new Calls(endpoint)
      yield* (yield* Grpc).serve({
        unary: {
          ...kvCalls(calls),
          ...leaseCalls(calls),
          ...clusterCalls(calls),
          ...maintenanceCalls(calls)
        },
        streams: etcdStreams(endpoint, renew)
      })
      context.every(leaseTickMillis, new LeaseTick(), "leases")
      wake()
      const state: State = { member, turn }
      return state
    }),
  handlers: {
    Turn: (state, _turn, context) => {
      state.turn.armed = false
      state.member.turn()
      const { wakeMillis } = state.member
      if (wakeMillis === Number.POSITIVE_INFINITY) context.cancel("turn")
      else context.after(Math.max(0, wakeMillis - context.nowMillis()), new Turn(undefined, true), "turn")
      return state
    },
    LeaseTick: (state, _tick, context) => {
      const { machine } = state.member
      const over = machine.lessor.expired(context.nowMillis(), revocationsMax, revocationAgainMillis)
      for (const ID of over) state.member.propose(revocation(ID), () => {})
      state.member.sweep(sweptAtOnce)
      state.member.tend()
      return state
    },
    DiskFailed: (_state, { fault }) => {
      throw fault
    },
    RaftPacket: (state, { bytes }) => {
      try {
        state.member.receive(decodePacket(bytes).messages.map(({ message }) => message))
      } catch (problem) {
        // What is no packet is lost, as packets may be.
        if (!(problem instanceof RaftCodecError)) throw problem
      }
      return state
    },
    CarryOut: (state, ask, context) => {
      const { refuse, reply } = context.replyTo(ask)
      const { command } = ask
      const { _tag } = decodeCommand(command)
      const encode = (response: Response) => encodeResponse(_tag, response)
      carryOut(state.member, command, encode, (answer) =>
        Either.match(answer, { onLeft: (error) => refuse(refusal(error)), onRight: reply })
      )
      return Actor.later(state)
    },
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

/** Opens what a member remembers, and brings it to an end where a crash has left it in the middle. */
export const openState = (journalLimits: Partial<JournalLimits>) =>
  Effect.gen(function* () {
    const environment = yield* Stores
    const journal = yield* (yield* Journals).open(journalLimits)
    const open = (name: string) => environment.open(`chainfire-${name}`)
    const stores = yield* Effect.all({
      current: open("current"),
      history: open("history"),
      changes: open("changes"),
      leases: open("leases"),
      attachments: open("attachments"),
      meta: open("meta")
    })
    const tables = new StoreTables({ environment, stores })
    // Beside them, and no part of a snapshot.
    const shelf = new SnapshotShelf(environment, Object.values(stores), yield* open("snapshots"))
    const slices = shelf.recover(({ membership }) => {
      putMembership(tables.meta, encodeMembership(membership))
      tables.write()
    })
    for (let slice = slices.next(); slice.done !== true; slice = slices.next())
      yield* slice.value === "flushed" ? environment.flushed : Effect.yieldNow()
    return { environment, journal, shelf, tables }
  })

const revocation = (ID: bigint): Uint8Array => encodeCommand("LeaseRevoke", LeaseRevokeRequest.encode({ ID }))

const refusal = ({ code, message }: EtcdError): EtcdRefusal => new EtcdRefusal({ code, reason: message })

/** Whatever kept the leader from answering, the command may have been carried out. */
const refusalOf = (cause: Cause.Cause<unknown>): EtcdError => {
  const fault = Option.getOrUndefined(Cause.failureOption(cause))
  if (fault instanceof EtcdRefusal) return { code: fault.code, message: fault.reason }
  return etcdErrors.timeoutDueToConnectionLost
}

const codecs = {
  Put: PutResponse,
  DeleteRange: DeleteRangeResponse,
  Txn: TxnResponse,
  Compact: CompactionResponse,
  LeaseGrant: LeaseGrantResponse,
  LeaseRevoke: LeaseRevokeResponse
} satisfies Record<Command["_tag"], unknown>

/** The response to a command is that of its kind. */
const encodeResponse = (kind: Command["_tag"], response: Response): Uint8Array =>
  (codecs[kind] as ProtobufMessage<Response>).encode(response)

const statusOf = (member: Member): ChainfireStatus => {
  const { commit, id, leader, role, term } = member.status
  const { appliedIndex, lessor, mvcc } = member.machine
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
    watches: watches.length,
    parkedWatches: watches.filter(({ state }) => state === "parked").length,
    failed: member.failed?.message ?? ""
  }
}
