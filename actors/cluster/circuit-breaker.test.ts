import test from "ava"
import fc from "fast-check"
import type { BreakerState } from "#protocols/breakers.ts"
import { type BreakerChange, type BreakerRules, CircuitBreaker, type Permit } from "./circuit-breaker.ts"

const rules: BreakerRules = {
  windowMillis: 10_000,
  minimumCalls: 4,
  failureRate: 0.5,
  slowMillis: 1_000,
  slowRate: 0.75,
  openMillis: 1_000,
  openMillisMax: 4_000,
  probesMax: 2,
  probesToClose: 3,
  probeMillisMax: 5_000
}

const ann = { by: "ann", reason: "maintenance" }
const bob = { by: "bob", reason: "a drill" }

test("it opens at the very call that makes the share of failures reach its bound", (t) => {
  const { breaker, fail, succeed } = newBreaker()
  succeed(0, 2)
  fail(0)
  t.is(breaker.state, "closed")
  fail(0)
  t.is(breaker.state, "open")
  t.is(breaker.reason, "2 of 4 calls failed within 10 s")
})

test("a rate that no binary fraction is exactly counts as reached", (t) => {
  const { breaker, fail, succeed } = newBreaker({ minimumCalls: 30, failureRate: 0.1 })
  succeed(0, 27)
  fail(0, 3)
  t.is(breaker.state, "open")
})

test("with fewer calls than the minimum it does not judge", (t) => {
  const { breaker, fail } = newBreaker()
  fail(0, 3)
  t.is(breaker.state, "closed")
  fail(10_000)
  t.is(breaker.state, "closed", "the three are forgotten")
})

test("slow calls open it although none failed", (t) => {
  const { breaker, call, succeed } = newBreaker()
  succeed(0)
  for (let slow = 0; slow < 3; slow++) call(0, false, 1_000)
  t.is(breaker.state, "open")
  t.is(breaker.reason, "3 of 4 calls within 10 s took 1 s or longer")
})

test("open it refuses and counts what it refused, until its wait is over to the millisecond", (t) => {
  const { breaker, fail } = newBreaker()
  fail(0, 4)
  t.is(breaker.admit(999), undefined)
  t.is(breaker.status(999).remainingMillis, 1)
  t.not(breaker.admit(1_000), undefined)
  t.is(breaker.state, "half-open")
  t.is(breaker.status(1_000).refused, 1)
})

test("half-open it lets as many probes out at a time as its rules allow, and closes after enough good ones", (t) => {
  const { breaker, fail, path } = newBreaker()
  fail(0, 4)
  const first = breaker.admit(1_000)!
  const second = breaker.admit(1_000)!
  t.is(breaker.admit(1_000), undefined)
  breaker.settle(first, false, 10, 1_010)
  const third = breaker.admit(1_010)!
  breaker.settle(second, false, 10, 1_010)
  t.is(breaker.state, "half-open")
  breaker.settle(third, false, 10, 1_020)
  t.deepEqual(path(), ["closed>open", "open>half-open", "half-open>closed"])
})

test("a probe that fails or is slow opens it again, and each time it waits twice as long, up to a maximum", (t) => {
  const { breaker, fail } = newBreaker()
  fail(0, 4)
  let nowMillis = 0
  const waits: Array<number | null> = []
  for (const failed of [true, false, true, true]) {
    waits.push(breaker.remainingMillis(nowMillis))
    nowMillis += breaker.remainingMillis(nowMillis)!
    const probe = breaker.admit(nowMillis)!
    breaker.settle(probe, failed, 1_000, nowMillis)
    t.is(breaker.state, "open")
  }
  t.deepEqual(waits, [1_000, 2_000, 4_000, 4_000])
})

test("after it has closed, the next opening waits the first time again", (t) => {
  const { breaker, fail, probeWell } = newBreaker()
  fail(0, 4)
  breaker.settle(breaker.admit(1_000)!, true, 1, 1_000)
  probeWell(3_000)
  t.is(breaker.state, "closed")
  fail(3_000, 4)
  t.is(breaker.remainingMillis(3_000), 1_000)
})

test("a call admitted before a change says nothing about the state after it", (t) => {
  const { breaker, fail, probeWell } = newBreaker()
  const old = [1, 2, 3, 4, 5].map(() => breaker.admit(0)!)
  fail(0, 4)
  breaker.advance(1_000)
  const probe = breaker.admit(1_000)!
  breaker.settle(old[0]!, true, 1, 1_000)
  breaker.abandon(old[1]!)
  t.is(breaker.state, "half-open")
  t.is(breaker.status(1_000).probes, 1)
  breaker.settle(probe, false, 1, 1_000)
  probeWell(1_000, 2)
  t.is(breaker.state, "closed")
  for (const permit of [...old.slice(2), probe]) breaker.settle(permit, true, 1, 1_000)
  t.deepEqual(breaker.status(1_000).numbers, { calls: 0, failed: 0, slow: 0 })
})

test("a call admitted before a reset says nothing after it, although the breaker was closed all along", (t) => {
  const { breaker } = newBreaker({ minimumCalls: 1 })
  const permit = breaker.admit(0)!
  breaker.reset(ann, 0)
  breaker.settle(permit, true, 1, 0)
  t.is(breaker.state, "closed")
})

test("an abandoned probe makes room for another and is no verdict", (t) => {
  const { breaker, fail } = newBreaker({ probesMax: 1 })
  fail(0, 4)
  breaker.abandon(breaker.admit(1_000)!)
  t.is(breaker.state, "half-open")
  t.not(breaker.admit(1_000), undefined)
})

test("probes that never come back do not keep it half-open for ever", (t) => {
  const { breaker, fail } = newBreaker({ probesMax: 1 })
  fail(0, 4)
  breaker.admit(1_000)
  t.is(breaker.wakeMillis, 6_000)
  t.is(breaker.admit(6_000), undefined)
  t.is(breaker.state, "open")
  t.is(breaker.reason, "its probes did not come back within 5 s")
})

test("it is tripped and reset by hand from any state, and says who did it", (t) => {
  const { breaker, changes, fail } = newBreaker()
  breaker.trip(ann, 0)
  breaker.trip(bob, 500)
  t.is(breaker.remainingMillis(500), 1_000, "it waits its whole time again")
  breaker.advance(1_500)
  breaker.reset(bob, 1_500)
  fail(1_500, 3)
  breaker.reset(ann, 1_500)
  fail(1_500, 3)
  t.is(breaker.state, "closed", "a reset forgets what was counted")
  t.deepEqual(
    changes.map(({ by, reason }) => [by, reason]),
    [
      ["ann", "maintenance"],
      ["bob", "a drill"],
      [undefined, "its wait is over"],
      ["bob", "a drill"],
      ["ann", "maintenance"]
    ]
  )
})

test("held closed it lets everything through, and judges when it is released", (t) => {
  const { breaker, fail } = newBreaker()
  t.is(breaker.hold(ann, 0), undefined)
  fail(0, 100)
  t.is(breaker.state, "closed")
  t.deepEqual(breaker.trip(bob, 0), ann)
  t.deepEqual(breaker.reset(bob, 0), ann)
  t.deepEqual(breaker.hold(bob, 0), ann)
  breaker.release(bob, 0)
  t.is(breaker.state, "open")
})

test("held open it refuses however long it takes", (t) => {
  const { breaker } = newBreaker()
  breaker.trip(ann, 0)
  breaker.hold(ann, 10)
  t.is(breaker.admit(1_000_000), undefined)
  t.is(breaker.remainingMillis(1_000_000), null)
  breaker.release(ann, 1_000_000)
  t.is(breaker.state, "half-open")
})

test("held half-open it goes on probing without a verdict", (t) => {
  const { breaker, probeWell } = newBreaker()
  breaker.trip(ann, 0)
  breaker.advance(1_000)
  breaker.hold(ann, 1_000)
  probeWell(1_000, 10)
  t.is(breaker.state, "half-open")
  breaker.release(ann, 1_000)
  t.is(breaker.state, "closed")
})

test("rules that make no sense are refused by the name of the rule", (t) => {
  t.throws(() => newBreaker({ minimumCalls: 0 }), {
    message: "a breaker's minimumCalls is 0: it must be more than 0"
  })
  t.throws(() => newBreaker({ slowRate: 1.5 }), {
    message: "a breaker's slowRate is 1.5: it must be at most 1"
  })
})

// Properties

type Doing =
  | { readonly do: "call" | "abandon" | "trip" | "reset" | "hold" | "release" | "wait" }
  | { readonly do: "return"; readonly which: number; readonly failed: boolean; readonly tookMillis: number }

const one = (what: Exclude<Doing["do"], "return">): fc.Arbitrary<Doing> => fc.constant({ do: what })

const doing = fc.oneof(
  { arbitrary: one("call"), weight: 20 },
  {
    arbitrary: fc.record({
      do: fc.constant("return" as const),
      which: fc.nat(100),
      failed: fc.boolean(),
      tookMillis: fc.nat(2_000)
    }),
    weight: 20
  },
  { arbitrary: one("abandon"), weight: 2 },
  { arbitrary: one("wait"), weight: 6 },
  { arbitrary: one("trip"), weight: 1 },
  { arbitrary: one("reset"), weight: 1 },
  { arbitrary: one("hold"), weight: 1 },
  { arbitrary: one("release"), weight: 2 }
)

const history = fc.array(fc.tuple(doing, fc.nat(600)), { maxLength: 300, size: "max" })

test("its history is legal, whatever happens", (t) => {
  const legal = new Set(["closed>open", "open>half-open", "half-open>open", "half-open>closed"])
  fc.assert(
    fc.property(history, (steps) => {
      const { breaker, changes } = live(steps)
      let state: BreakerState = "closed"
      let held = false
      for (const [index, change] of changes.entries()) {
        t.is(change.number, index + 1)
        if (change._tag === "Changed") {
          t.is(change.from, state)
          t.false(held, "held, it stays")
          const byHand = change.by !== undefined
          if (byHand) t.not(change.to, "half-open")
          else t.true(legal.has(`${change.from}>${change.to}`), `${change.from}>${change.to}`)
          state = change.to
        } else {
          t.is(change.state, state)
          held = change._tag === "HoldBegan"
        }
      }
      t.is(breaker.state, state)
      t.is(breaker.held !== undefined, held)
    }),
    { numRuns: 1_000 }
  )
})

test("half-open it never has more probes out than its limit, and open it admits nobody", (t) => {
  fc.assert(
    fc.property(history, (steps) => {
      live(steps, ({ breaker, generationOut, state }) => {
        if (breaker.state === "half-open") t.true(generationOut() <= rules.probesMax)
        if (breaker.state === "half-open") t.is(breaker.status(0).probes, generationOut())
        if (state.admittedWhile === "open") t.fail("admitted while open")
      })
      t.pass()
    }),
    { numRuns: 1_000 }
  )
})

test("closed it opens if and only if a share is reached with enough calls in the window", (t) => {
  const call = fc.record({ failed: fc.boolean(), slow: fc.boolean(), afterMillis: fc.nat(4_000) })
  const odds = fc.record({
    failureRate: fc.double({ min: 0.05, max: 1, noNaN: true }),
    slowRate: fc.double({ min: 0.05, max: 1, noNaN: true }),
    minimumCalls: fc.integer({ min: 1, max: 12 })
  })
  fc.assert(
    fc.property(fc.array(call, { maxLength: 60, size: "max" }), odds, (calls, changed) => {
      const { breaker } = newBreaker(changed)
      const all: Array<{ readonly bucket: number; readonly failed: boolean; readonly slow: boolean }> = []
      let nowMillis = 0
      for (const { afterMillis, failed, slow } of calls) {
        nowMillis += afterMillis
        breaker.settle(breaker.admit(nowMillis)!, failed, slow ? rules.slowMillis : 0, nowMillis)
        const bucket = Math.floor(nowMillis / 1_000)
        all.push({ bucket, failed, slow })
        const inside = all.filter((other) => other.bucket > bucket - 10)
        const share = (what: "failed" | "slow") =>
          inside.filter((other) => other[what]).length / inside.length
        const due =
          inside.length >= changed.minimumCalls &&
          (share("failed") >= changed.failureRate || share("slow") >= changed.slowRate)
        t.is(breaker.state, due ? "open" : "closed")
        if (due) return
      }
    }),
    { numRuns: 1_000 }
  )
})

test("once the target is well and nobody holds it, it closes within its longest wait and a few probes", (t) => {
  fc.assert(
    fc.property(history, (steps) => {
      const { breaker, nowMillis } = live(steps)
      breaker.release(ann, nowMillis)
      const wellMillis = nowMillis + rules.openMillisMax + rules.probeMillisMax + rules.openMillisMax
      for (let atMillis = nowMillis; atMillis <= wellMillis; atMillis += 100) {
        const permit = breaker.admit(atMillis)
        if (permit !== undefined) breaker.settle(permit, false, 1, atMillis)
      }
      t.is(breaker.state, "closed")
    }),
    { numRuns: 1_000 }
  )
})

test("a million calls leave no more behind than one", (t) => {
  const { breaker, changes } = newBreaker()
  const sizeAfter = (calls: number) => {
    for (let call = 0; call < calls; call++) breaker.settle(breaker.admit(call)!, call % 3 === 1, 1, call)
    return JSON.stringify(breaker.status(calls)).length
  }
  sizeAfter(10_000)
  const before = process.memoryUsage().heapUsed
  sizeAfter(1_000_000)
  const grownBytes = process.memoryUsage().heapUsed - before
  t.is(changes.length, 0)
  t.true(breaker.status(1_000_000).numbers.calls <= rules.windowMillis)
  // A list of the calls would take at least eight bytes for each.
  t.true(grownBytes < 8_000_000, `${grownBytes} bytes`)
})

// Fixtures

const newBreaker = (changed: Partial<BreakerRules> = {}) => {
  const changes: Array<BreakerChange> = []
  const breaker = new CircuitBreaker({ ...rules, ...changed }, (change) => void changes.push(change))
  const call = (nowMillis: number, failed: boolean, tookMillis = 1) =>
    breaker.settle(breaker.admit(nowMillis)!, failed, tookMillis, nowMillis)
  const repeat = (nowMillis: number, failed: boolean, times: number) => {
    for (let time = 0; time < times; time++) call(nowMillis, failed)
  }
  return {
    breaker,
    changes,
    call,
    fail: (nowMillis: number, times = 1) => repeat(nowMillis, true, times),
    succeed: (nowMillis: number, times = 1) => repeat(nowMillis, false, times),
    probeWell: (nowMillis: number, times = rules.probesToClose) => repeat(nowMillis, false, times),
    path: () =>
      changes.flatMap((change) => (change._tag === "Changed" ? [`${change.from}>${change.to}`] : []))
  }
}

interface Lived {
  readonly breaker: CircuitBreaker
  readonly changes: ReadonlyArray<BreakerChange>
  readonly nowMillis: number
  /** Calls under way that were admitted since the last change of state. */
  readonly generationOut: () => number
  readonly state: { admittedWhile: BreakerState | undefined }
}

/** Lets a breaker live through a history; looks at it after every step. */
const live = (
  steps: ReadonlyArray<readonly [Doing, number]>,
  look: (lived: Lived) => void = () => {}
): Lived => {
  const { breaker, changes } = newBreaker()
  const out: Array<{ readonly permit: Permit; readonly era: number }> = []
  const state: { admittedWhile: BreakerState | undefined } = { admittedWhile: undefined }
  const era = () => changes.filter(({ _tag }) => _tag === "Changed").length
  let nowMillis = 0
  const act = (step: Doing) => {
    switch (step.do) {
      case "call": {
        const permit = breaker.admit(nowMillis)
        state.admittedWhile = permit === undefined ? undefined : breaker.state
        if (permit !== undefined) out.push({ permit, era: era() })
        return
      }
      case "return": {
        const [ended] = out.splice(step.which % Math.max(1, out.length), 1)
        if (ended !== undefined) breaker.settle(ended.permit, step.failed, step.tookMillis, nowMillis)
        return
      }
      case "abandon": {
        const ended = out.shift()
        if (ended !== undefined) breaker.abandon(ended.permit)
        return
      }
      case "wait":
        return breaker.advance(nowMillis)
      default:
        breaker[step.do](step.do === "hold" ? ann : bob, nowMillis)
    }
  }
  const lived = () => ({
    breaker,
    changes,
    nowMillis,
    state,
    generationOut: () => out.filter((call) => call.era === era()).length
  })
  for (const [step, afterMillis] of steps) {
    nowMillis += afterMillis
    act(step)
    look(lived())
  }
  return lived()
}
