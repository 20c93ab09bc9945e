import test from "ava"
import fc from "fast-check"
import {
  type Delivery,
  defaultLimits,
  FrameReader,
  FrameSwitch,
  fair,
  framed,
  type Weather
} from "./frame-switch.ts"

/** From one machine to another, or to all (0); the number is what it carries. */
const frame = (from: number, to: number, number = 0, length = 64): Uint8Array => {
  const bytes = new Uint8Array(length)
  bytes.set(to === 0 ? [255, 255, 255, 255, 255, 255] : [2, 0, 0, 0, 0, to])
  bytes.set([2, 0, 0, 0, 0, from], 6)
  new DataView(bytes.buffer).setUint32(16, number)
  return bytes
}

const numberIn = (bytes: Uint8Array): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(16)
const numbers = (deliveries: ReadonlyArray<Delivery>) => deliveries.map((each) => numberIn(each.frame))

/** Three machines that have all been heard. */
const threePorts = (seed = 1, limits = defaultLimits): FrameSwitch => {
  const theSwitch = new FrameSwitch(seed, limits)
  for (const port of ["a", "b", "c"]) theSwitch.plug(port)
  for (const [index, port] of ["a", "b", "c"].entries()) theSwitch.arrive(0, port, frame(index + 1, 0))
  return theSwitch
}

test("a frame for somebody who was never heard goes everywhere else, one for a known goes there alone", (t) => {
  const theSwitch = new FrameSwitch(1)
  for (const port of ["a", "b", "c"]) theSwitch.plug(port)
  t.deepEqual(
    theSwitch.arrive(0, "a", frame(1, 2)).map(({ to }) => to),
    ["b", "c"]
  )
  t.deepEqual(
    theSwitch.arrive(0, "b", frame(2, 1)).map(({ to }) => to),
    ["a"]
  )
})

test("a machine that moves to another port is found there", (t) => {
  const theSwitch = threePorts()
  theSwitch.arrive(1, "c", frame(1, 0))
  t.deepEqual(
    theSwitch.arrive(2, "b", frame(2, 1)).map(({ to }) => to),
    ["c"]
  )
})

test("what comes from a port that is not plugged in, or is too short to be a frame, goes nowhere", (t) => {
  const theSwitch = threePorts()
  t.deepEqual(theSwitch.arrive(0, "d", frame(1, 0)), [])
  t.deepEqual(theSwitch.arrive(0, "a", new Uint8Array(13)), [])
})

test("a cut of one direction leaves the other", (t) => {
  const theSwitch = threePorts()
  theSwitch.setWeather("a", "b", { ...fair, cut: true })
  t.deepEqual(theSwitch.arrive(1, "a", frame(1, 2)), [])
  t.is(theSwitch.arrive(1, "b", frame(2, 1)).length, 1)
  t.is(theSwitch.arrive(1, "a", frame(1, 3)).length, 1)
  theSwitch.setWeather("a", "b", fair)
  t.is(theSwitch.arrive(2, "a", frame(1, 2)).length, 1)
})

test("what waits is gone with a cut, and with the machine that it is for", (t) => {
  for (const end of ["cut", "unplug"] as const) {
    const theSwitch = threePorts()
    theSwitch.setWeather("a", "b", { ...fair, delayMillis: 100 })
    theSwitch.arrive(1, "a", frame(1, 2))
    t.is(theSwitch.wakeMillis, 101)
    if (end === "cut") theSwitch.setWeather("a", "b", { ...fair, cut: true })
    else theSwitch.unplug("b")
    t.is(theSwitch.wakeMillis, Number.POSITIVE_INFINITY)
    t.deepEqual(theSwitch.due(1_000), [])
  }
})

test("a full queue drops what comes last", (t) => {
  const theSwitch = threePorts(1, { ...defaultLimits, queueBytesMax: 200 })
  theSwitch.setWeather("a", "b", { ...fair, delayMillis: 10 })
  for (let number = 0; number < 5; number++) theSwitch.arrive(1, "a", frame(1, 2, number))
  t.deepEqual(numbers(theSwitch.due(11)), [0, 1, 2])
  t.is(theSwitch.counts.overflowed, 2)
})

test("no more addresses are remembered than there is room for", (t) => {
  const theSwitch = threePorts(1, { ...defaultLimits, addressesMax: 2 })
  t.is(theSwitch.arrive(1, "b", frame(2, 1)).length, 2)
  t.is(theSwitch.arrive(1, "b", frame(2, 3)).length, 1)
})

const share = fc.double({ min: 0, max: 1, noNaN: true })
const weather: fc.Arbitrary<Weather> = fc.record({
  cut: fc.boolean(),
  loss: share,
  duplicate: share,
  reorder: share,
  delayMillis: fc.nat(50),
  jitterMillis: fc.nat(50),
  bytesPerSecond: fc.oneof(fc.constant(0), fc.integer({ min: 1_000, max: 1_000_000 }))
})

/** Sends frames a millisecond apart and collects what arrives, with its time. */
const play = (theSwitch: FrameSwitch, count: number, change: (number: number) => void = () => {}) => {
  const arrived: Array<{ readonly number: number; readonly atMillis: number; readonly to: string }> = []
  const take = (atMillis: number, deliveries: ReadonlyArray<Delivery>) => {
    for (const { frame, to } of deliveries) arrived.push({ number: numberIn(frame), atMillis, to })
  }
  for (let number = 1; number <= count; number++) {
    change(number)
    while (theSwitch.wakeMillis < number) take(theSwitch.wakeMillis, theSwitch.due(theSwitch.wakeMillis))
    take(number, theSwitch.arrive(number, "a", frame(1, 2, number)))
  }
  while (theSwitch.wakeMillis < Number.POSITIVE_INFINITY)
    take(theSwitch.wakeMillis, theSwitch.due(theSwitch.wakeMillis))
  return arrived
}

test("while there is a cut nothing comes through, whatever the weather was and is", (t) => {
  fc.assert(
    fc.property(fc.nat(), weather, weather, fc.nat(60), fc.nat(60), (seed, before, after, from, length) => {
      const theSwitch = threePorts(seed)
      const arrived = play(theSwitch, 60, (number) => {
        const cut = number >= from && number < from + length
        theSwitch.setWeather("a", "b", cut ? { ...before, cut } : { ...after, cut: false })
      })
      t.true(arrived.every(({ number }) => number < from || number >= from + length))
      t.true(
        arrived.every(
          ({ atMillis }) => atMillis < from || atMillis >= from + length || length === 0 || from > 60
        )
      )
    })
  )
})

test("without reordering the order is kept, whatever else the weather does, and changes to", (t) => {
  fc.assert(
    fc.property(fc.nat(), fc.array(weather, { minLength: 1 }), (seed, changes) => {
      const theSwitch = threePorts(seed)
      const arrived = play(theSwitch, 60, (number) => {
        const next = changes[number % changes.length]
        if (next !== undefined) theSwitch.setWeather("a", "b", { ...next, reorder: 0 })
      })
      const order = arrived.map(({ number }) => number)
      t.deepEqual(
        order,
        order.toSorted((one, other) => one - other)
      )
    })
  )
})

test("every frame comes once, no sooner than the delay says, where nothing is lost or doubled", (t) => {
  fc.assert(
    fc.property(fc.nat(), weather, (seed, given) => {
      const theSwitch = threePorts(seed)
      theSwitch.setWeather("a", "b", { ...given, cut: false, loss: 0, duplicate: 0 })
      const arrived = play(theSwitch, 60)
      t.deepEqual(
        arrived.map(({ number }) => number).toSorted((one, other) => one - other),
        Array.from({ length: 60 }, (_, index) => index + 1)
      )
      t.true(arrived.every(({ atMillis, number }) => atMillis >= number + given.delayMillis))
    })
  )
})

test("no more bytes pass than the rate allows, in any stretch of time", (t) => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.integer({ min: 1_000, max: 30_000 }),
      fc.nat(20),
      (seed, bytesPerSecond, jitterMillis) => {
        const theSwitch = threePorts(seed)
        theSwitch.setWeather("a", "b", { ...fair, bytesPerSecond })
        const arrived = play(theSwitch, 100 + jitterMillis)
        const last = arrived.at(-1)
        if (last === undefined) return t.fail("nothing arrived")
        t.true(arrived.length * 64 <= (bytesPerSecond * last.atMillis) / 1_000 + 1)
      }
    )
  )
})

test("the same seed does the same to the same frames", (t) => {
  fc.assert(
    fc.property(fc.nat(), weather, (seed, given) => {
      const runs = [1, 2].map(() => {
        const theSwitch = threePorts(seed)
        theSwitch.setWeather("a", "b", given)
        return play(theSwitch, 50)
      })
      t.deepEqual(runs[0], runs[1])
    })
  )
})

test("frames are found in a stream wherever it is torn", (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 300 })),
      fc.integer({ min: 1, max: 40 }),
      (frames, size) => {
        const stream = Buffer.concat(frames.map(framed))
        const reader = new FrameReader()
        const found: Array<Uint8Array> = []
        for (let at = 0; at < stream.length; at += size)
          found.push(...reader.push(stream.subarray(at, at + size)))
        t.deepEqual(
          found.map((each) => [...each]),
          frames.map((each) => [...each])
        )
      }
    )
  )
  t.throws(() => new FrameReader().push(Uint8Array.of(255, 0, 0, 0)), { instanceOf: RangeError })
})
