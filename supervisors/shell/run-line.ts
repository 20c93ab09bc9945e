/**
 * One line, from its text to its exit code, the same in a terminal and in a script:
 *
 *   0   done        1   refused, failed, or not confirmed        2   not understood; nothing was sent
 */
import { Cause, Effect, Either, Exit } from "effect"
import type { Cloud } from "./cloud.ts"
import { type Command, failureOf, type Shown, type Stage } from "./command.ts"
import { wordsOf } from "./command-line.ts"
import { type Matched, match, type UsageProblem } from "./command-spec.ts"
import { jsonText } from "./message-json.ts"
import { saveFile } from "./save-file.ts"
import { shellCommands } from "./shell-commands.ts"

export type ExitCode = 0 | 1 | 2

/** Where what is said goes, and who is asked. */
export interface Voice {
  readonly print: (line: string) => void
  readonly complain: (line: string) => void
  /** Undefined where nobody is there to ask. */
  readonly confirm: ((question: string) => Effect.Effect<boolean>) | undefined
  /** For all lines, whether they say so or not. */
  readonly json: boolean
  readonly yes: boolean
  readonly screen: Stage["screen"]
}

export const runLine = (line: string, cloud: Cloud, voice: Voice): Effect.Effect<ExitCode> =>
  Effect.suspend(() => {
    const read = Either.flatMap(
      Either.mapLeft(wordsOf(line), ({ at, problem }): UsageProblem => ({ at, problem })),
      (words) => match(shellCommands, words)
    )
    if (Either.isRight(read)) return obey(read.right, cloud, voice)
    const { at, problem } = read.left
    voice.complain(`  ${line}`)
    voice.complain(`  ${" ".repeat(at)}^ ${problem}`)
    return Effect.succeed<ExitCode>(2)
  })

const obey = ({ command, given }: Matched<Command>, cloud: Cloud, voice: Voice): Effect.Effect<ExitCode> =>
  Effect.gen(function* () {
    const json = voice.json || given.flag("json")
    const danger = command.danger?.(given) ?? ""
    if (danger !== "" && !voice.yes && !given.flag("yes") && !(yield* confirmed(danger, voice)))
      return 1 as const
    const show = (shown: Shown) => Effect.sync(() => say(shown, json, voice))
    const stage = { cloud, show, screen: json ? undefined : voice.screen, save: saveFile }
    const exit = yield* Effect.exit(command.run(given, stage))
    if (Exit.isSuccess(exit)) return 0 as const
    if (Cause.isInterruptedOnly(exit.cause)) return 1 as const
    complain(exit.cause, json, voice)
    return 1 as const
  })

const say = ({ json: value, lines }: Shown, json: boolean, { print }: Voice): void => {
  if (json) return print(jsonText(value))
  for (const line of lines) print(line)
}

const confirmed = (danger: string, { complain: tell, confirm }: Voice): Effect.Effect<boolean> => {
  if (confirm !== undefined) return confirm(`${danger}.\nDo it? [y/N] `)
  tell(`${danger}. Nothing was done: say --yes to have it done without being asked`)
  return Effect.succeed(false)
}

const complain = (cause: Cause.Cause<unknown>, json: boolean, voice: Voice): void => {
  const { message, tag } = failureOf(cause)
  if (json) voice.print(jsonText({ error: { tag, message } }))
  else voice.complain(message)
}
