/**
 * Introspection: the tree of a whole system as one message, cells included; and what its actors take.
 *
 * A cell's own snapshot is asked for over its link and put in its place. One that does not answer in
 * time is shown without what is inside it: an operator wants the tree most when something hangs.
 */
import { Cause, Effect, Exit, Option } from "effect"
import type { WithResult } from "effect/Schema"
import { address } from "#protocols/address.ts"
import { type CatalogueEntry, GetAccepted, GetCatalogue } from "#protocols/catalogue-requests.ts"
import { about } from "#protocols/message.ts"
import {
  ExplainCrash,
  GetConfig,
  GetDeadLetters,
  GetRuntimeMetrics,
  NoConfig,
  type NodeConfig,
  ResumeActor,
  SetLogLevel,
  SuspendActor,
  TraceActor
} from "#protocols/operations.ts"
import {
  type ActorSnapshot,
  CrashInjected,
  CrashUnconfirmed,
  GetTree,
  InjectCrash,
  Inspect,
  NoSuchActor
} from "#protocols/runtime.ts"
import * as Actor from "./actor.ts"
import { ask, type Failure, type Success } from "./ask.ts"
import { isOwnRequest, type OwnRequest, operate, operateHere, ownRequests } from "./operations.ts"
import type { Peer } from "./peer.ts"
import type { ActorRef } from "./ref.ts"
import type { ActorSystem } from "./system.ts"

const patienceMillis = 1_000

export interface IntrospectionArgs {
  /** The messages that clients of this node may send or see: all, or those of one component. */
  readonly catalogueEntries: (component?: string) => ReadonlyArray<CatalogueEntry>
  /** What the node was started with. */
  readonly config?: NodeConfig
}

/** Tells about the system it runs in. A node puts one into its tree. */
export const Introspection = Actor.make("introspection", {
  messages: [
    GetTree,
    Inspect,
    InjectCrash,
    GetCatalogue,
    GetAccepted,
    SuspendActor,
    ResumeActor,
    ExplainCrash,
    TraceActor,
    GetDeadLetters,
    SetLogLevel,
    GetConfig,
    GetRuntimeMetrics
  ],
  init: (_context, args: IntrospectionArgs) => args,
  handlers: {
    GetTree: (state, { depth, path }, context) =>
      Effect.map(context.wholeTree(path, depth), (tree) => Actor.reply(state, tree)),
    Inspect: (state, request, context) =>
      Effect.map(context.introspect(request), (found) => Actor.reply(state, found)),
    InjectCrash: (state, request, context) =>
      Effect.map(context.injectCrash(request), (ran) => Actor.reply(state, ran)),
    GetCatalogue: (state, { component }) => Actor.reply(state, state.catalogueEntries(component)),
    GetAccepted: (state, request, context) =>
      Effect.map(context.introspect(request), (found) => Actor.reply(state, found)),
    SuspendActor: (state, request, context) =>
      Effect.map(context.operate(request), (answer) => Actor.reply(state, answer)),
    ResumeActor: (state, request, context) =>
      Effect.map(context.operate(request), (answer) => Actor.reply(state, answer)),
    ExplainCrash: (state, request, context) =>
      Effect.map(context.operate(request), (answer) => Actor.reply(state, answer)),
    TraceActor: (state, request, context) =>
      Effect.map(context.operate(request), (answer) => Actor.reply(state, answer)),
    GetDeadLetters: (state, request, context) =>
      Effect.map(context.operate(request), (answer) => Actor.reply(state, answer)),
    SetLogLevel: (state, request, context) => Actor.reply(state, { before: context.setLogLevel(request) }),
    GetConfig: (state, _get, { path }) =>
      state.config === undefined
        ? Actor.refuse(state, new NoConfig({ path }))
        : Actor.reply(state, state.config),
    GetRuntimeMetrics: (state, _get, context) => Actor.reply(state, context.runtimeMetrics())
  }
})

const systemRequests = [GetTree, Inspect, InjectCrash, GetAccepted, ...ownRequests] as const
export type SystemRequest = InstanceType<(typeof systemRequests)[number]>

/** What a system answers itself, rather than one of its actors. */
export const systemMessages = new Map<string, (typeof systemRequests)[number]>(
  systemRequests.map((message) => [message._tag, message])
)

export const isSystemRequest = (value: unknown): value is SystemRequest =>
  systemRequests.some((message) => value instanceof message)

/** From this system alone, without what lives behind links. */
export const answerHere = (
  system: ActorSystem,
  request: SystemRequest
): Exit.Exit<WithResult.Success<SystemRequest>, WithResult.Failure<SystemRequest>> => {
  if (isOwnRequest(request)) return operateHere(system, request)
  if (request instanceof GetTree) return exitOf(system.snapshot(request.path, request.depth))
  if (request instanceof Inspect) return exitOf(system.inspect(request.path))
  if (request instanceof InjectCrash) return exitOf(crashHere(system, request))
  const found = system.inspect(request.path)
  return found instanceof NoSuchActor ? Exit.fail(found) : Exit.succeed(accepted(system, request.path))
}

const exitOf = <A>(found: A | NoSuchActor): Exit.Exit<A, NoSuchActor> =>
  found instanceof NoSuchActor ? Exit.fail(found) : Exit.succeed(found)

const accepted = (system: ActorSystem, path: string): ReadonlyArray<string> =>
  [...system.at(address(path)).messages.values()]
    .filter((message) => about(message).permission !== undefined)
    .map(({ _tag }) => _tag)

/** About an actor anywhere: in a cell or on another node the system there is asked. */
export const introspect = <Asked extends Inspect | GetAccepted>(
  system: ActorSystem,
  request: Asked
): Effect.Effect<Success<Asked>, NoSuchActor> => {
  const peer = system.peerOf(request.path)
  return peer === undefined
    ? (answerHere(system, request) as Exit.Exit<Success<Asked>, NoSuchActor>)
    : askBehind(peer, request)
}

/** Whatever keeps the system over there from answering, nothing can be said of what is there. */
const askBehind = <Asked extends GetTree | Inspect | GetAccepted>(
  peer: Peer,
  request: Asked
): Effect.Effect<Success<Asked>, NoSuchActor> => {
  const absent = new NoSuchActor({ path: request.path ?? peer.path, nearest: peer.path, children: [] })
  return Effect.mapError(ask(systemBehind(peer), request, patienceMillis), (fault) =>
    fault instanceof NoSuchActor ? fault : absent
  )
}

const systemBehind = (peer: Peer): ActorRef<SystemRequest> => ({
  path: peer.path,
  messages: systemMessages,
  tell: () => {},
  deliver: (asked) => peer.askSystem(asked),
  addWatcher: () => {},
  removeWatcher: () => {}
})

/**
 * Crashes an actor of this node, be it in a cell. One of another node is not here, though a link leads to it:
 * whoever may do this there asks that node, whose gate knows.
 */
export const injectCrash = (
  system: ActorSystem,
  request: InjectCrash
): Effect.Effect<boolean, NoSuchActor | CrashUnconfirmed> =>
  Effect.suspend(() => {
    const { path } = request
    const cell = system.isOwn(path) ? system.peerOf(path) : undefined
    if (cell === undefined) return exitOf(crashHere(system, request))
    return ask(systemBehind(cell), request, patienceMillis).pipe(
      Effect.mapError((fault) =>
        fault instanceof NoSuchActor ? fault : new CrashUnconfirmed({ path, cell: cell.path })
      ),
      Effect.tapBoth({
        onSuccess: (ran) => Effect.sync(() => ran && announceCrash(system, request)),
        onFailure: (fault) =>
          Effect.sync(() => fault instanceof CrashUnconfirmed && announceCrash(system, request))
      })
    )
  })

/** About an actor of this node, be it in a cell. */
export const operateOwn = <Asked extends OwnRequest>(
  system: ActorSystem,
  request: Asked
): Effect.Effect<Success<Asked>, Failure<Asked>> =>
  operate(system, request, (path) => {
    const cell = system.peerOf(path)
    return cell && systemBehind(cell)
  })

const crashHere = (system: ActorSystem, request: InjectCrash): boolean | NoSuchActor => {
  const { by, path, reason } = request
  const found = system.snapshot(path, 0)
  if (found instanceof NoSuchActor) return found
  // First, for what crashes may be whoever carries the news.
  if (["starting", "running", "suspended"].includes(found.status)) announceCrash(system, request)
  return system.inject(path, Cause.die(new Error(`${by} had it crash: ${reason}`)))
}

const announceCrash = (system: ActorSystem, { by, path, reason }: InjectCrash): void => {
  system.events.publish(new CrashInjected({ path, by, reason, atMillis: system.clock.wallMillis() }))
  system.log("warn", `${by} has ${path} crash: ${reason}`)
}

export const wholeTree = (
  system: ActorSystem,
  peers: ReadonlyArray<Peer>,
  path = `/${system.name}`,
  depth = Number.POSITIVE_INFINITY
): Effect.Effect<ActorSnapshot, NoSuchActor> =>
  Effect.gen(function* () {
    const above = system.peerOf(path)
    if (above !== undefined) return yield* remoteTree(above, new GetTree({ path }), depth)
    const local = system.snapshot(path, depth)
    if (local instanceof NoSuchActor) return yield* local
    const below = peers.filter((peer) => peer.path === path || peer.path.startsWith(`${path}/`))
    const inside = yield* Effect.forEach(
      below,
      (peer) => Effect.option(remoteTree(peer, new GetTree({}), depth)),
      { concurrency: "unbounded" }
    )
    return inside.reduce((tree, cell) => (Option.isSome(cell) ? graft(tree, cell.value) : tree), local)
  })

const remoteTree = (peer: Peer, request: GetTree, depth: number) =>
  askBehind(peer, Number.isFinite(depth) ? new GetTree({ ...request, depth }) : request)

/** The root inside a cell has the path of the actor that stands for it: its children belong there. */
const graft = (tree: ActorSnapshot, inside: ActorSnapshot): ActorSnapshot =>
  tree.path === inside.path
    ? { ...tree, children: inside.children }
    : inside.path.startsWith(`${tree.path}/`)
      ? { ...tree, children: tree.children.map((child) => graft(child, inside)) }
      : tree
