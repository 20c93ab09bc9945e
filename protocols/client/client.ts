/**
 * The actor message API: what programs outside of the cluster use to talk to its actors, in Node and in
 * browsers. See promises.ts for those who do not use Effect.
 *
 *   const cloud = yield* Client.connect({ url, token })
 *   const tree = yield* cloud.ask(`/${cloud.node}/runtime`, new GetTree({}), "5 seconds")
 *
 * Promised: every ask ends by its deadline, with the answer, the request's own failure or a
 * `DeliveryFault`. A request that is not repeatable is sent at most once, whatever happens to the link; one
 * that is, is sent again when the link comes back in time. What is sent to one actor arrives in that order,
 * except for what is sent again.
 *
 * Not promised: that a tell is handled. Nor any event: what was left out is marked in its place.
 *
 * What is sent within a span (`Effect.withSpan`, with whatever tracer) is part of its trace on all nodes that see it.
 */
import {
  Chunk,
  Deferred,
  Duration,
  Effect,
  Either,
  Exit,
  FiberId,
  Option,
  type Schema,
  type Scope,
  Stream,
  type Tracer
} from "effect"
import type { Address, AddressedMessage } from "../address.ts"
import { type DeliveryFault, MalformedMessage, UnknownMessage } from "../delivery.ts"
import { type LinkFault, Unreachable } from "../links.ts"
import { about } from "../message.ts"
import { isTraceparent, traceparentOf } from "../wire/traceparent.ts"
import { type ClientWorld, liveWorld } from "./client-world.ts"
import {
  answerCodec,
  classOf,
  encode,
  eventDecoder,
  type Failure,
  isRequest,
  type Request,
  type Success,
  type Tagged
} from "./codecs.ts"
import { Feed, type Item } from "./feed.ts"
import { Hub } from "./hub.ts"
import { backoffMillis, steadyMillis } from "./reconnecting.ts"
import { type Ending, Session, type Subscription } from "./session.ts"
import { socketTransport } from "./socket.ts"
import type { Transport } from "./transport.ts"

export { Missed, Resumed } from "./feed.ts"
export type { Failure, Item, Request, Success }

export type Answered<Asked> = Exit.Exit<Success<Asked>, Failure<Asked> | DeliveryFault>

export interface ConnectOptions {
  /** Of one node, such as `http://127.0.0.1:7700`, or of several: they are tried in turn. */
  readonly url: string | ReadonlyArray<string>
  /** Says who we are; see the file `token` in a node's data directory. */
  readonly token: string
  /** What to be called in lists. */
  readonly name?: string
  /** The cluster to expect; if nothing is said, the one that the token is for. */
  readonly cluster?: string
  /** In Node: who signs the certificates of this cluster, as PEM text. */
  readonly ca?: string
  /** Sends the token over networks without TLS, for everybody to read. */
  readonly insecure?: boolean
  /** By which door of the node; `ops` is for shells, of which it takes fewer. */
  readonly entrance?: "actors" | "ops"
}

export type ClientState =
  | { readonly _tag: "connected"; readonly node: string; readonly url: string }
  /** `attempt` is the one under way, or the next; `reason` why there is no link right now. */
  | { readonly _tag: "reconnecting"; readonly reason: string; readonly attempt: number }
  | { readonly _tag: "closed" }

/** A tell that was refused, by the node or for want of a link. */
export interface Undelivered {
  readonly path: string
  readonly fault: DeliveryFault
}

export interface Client {
  /** Interrupting it withdraws the request over there, if it was not handled yet. */
  readonly ask: <Asked extends Request>(
    target: string | Address<Asked>,
    request: Asked,
    deadline: Duration.DurationInput
  ) => Effect.Effect<Success<Asked>, Failure<Asked> | DeliveryFault>
  /** Succeeds once it was taken for sending. What is refused later comes out of `undelivered`. */
  readonly tell: <Told extends Tagged>(
    target: string | Address<Told>,
    message: Told
  ) => Effect.Effect<void, DeliveryFault>
  /**
   * The events of a node, such as `/node01`, for as long as the stream is consumed. At most `capacity` of
   * them (256 if nothing is said) are ahead of the consumer; beyond that the node leaves them out, and a
   * `Missed` says how many. After a `Resumed` the link was lost in between.
   */
  readonly subscribe: <const Classes extends ReadonlyArray<AddressedMessage>>(
    nodePath: string,
    classes: Classes,
    options?: { readonly capacity?: number }
  ) => Stream.Stream<Item<Schema.Schema.Type<Classes[number]>>, DeliveryFault>
  /** From now on; of those that nobody takes in time the oldest are forgotten. */
  readonly undelivered: Stream.Stream<Undelivered>
  /** The node that we are connected to, or were last: `/${cloud.node}` is its path. */
  readonly node: string
  readonly state: ClientState
  /** The state of now, and all that follow until it is closed. */
  readonly states: Stream.Stream<ClientState>
  readonly counters: Counters
}

export interface Counters {
  /** Links so far. */
  readonly links: number
  /** Asks that have not ended. */
  readonly pending: number
  /** Frames of nodes that were not understood. */
  readonly malformed: number
  /** Events that were not understood. */
  readonly skipped: number
  readonly undelivered: number
}

/** Stays connected for as long as the scope is open. Fails if no node can be reached for a start. */
export const connect = (options: ConnectOptions): Effect.Effect<Client, LinkFault, Scope.Scope> =>
  Effect.suspend(() => connectOver(socketTransport(options, liveWorld), options, liveWorld))

/** The same over any transport, in any world. */
export const connectOver = (
  transport: Transport,
  { url }: Pick<ConnectOptions, "url">,
  world: ClientWorld,
  options: { readonly messageBytesMax?: number } = {}
): Effect.Effect<Client, LinkFault, Scope.Scope> =>
  Effect.gen(function* () {
    const connection = new Connection(transport, typeof url === "string" ? [url] : url, world, options)
    yield* Effect.addFinalizer(() => Effect.sync(() => connection.close()))
    yield* connection.tryAll()
    yield* Effect.forkScoped(connection.stayConnected())
    return connection
  })

const undeliveredMax = 1_000
const statesMax = 64
const defaultCapacity = 256
/** What a stream hands on at once. */
const takenAtOnceMax = 16
const closedByUs = "the client was closed"

class Connection implements Client {
  readonly #transport: Transport
  readonly #urls: ReadonlyArray<string>
  readonly #world: ClientWorld
  readonly #session: Session
  readonly #states = new Hub<ClientState>(statesMax)
  readonly #undelivered = new Hub<Undelivered>(undeliveredMax)
  #state: ClientState = { _tag: "reconnecting", reason: "it was not connected yet", attempt: 1 }
  #node = ""
  #current: { readonly lost: Deferred.Deferred<string>; readonly sinceMillis: number } | undefined
  /** The one that worked last is tried first. */
  #urlIndex = 0
  #links = 0

  constructor(
    transport: Transport,
    urls: ReadonlyArray<string>,
    world: ClientWorld,
    options: { readonly messageBytesMax?: number }
  ) {
    this.#transport = transport
    this.#urls = urls
    this.#world = world
    this.#session = new Session({
      ...options,
      world,
      packing: transport.packing,
      undelivered: (path, fault) => this.#undelivered.publish({ path, fault })
    })
  }

  // Messages

  readonly ask = <Asked extends Request>(
    target: string | Address<Asked>,
    request: Asked,
    deadline: Duration.DurationInput
  ): Effect.Effect<Success<Asked>, Failure<Asked> | DeliveryFault> =>
    Effect.withFiberRuntime(({ currentSpan }) =>
      Effect.async((resume: (exit: Answered<Asked>) => void) => {
        const trace = traceOf(currentSpan)
        const withdraw = this.#ask(target, request, Duration.toMillis(deadline), trace, answering(resume))
        return Effect.sync(withdraw)
      })
    )

  #ask(
    target: string | Address<never>,
    request: Tagged,
    deadlineMillis: number,
    trace: string | undefined,
    answered: (exit: Exit.Exit<unknown, unknown>) => void
  ): () => void {
    const message = messageFor(target, request)
    if (Either.isLeft(message) || !isRequest(request)) {
      answered(Exit.fail(Either.isLeft(message) ? message.left : notAnAsk(target, request)))
      return () => {}
    }
    const { encoded, known, path } = message.right
    return this.#session.ask({
      path,
      request: request._tag,
      encoded,
      trace,
      repeatable: about(known).repeatable,
      deadlineMillis,
      ended: (ending) => answered(exitOf(path, request, ending))
    })
  }

  readonly tell = <Told extends Tagged>(
    target: string | Address<Told>,
    message: Told
  ): Effect.Effect<void, DeliveryFault> =>
    Effect.withFiberRuntime(({ currentSpan }) =>
      Either.flatMap(messageFor(target, message), ({ encoded, path }) => {
        const refusal = this.#session.tell(path, message._tag, encoded, traceOf(currentSpan))
        return refusal === undefined ? Either.void : Either.left(refusal)
      })
    )

  // Events

  readonly subscribe = <const Classes extends ReadonlyArray<AddressedMessage>>(
    path: string,
    classes: Classes,
    { capacity = defaultCapacity }: { readonly capacity?: number } = {}
  ): Stream.Stream<Item<Schema.Schema.Type<Classes[number]>>, DeliveryFault> =>
    Stream.unwrapScoped(
      Effect.gen(this, function* () {
        const tags = classes.map(({ _tag }) => _tag)
        const feed = new Feed({ path, tags, capacity, decode: eventDecoder(classes) })
        const { grant } = yield* Effect.acquireRelease(
          Effect.withFiberRuntime<Subscription>(({ currentSpan }) =>
            Effect.succeed(this.#session.subscribe(feed, traceOf(currentSpan)))
          ),
          ({ end }) => Effect.sync(end)
        )
        return Stream.repeatEffectChunkOption(nextOf(feed, grant))
      })
    )

  // What there is to know

  get undelivered(): Stream.Stream<Undelivered> {
    return this.#undelivered.stream()
  }

  get node(): string {
    return this.#node
  }

  get state(): ClientState {
    return this.#state
  }

  get states(): Stream.Stream<ClientState> {
    return this.#states.stream(() => this.#state)
  }

  get counters(): Counters {
    const { malformed, pending, skipped } = this.#session
    return { links: this.#links, pending, malformed, skipped, undelivered: this.#undelivered.published }
  }

  #become(state: ClientState): void {
    if (this.#state._tag === "closed") return
    this.#state = state
    this.#states.publish(state)
  }

  // Links

  /** Each once, beginning with the one that worked last. Of several faults, one that says more than that nobody is there. */
  tryAll(): Effect.Effect<void, LinkFault> {
    return Effect.gen(this, function* () {
      let telling: LinkFault = new Unreachable({ address: "nowhere", reason: "no url was given" })
      const start = this.#urlIndex
      for (let turn = 0; turn < this.#urls.length; turn++) {
        const index = (start + turn) % this.#urls.length
        const tried = yield* Effect.either(this.#dial(this.#urls[index] ?? "", index))
        if (Either.isRight(tried)) return
        if (turn === 0 || telling instanceof Unreachable) telling = tried.left
      }
      return yield* Effect.fail(telling)
    })
  }

  #dial(url: string, index: number): Effect.Effect<unknown, LinkFault> {
    return this.#transport.dial(url, (link) => {
      const lost = Deferred.unsafeMake<string>(FiberId.none)
      this.#current = { lost, sinceMillis: this.#world.nowMillis() }
      this.#urlIndex = index
      this.#node = link.introduction.name
      this.#links++
      this.#session.linked(link)
      this.#become({ _tag: "connected", node: link.introduction.name, url })
      return {
        onBatch: (batch) => this.#session.receive(batch),
        onClosed: (reason) => {
          this.#session.lost(reason)
          this.#become({ _tag: "reconnecting", reason, attempt: 1 })
          Deferred.unsafeDone(lost, Exit.succeed(reason))
        }
      }
    })
  }

  /** Until it is interrupted. */
  stayConnected(): Effect.Effect<never> {
    let failures = 0
    return Effect.gen(this, function* () {
      const current = this.#current
      if (current === undefined) return yield* Effect.never
      yield* Deferred.await(current.lost)
      // A node that takes us and drops us at once is not asked again at once.
      if (this.#world.nowMillis() - current.sinceMillis >= steadyMillis) failures = 0
      for (let attempt = 1; ; attempt++) {
        yield* Effect.sleep(backoffMillis(failures++, this.#world.random()))
        const tried = yield* Effect.either(this.tryAll())
        if (Either.isRight(tried)) return
        this.#become({ _tag: "reconnecting", reason: tried.left.message, attempt: attempt + 1 })
      }
    }).pipe(Effect.forever)
  }

  close(): void {
    this.#become({ _tag: "closed" })
    this.#session.close(closedByUs)
    this.#states.end()
    this.#undelivered.end()
  }
}

/** Of a trace that is recorded; of a span that fits no traceparent, nothing. */
const traceOf = (span: Tracer.AnySpan | undefined): string | undefined => {
  if (span?.sampled !== true) return undefined
  const trace = traceparentOf(span)
  return isTraceparent(trace) ? trace : undefined
}

/** The one place where an answer regains the type that its request declares. */
const answering =
  <Asked>(resume: (exit: Answered<Asked>) => void) =>
  (exit: Exit.Exit<unknown, unknown>): void =>
    resume(exit as Answered<Asked>)

const messageFor = (target: string | Address<never>, message: Tagged) => {
  const path = typeof target === "string" ? target : target.path
  const known = typeof target === "string" ? classOf(message) : target.messages.get(message._tag)
  const about = { path, request: message._tag }
  if (known === undefined) {
    return Either.left(
      typeof target === "string"
        ? new MalformedMessage({ ...about, problem: "it is not an instance of a message class" })
        : new UnknownMessage({ ...about, accepts: [...target.messages.keys()] })
    )
  }
  return Either.mapBoth(encode(known, message), {
    onLeft: (problem): DeliveryFault => new MalformedMessage({ ...about, problem }),
    onRight: (encoded) => ({ path, known, encoded })
  })
}

const notAnAsk = (target: string | Address<never>, { _tag }: Tagged): DeliveryFault =>
  new MalformedMessage({
    path: typeof target === "string" ? target : target.path,
    request: _tag,
    problem: "it is a tell, which has no answer"
  })

const exitOf = (path: string, request: Parameters<typeof answerCodec>[0], ending: Ending) => {
  switch (ending[0]) {
    case "fault":
      return Exit.fail(ending[1])
    case "died":
      return Exit.die(new Error(ending[1]))
    case "reply":
    case "failed": {
      const codec = answerCodec(request)
      const decoded = (ending[0] === "reply" ? codec.success : codec.failure)(ending[1])
      if (Either.isRight(decoded)) {
        return ending[0] === "reply" ? Exit.succeed(decoded.right) : Exit.fail(decoded.right)
      }
      const problem = `its answer does not decode: ${decoded.left}`
      return Exit.fail(new MalformedMessage({ path, request: request._tag, problem }))
    }
  }
}

const nextOf = <Event>(
  feed: Feed<Event>,
  grant: () => void
): Effect.Effect<Chunk.Chunk<Item<Event>>, Option.Option<DeliveryFault>> =>
  Effect.suspend(() => {
    const items = feed.take(takenAtOnceMax)
    if (items.length > 0) {
      grant()
      return Effect.succeed(Chunk.fromIterable(items))
    }
    const { fault } = feed
    if (fault !== undefined) return Effect.fail(Option.some(fault))
    return Effect.async((resume) => {
      feed.onReady = () => resume(nextOf(feed, grant))
      return Effect.sync(() => {
        feed.onReady = undefined
      })
    })
  })
