/**
 * Many power cuts from one recorded run: each is a moment of the run and a draw of what the disks then kept. The
 * disks are rebuilt, looked into, and held against what clients had been told by that moment.
 *
 * The power of one disk goes between any two of its entries. That of several goes at once: their logs are cut
 * where they were at the same moment, at one of those that the recorder noted or at an answer to a client.
 */
import { mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { Clock, Effect, Either, type Scope } from "effect"
import { Prng } from "#chaos/sim/prng.ts"
import { type CrashMode, crashImage, crashPoint, positionAt } from "./crash-points.ts"
import { type DiskCorrupt, diskVerifier, type Verified, type VerifyBlocked } from "./host-verify.ts"
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
  /** Where images are built. In memory (`/dev/shm`) it goes several times as fast as on a disk that syncs. */
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

const workersCount = 2
const findingsMax = 20
const keptMax = 3
const problemsMax = 10
/** Of one disk so many are cut before anybody was told anything: it has to open all the same. */
const earlyShare = 0.1

interface Opened {
  readonly disk: MemberDisk
  readonly rebuild: DiskRebuild
}

/** What came of a cut. */
interface Played {
  readonly number: number
  readonly positions: ReadonlyArray<number>
  readonly kind: Finding["kind"]
  readonly problems: ReadonlyArray<string>
  readonly due: number
  readonly pending: number
  readonly dropped: number
  readonly torn: number
  readonly repaired: number
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
    const { count, seed, workFolder } = options
    mkdirSync(workFolder, { recursive: true })
    const opened = yield* Effect.forEach(recording.disks, (disk) =>
      Effect.map(DiskRebuild.open(disk, join(workFolder, `${disk.name}.running`)), (rebuild) => ({
        disk,
        rebuild
      }))
    )
    const cuts = drawCuts(opened, recording, count, new Prng(seed))
    const beganMillis = yield* Clock.currentTimeMillis
    const played = yield* playAll(cuts, recording, opened, options)
    const tookMillis = (yield* Clock.currentTimeMillis) - beganMillis
    const findings = played.flatMap(
      ({ kind, number, positions, problems }): ReadonlyArray<Finding> =>
        problems.length === 0
          ? []
          : [{ cut: number, positions, kind, problems: problems.slice(0, problemsMax) }]
    )
    if (options.keepFolder !== undefined)
      for (const { cut } of findings.slice(0, keptMax))
        yield* writeImages(cuts[cut], opened, options, (name) =>
          join(options.keepFolder ?? "", `cut-${cut}-${name}`)
        )
    const sum = (of: (one: Played) => number) => played.reduce((total, one) => total + of(one), 0)
    const lost = findings.filter(({ kind }) => kind === "lost").length
    return {
      points: played.length,
      due: sum(({ due }) => due),
      lost,
      corrupt: findings.length - lost,
      findings: findings.slice(0, findingsMax),
      pending: sum(({ pending }) => pending),
      dropped: sum(({ dropped }) => dropped),
      torn: sum(({ torn }) => torn),
      repaired: sum(({ repaired }) => repaired),
      millisPerPoint: played.length === 0 ? 0 : tookMillis / played.length
    }
  })

/** In the order of the cuts. Images are built in that order by one at a time, and looked into by several. */
const playAll = (
  cuts: ReadonlyArray<Cut>,
  recording: Recording,
  opened: ReadonlyArray<Opened>,
  options: CrashRunOptions
): Effect.Effect<ReadonlyArray<Played>, RebuildFault | VerifyBlocked, Scope.Scope> =>
  Effect.gen(function* () {
    const building = yield* Effect.makeSemaphore(1)
    const left = cuts.entries()
    const played: Array<Played> = []
    const worker = (name: string) =>
      Effect.gen(function* () {
        const workFolder = join(options.workFolder, name)
        yield* Effect.acquireRelease(
          Effect.sync(() => mkdirSync(workFolder, { recursive: true })),
          () => Effect.sync(() => rmSync(workFolder, { recursive: true, force: true }))
        )
        const verify = yield* diskVerifier
        const imagePath = (disk: string) => join(workFolder, disk)
        for (;;) {
          const built = yield* building.withPermits(1)(
            Effect.suspend(() => {
              const next = left.next()
              if (next.done === true) return Effect.succeed(undefined)
              const [number, cut] = next.value
              const written = writeImages(cut, opened, options, imagePath)
              return Effect.map(written, (drawn) => ({ number, cut, drawn }))
            })
          )
          if (built === undefined) return
          const { cut, drawn, number } = built
          const found = yield* lookInto(cut, drawn, recording, (disk) =>
            verify(imagePath(disk.name), { dataFolder: disk.dataFolder, workFolder })
          )
          played.push({ number, positions: cut.positions, ...found })
        }
      })
    const workers = Array.from({ length: workersCount }, (_, index) => worker(`worker-${index + 1}`))
    yield* Effect.all(workers, { concurrency: "unbounded", discard: true })
    return played.toSorted((one, other) => one.number - other.number)
  })

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

interface Drawn {
  readonly disk: MemberDisk
  readonly pending: number
  readonly dropped: number
  readonly torn: number
}

/** Of each disk; the same ones each time. */
const writeImages = (
  cut: Cut | undefined,
  opened: ReadonlyArray<Opened>,
  { mode }: CrashRunOptions,
  pathOf: (disk: string) => string
): Effect.Effect<ReadonlyArray<Drawn>, RebuildFault> => {
  const prng = new Prng(cut?.seed ?? 0)
  return Effect.forEach(opened, ({ disk, rebuild }, number) => {
    const { entries, sectorBytes } = rebuild.log
    const point = crashPoint(entries, cut?.positions[number] ?? 0)
    const image = crashImage(entries, point, mode ?? "subset", sectorBytes, prng.fork())
    const { dropped, torn } = image
    return Effect.as(rebuild.write(image, pathOf(disk.name)), {
      disk,
      pending: point.pending.length,
      dropped,
      torn
    })
  })
}

const lookInto = (
  cut: Cut,
  drawn: ReadonlyArray<Drawn>,
  { writes }: Recording,
  verify: (disk: MemberDisk) => Effect.Effect<Verified, VerifyBlocked | DiskCorrupt>
) =>
  Effect.gen(function* () {
    const totals = { pending: 0, dropped: 0, torn: 0, repaired: 0, due: 0 }
    const members: Array<Remembered> = []
    const problems: Array<string> = []
    for (const { disk, dropped, pending, torn } of drawn) {
      totals.pending += pending
      totals.dropped += dropped
      totals.torn += torn
      const looked = yield* Effect.either(verify(disk))
      if (Either.isLeft(looked)) {
        if (looked.left._tag === "VerifyBlocked") return yield* looked.left
        problems.push(`${disk.name}: ${looked.left.message}`)
        continue
      }
      const { remembered, repairs } = looked.right
      members.push(remembered)
      problems.push(...remembered.contradictions.map((line) => `${disk.name}: ${line}`))
      if (repairs.length > 0) totals.repaired++
    }
    if (problems.length > 0) return { ...totals, kind: "corrupt" as const, problems }
    const { due, invented, lost } = judge(writes, cut.logBytes, members)
    const kind = lost.length > 0 ? ("lost" as const) : ("invented" as const)
    return { ...totals, due, kind, problems: [...lost, ...invented] }
  })
