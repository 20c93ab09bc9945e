/**
 * Declaring an actor: a name, the messages it takes, how its state begins, one handler per message.
 *
 * A handler is a pure step wherever it can be, `(state, message, context) => state`. Where it must do
 * something it returns an `Effect` of the next state, and the actor takes no further message until that
 * ends. The handler of an ask says what to answer along with the next state: `reply`, `refuse`, or
 * `later`. All of it is checked against the message schemas: a message without a handler, a handler
 * without a message and an answer of the wrong type do not compile.
 */
import type { Context, Effect, Schema, Scope } from "effect"
import type { Failure, Request, Success, Tagged } from "./ask.ts"
import type { ActorContext, InitContext } from "./context.ts"
import type { Ended } from "./ref.ts"

/** A `Schema.TaggedClass` (told) or a `Schema.TaggedRequest` (asked). */
export type MessageClass = Schema.Schema.AnyNoContext & { readonly _tag: string }

export type MessageOf<Classes extends ReadonlyArray<MessageClass>> = Extract<
  Schema.Schema.Type<Classes[number]>,
  Tagged
>

/** What the handler of an ask returns: the next state, and what the asker gets. */
export class Answer<out State, out A, out E> {
  readonly state: State
  readonly kind: "reply" | "refuse" | "later"
  readonly value: A | E | undefined

  constructor(state: State, kind: "reply" | "refuse" | "later", value: A | E | undefined) {
    this.state = state
    this.kind = kind
    this.value = value
  }
}

/** Answers the ask with its success. */
export const reply = <State, A = void>(state: State, value: A): Answer<State, A, never> =>
  new Answer<State, A, never>(state, "reply", value)

/** Answers the ask with its failure. That is an answer, not a crash. */
export const refuse = <State, E>(state: State, failure: E): Answer<State, never, E> =>
  new Answer<State, never, E>(state, "refuse", failure)

/** Answers later, through the token that `context.replyTo` gave; or the ask was stashed. */
export const later = <State>(state: State): Answer<State, never, never> =>
  new Answer<State, never, never>(state, "later", undefined)

/** What a handler returns: for a tell the next state, for an ask an answer with it; or an effect of that. */
export type Handled<State, Message, Services> = Message extends Request
  ?
      | Answer<State, Success<Message>, Failure<Message>>
      | Effect.Effect<
          Answer<State, Success<Message>, Failure<Message>>,
          Failure<Message>,
          Services | Scope.Scope
        >
  : State | Effect.Effect<State, never, Services | Scope.Scope>

export type Handlers<State, Message extends Tagged, Services> = {
  readonly [Tag in Message["_tag"]]: (
    state: State,
    message: Extract<Message, { readonly _tag: Tag }>,
    context: ActorContext<Message, State, Services>
  ) => Handled<State, Extract<Message, { readonly _tag: Tag }>, Services>
}

/**
 * What happens to a message for a full mailbox.
 *
 *   backpressure   an asker waits for room until its deadline; a tell is dropped
 *   drop-newest    the message is dropped; an ask is answered `MailboxFull`
 *   drop-oldest    the message that waits longest is dropped to make room
 *   fail           for mailboxes where a loss is a bug: an ask is answered `MailboxFull`, a tell throws it
 *
 * Whatever is dropped is counted and published as an event.
 */
export type Overflow = "backpressure" | "drop-newest" | "drop-oldest" | "fail"

export interface MailboxOptions {
  /** Messages that may wait. */
  readonly capacity: number
  readonly overflow: Overflow
}

export const defaultMailbox: MailboxOptions = { capacity: 10_000, overflow: "backpressure" }

/** Returned by an `init` that decides not to run. A supervisor keeps such a child as not running. */
export const ignore: unique symbol = Symbol("kernel/ignore")
export type Ignore = typeof ignore

type ServicesOf<Tags extends ReadonlyArray<unknown>> = Tags[number] extends infer Tag
  ? Tag extends Context.Tag<infer Id, infer _S>
    ? Id
    : never
  : never

export interface ActorSpec<
  Classes extends ReadonlyArray<MessageClass>,
  State,
  Args,
  Tags extends ReadonlyArray<unknown>,
  InitError
> {
  readonly messages: Classes
  /** What tools show as its kind; its name unless stated. */
  readonly kind?: string
  /** The ports and services that its handlers and its children need. */
  readonly services?: Tags
  /** The first state. What it opens in its `Scope` is closed when this life ends, however it ends. */
  readonly init: (
    context: InitContext<MessageOf<Classes>, ServicesOf<Tags>>,
    args: Args
  ) => State | Ignore | Effect.Effect<State | Ignore, InitError, ServicesOf<Tags> | Scope.Scope>
  readonly handlers: Handlers<NoInfer<State>, MessageOf<Classes>, ServicesOf<Tags>>
  /** Runs before the scope closes, unless the actor is killed. Its children have stopped already. */
  readonly onStop?: (
    state: NoInfer<State>,
    ended: Ended
  ) => void | Effect.Effect<void, never, ServicesOf<Tags> | Scope.Scope>
  /** Hears of its children: started, ended. For actors that supervise. */
  readonly onChild?: (
    state: NoInfer<State>,
    signal: ChildSignal,
    context: ActorContext<MessageOf<Classes>, NoInfer<State>, ServicesOf<Tags>>
  ) => NoInfer<State>
  /** What an operator may see of the state. Nothing unless stated: states hold secrets. */
  readonly inspect?: (state: NoInfer<State>) => unknown
  readonly mailbox?: Partial<MailboxOptions>
  /** "manual": it counts as started, and takes messages, only once it calls `context.ready`. */
  readonly readiness?: "manual"
  /** Its children stop all at once instead of one by one in reverse order. */
  readonly stopsChildren?: "together"
  /** Messages that may be stashed; the mailbox's capacity unless stated. */
  readonly stashMax?: number
}

export type ChildSignal =
  | { readonly _tag: "ChildStarted"; readonly name: string; readonly incarnation: number }
  | { readonly _tag: "ChildEnded"; readonly name: string; readonly ended: Ended }

/** An actor that can be spawned: what it takes, what it is started with, what it needs. */
export interface Actor<in Message extends Tagged, in Args = void, out Services = never> {
  readonly name: string
  readonly definition: Definition
  readonly "~message"?: (message: Message) => void
  readonly "~args"?: (args: Args) => void
  readonly "~services"?: () => Services
}

export type AnyActor<Services = unknown> = Actor<never, never, Services>

/** The same with the types of message and state forgotten: what the kernel runs. */
export interface Definition {
  readonly name: string
  readonly kind: string
  readonly messages: ReadonlyMap<string, MessageClass>
  readonly handlers: ErasedHandlers
  readonly mailbox: MailboxOptions
  readonly stashMax: number
  readonly readiness: "manual" | undefined
  readonly stopsChildren: "together" | undefined
  init(context: unknown, args: unknown): unknown
  onStop?(state: unknown, ended: Ended): unknown
  onChild?(state: unknown, signal: ChildSignal, context: unknown): unknown
  inspect?(state: unknown): unknown
}

export interface ErasedHandlers {
  readonly [tag: string]: ErasedHandler | undefined
}

/** A method type, whose parameters compare both ways: this is where a handler's own types are forgotten. */
export type ErasedHandler = { handle(state: unknown, message: unknown, context: unknown): unknown }["handle"]

/** Options, Eithers and Exits are Effects too: as a state they would be run instead of kept. */
type NotAnEffect<State> = [State] extends [never]
  ? unknown
  : [State] extends [Effect.Effect<infer _A, infer _E, infer _R>]
    ? { readonly init: "wrap this state in an object: a state may not itself be an Effect, Option or Either" }
    : unknown

/** Declares an actor. The name is the default name of its instances and what tools show as its kind. */
export const make = <
  const Classes extends ReadonlyArray<MessageClass>,
  State,
  Args = void,
  const Tags extends ReadonlyArray<unknown> = readonly [],
  InitError = never
>(
  name: string,
  spec: ActorSpec<Classes, State, Args, Tags, InitError> & NotAnEffect<State>
): Actor<MessageOf<Classes>, Args, ServicesOf<Tags>> => {
  const mailbox = { ...defaultMailbox, ...spec.mailbox }
  const { handlers, init, inspect, kind, messages, onChild, onStop, readiness, stashMax, stopsChildren } =
    spec
  return {
    name,
    definition: {
      name,
      kind: kind ?? name,
      messages: new Map(messages.map((message) => [message._tag, message])),
      handlers: erase(handlers),
      mailbox,
      stashMax: stashMax ?? mailbox.capacity,
      readiness,
      stopsChildren,
      init,
      ...(onStop && { onStop }),
      ...(onChild && { onChild }),
      ...(inspect && { inspect })
    }
  }
}

/** Without a prototype, so that a message called `constructor` finds no handler. */
export const erase = (handlers: object): ErasedHandlers => Object.assign(Object.create(null), handlers)
