/**
 * Power cuts of real guests: one run under clients' writes is recorded, cut at many of its moments, and the disks are
 * looked into; then the power of the guests really goes, and they boot from what their disks may hold.
 *
 * `UC_CUTS=10` draws ten times as many power cuts.
 */
import { execFileSync } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import test from "ava"
import { Cause, Effect, Either, Exit, Schedule } from "effect"
import { PowerOff, PowerOn } from "#chaos/faults/action.ts"
import type { GuestDisk } from "#chaos/lab/qemu/guests.ts"
import { guestKernel, type Program, program } from "#chaos/lab/qemu/programs.ts"
import { qemuWorld } from "#chaos/lab/qemu/qemu-world.ts"
import type { World } from "#chaos/lab/world.ts"
import { Prng } from "#chaos/sim/prng.ts"
import { kv } from "#chaos/workloads/kv.ts"
import { KV } from "#protocols/wire/etcd/methods.ts"
import { type CrashReport, crashPoints, renderCrashes } from "./crash-run.ts"
import { DiskRecorder } from "./disk-recorder.ts"
import type { ClientWrite } from "./remembered.ts"

const needed: ReadonlyArray<Program> = [
  ...(["qemu-system-x86_64", "mke2fs", "e2fsck", "debugfs", "tune2fs"] as const),
  ...(["busybox", "openssl", "setpriv", "perl"] as const)
]
const missing = Effect.runSync(Effect.either(Effect.zipRight(Effect.forEach(needed, program), guestKernel)))
const withGuests = Either.isRight(missing) ? test.serial : test.serial.skip
const why = Either.isLeft(missing) ? `: ${missing.left.message}` : ""

interface Story {
  readonly nodes: number
  readonly runMillis: number
  readonly cuts: number
  /** Of the data disks, as the file system on them keeps them. */
  readonly mountOptions?: string
}

interface Told {
  readonly report: CrashReport
  readonly acknowledged: number
  /** Which of these a cluster that has booted again does not have any more. */
  readonly lost: ReadonlyArray<string>
}

/** Images are built and looked into in memory where that is possible. */
const workRoot = existsSync("/dev/shm") ? "/dev/shm" : tmpdir()
const momentMillis = 25
const { UC_CUTS: times = "1" } = process.env

/** Records, cuts the power of all, and looks into the disks; `after` sees what is there when it is back. */
const recorded = (
  { cuts, mountOptions, nodes, runMillis }: Story,
  after: (world: World, writes: ReadonlyArray<ClientWrite>) => Effect.Effect<ReadonlyArray<string>, Error>
) =>
  Effect.gen(function* () {
    const workFolder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(workRoot, "power-cuts-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
    )
    const disks: Array<GuestDisk> = []
    const tune2fs = yield* program("tune2fs")
    const world = yield* qemuWorld({
      onBoot: (disk) => {
        if (disks.some(({ name }) => name === disk.name)) return
        disks.push(disk)
        if (mountOptions !== undefined)
          execFileSync(tune2fs, ["-E", `mount_opts=${mountOptions}`, disk.imagePath])
      }
    }).open({
      shape: { nodes, spares: 0, roles: [], zones: ["a", "b", "c"] },
      seed: 1,
      folder: undefined,
      note: () => {}
    })
    const recorder = new DiskRecorder(disks, 100_000)
    let isOver = false
    const { run } = kv({ writers: 6, readers: 0, pauseMillisMax: 5 }).begin({
      world: { ...world, etcd: recorder.watched(world.etcd) },
      prng: new Prng(1),
      nowMillis: () => performance.now(),
      nodes: world.nodes,
      isOver: () => isOver
    })
    yield* Effect.fork(run)
    const moments = Effect.sync(() => recorder.moment())
    yield* Effect.fork(Effect.repeat(moments, Schedule.spaced(momentMillis)))
    yield* Effect.sleep(runMillis)
    yield* Effect.forEach(world.nodes, (node) => world.strike(new PowerOff({ node })), {
      concurrency: "unbounded"
    })
    isOver = true
    const { recording } = recorder
    const report = yield* crashPoints(recording, { seed: 1, count: cuts * Number(times), workFolder })
    const acknowledged = recording.writes.filter((write) => write.acknowledged !== undefined)
    const lost = yield* after(world, acknowledged)
    return { report, acknowledged: acknowledged.length, lost }
  })

const tellOf = async (
  t: { readonly log: (line: string) => void },
  story: ReturnType<typeof recorded>
): Promise<Told> => {
  const exit = await Effect.runPromiseExit(Effect.scoped(story))
  if (Exit.isFailure(exit)) throw new Error(Cause.pretty(exit.cause))
  const { acknowledged, report } = exit.value
  for (const line of [`${acknowledged} writes were acknowledged`, ...renderCrashes(report)].slice(0, 5))
    t.log(line)
  return exit.value
}

/** Turns all machines on again, and asks one for each write at its revision. */
const bootedAgain = (world: World, writes: ReadonlyArray<ClientWrite>) =>
  Effect.gen(function* () {
    yield* Effect.forEach(world.nodes, (node) => world.strike(new PowerOn({ node })), {
      concurrency: "unbounded"
    })
    const [node = ""] = world.nodes
    const read = (key: string, revision: number) =>
      Effect.async<string | undefined, Error>((resume) =>
        world.etcd.call(node, KV.range, { key: Buffer.from(key), revision }, (answer) =>
          resume(
            Either.match(answer, {
              onLeft: ({ message }) => Effect.fail(new Error(message)),
              onRight: ({ kvs: [found] }) =>
                Effect.succeed(found === undefined ? undefined : Buffer.from(found.value).toString())
            })
          )
        )
      )
    yield* Effect.retry(read("a", 0), { times: 200, schedule: Schedule.spaced("500 millis") })
    const missing = yield* Effect.forEach(
      writes,
      ({ acknowledged, key, value }) =>
        Effect.map(Effect.retry(read(key, acknowledged?.revision ?? 0), { times: 3 }), (found) =>
          found === value ? [] : [`${key} = ${value} is ${found}`]
        ),
      { concurrency: 8 }
    )
    return missing.flat()
  })

const leftAlone = () => Effect.succeed([])

withGuests(`a node alone has all that it acknowledged after a power cut at any moment${why}`, async (t) => {
  t.timeout(900_000)
  const told = await tellOf(t, recorded({ nodes: 1, runMillis: 6_000, cuts: 40 }, bootedAgain))
  t.is(told.report.points, 40 * Number(times))
  t.true(told.acknowledged > 20 && told.report.due > 200, `${told.acknowledged}, ${told.report.due}`)
  t.true(told.report.pending > 0, "something was lost that nobody was told of")
  t.deepEqual([told.report.lost, told.report.corrupt], [0, 0])
  t.deepEqual(told.lost, [], "and after booting from such a disk")
})

withGuests(`without write barriers the same checks find losses${why}`, async (t) => {
  t.timeout(900_000)
  const mountOptions = "barrier=0"
  const told = await tellOf(t, recorded({ nodes: 1, runMillis: 4_000, cuts: 12, mountOptions }, leftAlone))
  t.true(told.report.lost > 5, renderCrashes(told.report).join("\n"))
})

withGuests(
  `three nodes have on two of their disks what they acknowledged, when the power of all goes${why}`,
  async (t) => {
    t.timeout(900_000)
    const told = await tellOf(t, recorded({ nodes: 3, runMillis: 8_000, cuts: 12 }, bootedAgain))
    t.true(told.acknowledged > 5 && told.report.due > 20, `${told.acknowledged}, ${told.report.due}`)
    t.deepEqual([told.report.lost, told.report.corrupt], [0, 0])
    t.deepEqual(told.lost, [], "and after booting from such disks")
  }
)
