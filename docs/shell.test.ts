import { readFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { Either } from "effect"
import { wordsOf } from "#supervisors/shell/command-line.ts"
import { match } from "#supervisors/shell/command-spec.ts"
import { shellCommands } from "#supervisors/shell/shell-commands.ts"

const page = readFileSync(join(import.meta.dirname, "shell.md"), "utf8")
const lines = [...page.matchAll(/^node01> (.*)$/gm)].map(([, line = ""]) => line)

test("every line on the page is understood, and every command is on it", (t) => {
  const used = new Set<string>()
  for (const line of lines) {
    const read = Either.flatMap(wordsOf(line), (words) => match(shellCommands, words))
    if (Either.isLeft(read)) t.fail(`${line}: ${JSON.stringify(read.left)}`)
    else used.add(read.right.command.name)
  }
  t.deepEqual(
    shellCommands.map(({ name }) => name).filter((name) => !used.has(name)),
    []
  )
})

test("what asks before it acts is shown with --yes, and nothing else is", (t) => {
  for (const line of lines) {
    const { command, given } = Either.getOrThrow(
      Either.flatMap(wordsOf(line), (words) => match(shellCommands, words))
    )
    const asks = (command.danger?.(given) ?? "") !== ""
    t.is(given.flag("yes"), asks, line)
  }
})
