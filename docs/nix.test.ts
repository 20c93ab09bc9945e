import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import test from "ava"

const run = promisify(execFile)
const shell = join(import.meta.dirname, "../nix/shell.nix")

test("the shell for Nix names Node and Erlang", async (t) => {
  const pkgs = `{ mkShell = shell: shell.packages; nodejs = "nodejs"; erlang = "erlang"; }`
  const expression = `toString (import ${shell} { pkgs = ${pkgs}; })`
  const evaluated = await run("nix-instantiate", ["--eval", "--expr", expression]).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined
    throw error
  })
  if (evaluated === undefined) {
    t.log("skipped: nix-instantiate is not installed (Debian: nix-bin)")
    t.pass()
    return
  }
  t.is(evaluated.stdout.trim(), `"nodejs erlang"`)
})
