/**
 * What a lab has started outlives it when it is killed. So it writes down what is its own, and whoever opens a lab
 * next ends what another one left behind:
 *
 *   <labs>/<id>.jsonl   first who writes it, then a line for each process, mount and folder
 *
 * A process is known by its id, its start and the boot of the machine, since an id alone is somebody else's by now,
 * and a name says nothing. What belongs to a runner that lives is left alone. Lines end a root's processes and
 * remove folders, so a folder of records that others could write to is not read.
 *
 * A lab that closes in order goes the same way: its own record is cleared.
 */
import { execFile } from "node:child_process"
import { randomUUID } from "node:crypto"
import {
  appendFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { tmpdir, userInfo } from "node:os"
import { join } from "node:path"
import { Clock, Effect, Either, Schema, type Scope } from "effect"
import { processStart } from "#actors/platform/data-lock.ts"

const Identity = Schema.Struct({ pid: Schema.Int, start: Schema.String, boot: Schema.String })
type Identity = typeof Identity.Type

const Line = Schema.Union(
  Schema.Struct({ runner: Identity }),
  Schema.Struct({ process: Identity, what: Schema.String }),
  Schema.Struct({ mount: Schema.String }),
  Schema.Struct({ folder: Schema.String })
)
type Line = typeof Line.Type
const decodeLine = Schema.decodeUnknownEither(Schema.parseJson(Line))

export class RecordsRefused extends Schema.TaggedError<RecordsRefused>()("RecordsRefused", {
  path: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `${this.path} cannot hold the records of labs: ${this.reason}; see to it that it is a folder of mode 0700 that is yours, or remove it`
  }
}

const endMillisMax = 10_000
const suffix = ".jsonl"

/** One for each user, so that nobody is asked for what is not theirs. */
export const usualLabs = (): string => join(tmpdir(), `ultracloud-labs-${userInfo().uid}`)

/** The record of a lab of this process, after what others have left behind is gone. It is cleared with the scope. */
export const openRecord = (
  note: (line: string) => void,
  labs = usualLabs()
): Effect.Effect<LabRecord, RecordsRefused, Scope.Scope> =>
  Effect.zipRight(
    reap(note, labs),
    Effect.acquireRelease(
      Effect.sync(() => new LabRecord(join(labs, `${randomUUID()}${suffix}`))),
      ({ path }) => clear(path, note)
    )
  )

export class LabRecord {
  readonly path: string

  constructor(path: string) {
    this.path = path
    // Under its name it is whole from the beginning.
    const draft = `${path}.draft`
    writeFileSync(draft, lineOf({ runner: identityOf(process.pid) }), { mode: 0o600 })
    renameSync(draft, path)
  }

  /** Of a child that was started just now. */
  process(pid: number, what: string): void {
    this.#write({ process: identityOf(pid), what })
  }

  /** Before it is mounted. */
  mount(path: string): void {
    this.#write({ mount: path })
  }

  /** Before it is made; it goes with all that is in it. */
  folder(path: string): void {
    this.#write({ folder: path })
  }

  #write(line: Line): void {
    appendFileSync(this.path, lineOf(line))
  }
}

const lineOf = (line: Line): string => `${JSON.stringify(line)}\n`

/** Ends and removes what runners that are gone have left behind, and says so. */
export const reap = (note: (line: string) => void, labs = usualLabs()): Effect.Effect<void, RecordsRefused> =>
  Effect.gen(function* () {
    const records = yield* Effect.try({ try: () => recordsIn(labs), catch: (cause) => refusal(labs, cause) })
    for (const path of records) {
      const runner = linesOf(path, note).find((line) => "runner" in line)
      if (runner === undefined || isAlive(runner.runner)) continue
      note(`a lab of process ${runner.runner.pid} was not closed: what it left behind goes now`)
      yield* clear(path, note)
    }
  })

const refusal = (path: string, cause: unknown) =>
  cause instanceof RecordsRefused
    ? cause
    : new RecordsRefused({ path, reason: cause instanceof Error ? cause.message : String(cause) })

const recordsIn = (labs: string): ReadonlyArray<string> => {
  mkdirSync(labs, { recursive: true, mode: 0o700 })
  const found = lstatSync(labs)
  const { uid } = userInfo()
  if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o077) !== 0)
    throw new RecordsRefused({ path: labs, reason: "others may write to it" })
  return readdirSync(labs)
    .filter((name) => name.endsWith(suffix))
    .map((name) => join(labs, name))
}

const linesOf = (path: string, note: (line: string) => void): ReadonlyArray<Line> => {
  let text: string
  try {
    text = readFileSync(path, "utf8")
  } catch (cause) {
    // Somebody else has cleared it.
    if (isAbsence(cause)) return []
    throw cause
  }
  return text.split("\n").flatMap((line) => {
    if (line === "") return []
    const decoded = decodeLine(line)
    if (Either.isRight(decoded)) return [decoded.right]
    note(`${path} has a line that says nothing of a lab: ${line.slice(0, 100)}`)
    return []
  })
}

const isAbsence = (cause: unknown): boolean =>
  cause instanceof Error && "code" in cause && cause.code === "ENOENT"

/** Processes first, for they hold the rest. */
const clear = (path: string, note: (line: string) => void): Effect.Effect<void> =>
  Effect.gen(function* () {
    const lines = linesOf(path, note)
    for (const line of lines) if ("process" in line) yield* end(line.process, line.what, note)
    for (const line of lines.toReversed()) if ("mount" in line) yield* unmount(line.mount, note)
    // What is mounted below it still is the reason to keep it, and the record with it, for the next time.
    const held = mounts()
    const isHeld = (folder: string) =>
      held.some((mount) => mount === folder || mount.startsWith(`${folder}/`))
    const kept = lines.flatMap((line) => ("folder" in line && isHeld(line.folder) ? [line.folder] : []))
    for (const folder of kept) note(`${folder} stays, since something is mounted in it`)
    for (const line of lines)
      if ("folder" in line && !kept.includes(line.folder))
        rmSync(line.folder, { recursive: true, force: true })
    if (kept.length === 0) rmSync(path, { force: true })
  })

const end = (identity: Identity, what: string, note: (line: string) => void): Effect.Effect<void> =>
  Effect.gen(function* () {
    if (!isAlive(identity)) return
    process.kill(identity.pid, "SIGKILL")
    note(`process ${identity.pid} (${what}) is killed`)
    const ended = yield* eventually(() => !isAlive(identity))
    if (!ended) note(`process ${identity.pid} (${what}) does not end: it waits for its kernel`)
  })

const unmount = (path: string, note: (line: string) => void): Effect.Effect<void> =>
  Effect.gen(function* () {
    if (!mounts().includes(path)) return
    // Whoever had files open there was killed, and may take a moment.
    let reason = ""
    const attempt = Effect.async<boolean>((resume) => {
      execFile("umount", [path], { timeout: endMillisMax }, (_failed, _output, said) => {
        reason = String(said).trim()
        resume(Effect.succeed(!mounts().includes(path)))
      })
    })
    const untilMillis = (yield* Clock.currentTimeMillis) + endMillisMax
    while (!(yield* attempt)) {
      if ((yield* Clock.currentTimeMillis) > untilMillis) return note(`${path} stays mounted: ${reason}`)
      yield* Effect.sleep("50 millis")
    }
  })

const eventually = (holds: () => boolean): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const untilMillis = (yield* Clock.currentTimeMillis) + endMillisMax
    while (!holds()) {
      if ((yield* Clock.currentTimeMillis) > untilMillis) return false
      yield* Effect.sleep("10 millis")
    }
    return true
  })

/** The fifth field; a space in a path is \040 there. */
const mounts = (): ReadonlyArray<string> => {
  if (process.platform !== "linux") return []
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) =>
      (line.split(" ")[4] ?? "").replaceAll(/\\(\d{3})/g, (_, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8))
      )
    )
}

const boot = (): string =>
  process.platform === "linux" ? readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim() : ""

const identityOf = (pid: number): Identity => ({ pid, start: processStart(pid) ?? "", boot: boot() })

/** One that was gone before it could be looked at is nobody. */
const isAlive = ({ boot: booted, pid, start }: Identity): boolean =>
  start !== "" && booted === boot() && processStart(pid) === start
