/**
 * The lock of a data directory: one process at a time, and whoever comes second learns which one.
 *
 * A file `lock` names the process: its id, when it started, and the boot of the machine, so that a process that died
 * and left the file behind is told from another one that has its id by now. After a power failure that can be the
 * same program, with the same id, as soon after the boot as before. It is made by linking a finished draft into place,
 * which succeeds for one of two that try at once. A left-over is taken away by renaming it first: of two that
 * find it, one gets it.
 */
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import type { StorageFault } from "../kernel/ports/storage-faults.ts"
import { StorageBroken, StorageLocked } from "../kernel/ports/storage-faults.ts"
import { errorCode } from "./block-files.ts"

interface Holder {
  readonly pid: number
  /** In ticks since boot; empty where the system does not say. */
  readonly started: string
  /** Of the machine; empty where the system does not say. */
  readonly boot: string
}

const attemptsMax = 10
/** Held by this process: its own id in a file says nothing about who in it. */
const heldHere = new Set<string>()

/** Held until the scope closes. */
export const lockDirectory = (directory: string): Effect.Effect<void, StorageFault, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.suspend((): Effect.Effect<void, StorageBroken | StorageLocked> => {
      try {
        mkdirSync(directory, { recursive: true, mode: 0o700 })
        const holder = heldHere.has(directory) ? { pid: process.pid } : take(directory)
        if (holder !== undefined) return Effect.fail(new StorageLocked({ path: directory, pid: holder.pid }))
        heldHere.add(directory)
        return Effect.void
      } catch (cause) {
        const reason = errorCode(cause)
        return Effect.fail(new StorageBroken({ path: directory, operation: "locking it", reason }))
      }
    }),
    () =>
      Effect.sync(() => {
        heldHere.delete(directory)
        rmSync(join(directory, "lock"), { force: true })
      })
  )

/** Who has it, if not we by now. */
const take = (directory: string): Holder | undefined => {
  const path = join(directory, "lock")
  const draft = `${path}.${process.pid}`
  rmSync(draft, { force: true })
  const file = openSync(draft, "wx", 0o600)
  try {
    writeFileSync(file, `${process.pid} ${processStart(process.pid) ?? ""} ${thisBoot()}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  try {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      if (succeeds(() => linkSync(draft, path), "EEXIST")) return undefined
      const holder = holderOf(path)
      if (holder === undefined) continue
      if (isAlive(holder)) return holder
      const stale = `${path}.stale.${process.pid}`
      if (!succeeds(() => renameSync(path, stale), "ENOENT")) continue
      // Another process may have put its own there since we looked: then it goes back.
      const taken = holderOf(stale)
      if (taken !== undefined && isAlive(taken)) succeeds(() => linkSync(stale, path), "EEXIST")
      rmSync(stale, { force: true })
    }
    return holderOf(path) ?? { pid: 0, started: "", boot: "" }
  } finally {
    rmSync(draft, { force: true })
  }
}

const succeeds = (attempt: () => void, expected: string): boolean => {
  try {
    attempt()
    return true
  } catch (cause) {
    if (errorCode(cause) === expected) return false
    throw cause
  }
}

const holderOf = (path: string): Holder | undefined => {
  try {
    const [pid = "", started = "", boot = ""] = readFileSync(path, "utf8").trim().split(" ")
    return { pid: Number(pid), started, boot }
  } catch (cause) {
    if (errorCode(cause) === "ENOENT") return undefined
    throw cause
  }
}

const isAlive = ({ boot, pid, started }: Holder): boolean => {
  if (boot !== "" && boot !== thisBoot()) return false
  const startedNow = processStart(pid)
  if (startedNow !== undefined) return started === "" || started === startedNow
  return process.platform !== "linux" && Number.isInteger(pid) && pid > 0 && answers(pid)
}

/** Empty where the system does not say. */
const thisBoot = (): string => {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()
  } catch (cause) {
    if (errorCode(cause) === "ENOENT") return ""
    throw cause
  }
}

const answers = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch (cause) {
    return errorCode(cause) === "EPERM"
  }
}

/** In ticks since boot: the 22nd field of /proc/<pid>/stat. The second one is a name that may hold spaces and parentheses. */
export const processStart = (pid: number): string | undefined => {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ")
    // A zombie holds nothing any more.
    return fields?.[0] === "Z" ? undefined : fields?.[19]
  } catch (cause) {
    if (["ENOENT", "ESRCH"].includes(errorCode(cause))) return undefined
    throw cause
  }
}
