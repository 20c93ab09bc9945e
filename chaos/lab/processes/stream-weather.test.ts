import test from "ava"
import fc from "fast-check"
import { fairNetwork, Network } from "#chaos/faults/action.ts"
import { Prng } from "#chaos/sim/prng.ts"
import { pairsOf, StreamWeather, windowBytes } from "./stream-weather.ts"

const ab = { from: "a", to: "b" }
const ba = { from: "b", to: "a" }
const weather = (network: Partial<ConstructorParameters<typeof Network>[0]> = {}) => {
  const made = new StreamWeather(new Prng(1))
  made.set(new Network({ ...fairNetwork, ...network }))
  return made
}

test("a cut holds up what goes that way, until it is mended, however often it was cut", (t) => {
  const net = weather()
  net.cut([ab])
  net.cut([ab])
  t.false(net.passes(ab, 0))
  net.mend([ab, ba])
  t.true(net.passes(ab, 0))
})

test("where nothing comes back a sender gets rid of one window, and no connection is made", (t) => {
  const net = weather()
  net.cut([ba])
  t.true(net.passes(ab, 0))
  t.true(net.passes(ab, windowBytes - 1))
  t.false(net.passes(ab, windowBytes))
  t.false(net.connects(ab))
  t.false(net.connects(ba))
})

test("one way is not the other, and nobody is cut off from itself", (t) => {
  t.deepEqual(pairsOf(["a", "b"], ["b", "c"]), [
    { from: "a", to: "b" },
    { from: "a", to: "c" },
    { from: "b", to: "c" }
  ])
  const net = weather()
  net.cut(pairsOf(["a"], ["b"]))
  t.true(net.isCut(ab))
  t.false(net.isCut(ba))
})

test("a rate is one for all connections of a pair, and none for the other way", (t) => {
  const net = weather({ bytesPerSecond: 1_000 })
  t.is(net.arrivalMillis(ab, 500, 0, 0), 500)
  t.is(net.arrivalMillis(ab, 500, 0, 0), 1_000)
  t.is(net.arrivalMillis(ba, 100, 0, 0), 100)
  t.is(net.arrivalMillis(ab, 500, 5_000, 0), 5_500)
})

test("whatever the weather, bytes come out in order, not before they went in, and at once when it is fair", (t) => {
  const share = fc.double({ min: 0, max: 0.9, noNaN: true })
  const millis = fc.integer({ min: 0, max: 1_000 })
  fc.assert(
    fc.property(
      fc.record({ loss: share, delayMillis: millis, jitterMillis: millis, bytesPerSecond: fc.nat(10_000) }),
      fc.array(fc.tuple(fc.nat(50), fc.integer({ min: 1, max: 5_000 })), { maxLength: 50 }),
      (given, pieces) => {
        const net = weather(given)
        let nowMillis = 0
        let behindMillis = 0
        for (const [afterMillis, bytes] of pieces) {
          nowMillis += afterMillis
          const arrival = net.arrivalMillis(ab, bytes, nowMillis, behindMillis)
          if (arrival < behindMillis || arrival < nowMillis + given.delayMillis) return false
          behindMillis = arrival
        }
        net.set(fairNetwork)
        return net.arrivalMillis(ab, 1_000_000, nowMillis, 0) === nowMillis
      }
    )
  )
  t.pass()
})

test("loss costs the time of sending again, and the share of it is about right", (t) => {
  const net = weather({ loss: 0.1 })
  const late = Array.from({ length: 10_000 }, () => net.arrivalMillis(ab, 100, 0, 0)).filter((at) => at > 0)
  t.true(late.length > 800 && late.length < 1_200, `${late.length}`)
  t.true(late.every((at) => at >= 200))
})
