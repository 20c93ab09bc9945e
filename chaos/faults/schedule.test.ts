import test, { type ExecutionContext } from "ava"
import { Effect, Either } from "effect"
import fc from "fast-check"
import { Prng } from "#chaos/sim/prng.ts"
import { SimWorld } from "#chaos/sim/world.ts"
import type { Action, ActionTag } from "./action.ts"
import { badNetwork, clockJump, kill, partition, pause, powerLoss, type Target, targets } from "./fault.ts"
import {
  draw,
  endAll,
  nextCommit,
  Player,
  repeat,
  type Step,
  somebodyLeads,
  strike,
  strikeFor,
  type Timed,
  type View,
  wait,
  whyImpossible
} from "./schedule.ts"

const nodes = ["node01", "node02", "node03"]

interface Setting {
  readonly seed?: number
  readonly slowness?: number
  readonly view?: (atMillis: number) => View
  readonly cannot?: (action: ActionTag) => string | undefined
  readonly problem?: (what: string) => void
}

const quiet: View = { leader: "node02", acknowledged: 0, down: [] }

/** What a schedule did, in a simulated world in which nothing else happens. */
const played = (
  steps: ReadonlyArray<Step> | { readonly back: ReadonlyArray<Timed> },
  setting: Setting = {}
) => {
  const world = new SimWorld(setting.seed ?? 1)
  const acts: Array<Timed> = []
  const program = Effect.gen(function* () {
    const player = yield* Player.make<never>({
      nodes,
      prng: new Prng(setting.seed ?? 1),
      slowness: setting.slowness ?? 1,
      view: () => (setting.view ?? (() => quiet))(world.nowMillis),
      cannot: setting.cannot ?? (() => undefined),
      problem: setting.problem ?? (() => {}),
      act: (timed) => Effect.sync(() => void acts.push(timed))
    })
    yield* "back" in steps ? player.playBack(steps.back) : player.play(steps)
  })
  world.run(program)
  return acts
}

const lines = (acts: ReadonlyArray<Timed>) =>
  acts.map(({ action, atMillis }) =>
    `${atMillis} ${action._tag} ${"node" in action ? action.node : ""}`.trim()
  )

test("what struck for a time ends by itself, and what struck without an end ends with the schedule", (t) => {
  const acts = played([strikeFor(300, pause("the leader")), strike(kill(["node01"])), wait(1_000)])
  t.deepEqual(lines(acts), ["0 Pause node02", "0 Kill node01", "300 Resume node02", "1000 Start node01"])
})

test("whoever was struck is who is healed, though somebody else leads by then", (t) => {
  const view = (atMillis: number): View => ({ ...quiet, leader: atMillis < 100 ? "node02" : "node03" })
  const acts = played([strikeFor(500, powerLoss("the leader")), wait(1_000)], { view })
  t.deepEqual(lines(acts), ["0 PowerOff node02", "500 PowerOn node02"])
})

test("the next commit is one that comes after the step has begun", (t) => {
  const view = (atMillis: number): View => ({ ...quiet, acknowledged: atMillis < 460 ? 7 : 8 })
  const acts = played([wait(200), nextCommit, wait(200), strike(kill("the leader"))], { view })
  t.deepEqual(lines(acts), ["660 Kill node02", "660 Start node02"])
})

test("a slow world gets slow schedules", (t) => {
  const acts = played([strikeFor(100, pause(["node01"])), wait(200)], { slowness: 10 })
  t.deepEqual(lines(acts), ["0 Pause node01", "1000 Resume node01"])
})

test("a step that ends everything ends it at once", (t) => {
  const acts = played([strike(pause(["node01"])), wait(50), endAll, wait(500)])
  t.deepEqual(lines(acts), ["0 Pause node01", "50 Resume node01"])
})

test("a schedule that is played back does the same at the same times", (t) => {
  const steps = [
    repeat(5, draw(strikeFor(70, kill("any node")), strikeFor(30, partition("a minority"))), wait(40, 90))
  ]
  const acts = played(steps, { seed: 7 })
  t.true(acts.length > 8)
  t.deepEqual(played({ back: acts }), acts)
  t.deepEqual(played(steps, { seed: 7 }), acts)
  t.notDeepEqual(played(steps, { seed: 8 }), acts)
})

test("of faults that are drawn among, those that the world cannot do are left out", (t) => {
  const cannot = (action: ActionTag) => (action === "PowerOff" ? "it has no power switch" : undefined)
  const either = draw(strikeFor(10, powerLoss("any node")), strikeFor(10, kill("any node")))
  const acts = played([repeat(20, either, wait(20))], { cannot })
  t.true(acts.every(({ action }) => action._tag === "Kill" || action._tag === "Start"))
  t.is(whyImpossible([either], cannot), undefined)
  t.is(whyImpossible([repeat(2, strike(powerLoss("the leader")))], cannot), "it has no power switch")
  t.is(whyImpossible([draw(strike(powerLoss("any node")))], cannot), "it has no power switch")
})

test("whatever the schedule, everything that began has ended when it is over", (t) => {
  const faults = (target: Target) => [powerLoss(target), kill(target), pause(target), partition(target)]
  const target = fc.constantFrom<Target>(
    "the leader",
    "a follower",
    "any node",
    "a minority",
    "a majority",
    "all nodes"
  )
  const step = fc.oneof(
    fc.integer({ min: 0, max: 500 }).map((millis) => wait(millis)),
    fc.tuple(target, fc.nat(3), fc.integer({ min: 1, max: 400 })).map(([whom, which, millis]): Step => {
      const fault = faults(whom)[which]
      return fault === undefined ? endAll : millis > 300 ? strike(fault) : strikeFor(millis, fault)
    }),
    fc.constant(strikeFor(20, badNetwork({ loss: 0.1 }))),
    fc.constant(strike(clockJump("any node", 5)))
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), fc.nat(), (steps, seed) => {
      const open = new Map<string, number>()
      for (const timed of played(steps, { seed })) {
        if (timed.action._tag === "ClockJump") continue
        const key = about(timed.action)
        open.set(key, (open.get(key) ?? 0) + (timed.ends ? -1 : 1))
      }
      return [...open.values()].every((count) => count === 0)
    })
  )
  t.pass()
})

test("victims are as many as the target says, and the leader is the leader", (t) => {
  const five = [...nodes, "node04", "node05"]
  const chosen = (target: Target) => targets(target, five, "node03", new Prng(3))
  t.deepEqual(chosen("the leader"), ["node03"])
  t.is(chosen("a minority").length, 2)
  t.is(chosen("a majority").length, 3)
  t.deepEqual(chosen("all nodes"), five)
  for (let seed = 0; seed < 50; seed++)
    t.not(targets("a follower", five, "node03", new Prng(seed))[0], "node03")
  t.is(targets("the leader", five, undefined, new Prng(1)).length, 1)
})

test("what was waited for in vain, and whom nobody was, is told: the run is not the one that was meant", (t) => {
  const problems: Array<string> = []
  const problem = (what: string) => void problems.push(what)
  const nobodyLeads = { problem, view: () => ({ ...quiet, leader: undefined }) }
  played([somebodyLeads, strike(kill("the leader")), strike(kill([]))], nobodyLeads)
  t.deepEqual(problems, [
    "for 10000 ms it was not so that somebody leads",
    "kill -9: nobody was the leader",
    "kill -9: nobody was among those it is for"
  ])
  problems.length = 0
  played([somebodyLeads, strike(kill("the leader"))], {
    problem,
    view: () => ({ ...quiet, leader: "node02" })
  })
  t.deepEqual(problems, [])
})

test("a world that fails to do something ends the schedule with that", (t) => {
  const world = new SimWorld(1)
  const ended = world.run(
    Effect.gen(function* () {
      const player = yield* Player.make({
        nodes,
        prng: new Prng(1),
        slowness: 1,
        view: () => quiet,
        cannot: () => undefined,
        problem: () => {},
        act: () => Effect.fail("no hands")
      })
      return yield* Effect.either(player.play([strike(kill("any node"))]))
    })
  )
  failed(t, ended)
})

const failed = (t: ExecutionContext, ended: Either.Either<void, string>) =>
  t.is(Either.isLeft(ended) ? ended.left : "nothing", "no hands")

/** The same for a beginning and its end. */
const about = (action: Action): string => {
  switch (action._tag) {
    case "PowerOff":
    case "PowerOn":
      return `power ${action.node}`
    case "Kill":
    case "Start":
      return `process ${action.node}`
    case "Pause":
    case "Resume":
      return `pause ${action.node}`
    case "Cut":
    case "Mend":
      return `cut ${action.from.join()} ${action.to.join()}`
    default:
      return action._tag
  }
}
