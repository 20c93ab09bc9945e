/**
 * A machine: at most one process of QEMU at a time, and what can be done to it.
 *
 *   off ── PowerOn ──► on ◄── Pause, Resume ──► paused
 *    ▲                  │
 *    ├──── PowerOff ────┤    QEMU ends by itself: a crash of this actor
 *    └──── ShutDown ────┘    the guest ends it
 *
 * Restarted by its supervisor it is off, as a machine is after a power failure; its disk is a file and stays.
 * What takes time runs beside the mailbox, so that the power can be cut while a guest boots.
 */
import { Deferred, Effect, Exit, Schedule, Schema, Scope } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import type { ActorContext, InitContext, ReplyTo } from "#actors/kernel/context.ts"
import { describeCause } from "#actors/kernel/ref.ts"
import type { LabRecord } from "../reaper.ts"
import {
  BreakDisk,
  Execute,
  Executed,
  GetMachine,
  GuestNoted,
  type MachineRequest,
  MachineState,
  MendDisk,
  Pause,
  PowerOff,
  PowerOn,
  Resume,
  SetLink,
  ShutDown,
  ThrottleDisk
} from "./machine.ts"
import {
  belowLimits,
  diskGroup,
  diskNode,
  type MachineShape,
  machineArguments,
  nicId
} from "./machine-arguments.ts"
import { MachineFailed, Qemu, startQemu } from "./qemu-process.ts"
import { Plug, Switch } from "./switch-actor.ts"
import { Cable } from "./switch-port-actor.ts"

const IsQemu = Schema.instanceOf(Qemu)
class Ended extends Schema.TaggedClass<Ended>()("Ended", { qemu: IsQemu, how: Schema.String }) {}
class Answered extends Schema.TaggedClass<Answered>()("Answered", {}) {}

export interface MachineArgs {
  readonly name: string
  readonly setpriv: string
  readonly qemu: string
  readonly shape: Omit<MachineShape, "memory" | "name">
  /** A guest that was running when it was copied: its memory, and the rest of its state. */
  readonly copy: { readonly memory: string; readonly state: string } | undefined
  readonly consolePath: string | undefined
  readonly record: LabRecord
  /** The path of the switch. */
  readonly switchPath: string
}

type Message = MachineRequest | Ended | Answered

interface Running {
  readonly qemu: Qemu
  readonly scope: Scope.CloseableScope
  readonly recorded: boolean
  /** The guest can be told something. */
  readonly up: Deferred.Deferred<void, MachineFailed>
  broken: boolean
  /** The guest was told to end it. */
  leaving: boolean
}

interface State {
  readonly args: MachineArgs
  /** Of this life of the actor. */
  readonly scope: Scope.Scope
  readonly running: Running | undefined
  readonly paused: boolean
  readonly consoleBefore: string
}

const bootMillisMax = 120_000

export const Machine = Actor.make("machine", {
  messages: [
    PowerOn,
    PowerOff,
    ShutDown,
    Pause,
    Resume,
    SetLink,
    ThrottleDisk,
    BreakDisk,
    MendDisk,
    Execute,
    GetMachine,
    Ended,
    Answered
  ],
  init: (_context: InitContext<Message>, args: MachineArgs) =>
    Effect.map(
      Effect.scope,
      (scope): State => ({ args, scope, running: undefined, paused: false, consoleBefore: "" })
    ),
  handlers: {
    PowerOn: (state, request, context) => {
      if (state.running !== undefined) return Actor.reply(state, undefined)
      return Effect.map(start(state, request, context), (running) =>
        Actor.reply({ ...state, running, paused: false }, undefined)
      )
    },
    PowerOff: (state) =>
      Effect.as(
        stop(state),
        Actor.reply({ ...state, running: undefined, paused: false, consoleBefore: tailOf(state) }, undefined)
      ),
    ShutDown: (state, request, context) => {
      if (state.running === undefined) return Actor.reply(state, undefined)
      obey(state, context.replyTo(request), context, (running) => shutDown(state.args.name, running, request))
      return Actor.later(state)
    },
    Pause: (state, request, context) => {
      obey(state, context.replyTo(request), context, (run) => run.qemu.qmp("stop"))
      return Actor.later({ ...state, paused: state.running !== undefined })
    },
    Resume: (state, request, context) => {
      obey(state, context.replyTo(request), context, (run) => run.qemu.qmp("cont"))
      return Actor.later({ ...state, paused: false })
    },
    SetLink: (state, request, context) => {
      obey(state, context.replyTo(request), context, ({ qemu }) =>
        qemu.qmp("set_link", { name: nicId, up: request.up })
      )
      return Actor.later(state)
    },
    ThrottleDisk: (state, request, context) => {
      const { bytesPerSecond, writesPerSecond } = request
      // All of them: what is left out stays as it was.
      const value = {
        "bps-total": 0,
        "bps-read": 0,
        "bps-write": bytesPerSecond,
        "iops-total": 0,
        "iops-read": 0,
        "iops-write": writesPerSecond
      }
      obey(state, context.replyTo(request), context, ({ qemu }) =>
        qemu.qmp("qom-set", { path: `/objects/${diskGroup}`, property: "limits", value })
      )
      return Actor.later(state)
    },
    BreakDisk: (state, request, context) => {
      obey(state, context.replyTo(request), context, (run) => breakDisk(run))
      return Actor.later(state)
    },
    MendDisk: (state, request, context) => {
      obey(state, context.replyTo(request), context, (run) => mendDisk(run))
      return Actor.later(state)
    },
    Execute: (state, request, context) => {
      const { command, forMillis } = request
      answer(state, context.replyTo(request), context, ({ qemu, up }) =>
        Effect.map(
          Effect.zipRight(Deferred.await(up), qemu.exec(command, forMillis)),
          (executed) => new Executed(executed)
        )
      )
      return Actor.later(state)
    },
    GetMachine: (state) => {
      const { paused, running } = state
      return Actor.reply(
        state,
        new MachineState({
          power: running === undefined ? "off" : paused ? "paused" : "on",
          pid: running?.qemu.pid ?? null,
          console: tailOf(state)
        })
      )
    },
    Ended: (state, { how, qemu }) => {
      if (state.running?.qemu !== qemu) return state
      // It counts as off when whoever shut it down says so.
      if (state.running.leaving) return state
      throw new Error(`QEMU has ended (${how}): ${qemu.consoleTail.slice(-500)}`)
    },
    Answered: (state) => state
  },
  inspect: ({ args, paused, running }) => ({
    name: args.name,
    power: running === undefined ? "off" : paused ? "paused" : "on",
    pid: running?.qemu.pid ?? null
  })
})

const tailOf = ({ consoleBefore, running }: State): string => running?.qemu.consoleTail ?? consoleBefore

const start = (
  { args, scope: life }: State,
  { from, log }: PowerOn,
  context: ActorContext<Message, State>
): Effect.Effect<Running, MachineFailed> =>
  Effect.gen(function* () {
    const { consolePath, name, qemu: program, record, setpriv } = args
    const scope = yield* Scope.fork(life, { _tag: "Sequential" })
    const copy = from === "copy" ? args.copy : undefined
    const shape: MachineShape = {
      ...args.shape,
      name,
      disk: { ...args.shape.disk, log: log ?? undefined },
      memory: copy === undefined ? undefined : { path: copy.memory, is: "copied" }
    }
    const onNote = (line: string) => context.publish(new GuestNoted({ machine: name, line }, true))
    const options = {
      name,
      setpriv,
      qemu: program,
      args: machineArguments(shape),
      consolePath,
      onNote,
      record
    }
    const qemu = yield* Scope.extend(startQemu(options), scope).pipe(
      Effect.tapError(() => Scope.close(scope, Exit.void))
    )
    context.lookup(args.switchPath, Switch)?.tell(new Plug({ port: name, cable: new Cable(qemu.network) }))
    context.pipe(Deferred.await(qemu.ended), (exit) =>
      Exit.isSuccess(exit) ? new Ended({ qemu, how: exit.value }, true) : new Answered()
    )
    const up = yield* Deferred.make<void, MachineFailed>()
    const comingUp = copy === undefined ? Deferred.await(qemu.agentUp) : wakeUp(qemu, copy.state)
    const inTime = Effect.timeoutFail(comingUp, {
      duration: bootMillisMax,
      onTimeout: () =>
        new MachineFailed({
          machine: name,
          doing: "boot",
          reason: `its agent was not there after ${bootMillisMax} ms: ${qemu.consoleTail.slice(-500)}`
        })
    })
    const ended = Effect.flatMap(Deferred.await(qemu.ended), (how) =>
      Effect.fail(new MachineFailed({ machine: name, doing: "boot", reason: `QEMU has ended: ${how}` }))
    )
    context.pipe(Deferred.complete(up, Effect.raceFirst(inTime, ended)), () => new Answered())
    return { qemu, scope, recorded: log !== null, up, broken: false, leaving: false }
  })

const stop = ({ running }: State): Effect.Effect<void> =>
  running === undefined ? Effect.void : Scope.close(running.scope, Exit.void)

/** Of guest/power. */
const lastWords = "guest: its disk is written"
/** They may still be on their way when the machine is off. */
const wordsMillisMax = 2_000

const shutDown = (
  name: string,
  running: Running,
  { withinMillis }: ShutDown
): Effect.Effect<void, MachineFailed> =>
  Effect.suspend(() => {
    running.leaving = true
    const { qemu } = running
    const refuse = (reason: string) => () =>
      new MachineFailed({
        machine: name,
        doing: "shut down",
        reason: `${reason}: ${qemu.consoleTail.slice(-500)}`
      })
    const written = Effect.repeat(Effect.sleep("50 millis"), {
      until: () => qemu.consoleTail.includes(lastWords)
    }).pipe(
      Effect.timeoutFail({
        duration: wordsMillisMax,
        onTimeout: refuse("it went off, and its guest has not said that its disk is written")
      })
    )
    return Effect.zipRight(qemu.qmp("system_powerdown"), Deferred.await(qemu.ended)).pipe(
      Effect.timeoutFail({
        duration: withinMillis,
        onTimeout: refuse(`its guest has not turned it off within ${withinMillis} ms`)
      }),
      Effect.zipRight(written),
      Effect.tapError(() =>
        Effect.sync(() => {
          running.leaving = false
        })
      ),
      Effect.asVoid
    )
  })

/** A guest goes on where it was when it was copied. */
export const wakeUp = (qemu: Qemu, statePath: string): Effect.Effect<void, MachineFailed> =>
  Effect.gen(function* () {
    yield* qemu.qmp("migrate-set-capabilities", {
      capabilities: [{ capability: "x-ignore-shared", state: true }]
    })
    yield* qemu.qmp("migrate-incoming", { uri: `exec:cat '${statePath}'` })
    yield* runState(qemu).pipe(
      Effect.repeat({ until: (state) => state !== "inmigrate", schedule: Schedule.spaced("10 millis") })
    )
    yield* qemu.qmp("cont")
  })

const RunState = Schema.Struct({ status: Schema.String })
const runState = (qemu: Qemu) =>
  Effect.map(qemu.qmp("query-status"), (value) => Schema.decodeUnknownSync(RunState)(value).status)

const errorNode = "disk-errors"

/** What is below the limits gets a layer of errors on top. */
const breakDisk = (running: Running): Effect.Effect<void, MachineFailed> =>
  Effect.gen(function* () {
    if (running.broken) return
    running.broken = true
    const image = belowLimits({ path: "", log: running.recorded ? "" : undefined })
    const fault = (iotype: string) => ({ event: "none", iotype, errno: 5, once: false })
    yield* running.qemu.qmp("blockdev-add", {
      driver: "blkdebug",
      "node-name": errorNode,
      image,
      "inject-error": [fault("write"), { ...fault("flush"), once: true }]
    })
    yield* reopen(running.qemu, errorNode)
  })

const mendDisk = (running: Running): Effect.Effect<void, MachineFailed> =>
  Effect.gen(function* () {
    if (!running.broken) return
    const whole = belowLimits({ path: "", log: running.recorded ? "" : undefined })
    // QEMU flushes first, and where the guest has not, that meets the one error of a flush that there is.
    yield* Effect.retry(reopen(running.qemu, whole), { times: 1 })
    yield* running.qemu.qmp("blockdev-del", { "node-name": errorNode })
    running.broken = false
  })

const reopen = (qemu: Qemu, file: string) =>
  qemu.qmp("blockdev-reopen", {
    options: [{ driver: "throttle", "node-name": diskNode, "throttle-group": diskGroup, file }]
  })

const obey = (
  state: State,
  waiting: ReplyTo<void, MachineFailed>,
  context: ActorContext<Message, State>,
  run: (running: Running) => Effect.Effect<unknown, MachineFailed>
): void => answer(state, waiting, context, (running) => Effect.asVoid(run(running)))

/** Answers once the effect has ended, beside the mailbox. */
const answer = <A>(
  { args, running }: State,
  waiting: ReplyTo<A, MachineFailed>,
  context: ActorContext<Message, State>,
  run: (running: Running) => Effect.Effect<A, MachineFailed>
): void => {
  const failed = (reason: string) => new MachineFailed({ machine: args.name, doing: "obey", reason })
  if (running === undefined) return waiting.refuse(failed("it is off"))
  context.pipe(run(running), (exit) => {
    if (Exit.isSuccess(exit)) waiting.reply(exit.value)
    else waiting.refuse(exit.cause._tag === "Fail" ? exit.cause.error : failed(describeCause(exit.cause)))
    return new Answered()
  })
}
