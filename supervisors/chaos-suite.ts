/**
 * `ultracloud chaos …`: the chaos suite on the same terminal, as a process of its own. It knows all supervisors, and
 * so none of them may import it; and what is installed as a package comes without it.
 */
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { constants } from "node:os"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"

const main = fileURLToPath(new URL("../chaos/main.ts", import.meta.url))

/** Something that it needs is not here: as the suite itself says it. */
const blockedExit = 3

/**
 * What the suite exits with; not to be interrupted, since the suite has to end first. Ctrl-C on the terminal reaches it without us, and it stops in order; what somebody sends to
 * this process alone is passed on.
 */
export const runChaosSuite = (
  args: ReadonlyArray<string>,
  complain: (line: string) => void
): Effect.Effect<number> =>
  Effect.suspend(() => {
    if (!existsSync(main)) {
      complain(
        `the chaos suite is not part of this package: ${main} is missing; run it in a checkout of the source, npm run chaos`
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
        complain(`the chaos suite does not start: ${message}`)
        end(blockedExit)
      })
      child.once("exit", (code, signal) =>
        end(code ?? 128 + (signal === null ? 0 : constants.signals[signal]))
      )
    })
  })
