import test from "ava"
import { kill } from "#chaos/faults/fault.ts"
import { draw, repeat, strike, wait } from "#chaos/faults/schedule.ts"
import { madeUpScenario } from "./fixtures/made-up-run.ts"
import { drawProgress, expectedMillis } from "./progress-view.ts"
import type { Progress } from "./run.ts"
import { Screen, type ScreenOptions } from "./screen.ts"

const progress = (more: Partial<Progress> = {}): Progress => ({
  phase: "faults",
  elapsedMillis: 3000,
  nodes: { node01: "leads", node02: "follows", node03: "down" },
  inForce: ["power loss (node03)"],
  answered: 5000,
  failed: 3,
  unknown: 2,
  ...more
})

const plain = { colour: false, columns: 200 }

test("who leads, what is in force, how much is answered and how long it takes are one look", (t) => {
  const before = progress({ elapsedMillis: 1000, answered: 1000 })
  const view = { title: "leader-power-loss in sim, seed 7", now: progress(), before, expectedMillis: 10_000 }
  t.deepEqual(drawProgress(view, plain), [
    "leader-power-loss in sim, seed 7: faults, 3.0 s, about 7.0 s left",
    "nodes       node01 leads, node02, node03 down",
    "faults      power loss (node03)",
    "operations  2,000/s, 5,000 answered, 3 failed, 2 unknown"
  ])
})

test("no line is wider than the terminal, and no name moves its cursor", (t) => {
  const now = progress({ inForce: [`pause (\u001b[2J${"x".repeat(500)})`] })
  const view = { title: "t", now, before: undefined, expectedMillis: undefined }
  for (const line of drawProgress(view, { colour: false, columns: 80 })) {
    t.true(line.length <= 80)
    t.false(line.includes("\u001b"))
  }
})

test("what a scenario takes is told from its waits", (t) => {
  const scenario = {
    ...madeUpScenario("s"),
    faults: [repeat(3, wait(1000, 3000), draw(wait(100), strike(kill("any node"))))]
  }
  t.is(expectedMillis(scenario, undefined), 3 * (2000 + 50) + scenario.recoveryMillis)
  t.is(expectedMillis(scenario, 60_000), 60_000 + scenario.recoveryMillis)
})

const screenOf = (mode: ScreenOptions["mode"]) => {
  const written: Array<string> = []
  const clock = { millis: 0 }
  const screen = new Screen({
    mode,
    write: (text) => void written.push(text),
    columns: () => 100,
    nowMillis: () => clock.millis
  })
  screen.begin("a run", undefined)
  return { screen, written, clock }
}

test("on a terminal it is redrawn in place, not too often, and lines that stay come above it", (t) => {
  const { clock, screen, written } = screenOf("redrawn")
  for (; clock.millis < 1000; clock.millis += 10) screen.progress(progress({ elapsedMillis: clock.millis }))
  const drawings = written.filter((text) => text.includes("a run"))
  t.is(drawings.length, 10)
  t.is(written.filter((text) => text === "\u001b[4A\u001b[J").length, 9)
  screen.say("the power of node03 is cut")
  t.deepEqual(written.slice(-2), ["\u001b[4A\u001b[J", "the power of node03 is cut\n"])
})

test("in a file there is a line for what is new, and now and then one that it goes on", (t) => {
  const { screen, written } = screenOf("lines")
  for (let millis = 0; millis < 30_000; millis += 200) screen.progress(progress({ elapsedMillis: millis }))
  t.is(written.length, 3)
  screen.progress(progress({ elapsedMillis: 30_100, inForce: [] }))
  screen.progress(progress({ elapsedMillis: 30_200, inForce: [], phase: "recovery" }))
  t.is(written.length, 5)
  t.regex(written.at(-1) ?? "", /all healed, recovering/)
})

test("where a program reads the result, nothing else is written", (t) => {
  const { screen, written } = screenOf("silent")
  screen.progress(progress())
  screen.say("a line")
  screen.passing("another")
  screen.end()
  t.deepEqual(written, [])
})
