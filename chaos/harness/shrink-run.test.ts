import test from "ava"
import { Effect } from "effect"
import type { Timed } from "#chaos/faults/schedule.ts"
import { madeUpOptions, madeUpRun } from "./fixtures/made-up-run.ts"
import { type Budget, failedChecks, shrinkRun } from "./shrink-run.ts"

const failed = madeUpRun()

interface Setting {
  readonly budget?: Budget
  readonly fails: (actions: ReadonlyArray<Timed>) => boolean
  readonly nowMillis?: () => number
}

const shrunk = ({ budget = { runsMax: 100, millisMax: 1000 }, fails, nowMillis = () => 0 }: Setting) =>
  Effect.runSync(
    shrinkRun({
      actions: failed.actions,
      failed: failedChecks(failed),
      play: (playBack) =>
        Effect.succeed(madeUpRun({ options: { ...madeUpOptions, playBack }, isWrong: fails(playBack) })),
      budget,
      nowMillis,
      say: () => {}
    })
  )

const tags = (actions: ReadonlyArray<Timed> = []) => actions.map(({ action }) => action._tag)

test("what is left is the run that failed last, with the actions that it takes", (t) => {
  const { isCutShort, run } = shrunk({ fails: (actions) => tags(actions).includes("PowerOff") })
  t.false(isCutShort)
  t.deepEqual(tags(run?.actions), ["PowerOff", "PowerOn"])
})

test("a schedule that does not fail again is left alone", (t) => {
  const { run, runs } = shrunk({ fails: () => false })
  t.is(run, undefined)
  t.is(runs, 1)
})

test("when the budget is used up it says so, and gives the shortest so far", (t) => {
  const fails = (actions: ReadonlyArray<Timed>) => tags(actions).includes("PowerOff")
  const few = shrunk({ fails, budget: { runsMax: 3, millisMax: 1000 } })
  t.true(few.isCutShort)
  t.is(few.runs, 3)
  t.true(tags(few.run?.actions).includes("PowerOff"))
  let now = 0
  const slow = shrunk({ fails, nowMillis: () => (now += 400) })
  t.true(slow.isCutShort)
  t.true(slow.runs <= 3)
})

test("another check that fails is another story", (t) => {
  const other = Effect.runSync(
    shrinkRun({
      actions: failed.actions,
      failed: new Set(["recovery"]),
      play: (playBack) => Effect.succeed(madeUpRun({ options: { ...madeUpOptions, playBack } })),
      budget: { runsMax: 10, millisMax: 1000 },
      nowMillis: () => 0,
      say: () => {}
    })
  )
  t.is(other.run, undefined)
})
