/**
 * Looks into a disk that a power cut has left, without booting it: the file system repairs itself, the data
 * directory is taken out of it, and what the member remembers is read by the code that would read it in the
 * guest, in a process that may die of it.
 *
 *   image ──e2fsck──► image ──debugfs rdump──► data directory ──member-reader──► what it remembers
 *
 * The image is changed. No mount is needed, and no rights.
 */
import { type ChildProcess, execFile, fork } from "node:child_process"
import { mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Data, Effect, Either, Schema, type Scope } from "effect"
import { Remembered } from "./remembered.ts"

/** A program that this needs is not on this machine. */
export class VerifyBlocked extends Data.TaggedError("VerifyBlocked")<{ readonly program: string }> {
  override get message() {
    return `disks cannot be looked into: the program ${this.program} is missing; apt-get install e2fsprogs`
  }
}

/** Neither a file system nor a member should be left like this, whatever the disk kept of what was pending. */
export class DiskCorrupt extends Data.TaggedError("DiskCorrupt")<{ readonly reason: string }> {
  override get message() {
    return `the disk holds no state that can be opened: ${this.reason}`
  }
}

export interface VerifyOptions {
  /** Where the node's data directory is in the file system of the disk, `/` for all of it. */
  readonly dataFolder: string
  /** A folder for it to use. */
  readonly workFolder: string
}

export interface Verified {
  readonly remembered: Remembered
  /** What e2fsck had to repair besides replaying the journal: nothing, where flushes are honoured. */
  readonly repairs: ReadonlyArray<string>
}

const readerPath = fileURLToPath(new URL("./member-reader-main.ts", import.meta.url))
const programMillisMax = 120_000
const readMillisMax = 60_000
const saidMax = 1024 * 1024
const saidTail = 1_000

interface Ended {
  readonly code: number
  readonly said: string
}

/** Debian has them where not every path leads. */
const environment = { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`, LC_ALL: "C" }

const runProgram = (
  program: string,
  args: ReadonlyArray<string>,
  folder: string
): Effect.Effect<Ended, VerifyBlocked> =>
  Effect.async((resume) => {
    const options = { cwd: folder, env: environment, timeout: programMillisMax, maxBuffer: saidMax }
    const child = execFile(program, args, options, (failed, stdout, stderr) => {
      if (failed?.code === "ENOENT") return resume(Effect.fail(new VerifyBlocked({ program })))
      const code = failed === null ? 0 : typeof failed.code === "number" ? failed.code : -1
      resume(Effect.succeed({ code, said: `${stdout}${stderr}` }))
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  })

/** Bits of e2fsck's exit code: 1 errors were corrected, 2 and a reboot is needed; from 4 on it gave up. */
const gaveUpMin = 4
/**
 * What a file system may need after any power cut: inodes that were deleted while open are cleared, and the sums
 * in the superblock, which no journal keeps, are counted again.
 */
const matterOfCourse = /^(Clearing orphaned inode|Free (blocks|inodes) count wrong \()/
const question = /^(.*?)\s*\w+\? yes$/

/** The problems for which it asked, and had its yes. */
export const repairsIn = (said: string): ReadonlyArray<string> => {
  const lines = said.split("\n").filter((line) => line.trim() !== "")
  return lines.flatMap((line, index) => {
    const asked = question.exec(line)
    if (asked === null) return []
    const problem = asked[1] || lines[index - 1] || line
    return matterOfCourse.test(problem) ? [] : [problem]
  })
}

const fileSystem = (image: string, folder: string) =>
  Effect.gen(function* () {
    const { code, said } = yield* runProgram("e2fsck", ["-f", "-y", image], folder)
    if (code < 0 || code >= gaveUpMin)
      return yield* new DiskCorrupt({ reason: `e2fsck ended with ${code}: ${said.slice(-500)}` })
    return repairsIn(said)
  })

const Answer = Schema.Union(
  Schema.Struct({ remembered: Remembered }),
  Schema.Struct({ problem: Schema.String })
)

/** The process that reads, started again when one has died. */
class Reader {
  #child: ChildProcess | undefined
  /** The end of what it has said, lmdb for instance. */
  #said = ""

  read(dataDirectory: string): Effect.Effect<Remembered, DiskCorrupt> {
    const asked = Effect.async<Remembered, DiskCorrupt>((resume) => {
      const child = this.#child ?? this.#start()
      const answered = (message: unknown) => end(answerOf(message))
      const died = (code: number | null, signal: NodeJS.Signals | null) => {
        this.#child = undefined
        end(corrupt(`reading it ended the process with ${signal ?? code}. ${this.#said.trim()}`))
      }
      const end = (answer: Effect.Effect<Remembered, DiskCorrupt>) => {
        child.off("message", answered)
        child.off("exit", died)
        resume(answer)
      }
      child.once("message", answered)
      child.once("exit", died)
      child.send(dataDirectory)
    })
    const late = () => new DiskCorrupt({ reason: `it was not read within ${readMillisMax} ms` })
    return asked.pipe(
      Effect.timeoutFail({ duration: readMillisMax, onTimeout: late }),
      Effect.onInterrupt(() => Effect.sync(() => this.close())),
      Effect.tapErrorTag("DiskCorrupt", () => Effect.sync(() => this.close()))
    )
  }

  close(): void {
    this.#child?.kill("SIGKILL")
    this.#child = undefined
  }

  #start(): ChildProcess {
    const child = fork(readerPath, [], { stdio: ["ignore", "ignore", "pipe", "ipc"], execArgv: [] })
    this.#said = ""
    child.stderr?.on("data", (chunk) => {
      this.#said = `${this.#said}${chunk}`.slice(-saidTail)
    })
    this.#child = child
    return child
  }
}

const corrupt = (reason: string) => Effect.fail(new DiskCorrupt({ reason }))

const answerOf = (message: unknown): Effect.Effect<Remembered, DiskCorrupt> =>
  Either.match(Schema.decodeUnknownEither(Answer)(message), {
    onLeft: (error) => corrupt(error.message),
    onRight: (answer) =>
      "remembered" in answer ? Effect.succeed(answer.remembered) : corrupt(answer.problem)
  })

type VerifyDisk = (
  image: string,
  options: VerifyOptions
) => Effect.Effect<Verified, VerifyBlocked | DiskCorrupt>

/** Looks into one disk at a time. */
export const diskVerifier: Effect.Effect<VerifyDisk, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => new Reader()),
    (reader) => Effect.sync(() => reader.close())
  ),
  (reader) => (image, options) => verify(reader, image, options)
)

const verify = (reader: Reader, image: string, { dataFolder, workFolder }: VerifyOptions) => {
  const dump = join(workFolder, "dump")
  const empty = Effect.sync(() => rmSync(dump, { recursive: true, force: true }))
  return Effect.gen(function* () {
    yield* empty
    mkdirSync(dump, { recursive: true })
    const repairs = yield* fileSystem(image, workFolder)
    const { code, said } = yield* runProgram("debugfs", ["-R", `rdump ${dataFolder} .`, image], dump)
    if (code !== 0) return yield* new DiskCorrupt({ reason: `debugfs ended with ${code}: ${said}` })
    // Of a folder it makes one of that name; there is none where the node had not begun yet.
    const dataDirectory = dataFolder === "/" ? dump : join(dump, dataFolder.split("/").at(-1) ?? "")
    mkdirSync(dataDirectory, { recursive: true })
    // Of processes in the guest, whose ids say nothing here.
    for (const name of ["journal", "stores"]) rmSync(join(dataDirectory, name, "lock"), { force: true })
    return { remembered: yield* reader.read(dataDirectory), repairs }
  }).pipe(Effect.ensuring(empty))
}
