/**
 * The switch between guests: learns who is behind which port, and does to frames what the weather between two
 * ports says. A frame goes in with the time, and out come those that are due. Pure; chance comes from a seed.
 *
 *   frame ──► cut? lost? ──► room in the queue? ──► rate ──► delay ──► due
 *
 * Without reordering the frames of one port to another keep their order whatever the delay. A queue holds so many
 * bytes; what comes on top of it is dropped, as switches do. Weather has a direction: a cut of one direction lets
 * the other through. Guests know each other's hardware address from the beginning (guest/begin), so that a
 * question for an address that is not heard does not cut the other direction as well.
 */
import { Prng } from "#chaos/sim/prng.ts"

/** Between two ports, in one direction. */
export interface Weather {
  readonly cut: boolean
  /** Shares of frames. */
  readonly loss: number
  readonly duplicate: number
  readonly reorder: number
  readonly delayMillis: number
  /** On top of the delay, up to so much. */
  readonly jitterMillis: number
  /** 0 is no bound. */
  readonly bytesPerSecond: number
}

export const fair: Weather = {
  cut: false,
  loss: 0,
  duplicate: 0,
  reorder: 0,
  delayMillis: 0,
  jitterMillis: 0,
  bytesPerSecond: 0
}

export interface Delivery {
  readonly to: string
  readonly frame: Uint8Array
}

export interface SwitchLimits {
  /** That wait from one port to another. */
  readonly queueBytesMax: number
  /** Hardware addresses that are remembered. */
  readonly addressesMax: number
}

export const defaultLimits: SwitchLimits = { queueBytesMax: 512 << 10, addressesMax: 1_024 }

/** By how much a frame that is to be overtaken is late. */
const overtakenMillis = 20
/** Two addresses and a type. */
const headerLength = 14

interface Queued extends Delivery {
  readonly dueMillis: number
  readonly number: number
}

/** From one port to another. */
class Link {
  weather = fair
  readonly queue: Array<Queued> = []
  queuedBytes = 0
  /** What keeps its order is due no sooner. */
  dueMillisLast = 0
  /** By when all that was accepted has passed at the rate. */
  freeMillis = 0
}

export interface Counts {
  readonly forwarded: number
  readonly cut: number
  readonly lost: number
  readonly duplicated: number
  readonly reordered: number
  /** There was no room for them. */
  readonly overflowed: number
}

export class FrameSwitch {
  readonly #prng: Prng
  readonly #limits: SwitchLimits
  readonly #ports = new Set<string>()
  readonly #portOf = new Map<string, string>()
  readonly #links = new Map<string, Map<string, Link>>()
  readonly #counts = { forwarded: 0, cut: 0, lost: 0, duplicated: 0, reordered: 0, overflowed: 0 }
  #number = 0
  #queued = 0

  constructor(seed: number, limits: SwitchLimits = defaultLimits) {
    this.#prng = new Prng(seed)
    this.#limits = limits
  }

  get counts(): Counts {
    return { ...this.#counts }
  }

  get ports(): ReadonlyArray<string> {
    return [...this.#ports]
  }

  /** When something is due next; Infinity is never. */
  get wakeMillis(): number {
    let wakeMillis = Number.POSITIVE_INFINITY
    if (this.#queued === 0) return wakeMillis
    for (const { queue } of this.#all()) wakeMillis = Math.min(wakeMillis, queue[0]?.dueMillis ?? wakeMillis)
    return wakeMillis
  }

  plug(port: string): void {
    this.#ports.add(port)
  }

  /** What waits for it or comes from it is gone. Its weather stays. */
  unplug(port: string): void {
    this.#ports.delete(port)
    for (const [address, behind] of this.#portOf) if (behind === port) this.#portOf.delete(address)
    for (const [from, links] of this.#links)
      for (const [to, link] of links) if (from === port || to === port) this.#empty(link)
  }

  /** What is in the queue already keeps its time, unless the link is cut. */
  setWeather(from: string, to: string, weather: Weather): void {
    const link = this.#link(from, to)
    link.weather = weather
    if (weather.cut) this.#empty(link)
  }

  weather(from: string, to: string): Weather {
    return this.#link(from, to).weather
  }

  /** A frame has come in at a port. Returns what is to go out now. */
  arrive(nowMillis: number, from: string, frame: Uint8Array): ReadonlyArray<Delivery> {
    if (!this.#ports.has(from) || frame.length < headerLength) return this.due(nowMillis)
    this.#learn(addressAt(frame, 6), from)
    // The lowest bit of the first byte is set for groups and for everybody.
    const isGroup = ((frame[0] ?? 0) & 1) === 1
    const known = isGroup ? undefined : this.#portOf.get(addressAt(frame, 0))
    const direct: Array<Delivery> = []
    for (const to of known === undefined ? this.#ports : [known])
      if (to !== from) this.#send(nowMillis, this.#link(from, to), { to, frame }, direct)
    if (this.#queued === 0) return direct
    return [...direct, ...this.due(nowMillis)]
  }

  /** What is to go out by now, in the order in which it is due. */
  due(nowMillis: number): ReadonlyArray<Delivery> {
    if (this.#queued === 0) return []
    const due: Array<Queued> = []
    for (const link of this.#all()) {
      const { queue } = link
      while (queue[0] !== undefined && queue[0].dueMillis <= nowMillis) {
        const [first] = queue.splice(0, 1)
        if (first === undefined) break
        link.queuedBytes -= first.frame.length
        this.#queued--
        due.push(first)
      }
    }
    this.#counts.forwarded += due.length
    return due.sort((one, other) => one.dueMillis - other.dueMillis || one.number - other.number)
  }

  #send(nowMillis: number, link: Link, delivery: Delivery, direct: Array<Delivery>): void {
    const { weather } = link
    if (weather === fair && link.queue.length === 0) {
      this.#counts.forwarded++
      direct.push(delivery)
      return
    }
    if (weather.cut) {
      this.#counts.cut++
      return
    }
    if (this.#happens(weather.loss)) {
      this.#counts.lost++
      return
    }
    const copies = this.#happens(weather.duplicate) ? 2 : 1
    if (copies === 2) this.#counts.duplicated++
    for (let copy = 0; copy < copies; copy++) this.#enqueue(nowMillis, link, delivery)
  }

  #enqueue(nowMillis: number, link: Link, { frame, to }: Delivery): void {
    if (link.queuedBytes + frame.length > this.#limits.queueBytesMax) {
      this.#counts.overflowed++
      return
    }
    const { bytesPerSecond, delayMillis, jitterMillis, reorder } = link.weather
    if (bytesPerSecond > 0)
      link.freeMillis = Math.max(link.freeMillis, nowMillis) + (frame.length / bytesPerSecond) * 1_000
    const passedMillis = bytesPerSecond > 0 ? link.freeMillis : nowMillis
    const aimedMillis = passedMillis + delayMillis + jitterMillis * (jitterMillis > 0 ? this.#prng.next() : 0)
    const overtaken = this.#happens(reorder)
    if (overtaken) this.#counts.reordered++
    const dueMillis = overtaken ? aimedMillis + overtakenMillis : Math.max(aimedMillis, link.dueMillisLast)
    if (!overtaken) link.dueMillisLast = dueMillis
    insert(link.queue, { to, frame, dueMillis, number: this.#number++ })
    link.queuedBytes += frame.length
    this.#queued++
  }

  #learn(address: string, port: string): void {
    if (this.#portOf.get(address) === port) return
    const [oldest] = this.#portOf.keys()
    if (oldest !== undefined && this.#portOf.size >= this.#limits.addressesMax) this.#portOf.delete(oldest)
    this.#portOf.set(address, port)
  }

  #happens(share: number): boolean {
    return share > 0 && this.#prng.next() < share
  }

  #empty(link: Link): void {
    this.#queued -= link.queue.length
    link.queue.length = 0
    link.queuedBytes = 0
  }

  #link(from: string, to: string): Link {
    const links = this.#links.get(from) ?? new Map<string, Link>()
    this.#links.set(from, links)
    const link = links.get(to) ?? new Link()
    links.set(to, link)
    return link
  }

  *#all(): Iterable<Link> {
    for (const links of this.#links.values()) yield* links.values()
  }
}

/** Behind all that is due before or with it. Most come last, so the search begins there. */
const insert = (queue: Array<Queued>, entry: Queued): void => {
  let index = queue.length
  while (index > 0 && (queue[index - 1]?.dueMillis ?? 0) > entry.dueMillis) index--
  queue.splice(index, 0, entry)
}

const addressAt = (frame: Uint8Array, offset: number): string => {
  let address = ""
  for (let index = offset; index < offset + 6; index++) address += String.fromCharCode(frame[index] ?? 0)
  return address
}

/** Frames as QEMU sends them over a stream: each behind its length in four bytes, the highest first. */
export class FrameReader {
  #rest: Uint8Array = new Uint8Array()

  /** The frames that are complete now. Throws on a length that no frame has: there is no way on from there. */
  push(bytes: Uint8Array): ReadonlyArray<Uint8Array> {
    const all = this.#rest.length === 0 ? bytes : concat(this.#rest, bytes)
    const view = new DataView(all.buffer, all.byteOffset, all.length)
    const frames: Array<Uint8Array> = []
    let at = 0
    while (all.length - at >= 4) {
      const length = view.getUint32(at)
      if (length > frameLengthMax)
        throw new RangeError(`a frame of ${length} bytes, of ${frameLengthMax} at most`)
      if (all.length - at - 4 < length) break
      frames.push(all.subarray(at + 4, at + 4 + length))
      at += 4 + length
    }
    this.#rest = all.subarray(at)
    return frames
  }
}

/** QEMU's own bound for what goes over a stream. */
const frameLengthMax = 4_096 + 65_536

const concat = (one: Uint8Array, other: Uint8Array): Uint8Array => {
  const all = new Uint8Array(one.length + other.length)
  all.set(one)
  all.set(other, one.length)
  return all
}

export const framed = (frame: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(4 + frame.length)
  new DataView(bytes.buffer).setUint32(0, frame.length)
  bytes.set(frame, 4)
  return bytes
}
