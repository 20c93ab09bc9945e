/**
 * Power cuts of a recorded run: a moment of the run, and a draw of what each disk then kept.
 *
 * The power of one disk goes between any two of its entries. That of several goes at once: their logs are cut
 * where they were at the same moment, at one of those that the recorder noted or at an answer to a client.
 */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import { Prng } from "#chaos/sim/prng.ts"
import { type CrashMode, crashImage, crashPoint, positionAt } from "./crash-points.ts"
import { DiskRebuild, type RebuildFault, type RecordedDisk } from "./rebuild.ts"
import { type ClientWrite, isDue } from "./remembered.ts"

export interface MemberDisk extends RecordedDisk {
  /** Of the node. */
  readonly name: string
  /** Where its data directory is on the disk. */
  readonly dataFolder: string
}

export interface Recording {
  readonly disks: ReadonlyArray<MemberDisk>
  readonly writes: ReadonlyArray<ClientWrite>
  /** How long the log of each disk was, at moments of the run. */
  readonly moments: ReadonlyArray<ReadonlyArray<number>>
}

export interface Cut {
  /** How many entries each disk had completed. */
  readonly positions: ReadonlyArray<number>
  /** How long the log of each disk was. */
  readonly logBytes: ReadonlyArray<number>
  readonly seed: number
}

/** What a disk lost. */
export interface Drawn {
  readonly disk: MemberDisk
  readonly pending: number
  readonly dropped: number
  readonly torn: number
}

export interface OpenRecording {
  readonly recording: Recording
  readonly disks: ReadonlyArray<{ readonly disk: MemberDisk; readonly rebuild: DiskRebuild }>
}

/** Of one disk so many are cut before anybody was told anything: it has to open all the same. */
const earlyShare = 0.1

export const openRecording = (
  recording: Recording,
  workFolder: string
): Effect.Effect<OpenRecording, RebuildFault, Scope.Scope> =>
  Effect.suspend(() => {
    mkdirSync(workFolder, { recursive: true })
    const opened = Effect.forEach(recording.disks, (disk) =>
      Effect.map(DiskRebuild.open(disk, join(workFolder, `${disk.name}.running`)), (rebuild) => ({
        disk,
        rebuild
      }))
    )
    return Effect.map(opened, (disks) => ({ recording, disks }))
  })

/** In the order of the logs, so that these are gone through once. */
export const drawCuts = (
  { disks, recording }: OpenRecording,
  count: number,
  prng: Prng
): ReadonlyArray<Cut> => {
  const logs = disks.map(({ rebuild }) => rebuild.log.entries)
  const answers = recording.writes.flatMap(({ acknowledged }) =>
    acknowledged === undefined ? [] : [acknowledged.logBytes]
  )
  const known = [...answers, ...recording.moments]
  const [alone, ...others] = logs
  const firstBytes = answers.reduce((least, [bytes = 0]) => Math.min(least, bytes), Number.POSITIVE_INFINITY)
  const anyPosition = (length: number): number => {
    const told = Number.isFinite(firstBytes) ? positionAt(logs[0] ?? [], firstBytes) : 0
    return prng.chance(earlyShare) ? prng.below(told + 1) : told + prng.below(length - told + 1)
  }
  const cut = (): Cut => {
    if (alone !== undefined && others.length === 0) {
      const position = anyPosition(alone.length)
      const logBytes = [alone[position - 1]?.endOffset ?? 0]
      return { positions: [position], logBytes, seed: prng.below(2 ** 31) }
    }
    const logBytes = known[prng.below(known.length)] ?? logs.map(() => Number.POSITIVE_INFINITY)
    const positions = logs.map((entries, disk) => positionAt(entries, logBytes[disk] ?? 0))
    return { positions, logBytes, seed: prng.below(2 ** 31) }
  }
  const progress = ({ positions }: Cut) => positions.reduce((sum, position) => sum + position, 0)
  return Array.from({ length: count }, cut).toSorted((one, other) => progress(one) - progress(other))
}

/** What each disk holds after the cut, written to a file. The same each time. */
export const writeImages = (
  cut: Cut,
  { disks }: OpenRecording,
  mode: CrashMode,
  pathOf: (disk: string) => string
): Effect.Effect<ReadonlyArray<Drawn>, RebuildFault> =>
  Effect.suspend(() => {
    const prng = new Prng(cut.seed)
    return Effect.forEach(disks, ({ disk, rebuild }, number) => {
      const { entries, sectorBytes } = rebuild.log
      const point = crashPoint(entries, cut.positions[number] ?? 0)
      const image = crashImage(entries, point, mode, sectorBytes, prng.fork())
      const { dropped, torn } = image
      const drawn = { disk, pending: point.pending.length, dropped, torn }
      return Effect.as(rebuild.write(image, pathOf(disk.name)), drawn)
    })
  })

/** One power cut, to boot from: the images, and what clients had been told by then. */
export const crashImages = (
  recording: Recording,
  options: {
    readonly seed: number
    readonly workFolder: string
    /** Where the image of each node's disk goes. */
    readonly pathOf: (disk: string) => string
    readonly mode?: CrashMode
  }
): Effect.Effect<
  { readonly drawn: ReadonlyArray<Drawn>; readonly due: ReadonlyArray<ClientWrite> },
  RebuildFault
> =>
  Effect.gen(function* () {
    const opened = yield* openRecording(recording, options.workFolder)
    const [cut] = drawCuts(opened, 1, new Prng(options.seed))
    if (cut === undefined) throw new Error("one cut was asked for, and none was drawn")
    const drawn = yield* writeImages(cut, opened, options.mode ?? "subset", options.pathOf)
    const due = recording.writes.filter((write) => isDue(write, cut.logBytes))
    return { drawn, due }
  }).pipe(Effect.scoped)
