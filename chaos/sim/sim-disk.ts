/**
 * A disk in the simulator, with what a power cut does to one: files in sectors, of which those that were not
 * synced survive or not as the seed has it, one by one.
 *
 *   write ──► pending ──sync──► durable        a power cut keeps of what is pending any sectors it likes
 *
 * The journal over it is the production one. The stores are a map with the promises of the port and nothing
 * better: after a power cut they are at a boundary between two batches that the seed picks, among those from
 * the last flush on. Weather makes the disk slow, makes it fail, and fills it.
 *
 * What is on the disk outlives the layers made from it, so that a node starts again on what it left. A disk
 * without power does nothing, and answers nobody, until it is `powerOn` again.
 */
import { type Context, Effect, Layer } from "effect"
import { openJournal } from "#actors/kernel/journal/segmented-journal.ts"
import {
  type BlockDirectory,
  type BlockFile,
  type Done,
  sectorBytes
} from "#actors/kernel/ports/block-files.ts"
import { Journals, journalLimits } from "#actors/kernel/ports/journal.ts"
import { Randomness } from "#actors/kernel/ports/randomness.ts"
import { Scheduling } from "#actors/kernel/ports/scheduling.ts"
import {
  StorageBroken,
  type StorageFault,
  StorageFull,
  StorageLocked
} from "#actors/kernel/ports/storage-faults.ts"
import { type StoreLimits, Stores } from "#actors/kernel/ports/store.ts"
import type { Prng } from "./prng.ts"
import { SimStoreDisk, simStores } from "./sim-stores.ts"
import type { SimWorld } from "./world.ts"

export interface DiskWeather {
  readonly latencyMillisMax: number
  readonly syncMillisMin: number
  readonly syncMillisMax: number
  /** The share of writes and syncs that end with EIO. */
  readonly ioErrors: number
  /** All files together, and the stores. */
  readonly bytesMax: number
}

export const fairDisk: DiskWeather = {
  latencyMillisMax: 0.2,
  syncMillisMin: 0,
  syncMillisMax: 5,
  ioErrors: 0,
  bytesMax: Number.POSITIVE_INFINITY
}

/** Of files of the journal: a simulated disk is held in memory, several times. */
const segmentBytes = 256 * 1024

type Change =
  | { readonly kind: "write"; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: "cut"; readonly position: number; readonly size: number }

/** A file as the running system sees it, and what of that the disk has for sure. */
interface SimInode {
  content: Uint8Array
  durable: Uint8Array
  pending: Array<Change>
  /** When the last call on it ends: calls on one file end in order. */
  readyMillis: number
  /** Whether the directory that names it, or no longer does, is durable. */
  named: boolean
}

export class SimDisk {
  weather: DiskWeather = fairDisk
  /** Acknowledges what it has not written: a bug that tests plant, to see that they would find it. */
  lies = false
  /** How the process hears of what the disk has done; one that is paused hears of it later. */
  tell: (task: () => void) => void = (task) => task()
  readonly stores: SimStoreDisk
  readonly #world: SimWorld
  readonly #prng: Prng
  /** Which life of the machine this is: what an earlier one had under way does not happen. */
  #life = 0
  #on = true
  #files = new Map<string, SimInode>()
  /** Names whose end is not durable. */
  #removed = new Map<string, SimInode>()
  #journalOpen = false

  constructor(world: SimWorld) {
    this.#world = world
    this.#prng = world.prng.fork()
    this.stores = new SimStoreDisk(this.#prng.fork())
  }

  /** Both ports, on this disk. */
  layer(
    storeLimits: Partial<StoreLimits> = {}
  ): Layer.Layer<Journals | Stores, StorageFault, Randomness | Scheduling> {
    const journals = Layer.effect(
      Journals,
      Effect.gen(this, function* () {
        const randomness = yield* Randomness
        const scheduling = yield* Scheduling
        const open: Context.Tag.Service<typeof Journals>["open"] = (limits) =>
          Effect.gen(this, function* () {
            yield* this.#lockJournal
            const directory = this.#directory()
            return yield* openJournal({
              directory,
              limits: { ...journalLimits, segmentBytes, ...limits },
              soon: (task) => scheduling.arm(task, "soon"),
              salt: () => Math.floor(randomness.next() * 2 ** 32)
            })
          })
        return Journals.of({ open })
      })
    )
    const stores = Layer.scoped(
      Stores,
      simStores(this.stores, {
        clock: this.#world.clock,
        flushMillis: () => this.#syncMillis(),
        broken: () => this.#prng.chance(this.weather.ioErrors),
        bytesMax: () => this.weather.bytesMax - this.#bytes(),
        lies: () => this.lies,
        isOn: this.#whileThisLife(),
        tell: (task) => this.tell(task),
        limits: storeLimits
      })
    )
    return Layer.merge(journals, stores)
  }

  readonly #lockJournal = Effect.acquireRelease(
    Effect.suspend(() => {
      if (this.#journalOpen) return Effect.fail(new StorageLocked({ path: "journal", pid: 1 }))
      this.#journalOpen = true
      return Effect.succeed(this.#life)
    }),
    (life) =>
      Effect.sync(() => {
        if (life === this.#life) this.#journalOpen = false
      })
  )

  // Accidents

  /** At once. Whoever waits for this disk waits for ever: power off its compartment as well. */
  powerOff(): void {
    this.#on = false
    this.#life++
    this.#journalOpen = false
    for (const [name, inode] of this.#removed) if (this.#prng.chance(0.5)) this.#files.set(name, inode)
    this.#removed.clear()
    for (const [name, inode] of this.#files) {
      if (!inode.named && this.#prng.chance(0.5)) {
        this.#files.delete(name)
        continue
      }
      inode.named = true
      // A disk that lies and keeps the order forgets the end, and nothing shows that there was one.
      const kept =
        this.lies && this.#prng.chance(0.5) ? this.#prng.below(inode.pending.length + 1) : undefined
      for (const change of inode.pending.slice(0, kept))
        inode.durable =
          kept === undefined ? this.#torn(inode.durable, change) : applied(inode.durable, change)
      inode.pending = []
      inode.content = inode.durable.slice()
      inode.readyMillis = 0
    }
    this.stores.powerOff()
  }

  /** What `kill -9` does to a process: what it had handed to the kernel stays. */
  kill(): void {
    this.#life++
    this.#journalOpen = false
    this.stores.kill()
  }

  powerOn(): void {
    this.#on = true
  }

  /** Some byte of some file that is not empty is another one from now on. */
  rot(): string | undefined {
    const names = [...this.#files.keys()]
    const name = names[this.#prng.below(names.length)]
    const inode = name === undefined ? undefined : this.#files.get(name)
    if (inode === undefined || inode.content.length === 0) return undefined
    const used = inode.content.findLastIndex((byte) => byte !== 0) + 1
    const at = this.#prng.below(Math.max(1, used))
    const flipped = inode.content[at]! ^ (1 + this.#prng.below(255))
    inode.content[at] = flipped
    if (at < inode.durable.length) inode.durable[at] = flipped
    return `${name} at byte ${at}`
  }

  // Files

  /** As long as this life lasts: who was killed writes no more, whatever it still believes. */
  #directory(): BlockDirectory {
    const same = this.#whileThisLife()
    return {
      path: "journal",
      list: () => [...this.#files.keys()].toSorted(),
      open: (name) => {
        const inode = this.#files.get(name)
        if (inode === undefined) throw new StorageBroken({ path: name, operation: "open", reason: "ENOENT" })
        return this.#fileOf(name, inode, same)
      },
      create: (name, head, size, done) => {
        if (!same()) return
        const content = new Uint8Array(Math.max(size, head.length))
        content.set(head)
        if (this.#bytes() + content.length > this.weather.bytesMax)
          return this.#later(this.#latency(), () => done(full(name, "create")))
        const inode: SimInode = {
          content,
          durable: new Uint8Array(0),
          pending: [],
          readyMillis: 0,
          named: false
        }
        this.#files.set(name, inode)
        this.#removed.delete(name)
        const synced = this.#directorySync()
        inode.pending.push({ kind: "write", position: 0, bytes: content.slice() })
        this.#later(this.#syncMillis(), () => {
          inode.pending = []
          inode.durable = content.slice()
          synced()
          done(this.#fileOf(name, inode, same))
        })
      },
      remove: (names, done) => {
        if (!same()) return
        for (const name of names) {
          const inode = this.#files.get(name)
          if (inode !== undefined) this.#removed.set(name, inode)
          this.#files.delete(name)
        }
        const synced = this.#directorySync()
        this.#later(this.#syncMillis(), () => {
          synced()
          done(undefined)
        })
      }
    }
  }

  /** All names as they are now, durable once what is returned is called. */
  #directorySync(): () => void {
    const [files, removed] = [[...this.#files.values()], [...this.#removed]]
    return () => {
      for (const inode of files) inode.named = true
      for (const [name, inode] of removed) if (this.#removed.get(name) === inode) this.#removed.delete(name)
    }
  }

  #fileOf(name: string, inode: SimInode, same: () => boolean): BlockFile {
    const change = (operation: string, made: Change, done: Done) => {
      if (!same()) return
      const grows = made.kind === "write" ? made.position + made.bytes.length - inode.content.length : 0
      if (grows > 0 && this.#bytes() + grows > this.weather.bytesMax)
        return this.#inTurn(inode, this.#latency(), () => done(full(name, operation)))
      inode.content = applied(inode.content, made)
      inode.pending.push(made)
      const fails = this.#prng.chance(this.weather.ioErrors)
      this.#inTurn(inode, this.#latency(), () => done(fails ? broken(name, operation) : undefined))
    }
    return {
      name,
      size: () => inode.content.length,
      read: (position, length) => inode.content.slice(position, position + length),
      write: (position, bytes, done) =>
        change("write", { kind: "write", position, bytes: bytes.slice() }, done),
      cut: (position, size, done) => change("ftruncate", { kind: "cut", position, size }, done),
      sync: (done) => {
        if (!same()) return
        const fails = this.#prng.chance(this.weather.ioErrors)
        const count = inode.pending.length
        this.#inTurn(inode, this.#syncMillis(), () => {
          if (fails) return done(broken(name, "fdatasync"))
          if (!this.lies)
            for (const made of inode.pending.splice(0, count)) inode.durable = applied(inode.durable, made)
          done(undefined)
        })
      },
      close: () => {}
    }
  }

  /** Of a change that was not synced there remains any part, sector by sector. */
  #torn(durable: Uint8Array, change: Change): Uint8Array {
    if (change.kind === "cut") return this.#prng.chance(0.5) ? applied(durable, change) : durable
    const end = change.position + change.bytes.length
    const mostly = this.#prng.next()
    let kept = durable
    for (let at = change.position; at < end; ) {
      const next = Math.min(end, (Math.floor(at / sectorBytes) + 1) * sectorBytes)
      const bytes = change.bytes.subarray(at - change.position, next - change.position)
      if (this.#prng.chance(mostly)) kept = applied(kept, { kind: "write", position: at, bytes })
      at = next
    }
    return kept
  }

  // Time

  #latency(): number {
    return this.#prng.next() * this.weather.latencyMillisMax
  }

  #syncMillis(): number {
    const { syncMillisMax, syncMillisMin } = this.weather
    return syncMillisMin + this.#prng.next() * (syncMillisMax - syncMillisMin)
  }

  #inTurn(inode: SimInode, millis: number, task: () => void): void {
    const { nowMillis } = this.#world
    inode.readyMillis = Math.max(inode.readyMillis, nowMillis + millis)
    this.#later(inode.readyMillis - nowMillis, task)
  }

  #later(millis: number, task: () => void): void {
    const same = this.#whileThisLife()
    this.#world.clock.alarm(millis, () => {
      if (same()) this.tell(task)
    })
  }

  #whileThisLife(): () => boolean {
    const life = this.#life
    return () => this.#on && this.#life === life
  }

  #bytes(): number {
    let bytes = this.stores.bytes
    for (const { content } of this.#files.values()) bytes += content.length
    return bytes
  }
}

const applied = (content: Uint8Array, change: Change): Uint8Array => {
  if (change.kind === "cut") {
    const bytes = new Uint8Array(change.size)
    bytes.set(content.subarray(0, Math.min(change.position, change.size)))
    return bytes
  }
  const end = change.position + change.bytes.length
  const bytes = end > content.length ? new Uint8Array(end) : content
  if (bytes !== content) bytes.set(content)
  bytes.set(change.bytes, change.position)
  return bytes
}

const full = (path: string, operation: string) =>
  new StorageFull({ path, reason: `${operation} ended with ENOSPC`, definite: false })

const broken = (path: string, operation: string) => new StorageBroken({ path, operation, reason: "EIO" })
