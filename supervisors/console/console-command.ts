/** `ultracloud console`: where to look at a running cluster in a browser. What it does is loaded when it is asked for. */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import { Effect } from "effect"
import { attachedTo, attachOptions } from "../shell/shell-command.ts"

const url = Options.boolean("url").pipe(Options.withDescription("prints the address and nothing else"))
const json = Options.boolean("json").pipe(
  Options.withDescription("prints one line of JSON: node, url, tokenFile")
)

export const consoleCommand = Command.make(
  "console",
  { ...attachOptions, url, json },
  ({ json, url, ...where }) =>
    Effect.promise(() => import("./where-console.ts")).pipe(
      Effect.flatMap(({ tellWhere }) => tellWhere(attachedTo(where), url ? "url" : json ? "json" : "text")),
      Effect.flatMap((code) =>
        Effect.sync(() => {
          process.exitCode = code
        })
      )
    )
).pipe(Command.withDescription("where the web console of a running node is, and how to log in"))
