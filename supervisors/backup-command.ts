/**
 * `ultracloud backup`: what the shell's `backup` does, as one command for scripts and timers. It writes what
 * `ultracloud restore` and `etcdctl snapshot restore` read.
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import { Effect, Option } from "effect"
import { quoted } from "./shell/command-line.ts"
import { attachedTo, attachOptions, json } from "./shell/shell-command.ts"

const out = Options.text("out").pipe(
  Options.withDescription("the file to write, on this machine; whole, or not there at all")
)
const member = Options.text("member").pipe(
  Options.withDescription("the node whose member is read; the one that we are attached to unless said"),
  Options.optional
)
const force = Options.boolean("force").pipe(Options.withDescription("replaces a file that is there"))

export const backup = Command.make(
  "backup",
  { out, member, force, json, ...attachOptions },
  ({ force, json, member, out, ...where }) =>
    Effect.promise(() => import("./shell/attached-shell.ts")).pipe(
      Effect.flatMap(({ runShell }) => {
        const words = ["backup", out, ...(force ? ["--force"] : [])]
        const line = [
          ...words,
          ...Option.match(member, { onNone: () => [], onSome: (name) => ["--node", name] })
        ]
        return runShell({ ...attachedTo(where), lines: [line.map(quoted).join(" ")], json, yes: false })
      }),
      Effect.flatMap((code) =>
        Effect.sync(() => {
          process.exitCode = code
        })
      )
    )
).pipe(
  Command.withDescription(
    "save chainfire of a running node; for example: ultracloud backup --out chainfire.db --data-directory work/node01"
  )
)
