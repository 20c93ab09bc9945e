/** The console and the shell have one table of actions; this holds what each says of it against the other. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { Either } from "effect"
import { actCommands } from "../shell/act-commands.ts"
import { wordsOf } from "../shell/command-line.ts"
import { givenBy, match } from "../shell/command-spec.ts"
import { shellCommands } from "../shell/shell-commands.ts"
import { actions } from "./act-desk.ts"
import { actionTable, type Fields } from "./page/action-table.ts"

const names = actCommands.map(({ name }) => name)

test("the page has a button for every action of the shell, and for nothing else", (t) => {
  t.deepEqual(Object.keys(actionTable).toSorted(), names.toSorted())
  t.deepEqual(
    actions.map(({ name }) => name),
    names
  )
})

test("each of them is offered somewhere on the page", (t) => {
  const folder = join(import.meta.dirname, "page")
  const text = readdirSync(folder)
    .filter((file) => file.endsWith(".ts") && file !== "action-table.ts")
    .map((file) => readFileSync(join(folder, file), "utf8"))
    .join("\n")
  for (const name of names) t.true(text.includes(`"${name}"`), name)
})

test("whatever changes anything is an action: what is left of the shell only looks", (t) => {
  const rest = shellCommands.filter((command) => !actCommands.includes(command))
  // One that does more than look belongs to the actions, not here.
  t.deepEqual(rest.map(({ name }) => name).toSorted(), [
    "accepts",
    "breakers",
    "config",
    "deadletters",
    "events",
    "help",
    "inspect",
    "leaders",
    "links",
    "members",
    "metrics",
    "top",
    "trace",
    "tree",
    "why"
  ])
})

test("a form says what a line says: the same values, and the same question", (t) => {
  for (const { examples } of actCommands) {
    for (const example of examples) {
      const line = Either.flatMap(wordsOf(example), (words) => match(actCommands, words))
      const { command, given } = Either.getOrThrow(line)
      const said = [...command.parameters.map(({ name }) => name), ...Object.keys(command.options ?? {})]
      const fields: Fields = Object.fromEntries(
        said.flatMap((name) => {
          const text = given.text(name) || given.option(name)
          return text === undefined ? [] : [[name, text]]
        })
      )
      const form = Either.getOrThrow(givenBy(command, fields))
      t.is(command.danger?.(form), command.danger?.(given), example)
      for (const name of said) t.is(form.option(name), given.option(name), example)
    }
  }
})

test("a form is refused with its field", (t) => {
  const [restart] = actCommands
  if (restart === undefined) return t.fail()
  const refusal = (fields: Fields) => Either.getOrThrow(Either.flip(givenBy(restart, fields)))
  t.deepEqual(refusal({}), { field: "path", problem: "path is missing" })
  t.deepEqual(refusal({ path: "node01" }), {
    field: "path",
    problem: "path is a path such as /node01/cluster, not node01"
  })
  t.deepEqual(refusal({ path: "/a", __proto__x: "1" }), {
    field: "__proto__x",
    problem: "restart has no field __proto__x"
  })
})
