/**
 * The clients of a lab, as an actor of its tree: it has the connections to all nodes, and shows what goes over them.
 * Restarted it connects anew; whoever waits for an answer meanwhile gets none, as from a network that broke.
 *
 * What clients ask for comes from the workloads of a scenario, which hold `LabClients` and not the actor.
 */
import { Effect, Either, Schema, type Scope } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import type { InitContext } from "#actors/kernel/context.ts"
import { observe } from "#protocols/message.ts"
import { GrpcCode } from "#protocols/wire/etcd/errors.ts"
import { isDefinite, neverSent, type RealClients } from "./real-clients.ts"
import { type EtcdAccess, type NodeName, Unanswered, type World } from "./world.ts"

const Traffic = Schema.Struct({
  node: Schema.String,
  calls: Schema.Int,
  /** Of these so many had an answer, and so many an error. */
  answered: Schema.Int,
  failed: Schema.Int,
  watches: Schema.Int
})
type Traffic = typeof Traffic.Type

export class GetTraffic extends Schema.TaggedRequest<GetTraffic>()(
  "GetTraffic",
  { payload: {}, success: Schema.Array(Traffic), failure: Schema.Never },
  observe("How much clients of the lab have asked each node, and what came of it.")
) {}

export class LabClients implements RealClients {
  readonly #after: EtcdAccess["after"]
  readonly #traffic = new Map<NodeName, { -readonly [Key in keyof Traffic]: Traffic[Key] }>()
  #connected: RealClients | undefined

  /** Alarms ring also while clients are not connected: who waits for an answer loses its patience all the same. */
  constructor(after: EtcdAccess["after"]) {
    this.#after = after
  }

  get traffic(): ReadonlyArray<Traffic> {
    return [...this.#traffic.values()].map((one) => ({ ...one }))
  }

  /** For as long as the scope is open. */
  use(clients: RealClients): Effect.Effect<void, never, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.sync(() => {
        this.#connected = clients
      }),
      () =>
        Effect.sync(() => {
          this.#connected = undefined
        })
    )
  }

  readonly ask: World["ask"] = (node, path, request) =>
    Effect.suspend(
      () =>
        this.#connected?.ask(node, path, request) ??
        Effect.fail(new Unanswered({ node, reason: "clients are not connected" }))
    )

  readonly isReady: RealClients["isReady"] = (node) =>
    Effect.suspend(() => this.#connected?.isReady(node) ?? Effect.succeed(false))

  readonly etcd: EtcdAccess = {
    call: (node, method, request, done) => {
      const traffic = this.#of(node)
      traffic.calls++
      const clients = this.#connected
      if (clients === undefined) {
        traffic.failed++
        return done(
          Either.left({ code: GrpcCode.unavailable, message: `${neverSent}clients are not connected` })
        )
      }
      clients.etcd.call(node, method, request, (answer) => {
        if (Either.isRight(answer)) traffic.answered++
        else traffic.failed++
        done(answer)
      })
    },
    watch: (options) => {
      this.#of(options.node).watches++
      const end = this.#connected?.etcd.watch(options)
      if (end === undefined) options.onEnd()
      return end ?? (() => {})
    },
    after: (millis, ring) => this.#after(millis, ring),
    isDefinite
  }

  #of(node: NodeName) {
    const known = this.#traffic.get(node)
    if (known !== undefined) return known
    const fresh = { node, calls: 0, answered: 0, failed: 0, watches: 0 }
    this.#traffic.set(node, fresh)
    return fresh
  }
}

export interface ClientsArgs {
  readonly clients: LabClients
  /** Where nodes are reached may be known to another actor. */
  readonly connect: (context: InitContext<GetTraffic>) => Effect.Effect<RealClients, Error, Scope.Scope>
}

export const Clients = Actor.make("clients", {
  messages: [GetTraffic],
  init: (context: InitContext<GetTraffic>, { clients, connect }: ClientsArgs) =>
    Effect.gen(function* () {
      yield* clients.use(yield* connect(context))
      return clients
    }),
  handlers: { GetTraffic: (clients) => Actor.reply(clients, clients.traffic) },
  inspect: (clients) => clients.traffic
})
