/**
 * What a disk may hold after the power was cut, by what it was told before.
 *
 *   writes … flush │ writes …           │ cut
 *   durable        │ pending: any of it │ never happened
 *
 * Of what is pending the disk holds any writes, and of a write any sectors: its cache is written back in an
 * order of its own. A sector holds its durable content or that of any pending write to it. To leave out pending
 * writes sector by sector, and keep the order of the rest, gives each of these contents, so writes need not be
 * put in another order as well.
 *
 * Limits of the model. A write that completed while a flush was under way counts as durable after it, though a
 * disk need not see it so: the log does not say when a flush began. A sector is never half old and half new,
 * and a write spoils nothing but its own sectors. What a discard leaves behind are zeros. A write or flush that
 * ended with an injected fault is in the log like any other one, so its data counts as written.
 */
import type { Prng } from "#chaos/sim/prng.ts"
import type { LogEntry } from "./write-log.ts"

/** The power went when so many entries were complete. */
export interface CrashPoint {
  readonly position: number
  /** All entries in front of this one are durable. */
  readonly durableUpTo: number
  /** Indexes of entries after it that change the disk and may be lost, in order. */
  readonly pending: ReadonlyArray<number>
}

/** Indexes of entries, and of a torn one which of its sectors there are. */
export interface Survivor {
  readonly entry: number
  readonly sectors?: ReadonlyArray<boolean>
}

/** What the disk holds: all entries in front of `durableUpTo`, and then these, in this order. */
export interface CrashImage {
  readonly durableUpTo: number
  readonly survivors: ReadonlyArray<Survivor>
  /** How many pending writes are not there at all, and how many are there in part. */
  readonly dropped: number
  readonly torn: number
}

/** `flushed`: nothing that was pending is there. */
export type CrashMode = "flushed" | "subset"

const changesDisk = ({ kind }: LogEntry): boolean => kind === "write" || kind === "discard"

export const crashPoint = (entries: ReadonlyArray<LogEntry>, position: number): CrashPoint => {
  if (position < 0 || position > entries.length)
    throw new RangeError(`the log has ${entries.length} entries, so nothing crashes after ${position}`)
  let durableUpTo = position
  while (durableUpTo > 0 && entries[durableUpTo - 1]?.flushesBefore !== true) durableUpTo--
  // A write that flushes first is itself not durable by that.
  const last = entries[durableUpTo - 1]
  if (last !== undefined && changesDisk(last) && !last.durable) durableUpTo--
  const pending: Array<number> = []
  for (let index = durableUpTo; index < position; index++) {
    const entry = entries[index]
    if (entry !== undefined && changesDisk(entry) && !entry.durable) pending.push(index)
  }
  return { position, durableUpTo, pending }
}

/** How many entries were complete when the log was so long. */
export const positionAt = (entries: ReadonlyArray<LogEntry>, logBytes: number): number => {
  let [low, high] = [0, entries.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((entries[middle]?.endOffset ?? 0) <= logBytes) low = middle + 1
    else high = middle
  }
  return low
}

/** Some disks write back nearly all, some nearly nothing, some in order until the power is gone. */
const manners = ["any", "any", "most", "few", "in order"] as const

export const crashImage = (
  entries: ReadonlyArray<LogEntry>,
  point: CrashPoint,
  mode: CrashMode,
  sectorBytes: number,
  prng: Prng
): CrashImage => {
  const { durableUpTo, pending, position } = point
  const manner = manners[prng.below(manners.length)] ?? "any"
  const keeps = { any: 0.5, most: 0.95, few: 0.05, "in order": 1 }[manner]
  const inOrderUpTo = manner === "in order" ? prng.below(pending.length + 1) : pending.length
  const tearing = prng.next() / 2
  const fates = new Map<number, ReadonlyArray<boolean> | undefined>()
  let torn = 0
  for (const [place, index] of pending.entries()) {
    if (mode === "flushed" || place >= inOrderUpTo || !prng.chance(keeps)) continue
    const sectors = prng.chance(tearing) ? tornSectors(entries[index], sectorBytes, prng) : undefined
    if (sectors !== undefined) torn++
    fates.set(index, sectors)
  }
  const survivors: Array<Survivor> = []
  const lost = new Set(pending)
  for (let index = durableUpTo; index < position; index++) {
    const entry = entries[index]
    if (entry === undefined || !changesDisk(entry)) continue
    const sectors = fates.get(index)
    if (sectors !== undefined) survivors.push({ entry: index, sectors })
    else if (fates.has(index) || !lost.has(index)) survivors.push({ entry: index })
  }
  return { durableUpTo, survivors, dropped: pending.length - fates.size, torn }
}

/** Of one sector there is no part. */
const tornSectors = (
  entry: LogEntry | undefined,
  sectorBytes: number,
  prng: Prng
): ReadonlyArray<boolean> | undefined => {
  const count = (entry?.bytes ?? 0) / sectorBytes
  if (count < 2) return undefined
  const mostly = prng.next()
  const sectors = Array.from({ length: count }, () => prng.chance(mostly))
  // Neither all of it nor nothing, or it would not be torn.
  if (sectors.every((kept) => kept === sectors[0])) {
    const odd = prng.below(count)
    sectors[odd] = sectors[odd] !== true
  }
  return sectors
}
