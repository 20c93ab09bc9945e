/** All commands of the shell, in the order in which help lists them. */
import { Effect } from "effect"
import { actCommands } from "./act-commands.ts"
import { clusterCommands } from "./cluster-commands.ts"
import { type Command, CommandRefused } from "./command.ts"
import { helpOf, helpOfAll } from "./command-spec.ts"
import { eventCommands } from "./event-commands.ts"
import { catalogueCommands } from "./message-commands.ts"
import { treeCommands } from "./tree-commands.ts"

const help: Command = {
  name: "help",
  about: "what commands there are, or one of them with examples",
  parameters: [
    { name: "command", kind: "text", optional: true },
    { name: "second-word", kind: "text", optional: true }
  ],
  examples: ["help", "help breaker trip"],
  run: (given, { show }) =>
    Effect.gen(function* () {
      const name = `${given.text("command")} ${given.text("second-word")}`.trim()
      const found = shellCommands.filter(
        (command) => name === "" || command.name === name || command.name.startsWith(`${name} `)
      )
      if (found.length === 0)
        return yield* new CommandRefused({ reason: `there is no command ${name}; help lists them` })
      const lines =
        name === "" ? helpOfAll(found) : found.flatMap((command) => [...helpOf(command), ""]).slice(0, -1)
      const json = found.map(({ about, examples, name: command }) => ({ command, about, examples }))
      yield* show({ json, lines })
    })
}

export const shellCommands: ReadonlyArray<Command> = [
  help,
  ...treeCommands,
  ...eventCommands,
  ...clusterCommands,
  ...catalogueCommands,
  ...actCommands
]
