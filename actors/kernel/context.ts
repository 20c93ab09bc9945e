/**
 * What a handler sees of its actor and of the world: the only way for a pure step to act.
 *
 * Everything here is synchronous and belongs to the current life: timers, watches, subscriptions and
 * piped effects end with it, and nothing of them reaches the next one.
 */
import { Cause, type Context, type Duration, type Effect, type Exit, type Scope } from "effect"
import type { Address } from "#protocols/address.ts"
import type { GetAccepted } from "#protocols/catalogue-requests.ts"
import type { LogLevel, SetLogLevel } from "#protocols/operations.ts"
import type {
  ActorSnapshot,
  CrashUnconfirmed,
  InjectCrash,
  Inspect,
  NoSuchActor
} from "#protocols/runtime.ts"
import type { Actor, ErasedHandlers, Handlers } from "./actor.ts"
import { erase } from "./actor.ts"
import type { Answered, Failure, Request, Success, Tagged } from "./ask.ts"
import { askWith, toMillis } from "./ask.ts"
import type { Instance } from "./instance.ts"
import { injectCrash, introspect, operateOwn } from "./introspection.ts"
import type { Within } from "./life.ts"
import { type OwnRequest, runtimeMetrics, setLogLevel } from "./operations.ts"
import { Peer, type PeerOptions } from "./peer.ts"
import type { ActorRef, Ended } from "./ref.ts"
import { partOf, type Spans, spanOfAsk } from "./tracing.ts"

/** Answers an ask after its handler has returned. The first answer counts. */
export interface ReplyTo<in A, in E> {
  readonly reply: (value: A) => void
  readonly refuse: (failure: E) => void
}

export interface SpawnOptions {
  /** Unique among siblings; otherwise the actor's own name, numbered when taken. */
  readonly name?: string
  /** How long it may take to stop before it is killed. "kill" does not ask. */
  readonly shutdown?: Duration.DurationInput | "kill"
  /** How long its `init` may take. */
  readonly startDeadline?: Duration.DurationInput
  /** Its place in the tree outlives it, so that `restartChild` can start it again. */
  readonly keep?: boolean
  /** What tools show beside its name. */
  readonly role?: string
}

/** `args` may be left out where the actor takes none. */
export type SpawnArguments<Args> = [undefined] extends [Args]
  ? [options?: SpawnOptions & { readonly args?: Args }]
  : [options: SpawnOptions & { readonly args: Args }]

export type { LogLevel }

export interface InitContext<Message extends Tagged, Services = never> {
  readonly self: ActorRef<Message>
  readonly path: string
  /** Which life this is: 1 for the first. */
  readonly incarnation: number
  readonly parent: string
  readonly children: ReadonlyArray<string>
  hasChild(name: string): boolean

  /** A child: it ends with this actor, and does not take this actor with it unless linked. Throws `NameTaken`; `StartFailed` once its children stop. */
  spawn<M extends Tagged, A, S extends Services>(
    actor: Actor<M, A, S>,
    ...options: SpawnArguments<A>
  ): ActorRef<M>
  /** The child's end comes as a `ChildEnded` signal. Nothing happens when there is no such child. */
  stopChild(name: string): void
  /** Starts a kept child whose last life has ended. */
  restartChild(name: string): void
  /** The place of a kept child whose last life has ended gets another actor, which `restartChild` starts. */
  redeclareChild<M extends Tagged, A, S extends Services>(
    actor: Actor<M, A, S>,
    ...options: SpawnArguments<A>
  ): void
  /** Gives up the place of a kept child whose last life has ended. */
  forgetChild(name: string): void

  /** Sends itself `toMessage(ended)` ahead of all queued messages when the current life of `ref` ends. */
  watch(ref: ActorRef<never>, toMessage: (ended: Ended) => Message): void
  unwatch(ref: ActorRef<never>): void
  /** If either ends abnormally the other crashes with `LinkedActorEnded`. */
  link(ref: ActorRef<never>): void

  /** Sends itself the message once. A timer with the same key is replaced, even if it fired and still waits. */
  after(delay: Duration.DurationInput, message: Message, key?: string): void
  /** Sends itself the message at this interval; skips a turn while the last one still waits. */
  every(interval: Duration.DurationInput, message: Message, key?: string): void
  cancel(key: string): void

  /**
   * Runs the effect beside the mailbox; its outcome comes back as a message. Interrupted when this life ends, and
   * when it takes longer than it may.
   */
  pipe<A, E>(
    effect: Effect.Effect<A, E, Services | Scope.Scope>,
    toMessage: (exit: Exit.Exit<A, E>) => Message,
    within?: Within<E>
  ): void
  /** Asks without a fiber; the outcome comes back as a message. */
  ask<Asked extends Request>(
    ref: ActorRef<Asked>,
    request: Asked,
    deadline: Duration.DurationInput,
    toMessage: (answered: Answered<Asked>) => Message
  ): void

  /** Claims a name in the local registry. Throws `NameTaken`. */
  register(name: string): void
  publish(event: Tagged): void
  /** Sends itself `toMessage(event)` for each published event with one of the tags. */
  subscribe(tags: ReadonlyArray<string>, toMessage: (event: Tagged) => Message): void

  /** Ends this life after the current handler. A permanent child is started again by its supervisor. */
  stop(reason?: "finished" | "shutdown", cause?: Cause.Cause<unknown>): void
  /** Ends `init` for an actor declared with manual readiness. */
  ready(): void
  /** What lies below a path, this actor's own unless stated, lives behind a link for as long as this life lasts. */
  mount(options: PeerOptions, path?: string): Peer
  /** The other end of a link that asks us and is not asked: a client. */
  peer(options: PeerOptions): Peer
  /** The holder of a registered name, when it is an instance of that declaration. */
  named<M extends Tagged, A, S>(name: string, actor: Actor<M, A, S>): ActorRef<M> | undefined
  /** The actor at a path, when it is an instance of that declaration. */
  lookup<M extends Tagged, A, S>(path: string, actor: Actor<M, A, S>): ActorRef<M> | undefined
  /** The actor that an address names, wherever it is. */
  at<M extends Tagged>(address: Address<M>): ActorRef<M>
  /** The tree of this system, cells included. */
  wholeTree(path?: string, depth?: number): Effect.Effect<ActorSnapshot, NoSuchActor>
  /** About an actor anywhere in the cluster. */
  introspect<Asked extends Inspect | GetAccepted>(request: Asked): Effect.Effect<Success<Asked>, NoSuchActor>
  /** Of an actor of this node, for operators. */
  injectCrash(request: InjectCrash): Effect.Effect<boolean, NoSuchActor | CrashUnconfirmed>
  /** About an actor of this node, or done to it, for operators. */
  operate<Asked extends OwnRequest>(request: Asked): Effect.Effect<Success<Asked>, Failure<Asked>>
  /** Gives what was logged before. */
  setLogLevel(request: SetLogLevel): LogLevel
  /** As Prometheus reads them. */
  runtimeMetrics(): string
  /** Undefined where nothing is traced. */
  readonly spans: Spans | undefined
  service<Id extends Services, Service>(tag: Context.Tag<Id, Service>): Service
  /** Monotonic milliseconds of the world. */
  nowMillis(): number
  /** Milliseconds since 1970. */
  wallMillis(): number
  /** In [0, 1), of the world. */
  random(): number
  log(level: LogLevel, message: string, annotations?: Record<string, unknown>): void
}

export interface ActorContext<Message extends Tagged, State = unknown, Services = never>
  extends InitContext<Message, Services> {
  /** The token that answers `request`, the ask being handled, later. */
  replyTo<Asked extends Request>(request: Asked): ReplyTo<Success<Asked>, Failure<Asked>>
  /** Keeps the message being handled for later. The handler of a stashed ask returns `later`. */
  stash(): void
  /** Puts all stashed messages, oldest first, in front of the mailbox. */
  unstash(): void
  /** Handles the messages after this one with other handlers, until the next `become` or the end of this life. */
  become(handlers: Handlers<State, Message, Services>): void
}

/** One object per actor life, forwarding to what runs it. */
export class ContextOf implements ActorContext<Tagged, unknown, unknown> {
  readonly #instance: Instance

  constructor(instance: Instance) {
    this.#instance = instance
  }

  get self() {
    return this.#instance.ref
  }
  get path() {
    return this.#instance.path
  }
  get incarnation() {
    return this.#instance.incarnation
  }
  get parent() {
    return this.#instance.parent?.path ?? ""
  }
  get spans() {
    return this.#instance.system.spans
  }
  get children() {
    return this.#instance.children === undefined ? [] : [...this.#instance.children.keys()]
  }
  hasChild(name: string) {
    return this.#instance.children?.has(name) === true
  }

  spawn<M extends Tagged, A>(actor: Actor<M, A, unknown>, ...[options]: SpawnArguments<A>): ActorRef<M> {
    return this.#instance.spawn(actor.definition, options ?? {}, options?.args).ref
  }
  stopChild(name: string) {
    this.#instance.children?.get(name)?.requestStop()
  }
  restartChild(name: string) {
    this.#instance.children?.get(name)?.restart()
  }
  redeclareChild<M extends Tagged, A>(actor: Actor<M, A, unknown>, ...[options]: SpawnArguments<A>) {
    this.#instance.children
      ?.get(options?.name ?? actor.name)
      ?.redeclare(actor.definition, options ?? {}, options?.args)
  }
  forgetChild(name: string) {
    this.#instance.forgetChild(name)
  }

  watch(ref: ActorRef<never>, toMessage: (ended: Ended) => Tagged) {
    this.#instance.life().watch(ref, toMessage)
  }
  unwatch(ref: ActorRef<never>) {
    this.#instance.life().unwatch(ref)
  }
  link(ref: ActorRef<never>) {
    this.#instance.link(ref)
  }

  after(delay: Duration.DurationInput, message: Tagged, key?: string) {
    this.#instance.life().startTimer(toMillis(delay), undefined, message, key)
  }
  every(interval: Duration.DurationInput, message: Tagged, key?: string) {
    const millis = toMillis(interval)
    this.#instance.life().startTimer(millis, millis, message, key)
  }
  cancel(key: string) {
    this.#instance.life().cancelTimer(key)
  }

  pipe<A, E>(
    effect: Effect.Effect<A, E, unknown>,
    toMessage: (exit: Exit.Exit<A, E>) => Tagged,
    within?: Within<E>
  ) {
    const { asked, system } = this.#instance
    const traced = asked?.span === undefined ? effect : partOf(effect, asked, system.spans)
    this.#instance.life().pipe(traced, toMessage, within)
  }
  ask<Asked extends Request>(
    ref: ActorRef<Asked>,
    request: Asked,
    deadline: Duration.DurationInput,
    toMessage: (answered: Answered<Asked>) => Tagged
  ) {
    const life = this.#instance.life()
    const { asked, system } = this.#instance
    const above = system.handling ?? asked?.span
    const span = above && spanOfAsk(system.spans, ref.path, request._tag, above.context)
    askWith(ref, request, deadline, (answered) => life.outcome(() => toMessage(answered)), span)
  }

  register(name: string) {
    this.#instance.register(name)
  }
  publish(event: Tagged) {
    this.#instance.system.events.publish(event)
  }
  subscribe(tags: ReadonlyArray<string>, toMessage: (event: Tagged) => Tagged) {
    const { system } = this.#instance
    this.#instance
      .life()
      .onEnd(system.events.subscribe((event) => this.#instance.hear(() => toMessage(event)), tags))
  }

  mount(options: PeerOptions, path = this.path): Peer {
    const { system } = this.#instance
    const peer = new Peer(system, path, options)
    this.#instance.life().onEnd(system.mount(peer))
    return peer
  }
  peer(options: PeerOptions): Peer {
    return new Peer(this.#instance.system, "", options)
  }
  named<M extends Tagged, A, S>(name: string, actor: Actor<M, A, S>) {
    return this.#instance.system.named(name, actor)
  }
  lookup<M extends Tagged, A, S>(path: string, actor: Actor<M, A, S>) {
    return this.#instance.system.lookup(path, actor)
  }
  at<M extends Tagged>(address: Address<M>) {
    return this.#instance.system.at(address)
  }
  wholeTree(path?: string, depth?: number) {
    return this.#instance.system.wholeTree(path, depth)
  }
  introspect<Asked extends Inspect | GetAccepted>(request: Asked) {
    return introspect(this.#instance.system, request)
  }
  injectCrash(request: InjectCrash) {
    return injectCrash(this.#instance.system, request)
  }
  operate<Asked extends OwnRequest>(request: Asked) {
    return operateOwn(this.#instance.system, request)
  }
  setLogLevel(request: SetLogLevel) {
    return setLogLevel(this.#instance.system, request)
  }
  runtimeMetrics() {
    return runtimeMetrics(this.#instance.system)
  }
  service<Id, Service>(tag: Context.Tag<Id, Service>): Service {
    return this.#instance.system.service(tag)
  }
  nowMillis() {
    return this.#instance.system.clock.nowMillis()
  }
  wallMillis() {
    return this.#instance.system.clock.wallMillis()
  }
  random() {
    return this.#instance.system.randomness.next()
  }
  log(level: LogLevel, message: string, annotations: Record<string, unknown> = {}) {
    this.#instance.system.log(level, message, { ...annotations, actor: this.path })
  }

  ready() {
    this.#instance.ready()
  }
  stop(reason: "finished" | "shutdown" = "finished", cause: Cause.Cause<unknown> = Cause.empty) {
    this.#instance.stop(reason, cause)
  }
  replyTo<Asked extends Request>(request: Asked): ReplyTo<Success<Asked>, Failure<Asked>> {
    return this.#instance.replyTo(request)
  }
  stash() {
    this.#instance.stashCurrent()
  }
  unstash() {
    this.#instance.unstash()
  }
  become(handlers: object) {
    const erased: ErasedHandlers = erase(handlers)
    this.#instance.handlers = erased
  }
}
