/**
 * Many power cuts from one recorded run: the disks are rebuilt, looked into, and held against what clients had
 * been told by that moment.
 */
import { mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { Clock, Effect, Either, type Scope } from "effect"
import { Prng } from "#chaos/sim/prng.ts"
import {
  type Cut,
  type Drawn,
  drawCuts,
  type MemberDisk,
  type OpenRecording,
  openRecording,
  type Recording,
  writeImages
} from "./crash-cuts.ts"
import type { CrashMode } from "./crash-points.ts"
import { type DiskCorrupt, diskVerifier, type Verified, type VerifyBlocked } from "./host-verify.ts"
import type { RebuildFault } from "./rebuild.ts"
import { judge, type Remembered } from "./remembered.ts"

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
    const opened = yield* openRecording(recording, workFolder)
    const cuts = drawCuts(opened, count, new Prng(seed))
    const beganMillis = yield* Clock.currentTimeMillis
    const played = yield* playAll(cuts, opened, options)
    const tookMillis = (yield* Clock.currentTimeMillis) - beganMillis
    const findings = played.flatMap(
      ({ kind, number, positions, problems }): ReadonlyArray<Finding> =>
        problems.length === 0
          ? []
          : [{ cut: number, positions, kind, problems: problems.slice(0, problemsMax) }]
    )
    const { keepFolder } = options
    for (const { cut: number } of keepFolder === undefined ? [] : findings.slice(0, keptMax)) {
      const cut = cuts[number]
      const pathOf = (name: string) => join(keepFolder ?? "", `cut-${number}-${name}.img`)
      if (cut !== undefined) yield* writeImages(cut, opened, options.mode ?? "subset", pathOf)
    }
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
  opened: OpenRecording,
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
              const written = writeImages(cut, opened, options.mode ?? "subset", imagePath)
              return Effect.map(written, (drawn) => ({ number, cut, drawn }))
            })
          )
          if (built === undefined) return
          const { cut, drawn, number } = built
          const found = yield* lookInto(cut, drawn, opened.recording, (disk) =>
            verify(imagePath(disk.name), { dataFolder: disk.dataFolder, workFolder })
          )
          played.push({ number, positions: cut.positions, ...found })
        }
      })
    const workers = Array.from({ length: workersCount }, (_, index) => worker(`worker-${index + 1}`))
    yield* Effect.all(workers, { concurrency: "unbounded", discard: true })
    return played.toSorted((one, other) => one.number - other.number)
  })

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

/** In lines for people. */
export const renderCrashes = (report: CrashReport): ReadonlyArray<string> => {
  const { corrupt, dropped, due, findings, lost, millisPerPoint, pending, points, repaired, torn } = report
  return [
    `${points} power cuts, ${millisPerPoint.toFixed(0)} ms each: after ${lost} of them acknowledged writes were lost, after ${corrupt} a disk could not be used`,
    `${due} times an acknowledged write was looked for; of ${pending} writes that were not flushed ${dropped} were dropped and ${torn} torn; ${repaired} file systems needed repairs`,
    ...findings.flatMap(({ cut, kind, positions, problems }) =>
      problems.map((problem) => `cut ${cut} at ${positions.join(", ")}: ${kind}: ${problem}`)
    )
  ]
}
