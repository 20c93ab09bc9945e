/** What a thread of the simulator does with an order: plays it, and packs what came of it for the way back. */
import { Either, Schema } from "effect"
import { Finding } from "#chaos/checkers/evidence.ts"
import { Timed } from "#chaos/faults/schedule.ts"
import { scenarioNamed } from "#chaos/scenarios/catalogue.ts"
import { inSimulation } from "#chaos/sim/simulation.ts"
import { runScenario } from "./run-scenario.ts"
import type { FromWorker, ToWorker } from "./sim-workers.ts"

const encodeTimed = Schema.encodeSync(Schema.Array(Timed))
const decodeTimed = Schema.decodeSync(Schema.Array(Timed))
const encodeFindings = Schema.encodeSync(Schema.Array(Finding))

export const playSimulated = (order: ToWorker, tell: (message: FromWorker) => void): FromWorker => {
  const { playBack, scenario: name, ...options } = order
  const scenario = scenarioNamed(name)
  if (scenario === undefined) return { _tag: "Broken", reason: `there is no scenario named ${name}` }
  const played = Either.try(() =>
    inSimulation(options.seed, (maker) =>
      runScenario(scenario, maker, {
        ...options,
        playBack: playBack === undefined ? undefined : decodeTimed(playBack),
        nowMillis: () => performance.now(),
        wallMillis: () => Date.now(),
        onProgress: (progress) => tell({ _tag: "Progress", progress }),
        onNote: (line) => tell({ _tag: "Note", line })
      })
    )
  )
  if (Either.isLeft(played)) return { _tag: "Broken", reason: stackOf(played.left) }
  const { actions, evidence, facts, findings, finishedMillis, outcome, reason, startedMillis } = played.right
  if (evidence === undefined)
    return {
      _tag: "Ended",
      ended: { outcome, reason, startedMillis, finishedMillis, facts, actions: [], findings: [], evidence }
    }
  // Which keys a watch watches is a function, and all have been judged here.
  const { watches: _, timeline, ...rest } = evidence
  return {
    _tag: "Ended",
    ended: {
      outcome,
      reason,
      startedMillis,
      finishedMillis,
      facts,
      actions: encodeTimed(actions),
      findings: encodeFindings(findings),
      evidence: { ...rest, timeline: timeline.map((struck) => ({ ...struck, action: undefined })) }
    }
  }
}

const stackOf = (thrown: unknown): string =>
  thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
