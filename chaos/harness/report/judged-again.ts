/**
 * A run that was played before, held against checks once more: those of its scenario as they are now, or others.
 * Everything that a check may look at is in the report.
 */
import { readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { Effect, Either } from "effect"
import type { Check, Evidence, Finding, JudgeBounds } from "#chaos/checkers/evidence.ts"
import { decodeEvidence } from "#chaos/checkers/recordings.ts"
import { historyFormat, type Recorded, ReportUnreadable } from "./report-folder.ts"
import { fileNames } from "./result.ts"

const fileBytesMax = 1 << 29

export const judgedAgain = (
  recorded: Recorded,
  checks: ReadonlyArray<Check>,
  bounds: JudgeBounds
): Effect.Effect<ReadonlyArray<Finding>, ReportUnreadable> =>
  Effect.map(evidenceOf(recorded), (evidence) => checks.map(({ judge }) => judge(evidence, bounds)))

const evidenceOf = ({ folder, history }: Recorded): Effect.Effect<Evidence, ReportUnreadable> =>
  Effect.gen(function* () {
    const refuse = (reason: string) => new ReportUnreadable({ path: folder, reason })
    if (history === undefined) return yield* refuse("it is of a run that never began, so there is nothing to judge")
    const text = yield* Effect.try({
      try: () => {
        const path = join(folder, fileNames.evidence)
        const { size } = statSync(path)
        if (size > fileBytesMax) throw new Error(`${fileNames.evidence} has ${size} bytes, at most ${fileBytesMax}`)
        return readFileSync(path, "utf8")
      },
      catch: (cause) => refuse(cause instanceof Error ? cause.message : String(cause))
    })
    const read = Either.flatMap(historyFormat.decode(history), (operations) => decodeEvidence(text, operations))
    return yield* Either.mapLeft(read, ({ message }) => refuse(message))
  })
