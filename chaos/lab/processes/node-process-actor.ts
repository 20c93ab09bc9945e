/**
 * A node of the lab: at most one process of it at a time, and what can be done to that.
 *
 *   down ── StartNode ──► up ◄── PauseNode, ResumeNode ──► stands still
 *    ▲                     │
 *    └─ KillNode, StopNode ┘     ended by itself: NodeEnded, and it is started again, as an init system would
 *
 * The process ends with this actor. Its disk stays.
 */
import { Deferred, Effect, Schema } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import type { InitContext } from "#actors/kernel/context.ts"
import { event, observe, operate } from "#protocols/message.ts"
import { OwnedProcess } from "../owned-process.ts"
import type { LabRecord } from "../reaper.ts"
import type { Command } from "./cluster-files.ts"
import { DiskFailed, type SmallDisk } from "./small-disk.ts"

const done = { payload: {}, success: Schema.Void, failure: Schema.Never }

export class StartNode extends Schema.TaggedRequest<StartNode>()(
  "StartNode",
  done,
  operate("Starts the process of a node of the lab, unless it runs.")
) {}
export class KillNode extends Schema.TaggedRequest<KillNode>()(
  "KillNode",
  done,
  operate("Ends the process of a node of the lab with kill -9, and keeps it down.")
) {}
export class StopNode extends Schema.TaggedRequest<StopNode>()(
  "StopNode",
  done,
  operate("Has the process of a node of the lab stop in order, and keeps it down.")
) {}
export class PauseNode extends Schema.TaggedRequest<PauseNode>()(
  "PauseNode",
  done,
  operate("Has the process of a node of the lab stand still, its connections open.")
) {}
export class ResumeNode extends Schema.TaggedRequest<ResumeNode>()(
  "ResumeNode",
  done,
  operate("Lets the process of a node of the lab go on.")
) {}
export class FillDisk extends Schema.TaggedRequest<FillDisk>()(
  "FillDisk",
  { payload: { full: Schema.Boolean }, success: Schema.Void, failure: DiskFailed },
  operate("Takes all the room that is left on the disk of a node of the lab, or gives it back.")
) {}

export class GetProcess extends Schema.TaggedRequest<GetProcess>()(
  "GetProcess",
  {
    payload: {},
    success: Schema.Struct({ pid: Schema.NullOr(Schema.Int), isPaused: Schema.Boolean }),
    failure: Schema.Never
  },
  observe("The process of a node of the lab: null while it is down.")
) {}

export class NodeEnded extends Schema.TaggedClass<NodeEnded>()(
  "NodeEnded",
  { node: Schema.String, how: Schema.String, lastWords: Schema.String, atMillis: Schema.Number },
  event("The process of a node of the lab has ended by itself.")
) {}

const IsProcess = Schema.instanceOf(OwnedProcess)
class Ended extends Schema.TaggedClass<Ended>()("Ended", { process: IsProcess, how: Schema.String }) {}
class StartDue extends Schema.TaggedClass<StartDue>()("StartDue", {}) {}
class FillDue extends Schema.TaggedClass<FillDue>()("FillDue", {}) {}

export interface NodeProcessArgs {
  readonly name: string
  readonly command: Command
  readonly logPath: string
  readonly record: LabRecord
  readonly disk: SmallDisk | undefined
  /** A spare waits for `StartNode`. */
  readonly startsAtOnce: boolean
}

export type NodeOrder = StartNode | KillNode | StopNode | PauseNode | ResumeNode | FillDisk
type Message = NodeOrder | GetProcess | Ended | StartDue | FillDue

interface State {
  readonly args: NodeProcessArgs
  /** What ends with this life of the actor. */
  readonly held: { process: OwnedProcess | undefined }
  readonly isPaused: boolean
}

const startAgainAfter = "1 second"
/** What the node itself gives up is taken as well. */
const fillAgainAfter = "100 millis"
const stopMillisMax = 15_000
const lastWordsLength = 500

export const NodeProcess = Actor.make("node", {
  messages: [
    StartNode,
    KillNode,
    StopNode,
    PauseNode,
    ResumeNode,
    FillDisk,
    GetProcess,
    Ended,
    StartDue,
    FillDue
  ],
  init: (context: InitContext<Message>, args: NodeProcessArgs) =>
    Effect.gen(function* () {
      const held: State["held"] = { process: undefined }
      yield* Effect.addFinalizer(() => held.process?.kill ?? Effect.void)
      const state: State = { args, held, isPaused: false }
      return args.startsAtOnce ? start(state, context) : state
    }),
  handlers: {
    StartNode: (state, _start, context) => Actor.reply(start(state, context), undefined),
    KillNode: (state, _kill, context) => end(state, context, ({ kill }) => kill),
    StopNode: (state, _stop, context) => end(state, context, (process) => process.stop(stopMillisMax)),
    PauseNode: (state) => {
      state.held.process?.signal("SIGSTOP")
      return Actor.reply({ ...state, isPaused: state.held.process !== undefined }, undefined)
    },
    ResumeNode: (state) => {
      state.held.process?.signal("SIGCONT")
      return Actor.reply({ ...state, isPaused: false }, undefined)
    },
    FillDisk: (state, { full }, context) => {
      const { disk } = state.args
      if (disk === undefined) return Actor.reply(state, undefined)
      if (full) context.every(fillAgainAfter, new FillDue(), "fill")
      else context.cancel("fill")
      return Effect.match(full ? disk.fill : disk.empty, {
        onSuccess: () => Actor.reply(state, undefined),
        onFailure: (failed) => Actor.refuse(state, failed)
      })
    },
    FillDue: (state) =>
      Effect.match(state.args.disk?.fill ?? Effect.void, {
        onSuccess: () => state,
        // It was full when this was ordered, and is nearly so.
        onFailure: () => state
      }),
    GetProcess: (state) => Actor.reply(state, { pid: pidOf(state), isPaused: state.isPaused }),
    Ended: (state, { how, process }, context) => {
      const { args, held } = state
      if (process !== held.process) return state
      held.process = undefined
      const lastWords = process.logTail.trim().slice(-lastWordsLength)
      context.publish(new NodeEnded({ node: args.name, how, lastWords, atMillis: context.wallMillis() }))
      context.after(startAgainAfter, new StartDue(), "start")
      return { ...state, isPaused: false }
    },
    StartDue: (state, _due, context) => start(state, context)
  },
  inspect: (state) => ({ log: state.args.logPath, pid: pidOf(state), isPaused: state.isPaused })
})

const pidOf = ({ held: { process } }: State): number | null =>
  process?.isRunning === true ? process.pid : null

const start = (state: State, context: InitContext<Message>): State => {
  const { args, held } = state
  context.cancel("start")
  if (held.process !== undefined) return state
  const { command, logPath, name, record } = args
  const process = new OwnedProcess({ ...command, name, logPath, record })
  held.process = process
  context.pipe(
    Deferred.await(process.ended),
    (exit) => new Ended({ process, how: exit._tag === "Success" ? exit.value : "unknown" }, true)
  )
  return { ...state, isPaused: false }
}

/** Also one that waits to be started again is down from now on. */
const end = (
  state: State,
  context: InitContext<Message>,
  how: (process: OwnedProcess) => Effect.Effect<void>
) => {
  context.cancel("start")
  const { process } = state.held
  return Effect.map(process === undefined ? Effect.void : how(process), () => {
    state.held.process = undefined
    return Actor.reply({ ...state, isPaused: false }, undefined)
  })
}
