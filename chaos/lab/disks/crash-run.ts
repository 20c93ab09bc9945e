/**
 * Many power cuts from one recorded run: each is a moment of the run and a draw of what the disks then kept. The
 * disks are rebuilt, looked into, and held against what clients had been told by that moment.
 *
 * The power of one disk goes between any two of its entries. That of several goes at once: their logs are cut
 * where they were at the same moment, at one of those that the recorder noted or at an answer to a client.
 */
import { mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { Clock, Effect, type Scope } from "effect"
import { Prng } from "#chaos/sim/prng.ts"
import { type CrashMode, crashImage, crashPoint, positionAt } from "./crash-points.ts"
import { type DiskCorrupt, diskVerifier, type VerifyBlocked, type VerifyDisk } from "./host-verify.ts"
import { DiskRebuild, type RebuildFault, type RecordedDisk } from "./rebuild.ts"
import { type ClientWrite, judge, type Remembered } from "./remembered.ts"

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

export interface CrashRunOptions {
  readonly seed: number
  readonly count: number
  /** Where images are built; what was there under these names is overwritten, and goes. */
  readonly workFolder: string
  readonly mode?: CrashMode
  /** Where disks on which something was found are kept, the first few. */
  readonly keepFolder?: string
}

/** A power cut after which something is wrong. */
export interface Finding {
  readonly cut: number
  /** How many entries each disk had completed. */
  readonly positions: ReadonlyArray<number>
  readonly kind: "lost" | "corrupt" | "invented"
  readonly problems: ReadonlyArray<string>
}

export interface CrashReport {
  readonly points: number
  /** Acknowledged writes that were looked for, over all points. */
  readonly due: number
  /** Points after which acknowledged writes were missing. */
  readonly lost: number
  /** Points after which a disk could not be opened, or held what nobody wrote. */
  readonly corrupt: number
  /** Of the first points with something wrong. */
  readonly findings: ReadonlyArray<Finding>
  /** Writes over all points that may survive, that did not, and that did in part. */
  readonly pending: number
  readonly dropped: number
  readonly torn: number
  /** Disks of which e2fsck had to repair more than to replay the journal. */
  readonly repaired: number
  readonly millisPerPoint: number
}

const findingsMax = 20
const keptMax = 3
const problemsMax = 10
/** Of one disk so many are cut before anybody was told anything: it has to open all the same. */
const earlyShare = 0.1

interface Opened {
  readonly disk: MemberDisk
  readonly rebuild: DiskRebuild
}

interface Cut {
  readonly positions: ReadonlyArray<number>
  readonly logBytes: ReadonlyArray<number>
  readonly seed: number
}

export const crashPoints = (
  recording: Recording,
  options: CrashRunOptions
): Effect.Effect<CrashReport, RebuildFault | VerifyBlocked> => Effect.scoped(run(recording, options))

const run = (
  recording: Recording,
  options: CrashRunOptions
): Effect.Effect<CrashReport, RebuildFault | VerifyBlocked, Scope.Scope> =>
  Effect.gen(function* () {
    const { count, keepFolder, seed, workFolder } = options
    yield* Effect.acquireRelease(
      Effect.sync(() => mkdirSync(workFolder, { recursive: true })),
      () => Effect.sync(() => rmSync(join(workFolder, imageName), { force: true }))
    )
    const opened = yield* Effect.forEach(recording.disks, (disk) =>
      Effect.map(DiskRebuild.open(disk, join(workFolder, `${disk.name}.running`)), (rebuild) => ({
        disk,
        rebuild
      }))
    )
    const verify = yield* diskVerifier
    const cuts = drawCuts(opened, recording, count, new Prng(seed))
    const totals = { due: 0, lost: 0, corrupt: 0, pending: 0, dropped: 0, torn: 0, repaired: 0 }
    const findings: Array<Finding> = []
    const beganMillis = yield* Clock.currentTimeMillis
    for (const [number, cut] of cuts.entries()) {
      const found = yield* play(cut, recording, opened, verify, options)
      for (const name of ["due", "pending", "dropped", "torn", "repaired"] as const)
        totals[name] += found[name]
      if (found.problems.length === 0) continue
      totals[found.kind === "lost" ? "lost" : "corrupt"]++
      if (findings.length >= findingsMax) continue
      const { kind, problems } = found
      findings.push({ cut: number, positions: cut.positions, kind, problems: problems.slice(0, problemsMax) })
      if (keepFolder === undefined || findings.length > keptMax) continue
      for (const { disk, image } of drawImages(cut, opened, options))
        yield* image.write(join(keepFolder, `cut-${number}-${disk.name}.img`))
    }
    const tookMillis = (yield* Clock.currentTimeMillis) - beganMillis
    const millisPerPoint = cuts.length === 0 ? 0 : tookMillis / cuts.length
    return { points: cuts.length, ...totals, findings, millisPerPoint }
  })

const imageName = "crash.img"

/** In the order of the logs, so that these are gone through once. */
const drawCuts = (
  opened: ReadonlyArray<Opened>,
  { moments, writes }: Recording,
  count: number,
  prng: Prng
): ReadonlyArray<Cut> => {
  const logs = opened.map(({ rebuild }) => rebuild.log.entries)
  const answers = writes.flatMap(({ acknowledged }) =>
    acknowledged === undefined ? [] : [acknowledged.logBytes]
  )
  const known = [...answers, ...moments]
  const cutAt = (positions: ReadonlyArray<number>): Cut => ({
    positions,
    logBytes: positions.map((position, disk) => logs[disk]?.[position - 1]?.endOffset ?? 0),
    seed: prng.below(2 ** 31)
  })
  const [alone, ...others] = logs
  const cuts = Array.from({ length: count }, () => {
    if (alone !== undefined && others.length === 0) {
      const firstBytes = Math.min(...answers.map(([bytes = 0]) => bytes))
      const told = Number.isFinite(firstBytes) ? positionAt(alone, firstBytes) : 0
      const early = prng.chance(earlyShare)
      return cutAt([early ? prng.below(told + 1) : told + prng.below(alone.length - told + 1)])
    }
    const moment = known[prng.below(known.length)] ?? logs.map(() => Number.POSITIVE_INFINITY)
    const cut = cutAt(logs.map((entries, disk) => positionAt(entries, moment[disk] ?? 0)))
    // Up to there everything was on the disks, though the last entry was not at its end.
    return { ...cut, logBytes: moment }
  })
  return cuts.toSorted((one, other) => (one.positions[0] ?? 0) - (other.positions[0] ?? 0))
}

/** Of each disk; the same ones each time. */
const drawImages = ({ positions, seed }: Cut, opened: ReadonlyArray<Opened>, { mode }: CrashRunOptions) => {
  const prng = new Prng(seed)
  return opened.map(({ disk, rebuild }, number) => {
    const { entries, sectorBytes } = rebuild.log
    const point = crashPoint(entries, positions[number] ?? 0)
    const drawn = crashImage(entries, point, mode ?? "subset", sectorBytes, prng.fork())
    const write = (path: string) => rebuild.write(drawn, path)
    return { disk, point, drawn, image: { write } }
  })
}

const play = (
  cut: Cut,
  { writes }: Recording,
  opened: ReadonlyArray<Opened>,
  verify: VerifyDisk,
  options: CrashRunOptions
) =>
  Effect.gen(function* () {
    const { workFolder } = options
    const path = join(workFolder, imageName)
    const totals = { pending: 0, dropped: 0, torn: 0, repaired: 0, due: 0 }
    const members: Array<Remembered> = []
    const problems: Array<string> = []
    for (const { disk, drawn, image, point } of drawImages(cut, opened, options)) {
      totals.pending += point.pending.length
      totals.dropped += drawn.dropped
      totals.torn += drawn.torn
      yield* image.write(path)
      const looked = yield* verify(path, { dataFolder: disk.dataFolder, workFolder }).pipe(
        Effect.catchTag("DiskCorrupt", (corrupt: DiskCorrupt) => Effect.succeed(corrupt))
      )
      if ("reason" in looked) {
        problems.push(`${disk.name}: ${looked.message}`)
        continue
      }
      members.push(looked.remembered)
      problems.push(...looked.remembered.contradictions.map((line) => `${disk.name}: ${line}`))
      if (looked.repairs.length > 0) totals.repaired++
    }
    if (problems.length > 0) return { ...totals, kind: "corrupt" as const, problems }
    const { due, invented, lost } = judge(writes, cut.logBytes, members)
    const kind = lost.length > 0 ? ("lost" as const) : ("invented" as const)
    return { ...totals, due, kind, problems: [...lost, ...invented] }
  })
