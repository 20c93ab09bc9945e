/**
 * The disk of a machine whose power was cut, as it is when the machine boots again. While the machine runs, its
 * writes go to an image and, by QEMU's `blklogwrites`, to a log; what it had when it booted is kept beside them.
 *
 *   beginLog ─► runs ─► power off ─► rebuildAfterPowerLoss ─► beginLog ─► runs …
 *               ▲  │
 *               └──┘ trimLog, now and then, since a machine that runs for long writes without end
 */
import { execFile } from "node:child_process"
import { rmSync, statSync, writeFileSync } from "node:fs"
import { promisify } from "node:util"
import { Effect } from "effect"
import { Prng } from "#chaos/sim/prng.ts"
import { type CrashMode, crashImage, crashPoint } from "./crash-points.ts"
import { DiskRebuild, inSteps, type RebuildFault, type RecordedDisk } from "./rebuild.ts"
import { attempt, ImageBroken, SparseImage } from "./sparse-image.ts"
import type { Trimmed } from "./write-log.ts"

export interface LoggedDisk extends RecordedDisk {
  readonly imagePath: string
}

export interface PowerLoss {
  readonly entries: number
  /** Writes that were not flushed, and which of them are not there, or in part. */
  readonly pending: number
  readonly dropped: number
  readonly torn: number
}

/** Before the machine boots: an empty log, and a copy of the disk as it is now. */
export const beginLog = ({ basePath, imagePath, logPath }: LoggedDisk): Effect.Effect<void, RebuildFault> =>
  inSteps(
    (function* () {
      attempt(logPath, () => writeFileSync(logPath, "", { mode: 0o600 }))
      rmSync(basePath, { force: true })
      const base = yield* SparseImage.copyOf(imagePath, basePath)
      base.close()
    })()
  )

/** Of the file system that the log is in. */
export const logRoomBytes = ({ logPath }: RecordedDisk): number => statSync(logPath).blocks * 512

const run = promisify(execFile)
/** The superblock's, which stays. */
const headBytes = 4_096
const punchMillisMax = 60_000

/**
 * While the machine runs: what is durable goes over to the base, and its room in the log is given back. What was not
 * flushed stays as it is, so a power cut after that finds the same as without it.
 */
export const trimLog = (disk: LoggedDisk, fallocate: string): Effect.Effect<Trimmed, RebuildFault> =>
  Effect.gen(function* () {
    const rebuild = yield* DiskRebuild.open(disk, `${disk.basePath}.trimmed`)
    const { entries } = rebuild.log
    const { durableUpTo } = crashPoint(entries, entries.length)
    const before = disk.trimmed ?? { bytes: 0, entries: 0 }
    const last = entries[durableUpTo - 1]
    if (last === undefined) return before
    yield* rebuild.moveBase(durableUpTo)
    const { logPath: path } = disk
    const length = last.endOffset - headBytes
    if (length > 0) {
      yield* Effect.tryPromise({
        try: () =>
          run(fallocate, ["--punch-hole", "--offset", `${headBytes}`, "--length", `${length}`, path], {
            timeout: punchMillisMax
          }),
        catch: (cause) =>
          new ImageBroken({ path, reason: cause instanceof Error ? cause.message : String(cause) })
      })
    }
    return { bytes: last.endOffset, entries: before.entries + durableUpTo }
  }).pipe(Effect.scoped)

/** After the machine is off: the image is what the disk may hold then. */
export const rebuildAfterPowerLoss = (
  disk: LoggedDisk,
  { mode, seed }: { readonly seed: number; readonly mode: CrashMode }
): Effect.Effect<PowerLoss, RebuildFault> =>
  Effect.gen(function* () {
    const rebuild = yield* DiskRebuild.open(disk, `${disk.basePath}.running`)
    const { entries, sectorBytes } = rebuild.log
    const point = crashPoint(entries, entries.length)
    const image = crashImage(entries, point, mode, sectorBytes, new Prng(seed))
    yield* rebuild.write(image, disk.imagePath)
    const { dropped, torn } = image
    return { entries: entries.length, pending: point.pending.length, dropped, torn }
  }).pipe(Effect.scoped)
