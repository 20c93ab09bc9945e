/**
 * The journal port on a real disk: the kernel's journal over block files in `<data directory>/journal`, with a
 * lock against a second process.
 */
import { join } from "node:path"
import { Effect, Layer } from "effect"
import { openJournal } from "../kernel/journal/segmented-journal.ts"
import { Journals, journalLimits } from "../kernel/ports/journal.ts"
import { Randomness } from "../kernel/ports/randomness.ts"
import { Scheduling } from "../kernel/ports/scheduling.ts"
import { StorageBroken } from "../kernel/ports/storage-faults.ts"
import { errorCode, openDirectory, syncNames } from "./block-files.ts"
import { lockDirectory } from "./data-lock.ts"

export const fileJournals = (dataDirectory: string): Layer.Layer<Journals, never, Randomness | Scheduling> =>
  Layer.effect(
    Journals,
    Effect.gen(function* () {
      const randomness = yield* Randomness
      const scheduling = yield* Scheduling
      const path = join(dataDirectory, "journal")
      return Journals.of({
        open: (limits) =>
          Effect.gen(function* () {
            yield* lockDirectory(path)
            const directory = yield* Effect.try({
              try: () => openDirectory(path),
              catch: (cause) => new StorageBroken({ path, operation: "open", reason: errorCode(cause) })
            })
            yield* syncNames(path)
            return yield* openJournal({
              directory,
              limits: { ...journalLimits, ...limits },
              soon: (task) => scheduling.arm(task, "soon"),
              salt: () => Math.floor(randomness.next() * 2 ** 32)
            })
          })
      })
    })
  )
