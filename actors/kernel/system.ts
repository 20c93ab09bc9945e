/**
 * An actor system: one tree of actors with its dispatcher, timers, names and events, in one process.
 *
 * Everything it does follows from the three ports it is given (clock, randomness, scheduling), so a
 * simulated system with a seed runs the same way every time. Closing its scope stops the tree in order.
 */

import type { Fiber, Scope } from "effect"
import { Cause, Context, Deferred, Effect, FiberId, Random, Runtime } from "effect"
import type { Address } from "#protocols/address.ts"
import { isLogged } from "#protocols/operations.ts"
import { type ActorSnapshot, NoSuchActor, StartFailed } from "#protocols/runtime.ts"
import type { Actor, Definition } from "./actor.ts"
import type { Tagged } from "./ask.ts"
import type { LogLevel, SpawnArguments, SpawnOptions } from "./context.ts"
import { DeadLetters } from "./dead-letters.ts"
import { Dispatcher } from "./dispatcher.ts"
import { effectClock } from "./effect-clock.ts"
import { EventStream } from "./event-stream.ts"
import { Instance } from "./instance.ts"
import { wholeTree } from "./introspection.ts"
import { LocalNames } from "./local-names.ts"
import { LocalRef } from "./local-ref.ts"
import { logged } from "./logging.ts"
import type { Peer } from "./peer.ts"
import { WorldClock } from "./ports/clock.ts"
import { Randomness } from "./ports/randomness.ts"
import { Scheduling } from "./ports/scheduling.ts"
import { type ActorRef, describeCause, type Ended, isRef } from "./ref.ts"
import { RemoteRef } from "./remote-ref.ts"
import { Timers } from "./timers.ts"
import type { Span, Spans } from "./tracing.ts"

/** What a system takes from its world. */
export type World = WorldClock | Randomness | Scheduling

/**
 * Starts a system whose root is `root`, named `name`, and waits until the root has started.
 *
 * The services of the surrounding effect are those of all its actors.
 */
export const make = <M extends Tagged, A, S>(
  name: string,
  root: Actor<M, A, S>,
  ...options: SpawnArguments<A>
): Effect.Effect<ActorSystem<M>, StartFailed, S | World | Scope.Scope> =>
  Effect.tap(begin(name, root, ...options), ({ started }) => started)

/** The same without waiting, for whoever wants to see it start. */
export const begin = <M extends Tagged, A, S>(
  name: string,
  root: Actor<M, A, S>,
  ...[options]: SpawnArguments<A>
): Effect.Effect<ActorSystem<M>, never, S | World | Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* WorldClock
    const randomness = yield* Randomness
    const dispatcher = new Dispatcher(yield* Scheduling, clock)
    const timers = new Timers(clock)
    const services = yield* Effect.context<S>()
    const runtime = yield* Effect.runtime().pipe(
      Effect.withScheduler(dispatcher.fiberScheduler),
      Effect.withClock(effectClock(clock, timers)),
      Effect.withRandom(Random.make(Math.floor(randomness.next() * 2 ** 32)))
    )
    const parts = { clock, randomness, dispatcher, timers, runtime: forgetServices(runtime, services) }
    const system = new ActorSystem<M>(name, parts, root.definition, options?.args, options ?? {})
    yield* Effect.addFinalizer(() => system.stop)
    return system
  })

interface Parts {
  readonly clock: WorldClock
  readonly randomness: Randomness
  readonly dispatcher: Dispatcher
  readonly timers: Timers
  readonly runtime: Runtime.Runtime<unknown>
}

export class ActorSystem<in RootMessage extends Tagged = never> {
  readonly name: string
  readonly clock: WorldClock
  readonly randomness: Randomness
  readonly dispatcher: Dispatcher
  readonly timers: Timers
  /** The services of all actors. */
  readonly runtime: Runtime.Runtime<unknown>
  readonly events = new EventStream((defect) =>
    this.log("error", `a listener of the event stream threw ${describeCause(Cause.die(defect))}`)
  )
  readonly deadLetters: DeadLetters
  readonly names = new LocalNames()
  readonly #mounts = new Map<string, Peer>()
  /** Grows whenever a link is mounted or gone: what was found by path before may be wrong now. */
  mountings = 0
  /** How many actors there are, the root included. */
  actors = 1
  /** Called for each message about to be handled, when set. */
  tracer: ((path: string, tag: string) => void) | undefined = undefined
  /** Where spans begin, in a node that was told where they go. */
  spans: Spans | undefined = undefined
  /** What the step that runs right now is part of, if that is traced. */
  handling: Span | undefined = undefined
  /** What is logged, and all that is worse. */
  logLevel: LogLevel = "info"
  readonly #started = Deferred.unsafeMake<void, StartFailed>(FiberId.none)
  readonly #ended = Deferred.unsafeMake<Ended>(FiberId.none)
  readonly #root: Instance

  constructor(name: string, parts: Parts, root: Definition, args: unknown, options: SpawnOptions) {
    this.name = name
    this.clock = parts.clock
    this.randomness = parts.randomness
    this.dispatcher = parts.dispatcher
    this.timers = parts.timers
    this.runtime = parts.runtime
    this.deadLetters = new DeadLetters(this.clock, this.events)
    this.#root = new Instance(this, undefined, name, root, args, options)
    this.#root.start()
  }

  get root(): ActorRef<RootMessage> {
    return this.#root.ref
  }

  /** Resolves when the root has started; fails with the reason when it ended before. */
  get started(): Effect.Effect<void, StartFailed> {
    return Deferred.await(this.#started)
  }

  /** Resolves when the root has ended, whatever the reason. */
  get ended(): Effect.Effect<Ended> {
    return Deferred.await(this.#ended)
  }

  /** Stops the tree in order and waits for it. */
  get stop(): Effect.Effect<Ended> {
    return Effect.sync(() => this.#root.requestStop()).pipe(Effect.zipRight(this.ended))
  }

  /** A child of the root. Throws `NameTaken`. */
  spawn<M extends Tagged, A>(actor: Actor<M, A, never>, ...[options]: SpawnArguments<A>): ActorRef<M> {
    return this.#root.spawn(actor.definition, options ?? {}, options?.args).ref
  }

  /**
   * The actor at a path, when it is an instance of that declaration. What lives on the other side of a
   * link, or will once there is one, is taken at its word: whether it is there, and what it is, shows
   * when it is asked.
   */
  lookup<M extends Tagged, A, S>(path: string, actor: Actor<M, A, S>): ActorRef<M> | undefined {
    if (!this.isOwn(path) || this.peerOf(path) !== undefined)
      return new RemoteRef(this, path, actor.definition.messages)
    const found = this.#find(path)
    return found instanceof Instance && found.definition === actor.definition ? found.ref : undefined
  }

  /**
   * The actor that an address names, wherever it is. What is not there, or does not take those messages,
   * shows when it is told or asked. An address that never left this process is a ref still.
   */
  at<M extends Tagged>(address: Address<M>): ActorRef<M> {
    if (isRef(address)) return address
    const found = this.isOwn(address.path) ? this.#find(address.path) : undefined
    return found instanceof Instance ? found.ref : new RemoteRef(this, address.path, address.messages)
  }

  /** The holder of a registered name, when it is an instance of that declaration. */
  named<M extends Tagged, A, S>(name: string, actor: Actor<M, A, S>): ActorRef<M> | undefined {
    const ref = this.names.lookup(name)
    return ref instanceof LocalRef && ref.instance.definition === actor.definition ? ref : undefined
  }

  snapshot(path = `/${this.name}`, depth = Number.POSITIVE_INFINITY): ActorSnapshot | NoSuchActor {
    const found = this.#find(path)
    return found instanceof Instance ? found.snapshot(depth) : found
  }

  /** The same, with what lives behind links: each is asked, and left out when it does not answer in time. */
  wholeTree(path?: string, depth?: number): Effect.Effect<ActorSnapshot, NoSuchActor> {
    return wholeTree(this, [...this.#mounts.values()], path, depth)
  }

  inspect(path: string): { readonly actor: ActorSnapshot; readonly state: unknown } | NoSuchActor {
    const found = this.#find(path)
    return found instanceof Instance ? { actor: found.snapshot(0), state: found.inspect() } : found
  }

  /** Ends the actor there as if its handler had died of `cause`; whether it ran. For operators and for tests. */
  inject(path: string, cause: Cause.Cause<unknown>): boolean | NoSuchActor {
    const found = this.#find(path)
    return found instanceof Instance ? found.inject(cause) : found
  }

  /** Ends the actor there and all below it at once. For operators and for tests. */
  kill(path: string): NoSuchActor | undefined {
    const found = this.#find(path)
    if (!(found instanceof Instance)) return found
    found.kill()
    return undefined
  }

  /** Runs an effect on this system's clock, randomness and scheduler. */
  fork<A, E>(effect: Effect.Effect<A, E>): Fiber.RuntimeFiber<A, E> {
    return Runtime.runFork(this.runtime)(effect)
  }

  service<Id, Service>(tag: Context.Tag<Id, Service>): Service {
    return Context.unsafeGet(this.runtime.context, tag)
  }

  log(level: LogLevel, message: string, annotations: Record<string, unknown> = {}): void {
    if (isLogged(level, this.logLevel)) this.fork(logged(this.name, level, message, annotations))
  }

  /** For the kernel: the root's own lifecycle has no parent to report to. */
  rootStarted(): void {
    Deferred.unsafeDone(this.#started, Effect.void)
  }

  /** For the kernel. */
  rootEnded(ended: Ended): void {
    const reason = Cause.isEmpty(ended.cause) ? ended.reason : describeCause(ended.cause)
    Deferred.unsafeDone(this.#started, Effect.fail(new StartFailed({ path: ended.path, reason })))
    Deferred.unsafeDone(this.#ended, Effect.succeed(ended))
    this.timers.stop()
  }

  /**
   * Answers from now on for what lies below its path: that lives on the other side of a link. One whose
   * path is empty answers for all that is not below our own root.
   */
  mount(peer: Peer): () => void {
    this.#mounts.set(peer.path, peer)
    this.mountings++
    return () => {
      if (this.#mounts.get(peer.path) !== peer) return
      this.#mounts.delete(peer.path)
      this.mountings++
    }
  }

  /** Whether a path lies in the tree of this system, cells included. */
  isOwn(path: string): boolean {
    const root = this.#root.path
    return path === root || path.startsWith(`${root}/`)
  }

  /** For operators: the actor at a path of this very system. */
  find(path: string): Instance | NoSuchActor {
    return this.#find(path)
  }

  /** For links: whoever is meant by a path that came from outside. */
  instanceAt(path: string): Instance | undefined {
    const found = this.#find(path)
    return found instanceof Instance ? found : undefined
  }

  /** The root's own path may have several parts: that of a cell is its place in the whole tree. */
  #find(path: string): Instance | NoSuchActor {
    const rootPath = this.#root.path
    if (path === rootPath) return this.#root
    if (!path.startsWith(rootPath) || path[rootPath.length] !== "/") return absentBelow(this.#root, path)
    let at = this.#root
    // Each message from another node is looked up here: without an array of its steps.
    for (let end = rootPath.length; end < path.length; ) {
      const from = end + 1
      const next = path.indexOf("/", from)
      end = next < 0 ? path.length : next
      const child = at.children?.get(path.slice(from, end))
      if (child === undefined) return absentBelow(at, path)
      at = child
    }
    return at
  }

  /** The link behind which a path lies, if one is up: the one with the longest path that fits. */
  peerOf(path: string): Peer | undefined {
    const own = this.isOwn(path)
    let found: Peer | undefined
    for (const peer of this.#mounts.values()) {
      // The place of a cell is ours, what is below it is not. Of another node all is.
      const fits = path.startsWith(`${peer.path}/`) || (!own && path === peer.path)
      if (!fits || (own && peer.path === "")) continue
      if (found === undefined || peer.path.length > found.path.length) found = peer
    }
    return found
  }
}

const absentBelow = (nearest: Instance, path: string): NoSuchActor =>
  new NoSuchActor({ path, nearest: nearest.path, children: [...(nearest.children?.keys() ?? [])] })

/** `Actor` has checked that the services cover what each actor needs; from here on nobody names them. */
const forgetServices = <S>(
  runtime: Runtime.Runtime<never>,
  services: Context.Context<S>
): Runtime.Runtime<unknown> =>
  Runtime.make({
    context: services as Context.Context<unknown>,
    fiberRefs: runtime.fiberRefs,
    runtimeFlags: runtime.runtimeFlags
  })
