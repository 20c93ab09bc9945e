/** Machines with their disks and nodes, and what is meant to be the case with each. */
import { Effect } from "effect"
import type { NodeName } from "#chaos/lab/world.ts"
import { Prng } from "#chaos/sim/prng.ts"
import type { MemberDisk } from "../disks/crash-cuts.ts"
import {
  beginLog,
  type LoggedDisk,
  logRoomBytes,
  rebuildAfterPowerLoss,
  trimLog
} from "../disks/power-loss.ts"
import type { Trimmed } from "../disks/write-log.ts"
import { dataDirectory, mountPoint } from "./guest-disk.ts"
import type { Lab } from "./lab.ts"
import { MendDisk, PowerOff, ShutDown, ThrottleDisk } from "./machine.ts"
import { program } from "./programs.ts"
import { MachineFailed } from "./qemu-process.ts"

export type GuestDisk = MemberDisk & LoggedDisk

/** What a log of writes may take on this machine's disk, before what is durable is taken out of it. */
const logRoomBytesMax = 128 << 20
const logLookMillis = 5_000
/** For a node to end in order, and a disk to be written. */
const shutDownMillisMax = 120_000

export class Guests {
  readonly #lab: Lab
  onBoot: (disk: GuestDisk) => void = () => {}
  /** How often the power of one was cut. */
  cuts = 0
  readonly #prng: Prng
  readonly #on = new Set<NodeName>()
  /** Nodes that are meant to run: the end of any other one is no news. */
  readonly #running = new Set<NodeName>()
  readonly #trimmed = new Map<NodeName, Trimmed>()
  /** Whoever works on the files of a disk has it alone. */
  readonly #files = new Map<NodeName, Effect.Semaphore>()

  /** Of machines whose power was cut: by what chance their disks have lost what. */
  readonly #seeds = new Map<NodeName, number>()

  constructor(lab: Lab, seed: number) {
    this.#lab = lab
    this.#prng = new Prng(seed)
  }

  isToRun(name: NodeName): boolean {
    return this.#running.has(name)
  }

  /** The end of a machine that was not asked for. */
  lost(name: NodeName): void {
    this.#on.delete(name)
    this.#running.delete(name)
  }

  disk(name: NodeName): GuestDisk {
    const imagePath = this.#lab.diskPath(name)
    const dataFolder = dataDirectory.slice(mountPoint.length)
    const [basePath, logPath] = [`${imagePath}.base`, `${imagePath}.log`]
    return { name, dataFolder, imagePath, basePath, logPath, trimmed: this.#trimmed.get(name) }
  }

  /** A machine that runs for hours writes more than there is room for. Where that does not work, it says so once. */
  keepLogsShort(note: (line: string) => void): Effect.Effect<void> {
    const keepShort = (fallocate: string, name: NodeName) =>
      this.#alone(
        name,
        Effect.suspend(() => {
          const disk = this.disk(name)
          if (!this.#on.has(name) || logRoomBytes(disk) < logRoomBytesMax) return Effect.void
          return trimLog(disk, fallocate).pipe(
            Effect.flatMap((trimmed) => Effect.sync(() => void this.#trimmed.set(name, trimmed))),
            // It is being written to just now. At the next look it is whole, or else the next power cut says so.
            Effect.catchTag("WriteLogRefused", () => Effect.void)
          )
        })
      )
    return program("fallocate").pipe(
      Effect.flatMap((fallocate) =>
        Effect.forever(
          Effect.delay(
            Effect.suspend(() =>
              Effect.forEach([...this.#on], (name) => keepShort(fallocate, name), { discard: true })
            ),
            logLookMillis
          )
        )
      ),
      Effect.catchAll(({ message }) =>
        Effect.sync(() => note(`logs of disks grow without bound: ${message}`))
      )
    )
  }

  #alone<A, E>(name: NodeName, effect: Effect.Effect<A, E>): Effect.Effect<A, E> {
    const files = this.#files.get(name) ?? Effect.unsafeMakeSemaphore(1)
    this.#files.set(name, files)
    return files.withPermits(1)(effect)
  }

  powerOn(name: NodeName): Effect.Effect<void, MachineFailed> {
    return Effect.suspend(() => {
      if (this.#on.has(name)) return Effect.void
      this.#on.add(name)
      const disk = this.disk(name)
      const beginning = Effect.gen(this, function* () {
        yield* this.#rebuild(name)
        this.onBoot(disk)
        this.#trimmed.delete(name)
        yield* ofDisk(name, beginLog(disk))
      })
      return Effect.zipRight(
        this.#alone(name, beginning),
        this.#lab.boot(name, { from: "copy", log: disk.logPath })
      )
    })
  }

  /** At once, so that many may lose it together. What the disk has lost with it shows when there is power again. */
  powerOff(name: NodeName): Effect.Effect<void, MachineFailed> {
    return Effect.suspend(() => {
      if (!this.#on.has(name)) return Effect.void
      this.lost(name)
      this.cuts++
      this.#seeds.set(name, Math.floor(this.#prng.next() * 2 ** 32))
      return this.#lab.machine(name, new PowerOff())
    })
  }

  /** Without what the disk had not flushed when its power was cut, or with a part of it. */
  #rebuild(name: NodeName): Effect.Effect<void, MachineFailed> {
    return Effect.suspend(() => {
      const seed = this.#seeds.get(name)
      this.#seeds.delete(name)
      return seed === undefined
        ? Effect.void
        : ofDisk(name, rebuildAfterPowerLoss(this.disk(name), { mode: "subset", seed }))
    })
  }

  /** For good, with the disk as it is recorded, on which nobody works any more then. */
  halt(name: NodeName): Effect.Effect<void, MachineFailed> {
    return Effect.suspend(() => {
      this.lost(name)
      return Effect.zipRight(this.#lab.machine(name, new PowerOff()), this.#alone(name, Effect.void))
    })
  }

  /** Its guest ends everything first, so the disk has all of it. */
  shutDown(name: NodeName): Effect.Effect<void, MachineFailed> {
    return Effect.suspend(() => {
      if (!this.#on.has(name)) return Effect.void
      this.lost(name)
      return Effect.zipRight(
        this.#lab.machine(name, new ShutDown({ withinMillis: shutDownMillisMax })),
        this.#lab.machine(name, new PowerOff())
      )
    })
  }

  /** The disk never was without power. */
  reset(name: NodeName): Effect.Effect<void, MachineFailed> {
    return Effect.suspend(() => {
      if (!this.#on.has(name)) return Effect.void
      const runs = this.#running.has(name)
      this.lost(name)
      return this.#lab
        .machine(name, new PowerOff())
        .pipe(Effect.zipRight(this.powerOn(name)), Effect.zipRight(runs ? this.start(name) : Effect.void))
    })
  }

  start(name: NodeName): Effect.Effect<void, MachineFailed> {
    return Effect.suspend(() => {
      this.#running.add(name)
      return Effect.asVoid(this.#lab.execute(name, `sh /lab/node start ${name}`))
    })
  }

  end(name: NodeName, how: "stop" | "kill"): Effect.Effect<void, MachineFailed> {
    return Effect.suspend(() => {
      this.#running.delete(name)
      return Effect.asVoid(this.#lab.execute(name, `sh /lab/node ${how}`))
    })
  }

  /** 0 gives it back. */
  takeMemory(name: NodeName, mebibytes: number): Effect.Effect<void, MachineFailed> {
    return Effect.suspend(() =>
      this.#on.has(name)
        ? Effect.asVoid(this.#lab.execute(name, `sh /lab/memory ${Math.round(mebibytes)}`))
        : Effect.void
    )
  }

  fullDisk(name: NodeName): Effect.Effect<void, MachineFailed> {
    return Effect.asVoid(this.#lab.execute(name, "sh /lab/disk full"))
  }

  fairDisk(name: NodeName): Effect.Effect<void, MachineFailed> {
    return Effect.gen(this, function* () {
      if (!this.#on.has(name)) return
      yield* this.#lab.machine(name, new ThrottleDisk({ writesPerSecond: 0, bytesPerSecond: 0 }))
      yield* this.#lab.machine(name, new MendDisk())
      // Where it has to be mounted anew, the end of its node is no news.
      const again = this.#running.delete(name)
      yield* this.#lab.execute(name, `sh /lab/disk fair ${again ? name : ""}`)
      if (again) this.#running.add(name)
    })
  }
}

const ofDisk = <A>(name: NodeName, effect: Effect.Effect<A, { readonly message: string }>) =>
  Effect.mapError(
    effect,
    ({ message }) => new MachineFailed({ machine: name, doing: "rebuild its disk", reason: message })
  )
