/**
 * What do the journal and the stores cost over what the disk costs anyway?
 *
 *   npm run bench storage          the measurement, about a minute
 *   npm run bench storage 0.1      a quick look
 *
 * The floor is a loop of write and fdatasync on a file that has been written before, which is the best case a
 * journal can have. Records of 256 bytes; each writer waits until its record is durable and appends the next.
 * Expected: alone about the floor; 64 and 256 writers share batches and are many times above it, in about the
 * latency of one or two fsyncs. lmdb with one synced transaction for each record is what there was without
 * the journal. Store reads are of 100,000 keys of 20 bytes with values of 256.
 */
import { closeSync, fdatasync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Context, Effect, Layer, type Scope } from "effect"
import { open as openLmdb } from "lmdb"
import { type Journal, Journals } from "../kernel/ports/journal.ts"
import { type Store, type StoreEnvironment, Stores, type Write } from "../kernel/ports/store.ts"
import { fileJournals } from "./file-journal.ts"
import { LiveWorld } from "./live-world.ts"
import { lmdbStores } from "./lmdb-stores.ts"

const scale = Number(process.argv[2] ?? 1)
const directory = mkdtempSync(join(process.env["BENCH_DIRECTORY"] ?? tmpdir(), "storage-bench-"))
const record = new Uint8Array(256).fill(7)

interface Latencies {
  readonly perSecond: number
  readonly p50Micros: number
  readonly p99Micros: number
}

const summary = (millis: ReadonlyArray<number>, elapsedMillis: number): Latencies => {
  const ordered = millis.toSorted((one, other) => one - other)
  const at = (share: number) => (ordered[Math.floor(ordered.length * share)] ?? 0) * 1_000
  return { perSecond: (millis.length / elapsedMillis) * 1_000, p50Micros: at(0.5), p99Micros: at(0.99) }
}

/** Each of some writers does one after the other, until there were that many in all. */
const measured = async (
  writers: number,
  count: number,
  once: (writer: number) => Promise<unknown>
): Promise<Latencies> => {
  const millis: Array<number> = []
  let left = count
  const begun = performance.now()
  await Promise.all(
    Array.from({ length: writers }, async (_, writer) => {
      while (left-- > 0) {
        const start = performance.now()
        await once(writer)
        millis.push(performance.now() - start)
      }
    })
  )
  return summary(millis, performance.now() - begun)
}

const floor = async (count: number, preallocated: boolean): Promise<Latencies> => {
  const path = join(directory, "floor")
  const file = openSync(path, "w+")
  if (preallocated) {
    writeSync(file, new Uint8Array(count * 288))
    fsyncSync(file)
  }
  let position = 0
  const latencies = await measured(1, count, () => {
    writeSync(file, record, 0, record.length, position)
    position += 288
    return new Promise<void>((resolve, reject) =>
      fdatasync(file, (cause) => (cause === null ? resolve() : reject(cause)))
    )
  })
  closeSync(file)
  return latencies
}

const nextIndexes = new Map<number, number>()
const appending = (journal: Journal, writers: number, count: number): Promise<Latencies> =>
  measured(
    writers,
    count,
    (writer) =>
      new Promise<void>((resolve, reject) => {
        const group = writer + 1
        const index = (nextIndexes.get(group) ?? 0) + 1
        nextIndexes.set(group, index)
        journal.append([{ group, index, term: 1, bytes: record }])
        journal.sync((fault) => (fault === undefined ? resolve() : reject(fault)))
      })
  )

const syncedLmdb = async (writers: number, count: number): Promise<Latencies> => {
  const root = openLmdb({ path: join(directory, "plain.mdb"), encoding: "binary", overlappingSync: false })
  let next = 0
  const latencies = await measured(writers, count, () => root.put(next++, record))
  await root.close()
  return latencies
}

const show = (value: number, digits = 0) => value.toLocaleString("en", { maximumFractionDigits: digits })

const journals = (journal: Journal) =>
  Effect.promise(async () => {
    const few = Math.ceil(2_000 * scale)
    const many = Math.ceil(40_000 * scale)
    const rows: Array<readonly [what: string, latencies: Latencies]> = []
    const row = async (what: string, latencies: Promise<Latencies>) => void rows.push([what, await latencies])
    await row("write + fdatasync, a file that grows", floor(few, false))
    await row("write + fdatasync, written before", floor(few, true))
    await row("lmdb, a synced transaction, 1 writer", syncedLmdb(1, few))
    await row("lmdb, synced, 64 writers", syncedLmdb(64, many))
    await row("journal, 1 writer", appending(journal, 1, few))
    await row("journal, 64 writers", appending(journal, 64, many))
    await row("journal, 256 writers", appending(journal, 256, many))
    console.log("| records of 256 bytes, durable | records/s | p50 µs | p99 µs |")
    console.log("| --- | --- | --- | --- |")
    for (const [what, { p50Micros, p99Micros, perSecond }] of rows)
      console.log(`| ${what} | ${show(perSecond)} | ${show(p50Micros)} | ${show(p99Micros)} |`)
    const begun = performance.now()
    let bytes = 0
    for (const group of journal.groups().slice(0, 64)) {
      for (let from = 1; from <= (journal.group(group)?.lastIndex ?? 0); from += 1_000)
        for (const entry of journal.read(group, from, from + 1_000, 1e9)) bytes += entry.bytes.length
    }
    const seconds = (performance.now() - begun) / 1_000
    console.log(
      `\njournal reads, entries of 64 groups interleaved: ${show(bytes / seconds / 2 ** 20)} MiB/s\n`
    )
  })

const key = (number: number) => new TextEncoder().encode(String(number).padStart(20, "0"))

const stores = (environment: StoreEnvironment, store: Store) =>
  Effect.promise(async () => {
    const keys = Math.ceil(100_000 * scale)
    const rows: Array<readonly [what: string, value: string]> = []
    const timed = (task: () => void): number => {
      const begun = performance.now()
      task()
      return (performance.now() - begun) / 1_000
    }
    const flushed = () => Effect.runPromise(environment.flushed)
    const begun = performance.now()
    for (let from = 0; from < keys; from += 100) {
      const batch = Array.from({ length: 100 }, (_, place): Write => {
        const number = ((from + place) * 7_919) % keys
        return { op: "put", store, key: key(number), value: new Uint8Array(256).fill(number) }
      })
      environment.write(batch)
      // As a turn would end.
      if (from % 5_000 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    const applied = performance.now() - begun
    await flushed()
    const durable = performance.now() - begun
    rows.push(["puts/s in batches of 100, visible", show((keys / applied) * 1_000)])
    rows.push(["the same, until all are durable", show((keys / durable) * 1_000)])
    const order = Array.from({ length: keys }, (_, place) => key((place * 104_729) % keys))
    let bytes = 0
    const gets = timed(() => {
      for (const found of order) bytes += store.get(found)?.length ?? 0
    })
    const peeks = timed(() => {
      for (const found of order) bytes += store.peek(found, ({ length }) => length) ?? 0
    })
    rows.push(["point reads/s, get", show(keys / gets)])
    rows.push(["point reads/s, peek", show(keys / peeks)])
    bytes = 0
    const scan = timed(() => {
      for (const entry of store.range()) bytes += entry.key.length + entry.value.length
    })
    rows.push(["range scan, MiB/s", show(bytes / scan / 2 ** 20)])
    rows.push(["range scan, entries/s", show(keys / scan)])
    const millis: Array<number> = []
    for (let round = 0; round < 200 * scale; round++) {
      const start = performance.now()
      environment.write([{ op: "put", store, key: key(round), value: record }])
      await flushed()
      millis.push(performance.now() - start)
    }
    const { p50Micros, p99Micros } = summary(millis, 1)
    rows.push(["one flushed put, p50 µs", show(p50Micros)])
    rows.push(["one flushed put, p99 µs", show(p99Micros)])
    console.log("| stores | |")
    console.log("| --- | --- |")
    for (const [what, value] of rows) console.log(`| ${what} | ${value} |`)
  })

const program: Effect.Effect<void, unknown, Scope.Scope> = Effect.gen(function* () {
  const layers = Layer.merge(fileJournals(directory), lmdbStores(directory)).pipe(Layer.provide(LiveWorld))
  const context = yield* Layer.build(layers)
  yield* journals(yield* Context.get(context, Journals).open())
  const environment = Context.get(context, Stores)
  yield* stores(environment, yield* environment.open("bench"))
})

try {
  await Effect.runPromise(Effect.scoped(program))
} finally {
  rmSync(directory, { recursive: true, force: true })
}
