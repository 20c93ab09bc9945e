/**
 * The disk of a machine whose power was cut, as it is when the machine boots again. While the machine runs, its
 * writes go to an image and, by QEMU's `blklogwrites`, to a log; what it had when it booted is kept beside them.
 *
 *   beginLog ─► runs ─► power off ─► rebuildAfterPowerLoss ─► beginLog ─► runs …
 */
import { rmSync, writeFileSync } from "node:fs"
import { Effect } from "effect"
import { Prng } from "#chaos/sim/prng.ts"
import { type CrashMode, crashImage, crashPoint } from "./crash-points.ts"
import { DiskRebuild, inSteps, type RebuildFault, type RecordedDisk } from "./rebuild.ts"
import { attempt, SparseImage } from "./sparse-image.ts"

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
