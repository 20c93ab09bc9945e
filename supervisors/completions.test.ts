/** What a shell offers after `ultracloud`, once it was given what `ultracloud --completions` prints. */
import { execFile, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import test from "ava"

const run = promisify(execFile)
const main = join(import.meta.dirname, "main.ts")

/** How to ask each of them what it offers behind `ultracloud b`, without a terminal. */
const questions = {
  bash: `
    source ./completions
    complete -p ultracloud >/dev/null
    COMP_WORDS=(ultracloud b) COMP_CWORD=1
    _ultracloud_bash_completions ultracloud
    echo "\${COMPREPLY[@]}"`,
  // It completes in a terminal only, so it is given one.
  zsh: `
    zmodload zsh/zpty
    zpty inner "zsh -f -i"
    zpty -w inner 'autoload -U compinit; compinit -u -D; source ./completions; print READ''Y'
    zpty -r -m inner shown '*READY*'
    zpty -w -n inner $'ultracloud b\t\t'
    zpty -r -m inner shown '*bench*'
    print -r -- "$shown"`,
  fish: `
    source ./completions
    complete -C "ultracloud b"`
}

for (const shell of ["bash", "zsh", "fish"] as const) {
  const withShell = spawnSync(shell, ["-c", "exit 0"]).status === 0 ? test : test.skip

  // Skipped where the shell is not installed.
  withShell(`${shell} completes commands`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "completions-"))
    try {
      const { stdout: script } = await run(process.execPath, [main, "--completions", shell])
      writeFileSync(join(folder, "completions"), script)
      const options = { cwd: folder, timeout: 30_000, env: { ...process.env, HOME: folder, TERM: "xterm" } }
      const { stderr, stdout } = await run(shell, ["-c", questions[shell]], options)
      t.is(stderr, "")
      t.regex(stdout, /backup/)
      t.regex(stdout, /bench/)
      t.notRegex(stdout, /restore/)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
}
