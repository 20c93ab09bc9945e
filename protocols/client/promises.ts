/**
 * The actor message API with promises, for programs that do not use Effect. It is client.ts and nothing
 * else: same promises, same faults. A promise that is rejected is so with the fault itself, an `Error` with
 * a `_tag`; an aborted one with the signal's reason.
 *
 *   const cloud = await connect({ url, token })
 *   const tree = await cloud.ask(`/${cloud.node}/runtime`, new GetTree({}), "5 seconds")
 */
import { Cause, type Duration, Effect, Exit, type Schema, Scope, Stream } from "effect"
import type { Address, AddressedMessage } from "../address.ts"
import * as Client from "./client.ts"
import type { Tagged } from "./codecs.ts"

export type { ClientState, ConnectOptions, Counters, Undelivered } from "./client.ts"
export { Missed, Resumed } from "./feed.ts"

export interface Abortable {
  readonly signal?: AbortSignal
}

export interface PromiseClient {
  /** Aborting it withdraws the request over there, if it was not handled yet. */
  readonly ask: <Asked extends Client.Request>(
    target: string | Address<Asked>,
    request: Asked,
    deadline: Duration.DurationInput,
    options?: Abortable
  ) => Promise<Client.Success<Asked>>
  /** Resolves once it was taken for sending. What is refused later comes out of `undelivered`. */
  readonly tell: <Told extends Tagged>(target: string | Address<Told>, message: Told) => Promise<void>
  /** See `subscribe` in client.ts. Leaving the loop unsubscribes; aborting ends it without an error. */
  readonly subscribe: <const Classes extends ReadonlyArray<AddressedMessage>>(
    nodePath: string,
    classes: Classes,
    options?: Abortable & { readonly capacity?: number }
  ) => AsyncIterable<Client.Item<Schema.Schema.Type<Classes[number]>>>
  readonly undelivered: AsyncIterable<Client.Undelivered>
  readonly node: string
  readonly state: Client.ClientState
  readonly states: AsyncIterable<Client.ClientState>
  readonly counters: Client.Counters
  /** What was taken for sending leaves if it can; asks that are under way fail. */
  readonly close: () => Promise<void>
}

/** Aborting gives up while it connects; later it does nothing. */
export const connect = async (options: Client.ConnectOptions & Abortable): Promise<PromiseClient> => {
  const scope = Effect.runSync(Scope.make())
  const close = () => Effect.runPromise(Scope.close(scope, Exit.void))
  try {
    return faceOf(await run(Scope.extend(Client.connect(options), scope), options), close)
  } catch (fault) {
    await close()
    throw fault
  }
}

const faceOf = (cloud: Client.Client, close: () => Promise<void>): PromiseClient => ({
  ask: (target, request, deadline, options) => run(cloud.ask(target, request, deadline), options),
  tell: (target, message) => run(cloud.tell(target, message)),
  subscribe: (nodePath, classes, options = {}) => {
    const events = cloud.subscribe(nodePath, classes, options)
    const { signal } = options
    return Stream.toAsyncIterable(
      signal === undefined ? events : Stream.interruptWhen(events, abortOf(signal))
    )
  },
  get undelivered() {
    return Stream.toAsyncIterable(cloud.undelivered)
  },
  get node() {
    return cloud.node
  },
  get state() {
    return cloud.state
  },
  get states() {
    return Stream.toAsyncIterable(cloud.states)
  },
  get counters() {
    return cloud.counters
  },
  close
})

const run = async <A, E>(effect: Effect.Effect<A, E>, { signal }: Abortable = {}): Promise<A> => {
  signal?.throwIfAborted()
  const exit = await Effect.runPromiseExit(effect, signal === undefined ? undefined : { signal })
  if (Exit.isSuccess(exit)) return exit.value
  if (Cause.isInterruptedOnly(exit.cause)) signal?.throwIfAborted()
  throw Cause.squash(exit.cause)
}

const abortOf = (signal: AbortSignal): Effect.Effect<void> =>
  Effect.async((resume) => {
    const aborted = () => resume(Effect.void)
    if (signal.aborted) return aborted()
    signal.addEventListener("abort", aborted, { once: true })
    return Effect.sync(() => signal.removeEventListener("abort", aborted))
  })
