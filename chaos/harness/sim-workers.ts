/**
 * Threads that play simulations, each one at a time. One is started when it is needed and kept for the next order;
 * one whose order is interrupted ends with it. Idle ones do not keep the process alive. The first runs of a thread
 * take three times as long as those after them, so none is let go.
 */
import { Worker } from "node:worker_threads"
import { Effect, Schema } from "effect"
import { type Evidence, Finding, type Struck } from "#chaos/checkers/evidence.ts"
import { Action } from "#chaos/faults/action.ts"
import { Timed } from "#chaos/faults/schedule.ts"
import type { Scenario } from "#chaos/scenarios/scenario.ts"
import type { Progress, Run, RunOptions } from "./run.ts"

type TimedJson = typeof Timed.Encoded
type ActionJson = typeof Action.Encoded

/** What can be copied from thread to thread: no functions, and no instances. */
export interface ToWorker extends Pick<RunOptions, "folder" | "forMillis" | "nodes" | "seed"> {
  readonly scenario: string
  readonly playBack: ReadonlyArray<TimedJson> | undefined
}

export type FromWorker =
  | { readonly _tag: "Progress"; readonly progress: Progress }
  | { readonly _tag: "Note"; readonly line: string }
  | { readonly _tag: "Ended"; readonly ended: Ended }
  | { readonly _tag: "Broken"; readonly reason: string }

type Plain = Pick<Run, "facts" | "finishedMillis" | "outcome" | "reason" | "startedMillis">

interface Ended extends Plain {
  readonly actions: ReadonlyArray<TimedJson>
  readonly findings: ReadonlyArray<typeof Finding.Encoded>
  readonly evidence: EvidenceJson | undefined
}

interface EvidenceJson extends Omit<Evidence, "timeline"> {
  readonly timeline: ReadonlyArray<Omit<Struck, "action"> & { readonly action: ActionJson | undefined }>
}

const encodeTimed = Schema.encodeSync(Schema.Array(Timed))
const decodeTimed = Schema.decodeSync(Schema.Array(Timed))
const decodeAction = Schema.decodeSync(Schema.UndefinedOr(Action))
const decodeFindings = Schema.decodeSync(Schema.Array(Finding))

export class SimWorkers {
  readonly #idle: Array<Worker> = []

  /** As many at once as are asked for at once. Dies of what a simulation dies of. */
  play(scenario: Scenario, options: RunOptions): Effect.Effect<Run> {
    return Effect.async<Run>((resume) => {
      const worker = this.#idle.pop() ?? started()
      worker.ref()
      const release = (): void => {
        leave(worker)
        worker.unref()
        this.#idle.push(worker)
      }
      worker.on("message", (message: FromWorker) => {
        switch (message._tag) {
          case "Progress":
            return options.onProgress(message.progress)
          case "Note":
            return options.onNote(message.line)
          case "Ended":
            release()
            return resume(Effect.sync(() => unpacked(scenario, options, message.ended)))
          case "Broken":
            release()
            return resume(Effect.die(message.reason))
        }
      })
      worker.once("error", (error) => resume(Effect.die(error)))
      worker.once("exit", (code) => resume(Effect.die(`the thread of the simulator ended with code ${code}`)))
      worker.postMessage(ordered(scenario, options))
      return Effect.promise(() => {
        leave(worker)
        return worker.terminate()
      })
    })
  }
}

const started = (): Worker => new Worker(new URL("./sim-worker-main.ts", import.meta.url))

/** Only ours: with those of its own it would never deliver a message again. */
const leave = (worker: Worker): void => {
  for (const event of ["message", "error", "exit"]) worker.removeAllListeners(event)
}

const ordered = ({ name }: Scenario, options: RunOptions): ToWorker => ({
  scenario: name,
  seed: options.seed,
  nodes: options.nodes,
  forMillis: options.forMillis,
  folder: options.folder,
  playBack: options.playBack === undefined ? undefined : encodeTimed(options.playBack)
})

const unpacked = (scenario: Scenario, options: RunOptions, { evidence, ...ended }: Ended): Run => ({
  ...ended,
  scenario,
  world: "sim",
  options,
  actions: decodeTimed(ended.actions),
  findings: decodeFindings(ended.findings),
  evidence: evidence && {
    ...evidence,
    timeline: evidence.timeline.map((struck) => ({ ...struck, action: decodeAction(struck.action) }))
  }
})
