import test from "ava"
import fc from "fast-check"
import { Prng } from "#chaos/sim/prng.ts"
import { type CrashImage, crashImage, crashPoint, positionAt } from "./crash-points.ts"
import { type Logged, sourceOf, writtenLog } from "./fixtures/log-writer.ts"
import { logFlags, readWriteLog, type WriteLog } from "./write-log.ts"

const diskSectors = 24
const sectorBytes = 512

/** Each write has its own content, which is its number. */
const runs = fc
  .array(
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          sector: fc.nat(diskSectors - 5),
          sectors: fc.integer({ min: 1, max: 5 }),
          flags: fc.constantFrom(0n, 0n, 0n, 0n, logFlags.fua, logFlags.flush, logFlags.flush | logFlags.fua)
        })
      },
      fc.constant("flush" as const)
    ),
    { minLength: 1, maxLength: 30 }
  )
  .map((steps) =>
    steps.map((step, index): Logged => {
      if (step === "flush") return { kind: "flush" }
      const data = new Uint8Array(step.sectors * sectorBytes).fill(index + 1)
      return { kind: "write", sector: step.sector, data, flags: step.flags }
    })
  )

interface Recorded extends WriteLog {
  readonly bytes: Uint8Array
}

const recorded = (run: ReadonlyArray<Logged>): Recorded => {
  const bytes = writtenLog(run)
  const limits = { diskBytes: diskSectors * sectorBytes, entriesMax: 100 }
  return { bytes, ...readWriteLog(sourceOf(bytes), limits) }
}

/** What is in each sector: the number of the write that it comes from, 0 for none. */
const contents = ({ bytes, entries }: Recorded, image: CrashImage): ReadonlyArray<number> => {
  const disk = new Array<number>(diskSectors).fill(0)
  const apply = (index: number, keeps: (sector: number) => boolean) => {
    const entry = entries[index]!
    for (let sector = 0; sector < entry.bytes / sectorBytes; sector++)
      if (keeps(sector))
        disk[entry.offset / sectorBytes + sector] = bytes[entry.dataOffset + sector * sectorBytes]!
  }
  for (let index = 0; index < image.durableUpTo; index++) apply(index, () => true)
  for (const { entry, sectors } of image.survivors) apply(entry, (sector) => sectors?.[sector] ?? true)
  return disk
}

/** Said once more, as slowly as it can be: which contents of a sector are possible. */
const possible = (run: ReadonlyArray<Logged>, position: number, sector: number): ReadonlySet<number> => {
  let found = new Set([0])
  const written = run.slice(0, position)
  for (const [index, step] of written.entries()) {
    if (step.kind !== "write") continue
    if (sector < step.sector || sector >= step.sector + step.data.length / sectorBytes) continue
    const flags = step.flags ?? 0n
    const isFlushed = written
      .slice(index + 1)
      .some(
        (later) =>
          later.kind === "flush" || ((("flags" in later && later.flags) || 0n) & logFlags.flush) !== 0n
      )
    if (isFlushed || (flags & logFlags.fua) !== 0n) found = new Set([index + 1])
    else found.add(index + 1)
  }
  return found
}

const seeds = fc.integer()

test("a sector holds what is durable in it, or what a later pending write put there", (t) => {
  fc.assert(
    fc.property(runs, seeds, fc.nat(30), (run, seed, cut) => {
      const log = recorded(run)
      const position = Math.min(cut, run.length)
      const point = crashPoint(log.entries, position)
      const image = crashImage(log.entries, point, "subset", sectorBytes, new Prng(seed))
      for (const [sector, content] of contents(log, image).entries()) {
        const allowed = possible(run, position, sector)
        t.true(allowed.has(content), `sector ${sector} has ${content}, possible is ${[...allowed]}`)
      }
    }),
    { numRuns: 500 }
  )
})

test("what was flushed is there, and nothing else, when nothing that was pending survives", (t) => {
  fc.assert(
    fc.property(runs, seeds, fc.nat(30), (run, seed, cut) => {
      const log = recorded(run)
      const point = crashPoint(log.entries, Math.min(cut, run.length))
      const flushed = crashImage(log.entries, point, "flushed", sectorBytes, new Prng(seed))
      t.is(flushed.torn, 0)
      t.is(flushed.dropped, point.pending.length)
      t.true(flushed.survivors.every(({ entry }) => log.entries[entry]?.durable))
      if (point.pending.length > 0) return
      const subset = crashImage(log.entries, point, "subset", sectorBytes, new Prng(seed))
      t.deepEqual(contents(log, subset), contents(log, flushed))
    })
  )
})

test("every possible content of a sector comes up for some seed", (t) => {
  const write = (sector: number, byte: number): Logged => ({
    kind: "write",
    sector,
    data: new Uint8Array(2 * sectorBytes).fill(byte)
  })
  const run = [write(0, 1), { kind: "flush" } as const, write(0, 3), write(1, 4), write(0, 5)]
  const log = recorded(run)
  const seen = new Set<string>()
  for (let seed = 0; seed < 20_000; seed++) {
    const image = crashImage(
      log.entries,
      crashPoint(log.entries, run.length),
      "subset",
      sectorBytes,
      new Prng(seed)
    )
    seen.add(contents(log, image).slice(0, 3).join(" "))
  }
  // 1, 3 or 5 in the first sector; 1, 3, 4 or 5 in the second; 0 or 4 in the third.
  t.is(seen.size, 3 * 4 * 2, [...seen].toSorted().join(", "))
})

test("a seed names one image", (t) => {
  const run = Array.from(
    { length: 20 },
    (_, index): Logged => ({
      kind: "write",
      sector: index,
      data: new Uint8Array(4 * sectorBytes).fill(index + 1)
    })
  )
  const { entries } = recorded(run)
  const point = crashPoint(entries, run.length)
  const image = (seed: number) => crashImage(entries, point, "subset", sectorBytes, new Prng(seed))
  t.deepEqual(image(1), image(1))
  t.notDeepEqual(image(1), image(2))
})

test("the length of the log says which entries were complete", (t) => {
  const { bytes, entries } = recorded([
    { kind: "flush" },
    { kind: "write", sector: 1, data: new Uint8Array(1_024) },
    { kind: "flush" }
  ])
  t.is(positionAt(entries, 0), 0)
  t.is(positionAt(entries, 1_024), 1)
  t.is(positionAt(entries, 1_024 + 512 + 1_023), 1)
  t.is(positionAt(entries, 1_024 + 512 + 1_024), 2)
  t.is(positionAt(entries, bytes.length), 3)
})
