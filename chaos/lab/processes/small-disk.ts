/**
 * A disk that can be full: ext4 in a file of its own, mounted for one node. It has room for so much, and none while
 * a filler takes the rest. That is a file whose blocks are set aside and never written, so it costs this machine
 * nothing.
 */
import { execFile, execFileSync } from "node:child_process"
import {
  closeSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Schema } from "effect"
import type { LabRecord } from "../reaper.ts"

export class DiskFailed extends Schema.TaggedError<DiskFailed>()("DiskFailed", {
  path: Schema.String,
  doing: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `the small disk at ${this.path} failed to ${this.doing}: ${this.reason}`
  }
}

export const diskBytes = 1024 * 1024 * 1024
const probeBytes = 4 * 1024 * 1024
const commandMillisMax = 30_000
/** Of what is left when no more blocks can be set aside. */
const blockBytes = 4_096
const fillerName = "filler"

const makeArgs = (image: string) => ["-q", "-F", "-t", "ext4", "-m", "0", "-E", "lazy_itable_init=1", image]
const mountArgs = (image: string, path: string) => ["-t", "ext4", "-o", "loop,nodev,nosuid", image, path]
const administrators = { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` }

let impossible: { readonly why: string | undefined } | undefined

/** Why there are none here, as an attempt has shown; undefined if there are. */
export const whyNoSmallDisks = (): string | undefined => {
  impossible ??= { why: attempt() }
  return impossible.why
}

const attempt = (): string | undefined => {
  if (process.getuid?.() !== 0) return "only root can mount a small file system for a node"
  const folder = mkdtempSync(join(tmpdir(), "small-disk-"))
  const image = join(folder, "image")
  const options = { env: administrators, stdio: "pipe", timeout: commandMillisMax } as const
  try {
    makeImage(image, probeBytes)
    execFileSync("mke2fs", makeArgs(image), options)
    const path = join(folder, "mount")
    mkdirSync(path)
    execFileSync("mount", mountArgs(image, path), options)
    execFileSync("umount", [path], options)
    return undefined
  } catch (cause) {
    const said = cause instanceof Error && "stderr" in cause ? String(cause.stderr).trim() : ""
    const reason = said === "" ? String(cause) : said
    return `a small file system cannot be mounted here (${reason.split("\n", 1).join("")})`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const makeImage = (image: string, bytes: number): void => {
  closeSync(openSync(image, "wx", 0o600))
  truncateSync(image, bytes)
}

export class SmallDisk {
  /** Where it is mounted. */
  readonly path: string
  readonly #filler: string

  private constructor(path: string) {
    this.path = path
    this.#filler = join(path, fillerName)
  }

  /** Unmounted by the record, which ends first whoever has files open there. */
  static mount(image: string, path: string, record: LabRecord): Effect.Effect<SmallDisk, DiskFailed> {
    return Effect.gen(function* () {
      yield* Effect.try({
        try: () => {
          makeImage(image, diskBytes)
          mkdirSync(path, { recursive: true, mode: 0o700 })
        },
        catch: (cause) => new DiskFailed({ path, doing: "be made", reason: String(cause) })
      })
      yield* run(path, "be made", "mke2fs", makeArgs(image))
      record.mount(path)
      yield* run(path, "be mounted", "mount", mountArgs(image, path))
      return new SmallDisk(path)
    })
  }

  get fill(): Effect.Effect<void, DiskFailed> {
    return Effect.gen(this, function* () {
      if (this.#freeBytes < blockBytes) return
      // What fragments and its own table of blocks leave over is taken in smaller parts.
      for (let part = this.#freeBytes; part >= blockBytes; part = Math.min(part / 2, this.#freeBytes)) {
        const [from, bytes] = [this.#fillerBytes(), Math.floor(part)]
        const args = ["--offset", String(from), "--length", String(bytes), this.#filler]
        yield* Effect.catchTag(
          run(this.path, "be filled", "fallocate", args),
          "DiskFailed",
          () => Effect.void
        )
      }
      yield* Effect.try({
        try: () => writeUntilFull(this.#filler),
        catch: (cause) => new DiskFailed({ path: this.path, doing: "be filled", reason: String(cause) })
      })
    })
  }

  get empty(): Effect.Effect<void, DiskFailed> {
    return Effect.try({
      try: () => rmSync(this.#filler, { force: true }),
      catch: (cause) => new DiskFailed({ path: this.path, doing: "be emptied", reason: String(cause) })
    })
  }

  get #freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.path)
    return bavail * bsize
  }

  #fillerBytes(): number {
    const file = openSync(this.#filler, "a", 0o600)
    try {
      return fstatSync(file).size
    } finally {
      closeSync(file)
    }
  }
}

/** Each write of a block, until there is no room for one. */
const writeUntilFull = (path: string): void => {
  const file = openSync(path, "a", 0o600)
  const block = Buffer.alloc(blockBytes)
  try {
    while (true) writeSync(file, block)
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "ENOSPC")) throw cause
  } finally {
    closeSync(file)
  }
}

const run = (path: string, doing: string, program: string, args: ReadonlyArray<string>) =>
  Effect.async<void, DiskFailed>((resume) => {
    execFile(program, args, { env: administrators, timeout: commandMillisMax }, (failed, _output, said) => {
      const reason = String(said).trim() || String(failed)
      resume(failed === null ? Effect.void : Effect.fail(new DiskFailed({ path, doing, reason })))
    })
  })
