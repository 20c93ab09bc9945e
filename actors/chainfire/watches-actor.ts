/**
 * The watches of a member of chainfire, for the actors of the cluster: `/<node>/chainfire/watches`, with one
 * actor below it for each watch. See protocols/chainfire-keys.ts for what is promised, key-watch.ts for how
 * credit works.
 *
 *   member ── hub ──► KeyWatch ── KeysChanged ──► receiver
 *                        ▲ parked without credit     │
 *                        └────── GrantCredit ────────┘
 *
 * A watch ends with its receiver: with that actor's life, its node, or the link to it.
 */
import { Effect, Schema } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import { EtcdRefusal } from "#protocols/chainfire.ts"
import {
  CancelWatch,
  GrantCredit,
  KeysChanged,
  StoreUnavailable,
  WatchEnded,
  WatchKeys
} from "#protocols/chainfire-keys.ts"
import { etcdErrors } from "#protocols/wire/etcd/errors.ts"
import { KeyWatch } from "./key-watch.ts"
import type { Member } from "./member.ts"

export interface WatchesArgs {
  readonly member: Member
}

/** Of one member; each costs an actor. */
const watchesMax = 10_000
/** More is taken for a mistake of the receiver. */
const creditMax = 1_000_000

class Resume extends Schema.TaggedClass<Resume>()("Resume", {}) {}
class OutOfReach extends Schema.TaggedClass<OutOfReach>()("OutOfReach", { compactRevision: Schema.Int }) {}
class ReceiverGone extends Schema.TaggedClass<ReceiverGone>()("ReceiverGone", {}) {}

interface WatchArgs extends WatchesArgs {
  readonly id: number
  readonly asked: WatchKeys
  readonly startRevision: number
}

const Watch = Actor.make("watch", {
  messages: [GrantCredit, CancelWatch, Resume, OutOfReach, ReceiverGone],
  init: (context, { asked, id, member, startRevision }: WatchArgs) => {
    const to = context.at(asked.to)
    context.watch(to, () => new ReceiverGone())
    let armed = false
    const wake = () => {
      if (armed) return
      armed = true
      context.self.tell(new Resume())
    }
    const { mvcc } = member.machine
    let told = 0
    const watch = new KeyWatch(
      // Numbers of those of gRPC are above zero.
      -id,
      member.hub,
      {
        range: { key: asked.key, rangeEnd: asked.end ?? noBytes },
        startRevision,
        prevKv: asked.prevKv === true,
        noPut: asked.noPut === true,
        noDelete: asked.noDelete === true
      },
      Math.min(asked.credit, creditMax),
      {
        tell: (revision, events) =>
          to.tell(new KeysChanged({ watch: id, number: ++told, revision, events }, true)),
        wake,
        compacted: (compactRevision) => context.self.tell(new OutOfReach({ compactRevision })),
        isInstalling: () => member.isInstalling,
        revision: () => mvcc.revision
      }
    )
    const disarm = () => {
      armed = false
    }
    const state = { id, watch, to, disarm, from: asked.to.path }
    return Effect.as(
      Effect.addFinalizer(() => Effect.sync(() => watch.end())),
      state
    )
  },
  handlers: {
    GrantCredit: (state, { messages }) => {
      state.watch.grant(Math.min(messages, creditMax))
      return state
    },
    Resume: (state) => {
      state.disarm()
      state.watch.resume()
      return state
    },
    CancelWatch: (state, _cancel, context) => {
      state.to.tell(new WatchEnded({ watch: state.id, reason: "cancelled", compactRevision: 0 }))
      context.stop()
      return state
    },
    OutOfReach: (state, { compactRevision }, context) => {
      state.to.tell(new WatchEnded({ watch: state.id, reason: "compacted", compactRevision }))
      context.stop()
      return state
    },
    ReceiverGone: (state, _gone, context) => {
      context.stop()
      return state
    }
  },
  inspect: ({ from, watch }) => ({ receiver: from, ...watch.status })
})

const noBytes = new Uint8Array(0)

export const Watches = Actor.make("watches", {
  messages: [WatchKeys],
  init: (_context, { member }: WatchesArgs) => ({ member, last: 0 }),
  handlers: {
    WatchKeys: (state, asked, context) => {
      const { member } = state
      if (asked.key.length === 0) return Actor.refuse(state, emptyKey)
      if (member.isLearner || member.isRemoved)
        return Actor.refuse(state, new StoreUnavailable({ reason: "it is no voting member", definite: true }))
      if (context.children.length >= watchesMax)
        return Actor.refuse(
          state,
          new StoreUnavailable({ reason: `${watchesMax} watches are open here`, definite: true })
        )
      const watch = state.last + 1
      const { revision } = member.machine.mvcc
      const startRevision = asked.startRevision ?? revision + 1
      const args = { member, id: watch, asked, startRevision }
      const { path } = context.spawn(Watch, { name: `${watch}`, args })
      return Actor.reply({ member, last: watch }, { watch, revision, path })
    }
  },
  inspect: ({ last }) => ({ begun: last })
})

const { code, message } = etcdErrors.emptyKey
const emptyKey = new EtcdRefusal({ code, reason: message })
