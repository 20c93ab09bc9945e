import test from "ava"
import fc from "fast-check"
import { type Logged, sourceOf, writtenLog } from "./fixtures/log-writer.ts"
import { logFlags, readWriteLog, WriteLogRefused } from "./write-log.ts"

const diskBytes = 1024 * 1024
const limits = { diskBytes, entriesMax: 1_000 }
const read = (bytes: Uint8Array) => readWriteLog(sourceOf(bytes), limits)
const refused = (bytes: Uint8Array) => () => read(bytes)

const data = (sectors: number, byte: number) => new Uint8Array(512 * sectors).fill(byte)

const write = fc
  .record({
    sector: fc.nat(1_000),
    sectors: fc.integer({ min: 1, max: 9 }),
    byte: fc.nat(255),
    flags: fc.constantFrom(0n, 0n, logFlags.fua, logFlags.flush, logFlags.flush | logFlags.fua)
  })
  .map(
    ({ byte, flags, sector, sectors }): Logged => ({
      kind: "write",
      sector,
      data: data(sectors, byte),
      flags
    })
  )
const logged = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: write },
    fc.constant<Logged>({ kind: "flush" }),
    fc.constant<Logged>({ kind: "mark", text: "the test begins" }),
    fc.constant<Logged>({ kind: "discard", sector: 8, sectors: 80 })
  ),
  { maxLength: 40 }
)

test("a log is read as it was written, and each entry knows where its data is", (t) => {
  fc.assert(
    fc.property(logged, (entries) => {
      const bytes = writtenLog(entries)
      const log = read(bytes)
      t.is(log.entries.length, entries.length)
      for (const [index, entry] of log.entries.entries()) {
        const wrote = entries[index]
        t.true(entry.kind === wrote?.kind)
        if (wrote?.kind !== "write") continue
        t.is(entry.offset, 512 * wrote.sector)
        t.is(entry.durable, ((wrote.flags ?? 0n) & logFlags.fua) !== 0n)
        t.is(entry.flushesBefore, ((wrote.flags ?? 0n) & logFlags.flush) !== 0n)
        t.deepEqual(
          Buffer.from(bytes.subarray(entry.dataOffset, entry.endOffset)).compare(wrote.data),
          0,
          "the data of an entry ends where the entry does"
        )
      }
      t.is(log.entries.at(-1)?.endOffset ?? 512, bytes.length)
    })
  )
})

test("a machine that is cut off while it appends leaves the entries before, whole", (t) => {
  fc.assert(
    fc.property(logged, fc.nat(1_000_000), (entries, cut) => {
      const bytes = writtenLog(entries, { flushed: 0 })
      const length = 512 + (cut % (bytes.length - 511))
      const whole = read(bytes).entries.filter(({ endOffset }) => endOffset <= length)
      t.deepEqual(read(bytes.subarray(0, length)).entries, whole)
    })
  )
})

test("entries after the last flush are there, though the superblock has not heard of them", (t) => {
  const entries: ReadonlyArray<Logged> = [
    { kind: "flush" },
    { kind: "write", sector: 1, data: data(1, 1) },
    { kind: "write", sector: 2, data: data(2, 2) }
  ]
  t.is(read(writtenLog(entries, { flushed: 1 })).entries.length, 3)
})

test("a log that nobody has flushed yet has no superblock, and is read", (t) => {
  const bytes = writtenLog([{ kind: "write", sector: 1, data: data(1, 1) }])
  bytes.fill(0, 0, 512)
  t.is(read(bytes).entries.length, 1)
  t.is(read(new Uint8Array(0)).entries.length, 0)
})

test("a log with a hole is refused: what is behind it may have been acknowledged", (t) => {
  const flush: Logged = { kind: "flush" }
  const bytes = writtenLog([flush, flush, flush])
  bytes.fill(0, 512 * 2, 512 * 3)
  t.throws(refused(bytes), { instanceOf: WriteLogRefused, message: /1 entries in front of a hole/ })
})

test("what is no log, or a longer one than is allowed, is refused with the reason", (t) => {
  t.throws(refused(new Uint8Array(512).fill(7)), { message: /another magic number/ })
  t.throws(refused(writtenLog([]).subarray(0, 20)), { message: /ends in its superblock/ })
  t.throws(refused(writtenLog([], { sectorBytes: 768 })), { message: /768 bytes/ })
  const many = writtenLog(Array.from({ length: 1_001 }, (): Logged => ({ kind: "flush" })))
  t.throws(refused(many), { message: /more than 1000 entries/ })
})

test("any bytes are a log or are refused, and nothing reads beyond them", (t) => {
  fc.assert(
    fc.property(logged, fc.uint8Array({ maxLength: 3_000 }), fc.nat(5_000), (entries, noise, at) => {
      const bytes = writtenLog(entries)
      bytes.set(noise.subarray(0, Math.max(0, bytes.length - 512 - at)), Math.min(512 + at, bytes.length))
      try {
        for (const { endOffset, offset, bytes: count } of read(bytes).entries)
          t.true(endOffset <= bytes.length && offset + count <= diskBytes)
      } catch (problem) {
        t.true(problem instanceof WriteLogRefused)
      }
    })
  )
})
