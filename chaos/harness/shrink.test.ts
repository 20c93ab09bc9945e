import test from "ava"
import fc from "fast-check"
import { type Action, ClockJump, Cut, Kill, Mend, Pause, Resume, Start } from "#chaos/faults/action.ts"
import { Timed } from "#chaos/faults/schedule.ts"
import { shrinking, unitsOf } from "./shrink.ts"

type Schedule = ReadonlyArray<Timed>

const timed = (atMillis: number, fault: string, action: Action, ends = false): Timed =>
  new Timed({ atMillis, action, fault, ends })

/** What comes of a shrinking, and how many runs it took. */
const shrunk = (schedule: Schedule, fails: (candidate: Schedule) => boolean) => {
  const shrink = shrinking(schedule)
  let runs = 0
  let step = shrink.next()
  while (step.done !== true) {
    runs++
    step = shrink.next(fails(step.value))
  }
  return { schedule: step.value, runs }
}

const pauseAt = (from: number, until: number, node: string): Schedule => [
  timed(from, "pause", new Pause({ node })),
  timed(until, "pause", new Resume({ node }), true)
]
const killAt = (from: number, until: number, node: string): Schedule => [
  timed(from, "kill -9", new Kill({ node })),
  timed(until, "kill -9", new Start({ node }), true)
]
const byTime = (schedule: Schedule) => schedule.toSorted((one, other) => one.atMillis - other.atMillis)

const nodes = ["node01", "node02", "node03"]
const faults = fc
  .array(
    fc.tuple(
      fc.constantFrom(...nodes),
      fc.integer({ min: 0, max: 20_000 }),
      fc.integer({ min: 0, max: 5000 }),
      fc.constantFrom(pauseAt, killAt)
    ),
    { maxLength: 12 }
  )
  .map((drawn) => byTime(drawn.flatMap(([node, from, length, make]) => make(from, from + length, node))))

const tagsOf = (schedule: Schedule) =>
  schedule.map(({ action }) => `${action._tag} ${"node" in action ? action.node : ""}`)
const isThere = (schedule: Schedule, tags: ReadonlyArray<string>) => {
  const there = tagsOf(schedule)
  return tags.every((tag) => there.includes(tag))
}

test("a pause and a kill that matter are all that is left of a long schedule, and nobody waits", (t) => {
  const schedule = byTime([
    ...pauseAt(1000, 2000, "node01"),
    ...killAt(1500, 4000, "node02"),
    ...pauseAt(5000, 6000, "node02"),
    ...killAt(7000, 8000, "node03"),
    ...pauseAt(9000, 12_000, "node03"),
    timed(10_000, "clock jump", new ClockJump({ node: "node01", millis: 500 }))
  ])
  const { schedule: shortest } = shrunk(schedule, (one) => isThere(one, ["Pause node02", "Kill node03"]))
  t.deepEqual(tagsOf(shortest), ["Pause node02", "Resume node02", "Kill node03", "Start node03"])
  t.deepEqual(
    shortest.map(({ atMillis }) => atMillis),
    [0, 0, 0, 0]
  )
})

test("a wait that is needed is halved until it is no longer enough", (t) => {
  const schedule = pauseAt(4000, 12_000, "node01")
  const { schedule: shortest } = shrunk(schedule, ([pause, resume]) =>
    pause === undefined || resume === undefined ? false : resume.atMillis - pause.atMillis >= 1500
  )
  const [from = 0, until = 0] = shortest.map(({ atMillis }) => atMillis)
  t.is(from, 0)
  t.true(until >= 1500 && until < 2100, `${until} ms`)
})

test("where no fault is needed, none is left", (t) => {
  t.deepEqual(
    shrunk(pauseAt(1000, 2000, "node01"), () => true),
    { schedule: [], runs: 1 }
  )
})

test("whatever is needed, the shortest fails, and leaving out any one unit of it does not", (t) => {
  fc.assert(
    fc.property(faults, fc.array(fc.nat(23), { maxLength: 4 }), (schedule, needed) => {
      const tags = needed.flatMap((index) => tagsOf(schedule)[index] ?? [])
      const fails = (candidate: Schedule) => isThere(candidate, tags)
      const { schedule: shortest } = shrunk(schedule, fails)
      const units = unitsOf(shortest)
      return (
        fails(shortest) &&
        units.every((unit) => {
          const left = new Set(unit.map(({ timed }) => timed))
          return !fails(shortest.filter((one) => !left.has(one)))
        })
      )
    })
  )
  t.pass()
})

test("even where failing has no reason, it ends with a schedule that failed, in a bounded number of runs", (t) => {
  fc.assert(
    fc.property(faults, fc.infiniteStream(fc.boolean()), (schedule, coins) => {
      let last: Schedule = schedule
      const { runs, schedule: shortest } = shrunk(schedule, (candidate) => {
        const [failed = false] = coins.take(1)
        if (failed) last = candidate
        return failed
      })
      const units = unitsOf(schedule).length
      return tagsOf(shortest).join() === tagsOf(last).join() && runs <= 20 + 20 * (units + 1) ** 2
    })
  )
  t.pass()
})

test("in every candidate the order is kept, no time is negative, and what began has its end", (t) => {
  fc.assert(
    fc.property(faults, fc.infiniteStream(fc.boolean()), (schedule, coins) => {
      let right = true
      shrunk(schedule, (candidate) => {
        let before = 0
        for (const { atMillis } of candidate) {
          right &&= atMillis >= before
          before = atMillis
        }
        right &&= unitsOf(candidate).every((unit) => unit.length === 2)
        const [failed = false] = coins.take(1)
        return failed
      })
      return right
    })
  )
  t.pass()
})

test("each direction of a partition is a unit of its own, with its mending", (t) => {
  const [a, b] = [["node01"], ["node02", "node03"]]
  const schedule = [
    timed(0, "partition", new Cut({ from: a, to: b })),
    timed(0, "partition", new Cut({ from: b, to: a })),
    timed(900, "partition", new Mend({ from: a, to: b }), true),
    timed(900, "partition", new Mend({ from: b, to: a }), true)
  ]
  t.deepEqual(
    unitsOf(schedule).map((unit) => unit.map(({ index }) => index)),
    [
      [0, 2],
      [1, 3]
    ]
  )
})
