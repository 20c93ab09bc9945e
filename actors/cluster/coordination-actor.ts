/**
 * `Coordination` on the chainfire of the same cluster, by messages: its keys are asked at the members' paths, and
 * each watch is an actor here that the member tells of changes.
 *
 *   component ── Coordination ──► TreeCoordination ── ask ──► /<member>/chainfire/keys
 *                     ▲                  │ begins
 *                     └── stream ── receiver ◄── KeysChanged ── /<member>/chainfire/watches/<n>
 *
 * `TreeCoordination` is made before the system, which has it as a service; it works while the actor runs to which
 * it is given. What it cannot do before that is `StoreUnavailable`, and nothing was done.
 */
import { Cause, Effect, Exit, Layer, Option, Queue, Schema, Stream } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import { ask, type Success } from "#actors/kernel/ask.ts"
import { coordinationOf } from "#actors/kernel/coordination/coordination-client.ts"
import { type Began, Rotation } from "#actors/kernel/coordination/keys-transport.ts"
import { type Changes, Coordination, type WatchedKeys } from "#actors/kernel/ports/coordination.ts"
import type { ActorRef } from "#actors/kernel/ref.ts"
import { type Address, address } from "#protocols/address.ts"
import {
  CancelWatch,
  Compacted,
  GrantCredit,
  KeysChanged,
  type KeysFault,
  type KeysRequest,
  keysRequests,
  StoreUnavailable,
  WatchEnded,
  WatchKeys
} from "#protocols/chainfire-keys.ts"
import type { DeliveryFault } from "#protocols/delivery.ts"

export interface TreeCoordinationOptions {
  /** The paths of chainfire's members, such as `/node01/chainfire`; the nearest first. */
  readonly members: ReadonlyArray<string>
  /** Of each request. */
  readonly deadlineMillis?: number
}

/** What has to be read before the member tells more, in revisions. */
const credit = 64
const defaultDeadlineMillis = 5_000

type Told = Began | Changes | Compacted | StoreUnavailable

/** What the actor lends to it. */
interface Reach {
  readonly at: <M extends { readonly _tag: string }>(address: Address<M>) => ActorRef<M>
  readonly begin: (watch: Receiving) => void
}

interface Receiving {
  readonly member: string
  readonly keys: WatchedKeys
  readonly deadlineMillis: number
  readonly told: (told: Told) => void
  /** Gets the way to take more, and to stop. */
  readonly opened: (receiver: ActorRef<Taken | Stop>) => void
}

export class TreeCoordination {
  readonly coordination: Coordination
  readonly #rotation: Rotation<string>
  readonly #deadlineMillis: number
  #reach: Reach | undefined

  constructor({ deadlineMillis = defaultDeadlineMillis, members }: TreeCoordinationOptions) {
    this.#rotation = new Rotation(members)
    this.#deadlineMillis = deadlineMillis
    this.coordination = coordinationOf({
      ask: (request) =>
        this.#rotation.ask(request, deadlineMillis, (member, leftMillis) =>
          this.#ask(member, request, leftMillis)
        ),
      watch: (keys) => this.#watch(keys)
    })
  }

  get layer(): Layer.Layer<Coordination> {
    return Layer.succeed(Coordination, this.coordination)
  }

  /** For its actor, at the start of each life. */
  attach(reach: Reach | undefined): void {
    this.#reach = reach
  }

  #ask<Asked extends KeysRequest>(
    member: string,
    request: Asked,
    deadlineMillis: number
  ): Effect.Effect<Success<Asked>, KeysFault> {
    return Effect.suspend(() => {
      if (this.#reach === undefined) return Effect.fail(notRunning)
      const keys: Address<KeysRequest> = address(`${member}/keys`, ...keysRequests)
      const asking = ask<Asked>(this.#reach.at(keys), request, deadlineMillis)
      return Effect.mapError(asking as Effect.Effect<Success<Asked>, KeysFault | DeliveryFault>, undelivered)
    })
  }

  #watch(keys: WatchedKeys): Stream.Stream<Began | Changes, Compacted | StoreUnavailable> {
    return Stream.unwrapScoped(
      Effect.gen(this, function* () {
        const reach = this.#reach
        if (reach === undefined) return Stream.fail(notRunning)
        const member = this.#rotation.current
        // The member tells no more than it has credit for.
        const queue = yield* Queue.unbounded<Told>()
        let receiver: ActorRef<Taken | Stop> | undefined
        let over = false
        yield* Effect.addFinalizer(() =>
          Effect.sync(() => {
            over = true
            receiver?.tell(new Stop())
          })
        )
        reach.begin({
          member,
          keys,
          deadlineMillis: this.#deadlineMillis,
          told: (told) => void queue.unsafeOffer(told),
          opened: (ref) => {
            receiver = ref
            if (over) ref.tell(new Stop())
          }
        })
        return Stream.repeatEffect(
          Effect.flatMap(
            Queue.take(queue),
            (told): Effect.Effect<Began | Changes, Compacted | StoreUnavailable> => {
              if ("began" in told) return Effect.succeed(told)
              if ("revision" in told) {
                receiver?.tell(new Taken())
                return Effect.succeed(told)
              }
              if (told instanceof StoreUnavailable) this.#rotation.leave(member)
              return Effect.fail(told)
            }
          )
        )
      })
    )
  }
}

const notRunning = new StoreUnavailable({ reason: "its actor is not running here", definite: true })

const undelivered = (fault: KeysFault | DeliveryFault): KeysFault => {
  switch (fault._tag) {
    case "Compacted":
    case "FutureRevision":
    case "LeaseNotFound":
    case "StoreUnavailable":
    case "EtcdRefusal":
      return fault
    default:
      return new StoreUnavailable({ reason: fault.message, definite: fault.definite })
  }
}

// The actors

/** To a receiver, of its stream. */
class Taken extends Schema.TaggedClass<Taken>()("Taken", {}) {}
class Stop extends Schema.TaggedClass<Stop>()("Stop", {}) {}

class Opened extends Schema.TaggedClass<Opened>()("Opened", {
  watch: Schema.Int,
  revision: Schema.Int,
  path: Schema.String
}) {}
class WatchGone extends Schema.TaggedClass<WatchGone>()("WatchGone", { reason: Schema.String }) {}
class Lost extends Schema.TaggedClass<Lost>()("Lost", { fault: Schema.Unknown }) {}

const Receiver = Actor.make("receiver", {
  messages: [KeysChanged, WatchEnded, Taken, Stop, Opened, WatchGone, Lost],
  init: (context, receiving: Receiving) => {
    const { deadlineMillis, keys, member, opened, told } = receiving
    const watches = context.at(address(`${member}/watches`, WatchKeys))
    const asked = new WatchKeys({ ...keys, to: address(context.path, KeysChanged, WatchEnded), credit })
    context.ask(watches, asked, deadlineMillis, (answered) =>
      Exit.match(answered, {
        onSuccess: (answer) => new Opened(answer),
        onFailure: (cause) => new Lost({ fault: unavailable(cause) })
      })
    )
    opened(context.self)
    return {
      told,
      taken: 0,
      /** The number of what was told last. */
      heard: 0,
      /** What was told before the answer came. */
      early: [] as ReadonlyArray<Changes>,
      control: undefined as ActorRef<GrantCredit | CancelWatch> | undefined
    }
  },
  handlers: {
    Opened: (state, { path, revision }, context) => {
      const control = context.at(address(path, GrantCredit, CancelWatch))
      context.watch(control, ({ reason }) => new WatchGone({ reason }))
      state.told({ began: revision })
      for (const changes of state.early) state.told(changes)
      return { ...state, control, early: [] }
    },
    KeysChanged: (state, { events, number, revision }, context) => {
      if (number !== state.heard + 1) {
        const reason = "changes were lost on their way"
        state.told(new StoreUnavailable({ reason, definite: true }))
        context.stop()
        return state
      }
      const changes = { revision, events }
      const after = { ...state, heard: number }
      if (state.control === undefined) return { ...after, early: [...state.early, changes] }
      state.told(changes)
      return after
    },
    WatchEnded: (state, { compactRevision, reason }, context) => {
      state.told(
        reason === "compacted"
          ? new Compacted({ compactRevision })
          : new StoreUnavailable({ reason: "the watch was cancelled", definite: true })
      )
      context.stop()
      return state
    },
    Taken: (state) => {
      if (state.taken + 1 < credit / 2) return { ...state, taken: state.taken + 1 }
      state.control?.tell(new GrantCredit({ messages: state.taken + 1 }))
      return { ...state, taken: 0 }
    },
    // Behind what it has told before, such as why.
    WatchGone: (state, { reason }, context) => {
      const fault = new StoreUnavailable({ reason: `the watch has ended: ${reason}`, definite: true })
      context.self.tell(new Lost({ fault }))
      return state
    },
    Lost: (state, { fault }, context) => {
      if (fault instanceof StoreUnavailable) state.told(fault)
      context.stop()
      return state
    },
    // Its end is the end of the watch.
    Stop: (state, _stop, context) => {
      context.stop()
      return state
    }
  },
  onStop: ({ told }) => told(new StoreUnavailable({ reason: "its receiver has ended", definite: true })),
  inspect: ({ control, taken }) => ({ watch: control?.path ?? "", taken })
})

const unavailable = (cause: Cause.Cause<KeysFault | DeliveryFault>): StoreUnavailable => {
  const fault = Option.map(Cause.failureOption(cause), undelivered)
  if (Option.isSome(fault) && fault.value instanceof StoreUnavailable) return fault.value
  const reason = Option.match(fault, { onNone: () => Cause.pretty(cause), onSome: ({ message }) => message })
  return new StoreUnavailable({ reason, definite: true })
}

class Begin extends Schema.TaggedClass<Begin>()("Begin", { receiving: Schema.Int }) {}

/** Runs what `TreeCoordination` needs of the tree. */
export const CoordinationActor = Actor.make("coordination", {
  messages: [Begin],
  init: (context, { tree }: { readonly tree: TreeCoordination }) => {
    let begun = 0
    const waiting = new Map<number, Receiving>()
    tree.attach({
      at: (where) => context.at(where),
      begin: (receiving) => {
        waiting.set(++begun, receiving)
        context.self.tell(new Begin({ receiving: begun }, true))
      }
    })
    const ended = Effect.sync(() => {
      tree.attach(undefined)
      const fault = new StoreUnavailable({ reason: "its actor has ended", definite: true })
      for (const { told } of waiting.values()) told(fault)
    })
    return Effect.as(
      Effect.addFinalizer(() => ended),
      { waiting }
    )
  },
  handlers: {
    Begin: (state, { receiving: number }, context) => {
      const receiving = state.waiting.get(number)
      if (receiving === undefined) return state
      state.waiting.delete(number)
      context.spawn(Receiver, { name: `watch-${number}`, args: receiving })
      return state
    }
  }
})
