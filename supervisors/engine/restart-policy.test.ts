import test from "ava"
import fc from "fast-check"
import {
  type AutoShutdown,
  affected,
  completesShutdown,
  RestartWindow,
  type Strategy,
  wantsRestart
} from "./restart-policy.ts"

test("who comes back: permanent always, transient after a crash, temporary never", (t) => {
  const restarts = (["permanent", "transient", "temporary"] as const).map((restart) => [
    ...[restart, wantsRestart(restart, true), wantsRestart(restart, false)]
  ])
  t.deepEqual(restarts, [
    ["permanent", true, true],
    ["transient", true, false],
    ["temporary", false, false]
  ])
})

test("who goes along: nobody, everybody, or those started later", (t) => {
  const along = (strategy: Strategy) => affected(strategy, "b", ["a", "b", "c"])
  t.deepEqual(along("one-for-one"), ["b"])
  t.deepEqual(along("dynamic"), ["b"])
  t.deepEqual(along("one-for-all"), ["a", "b", "c"])
  t.deepEqual(along("rest-for-one"), ["b", "c"])
})

test("as many restarts as allowed are fine, one more is too many", (t) => {
  const window = new RestartWindow({ restarts: 2, withinMillis: 1_000 })
  t.deepEqual(
    [0, 10, 20].map((now) => window.exceeds(now)),
    [false, false, true]
  )
})

test("how many restarts count is known at any moment", (t) => {
  const window = new RestartWindow({ restarts: 9, withinMillis: 1_000 })
  for (const now of [0, 10, 500]) window.exceeds(now)
  t.deepEqual(
    [500, 1_000, 1_005, 1_500, 1_501].map((now) => window.count(now)),
    [3, 3, 2, 1, 0]
  )
})

test("where no restart is allowed the first is too many", (t) => {
  t.true(new RestartWindow({ restarts: 0, withinMillis: 1_000 }).exceeds(0))
})

test("a restart counts for its whole period, and not a millisecond longer", (t) => {
  const second = (now: number) => {
    const window = new RestartWindow({ restarts: 1, withinMillis: 1_000 })
    window.exceeds(0)
    return window.exceeds(now)
  }
  t.true(second(1_000))
  t.false(second(1_001))
})

test("the window counts what a list of all restarts would, however many there were", (t) => {
  const pauses = fc.array(fc.nat({ max: 40 }), { maxLength: 200 })
  fc.assert(
    fc.property(
      fc.nat({ max: 4 }),
      fc.integer({ min: 1, max: 50 }),
      pauses,
      (restarts, withinMillis, gaps) => {
        const window = new RestartWindow({ restarts, withinMillis })
        const all: Array<number> = []
        let nowMillis = 0
        for (const gap of gaps) {
          nowMillis += gap
          all.push(nowMillis)
          const counted = all.filter((millis) => millis >= nowMillis - withinMillis).length
          t.is(window.exceeds(nowMillis), counted > restarts)
        }
      }
    )
  )
  t.pass()
})

test("only a significant child completes a shutdown, and where all count only the last", (t) => {
  const completes = (autoShutdown: AutoShutdown) =>
    [
      completesShutdown(autoShutdown, false, false),
      completesShutdown(autoShutdown, true, true),
      completesShutdown(autoShutdown, true, false)
    ].map(Number)
  t.deepEqual(completes("never"), [0, 0, 0])
  t.deepEqual(completes("any-significant"), [0, 1, 1])
  t.deepEqual(completes("all-significant"), [0, 0, 1])
})
