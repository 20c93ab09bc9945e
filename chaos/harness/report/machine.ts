/** The machine that a run was played on, for its report. */
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { cpus } from "node:os"
import type { Machine } from "./result.ts"

const git = (...args: ReadonlyArray<string>): string | undefined => {
  const { status, stdout } = spawnSync("git", args, {
    cwd: import.meta.dirname,
    encoding: "utf8",
    timeout: 5000
  })
  return status === 0 ? stdout.trim() : undefined
}

/** Of the commit, and whether there is something beside it; a copy without git has none. */
const revision = (): string => {
  const commit = git("rev-parse", "HEAD")
  if (commit === undefined) return "unknown"
  return git("status", "--porcelain") === "" ? commit : `${commit} with changes`
}

export const thisMachine = (): Machine => {
  const all = cpus()
  return {
    cpu: `${all.length} x ${all[0]?.model ?? "unknown"}`,
    kvm: existsSync("/dev/kvm"),
    node: process.version,
    git: revision()
  }
}
