/**
 * All that an operator can do to a cluster, and not only look at: one table for the shell and for the console, so that
 * both have the same actions, ask for them in the same words and do them in the same way.
 */
import { actorCommands } from "./actor-commands.ts"
import type { Command } from "./command.ts"
import { guardCommands } from "./guard-commands.ts"
import { memberCommands } from "./member-commands.ts"
import { sendCommands } from "./message-commands.ts"

export const actCommands: ReadonlyArray<Command> = [
  ...actorCommands,
  ...sendCommands,
  ...guardCommands,
  ...memberCommands
]
