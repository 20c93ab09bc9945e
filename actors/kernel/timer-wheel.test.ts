import test from "ava"
import fc from "fast-check"
import { Callback, type Timer, TimerWheel } from "./timer-wheel.ts"

test("a timer fires at its very millisecond, not one before", (t) => {
  const { fired, start, wheel } = newWheel()
  start("tick", 1_000)
  wheel.advance(999)
  t.deepEqual(fired, [])
  wheel.advance(1_000)
  t.deepEqual(fired, ["tick"])
})

test("timers of one millisecond fire in the order they were started, even from different distances", (t) => {
  const { fired, start, wheel } = newWheel()
  start("first", 5_000)
  wheel.advance(4_000)
  start("second", 5_000)
  wheel.advance(4_990)
  start("third", 5_000)
  wheel.advance(5_000)
  t.deepEqual(fired, ["first", "second", "third"])
})

test("a timer whose time has passed fires at the next millisecond", (t) => {
  const { fired, start, wheel } = newWheel()
  wheel.advance(100)
  start("late", 7)
  wheel.advance(101)
  t.deepEqual(fired, ["late"])
})

test("a cancelled timer does not fire, and cancelling it again does nothing", (t) => {
  const { fired, start, wheel } = newWheel()
  const timer = start("never", 10)
  wheel.cancel(timer)
  wheel.cancel(timer)
  wheel.advance(100)
  t.deepEqual(fired, [])
  t.is(wheel.size, 0)
})

test("starting a timer that waits already moves it", (t) => {
  const { fired, start, wheel } = newWheel()
  const timer = start("moved", 10)
  wheel.start(timer, 500, 0)
  wheel.advance(499)
  t.deepEqual(fired, [])
  wheel.advance(500)
  t.deepEqual(fired, ["moved"])
})

test("a timer may cancel another of the same millisecond", (t) => {
  const { fired, start, wheel } = newWheel()
  wheel.start(new Callback(() => wheel.cancel(victim)), 10, 0)
  const victim = start("victim", 10)
  wheel.advance(20)
  t.deepEqual(fired, [])
  t.is(wheel.size, 0)
})

test("a timer may start itself and others of its millisecond again while it fires", (t) => {
  const { fired, start, wheel } = newWheel()
  const again = new Callback(() => {
    fired.push("again")
    if (fired.length < 3) wheel.start(again, 20 * fired.length, 10)
    wheel.start(other, 100, 10)
  })
  wheel.start(again, 10, 0)
  const other = start("other", 10)
  start("end", 200)
  wheel.advance(99)
  t.deepEqual(fired, ["again", "again", "again"])
  wheel.advance(300)
  t.deepEqual(fired, ["again", "again", "again", "other", "end"])
  t.is(wheel.size, 0)
})

test("a timer years away fires at its millisecond, also beyond the span of the wheel", (t) => {
  for (const years of [1, 50, 69, 70, 139, 140, 300, 1_000]) {
    const { fired, start, wheel } = newWheel()
    const dueMillis = years * yearMillis + 12_345
    start("far", dueMillis)
    wheel.advance(dueMillis - 1)
    t.deepEqual(fired, [], `${years} years`)
    wheel.advance(dueMillis)
    t.deepEqual(fired, ["far"], `${years} years`)
  }
})

test("a timer that is never due does not keep the others from firing", (t) => {
  const { fired, start, wheel } = newWheel()
  start("never", Number.POSITIVE_INFINITY)
  start("soon", 70)
  wheel.advance(500 * yearMillis)
  t.deepEqual(fired, ["soon"])
  t.is(wheel.size, 1)
})

test("the wheel says when its earliest timer is due, and with very many never later", (t) => {
  fc.assert(
    fc.property(fc.array(distance, { minLength: 1, maxLength: 60 }), fc.nat(100_000), (distances, from) => {
      const wheel = new TimerWheel(from)
      for (const millis of distances) wheel.start(new Callback(() => {}), from + millis, from)
      const earliest = from + Math.max(1, Math.min(...distances))
      const next = wheel.nextMillis()!
      t.true(next <= earliest && next > from)
      if (distances.length <= 32) t.is(next, earliest)
    })
  )
})

test("whatever is started, moved, cancelled and advanced, the wheel fires what a sorted list would", (t) => {
  fc.assert(
    fc.property(fc.nat(1_000_000_000), fc.array(step, { maxLength: 80 }), (fromMillis, steps) => {
      const wheel = new WheelUnderTest(fromMillis)
      const model = new SortedList(fromMillis)
      for (const { cancel, from, ms, restart, timer } of steps) {
        for (const one of [wheel, model]) {
          if (from === "advance") one.advance(ms)
          else if (from === "start") one.start(timer, ms, cancel, restart)
          else one.cancel(timer)
        }
        t.deepEqual(wheel.fired, model.fired)
        t.is(wheel.size, model.size)
      }
      wheel.advance(yearMillis * 200)
      model.advance(yearMillis * 200)
      t.deepEqual(wheel.fired, model.fired)
    }),
    { numRuns: 500 }
  )
})

const yearMillis = 365 * 86_400_000

const distance = fc.oneof(
  fc.nat(3),
  fc.nat(200),
  fc.nat(10_000),
  fc.constantFrom(63, 64, 65, 4_095, 4_096, 4_097, 262_143, 262_144, 262_145),
  fc.nat(2 ** 31 - 1),
  fc.integer({ min: 0, max: 150 }).map((years) => years * yearMillis)
)

const step = fc.record({
  from: fc.constantFrom("start", "start", "start", "cancel", "advance"),
  timer: fc.nat(20),
  ms: distance,
  /** When it fires it cancels this one, and starts that one again a little later. */
  cancel: fc.option(fc.nat(20)),
  restart: fc.option(fc.nat(20))
})

interface Sorted {
  timer: number
  dueMillis: number
  sequence: number
}

/** The same promises kept the simple way. */
class SortedList {
  readonly fired: Array<string> = []
  #nowMillis: number
  #sequence = 0
  #waiting: Array<Sorted> = []
  readonly #reactions = new Map<number, readonly [number | null, number | null]>()

  constructor(nowMillis: number) {
    this.#nowMillis = nowMillis
  }

  get size(): number {
    return this.#waiting.length
  }

  start(timer: number, millis: number, cancel: number | null, restart: number | null): void {
    this.#reactions.set(timer, [cancel, restart])
    this.#place(timer, this.#nowMillis + millis)
  }

  cancel(timer: number): void {
    this.#waiting = this.#waiting.filter((other) => other.timer !== timer)
  }

  advance(millis: number): void {
    const untilMillis = this.#nowMillis + millis
    for (;;) {
      this.#waiting.sort((a, b) => a.dueMillis - b.dueMillis || a.sequence - b.sequence)
      const [next] = this.#waiting
      if (next === undefined || next.dueMillis > untilMillis) break
      this.#waiting.shift()
      this.#nowMillis = next.dueMillis
      this.fired.push(`${next.timer} at ${next.dueMillis}`)
      const [cancel, restart] = this.#reactions.get(next.timer) ?? [null, null]
      this.#reactions.delete(next.timer)
      if (cancel !== null) this.cancel(cancel)
      if (restart !== null) this.#place(restart, this.#nowMillis + 10)
    }
    this.#nowMillis = untilMillis
  }

  #place(timer: number, dueMillis: number): void {
    this.cancel(timer)
    const atLeast = Math.max(dueMillis, this.#nowMillis + 1)
    this.#waiting.push({ timer, dueMillis: atLeast, sequence: this.#sequence++ })
  }
}

class WheelUnderTest {
  readonly fired: Array<string> = []
  #nowMillis: number
  readonly #wheel: TimerWheel
  readonly #timers: ReadonlyArray<Timer>
  readonly #reactions = new Map<number, readonly [number | null, number | null]>()

  constructor(nowMillis: number) {
    this.#nowMillis = nowMillis
    this.#wheel = new TimerWheel(nowMillis)
    this.#timers = Array.from({ length: 21 }, (_, number) => new Callback(() => this.#fire(number)))
  }

  get size(): number {
    return this.#wheel.size
  }

  start(timer: number, millis: number, cancel: number | null, restart: number | null): void {
    this.#reactions.set(timer, [cancel, restart])
    this.#start(timer, this.#nowMillis + millis)
  }

  cancel(timer: number): void {
    this.#wheel.cancel(this.#timers[timer]!)
  }

  advance(millis: number): void {
    const untilMillis = this.#nowMillis + millis
    this.#wheel.advance(untilMillis)
    this.#nowMillis = untilMillis
  }

  #start(timer: number, dueMillis: number): void {
    // The wheel counts from its own now when it places a timer that is due already.
    this.#wheel.start(this.#timers[timer]!, Math.max(dueMillis, this.#nowMillis + 1), this.#nowMillis)
  }

  #fire(timer: number): void {
    this.#nowMillis = this.#timers[timer]!.dueMillis
    this.fired.push(`${timer} at ${this.#nowMillis}`)
    const [cancel, restart] = this.#reactions.get(timer) ?? [null, null]
    this.#reactions.delete(timer)
    if (cancel !== null) this.cancel(cancel)
    if (restart !== null) this.#start(restart, this.#nowMillis + 10)
  }
}

const newWheel = () => {
  const wheel = new TimerWheel(0)
  const fired: Array<string> = []
  const start = (name: string, dueMillis: number): Timer => {
    const timer = new Callback(() => void fired.push(name))
    wheel.start(timer, dueMillis, 0)
    return timer
  }
  return { wheel, fired, start }
}
