/**
 * Plays the run of a report again. In the simulator seed and schedule give the same run, down to each answer; elsewhere
 * the actions that were recorded are carried out at their times, and the rest is up to the machines.
 */
import { Data, Effect } from "effect"
import { historyFormat, type Recorded, type ReportUnwritable } from "./report/report-folder.ts"
import { type Lab, type Order, type Played, playReported, type Session } from "./session.ts"

export class NotThere extends Data.TaggedError("NotThere")<{ readonly name: string; readonly lab: Lab }> {
  override get message() {
    const names = this.lab.scenarios.map(({ name }) => name).join(", ")
    return `there is no scenario named ${JSON.stringify(this.name)}; choose one of ${names}`
  }
}

export const scenarioNamed = (lab: Lab, name: string) => {
  const found = lab.scenarios.find((scenario) => scenario.name === name)
  return found === undefined ? Effect.fail(new NotThere({ name, lab })) : Effect.succeed(found)
}

/** The same once more: what was played back is played back. */
export const orderOf = (lab: Lab, { actions, folder, plan, result }: Recorded) =>
  Effect.map(
    scenarioNamed(lab, plan.scenario),
    (scenario): Order => ({
      scenario,
      world: plan.world,
      seed: result.seed,
      nodes: plan.nodes ?? undefined,
      forMillis: plan.for_ms ?? undefined,
      playBack: plan.world === "sim" && !plan.played_back ? undefined : actions,
      from: folder
    })
  )

export interface Replayed {
  readonly played: Played
  /** In words, how its history compares with the recorded one. */
  readonly comparison: string
}

export const replay = (
  session: Session,
  recorded: Recorded
): Effect.Effect<Replayed, NotThere | ReportUnwritable> =>
  Effect.gen(function* () {
    const order = yield* orderOf(session.lab, recorded)
    const played = yield* playReported(session, order)
    const { evidence } = played.run
    const again = evidence === undefined ? undefined : historyFormat.encode(evidence.history)
    return { played, comparison: compare(recorded.history, again) }
  })

const compare = (recorded: string | undefined, again: string | undefined): string => {
  if (recorded === undefined || again === undefined) return "there are no two histories to compare"
  const [before, now] = [recorded.trimEnd().split("\n"), again.trimEnd().split("\n")]
  if (recorded === again) return `the history is identical to the recorded one, ${now.length - 1} operations`
  // The first line only says how many there are.
  const first = Array.from({ length: Math.max(before.length, now.length) }, (_, index) => index)
    .slice(1)
    .find((index) => before[index] !== now[index])
  return `the history is another one than that recorded: ${now.length - 1} operations instead of ${before.length - 1}, and the first that differs is ${(first ?? 1) - 1}`
}
