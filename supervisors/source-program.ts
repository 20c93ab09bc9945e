/**
 * Programs of ours that only a checkout of the source has, such as the chaos suite and the benchmarks: each runs on the
 * same terminal, as a process of its own. They know all supervisors, and so none of them may import one; and what
 * is installed as a package comes without them.
 */
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { constants } from "node:os"
import { Effect } from "effect"

export interface SourceProgram {
  /** Such as `the chaos suite`. */
  readonly what: string
  readonly main: string
  /** How to run it in a checkout. */
  readonly instead: string
}

/** Something that it needs is not here: as the chaos suite itself says it. */
const blockedExit = 3

/**
 * What it exits with; not to be interrupted, since it has to end first. Ctrl-C on the terminal reaches it without us,
 * and it stops in order; what somebody sends to this process alone is passed on.
 */
export const runSourceProgram = (
  { instead, main, what }: SourceProgram,
  args: ReadonlyArray<string>,
  complain: (line: string) => void
): Effect.Effect<number> =>
  Effect.suspend(() => {
    if (!existsSync(main)) {
      complain(
        `${what} is not part of this package: ${main} is missing; run it in a checkout of the source, ${instead}`
      )
      return Effect.succeed(blockedExit)
    }
    return Effect.async<number>((resume) => {
      const child = spawn(process.execPath, [main, ...args], { stdio: "inherit" })
      const passOn = () => void child.kill("SIGTERM")
      process.on("SIGTERM", passOn)
      const end = (code: number) => {
        process.off("SIGTERM", passOn)
        resume(Effect.succeed(code))
      }
      child.once("error", ({ message }) => {
        complain(`${what} does not start: ${message}`)
        end(blockedExit)
      })
      child.once("exit", (code, signal) =>
        end(code ?? 128 + (signal === null ? 0 : constants.signals[signal]))
      )
    })
  })
