import test from "ava"
import { Either } from "effect"
import fc from "fast-check"
import { wordsOf } from "./command-line.ts"
import { type CommandSpec, helpOf, match, millisOf, usageOf } from "./command-spec.ts"
import { shellCommands } from "./shell-commands.ts"

const serve: CommandSpec = {
  name: "serve",
  about: "serves a dish",
  parameters: [
    { name: "table", kind: "count" },
    { name: "dish", kind: { oneOf: ["soup", "fish"] }, optional: true }
  ],
  options: { for: { kind: "duration", about: "how long" }, loud: { about: "so that all hear" } },
  examples: ["serve 3 soup"],
  danger: () => "somebody will eat it"
}
const serveAll: CommandSpec = { ...serve, name: "serve all", parameters: [] }

const reading = (line: string) => Either.flatMap(wordsOf(line), (words) => match([serve, serveAll], words))

test("a line names a command, its values and its options in any order", (t) => {
  const { command, given } = Either.getOrThrow(reading("serve --for 2m 3 --loud soup --yes"))
  t.is(command, serve)
  t.deepEqual([given.text("table"), given.text("dish")], ["3", "soup"])
  t.is(given.millis("for"), 120_000)
  t.true(given.flag("loud") && given.flag("yes"))
  t.false(given.flag("json"))
  t.is(Either.getOrThrow(reading("serve all")).command, serveAll)
})

test("what is wrong is said with its place in the line", (t) => {
  const problem = (line: string) => {
    const { at, problem: what } = Either.getOrThrow(Either.flip(reading(line)))
    return `${at}: ${what}`
  }
  t.is(problem("serv 3"), "0: there is no command serv; help lists them")
  t.is(problem("serve"), "5: <table> is missing: serve <table> [dish] [--for duration] [--loud]")
  t.is(problem("serve three"), "6: <table> is a whole number, not three")
  t.is(problem("serve 3 cake"), "8: <dish> is one of soup, fish, not cake")
  t.is(
    problem("serve 3 soup more"),
    "13: serve takes no more than serve <table> [dish] [--for duration] [--loud]"
  )
  t.is(problem("serve 3 --fast"), "8: serve has no option --fast")
  t.is(problem("serve 3 --for"), "13: --for needs a value")
  t.is(problem("serve 3 --for long"), "8: --for is a time such as 500ms, 30s, 5m or 1h, not long")
  t.is(problem("serve 3 --loud=yes"), "8: --loud takes no value")
})

test("every command of the shell has help, and each of its examples is understood as that command", (t) => {
  t.is(new Set(shellCommands.map(({ name }) => name)).size, shellCommands.length)
  for (const command of shellCommands) {
    t.true(helpOf(command).length > 3)
    for (const example of command.examples) {
      const read = Either.flatMap(wordsOf(example), (words) => match(shellCommands, words))
      if (Either.isLeft(read)) t.fail(`${example}: ${JSON.stringify(read.left)}`)
      else t.is(read.right.command, command, usageOf(command))
    }
  }
})

test("examples of what is dangerous say --yes, so that they can be copied into scripts", (t) => {
  for (const { danger, examples, name } of shellCommands) {
    if (danger === undefined || name === "ask") continue
    for (const example of examples) t.regex(example, /--yes/, name)
  }
})

test("times are in units, seconds unless said", (t) => {
  t.deepEqual(
    ["500ms", "30s", "5m", "1h", "2", "1.5s", "", "5d", "-1s"].map((text) => millisOf(text)),
    [500, 30_000, 300_000, 3_600_000, 2_000, 1_500, undefined, undefined, undefined]
  )
})

test("whatever is typed, it is understood or has a place where it is not", (t) => {
  const piece = fc.oneof(
    fc.constantFrom(...shellCommands.flatMap(({ name }) => name.split(" "))),
    fc.constantFrom("/node01/x", "--yes", "--for", "3s", "{}", "--json=1", "zone:a"),
    fc.string()
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
      const line = pieces.join(" ")
      const read = Either.flatMap(wordsOf(line), (words) => match(shellCommands, words))
      if (Either.isLeft(read)) t.true(read.left.at >= 0 && read.left.at <= line.length)
    })
  )
  t.pass()
})
