/**
 * A hierarchical timing wheel (Varghese and Lauck, 1987): start and cancel cost the same for ten timers
 * and for ten million, which matters because every ask starts a timer and nearly every one is cancelled.
 *
 * Seven levels of 64 slots; a slot of level L spans 64^L ms. A timer waits in the coarsest level that
 * still tells it apart from now and moves to finer ones as its time comes near, so it fires at its exact
 * millisecond. Timers of one millisecond fire in the order they were started. Pure: time is an argument.
 */
const levels = 7
const slotsPerLevel = 64
const units = Array.from({ length: levels }, (_, level) => slotsPerLevel ** level)
/** About 139 years. A timer further away waits there and is placed again. */
const spanMillis = slotsPerLevel ** levels

/** To say exactly when the earliest of a slot is due, so that whoever waits for it wakes once. */
const lookedAtMax = 32

const idle = -1
const firing = -2

/** What the wheel holds. Whoever needs a timer extends this, so that starting one allocates nothing. */
export abstract class Timer {
  dueMillis = 0
  sequence = 0
  /** Which slot it waits in; `idle` when in none. Only the wheel writes it. */
  slot: number = idle
  next: Timer | undefined = undefined
  previous: Timer | undefined = undefined

  /** Neither a timer nor what extends it is a message. */
  readonly _tag = undefined

  abstract fire(): void
}

/** A timer that calls a function. */
export class Callback extends Timer {
  readonly #ring: () => void

  constructor(ring: () => void) {
    super()
    this.#ring = ring
  }

  override fire(): void {
    this.#ring()
  }
}

export class TimerWheel {
  #nowMillis: number
  #sequence = 0
  #size = 0
  /** Before that nothing is due and nothing has to move; it may prove to be too early. */
  #stepMillis = Number.POSITIVE_INFINITY
  readonly #heads = new Array<Timer | undefined>(levels * slotsPerLevel).fill(undefined)
  /** Two words a level: which of its slots hold a timer. */
  readonly #occupied = new Int32Array(levels * 2)

  constructor(nowMillis: number) {
    this.#nowMillis = nowMillis
  }

  get size(): number {
    return this.#size
  }

  /** Fires at `dueMillis`, at the next advance if that has passed. A timer that waits already is moved. */
  start(timer: Timer, dueMillis: number, nowMillis: number): void {
    if (timer.slot !== idle) this.cancel(timer)
    if (this.#size === 0 && nowMillis > this.#nowMillis) this.#nowMillis = nowMillis
    timer.dueMillis = dueMillis
    timer.sequence = this.#sequence++
    this.#size++
    this.#place(timer)
  }

  cancel(timer: Timer): void {
    if (timer.slot === idle) return
    if (timer.slot === firing) {
      timer.slot = idle
      return
    }
    this.#unlink(timer)
    timer.slot = idle
    this.#size--
  }

  /** When the earliest timer is due; a little before where very many wait for about that time. */
  nextMillis(): number | undefined {
    let earliest: number | undefined
    for (let level = 0; level < levels; level++) {
      const unit = units[level]!
      const current = Math.floor(this.#nowMillis / unit)
      const distance = this.#distanceToOccupied(level, current % slotsPerLevel)
      if (distance === 0) continue
      const atMillis = (current + distance) * unit
      if (earliest !== undefined && atMillis >= earliest) continue
      const dueMillis = level === 0 ? atMillis : (this.#earliestIn(level, current + distance) ?? atMillis)
      if (earliest === undefined || dueMillis < earliest) earliest = dueMillis
    }
    return earliest
  }

  /** Undefined where there are too many to look at. */
  #earliestIn(level: number, at: number): number | undefined {
    let earliest = Number.POSITIVE_INFINITY
    let timer = this.#heads[level * slotsPerLevel + (at % slotsPerLevel)]
    for (let looked = 0; timer !== undefined; timer = timer.next) {
      if (++looked > lookedAtMax) return undefined
      earliest = Math.min(earliest, timer.dueMillis)
    }
    return earliest
  }

  /** When a timer is due, or some have to move to a finer level. */
  #nextStepMillis(): number | undefined {
    let earliest: number | undefined
    for (let level = 0; level < levels; level++) {
      const unit = units[level]!
      const current = Math.floor(this.#nowMillis / unit)
      const distance = this.#distanceToOccupied(level, current % slotsPerLevel)
      if (distance === 0) continue
      const atMillis = (current + distance) * unit
      if (earliest === undefined || atMillis < earliest) earliest = atMillis
    }
    return earliest
  }

  /** Fires all timers due until `untilMillis`, that included, in the order of their time. */
  advance(untilMillis: number): void {
    while (this.#stepMillis <= untilMillis) {
      const nextMillis = this.#nextStepMillis() ?? Number.POSITIVE_INFINITY
      this.#stepMillis = nextMillis
      if (nextMillis > untilMillis) break
      this.#nowMillis = nextMillis
      if (nextMillis % slotsPerLevel === 0) this.#cascadeAll(nextMillis)
      this.#fireSlot(nextMillis % slotsPerLevel)
    }
    if (untilMillis > this.#nowMillis) this.#nowMillis = untilMillis
  }

  #place(timer: Timer): void {
    const now = this.#nowMillis
    const dueMillis = Math.min(Math.max(timer.dueMillis, now + 1), now + spanMillis / 2)
    let level = 0
    while (Math.floor(dueMillis / units[level]!) - Math.floor(now / units[level]!) >= slotsPerLevel) level++
    const index = Math.floor(dueMillis / units[level]!) % slotsPerLevel
    const slot = level * slotsPerLevel + index
    const head = this.#heads[slot]
    timer.slot = slot
    timer.previous = undefined
    timer.next = head
    if (head !== undefined) head.previous = timer
    this.#heads[slot] = timer
    this.#occupied[slot >> 5]! |= 1 << (slot & 31)
    this.#stepMillis = Math.min(this.#stepMillis, Math.floor(dueMillis / units[level]!) * units[level]!)
  }

  #unlink(timer: Timer): void {
    const { next, previous, slot } = timer
    if (next !== undefined) next.previous = previous
    if (previous !== undefined) previous.next = next
    else {
      this.#heads[slot] = next
      if (next === undefined) this.#occupied[slot >> 5]! &= ~(1 << (slot & 31))
    }
    timer.next = undefined
    timer.previous = undefined
  }

  #takeSlot(slot: number): Array<Timer> {
    const taken: Array<Timer> = []
    let timer = this.#heads[slot]
    this.#heads[slot] = undefined
    this.#occupied[slot >> 5]! &= ~(1 << (slot & 31))
    while (timer !== undefined) {
      const next: Timer | undefined = timer.next
      timer.next = undefined
      timer.previous = undefined
      taken.push(timer)
      timer = next
    }
    return taken
  }

  #cascadeAll(atMillis: number): void {
    for (let level = levels - 1; level > 0; level--) if (atMillis % units[level]! === 0) this.#cascade(level)
  }

  #cascade(level: number): void {
    const index = Math.floor(this.#nowMillis / units[level]!) % slotsPerLevel
    for (const timer of this.#takeSlot(level * slotsPerLevel + index)) {
      if (timer.dueMillis > this.#nowMillis) this.#place(timer)
      else this.#placeDue(timer)
    }
  }

  /** Due at this very millisecond: into the slot that fires next, which `#place` never chooses. */
  #placeDue(timer: Timer): void {
    const slot = this.#nowMillis % slotsPerLevel
    const head = this.#heads[slot]
    timer.slot = slot
    timer.next = head
    if (head !== undefined) head.previous = timer
    this.#heads[slot] = timer
    this.#occupied[slot >> 5]! |= 1 << (slot & 31)
  }

  #fireSlot(slot: number): void {
    if (this.#heads[slot] === undefined) return
    const due = this.#takeSlot(slot)
    if (due.length > 1) due.sort((left, right) => left.sequence - right.sequence)
    for (const timer of due) timer.slot = firing
    for (const timer of due) {
      this.#size--
      // An earlier one of this very millisecond may have cancelled it, or started it again.
      if (timer.slot !== firing) continue
      timer.slot = idle
      timer.fire()
    }
  }

  /** How many slots ahead of `from` the next occupied one is, 1 to 63; 0 when there is none. */
  #distanceToOccupied(level: number, from: number): number {
    const low = this.#occupied[level * 2]!
    const high = this.#occupied[level * 2 + 1]!
    if (low === 0 && high === 0) return 0
    const after = lowestAtLeast(low, high, from + 1)
    if (after >= 0) return after - from
    const wrapped = lowestAtLeast(low, high, 0)
    return wrapped < from ? wrapped + slotsPerLevel - from : 0
  }
}

/** The lowest set bit at `from` or above in a 64-bit set given as two words; -1 when there is none. */
const lowestAtLeast = (low: number, high: number, from: number): number => {
  if (from < 32) {
    const inLow = low & (-1 << from)
    if (inLow !== 0) return 31 - Math.clz32(inLow & -inLow)
  }
  if (from >= slotsPerLevel) return -1
  const inHigh = from <= 32 ? high : high & (-1 << (from - 32))
  return inHigh === 0 ? -1 : 63 - Math.clz32(inHigh & -inHigh)
}
