import test from "ava"
import fc from "fast-check"
import { holdMillis } from "#actors/kernel/ports/leases.ts"
import { type Lease, LeaseHeld, LeaseLost, LeasesUnavailable } from "#protocols/leases.ts"
import { defaultRules, type LeaderEffect, LeaderRole } from "./leader-role.ts"

const self = { role: "failover", holder: "n1", path: "/n1/failover" }
const { crashMillis, retryMillis, slackMillis, stopMillis, ttlMillis } = defaultRules
const untilMillis = holdMillis(ttlMillis)
const stopAtMillis = untilMillis - stopMillis - slackMillis

test("it asks at once, leads when it is granted, and renews after a third of the time", (t) => {
  const { core } = leading()
  t.is(core.wakeMillis, ttlMillis / 3)
  const [renew, ...rest] = core.tick(ttlMillis / 3)
  t.is(renew?._tag, "Renew")
  t.is(rest.length, 0)
  core.granted(2, lease(1, ttlMillis / 3), ttlMillis / 3 + 50)
  t.is(core.wakeMillis, (2 * ttlMillis) / 3)
  t.is(core.status(ttlMillis / 3 + 50).remainingMillis, untilMillis - 50)
})

test("a lease that another has is asked for when its time is over, and not in a tight loop if it is there still", (t) => {
  for (const [remainingMillis, wake] of [
    [9_000, 9_000],
    [0, (retryMillis * 1.125) / 4]
  ] as const) {
    const core = begun()
    core.refused(1, held(remainingMillis), 0)
    t.is(core.wakeMillis, wake)
    t.deepEqual(tagsOf(core.tick(wake)), ["Acquire"])
  }
})

test("whoever hears that the lease is free asks for it soon, but not before it may campaign again", (t) => {
  const core = begun()
  t.deepEqual(tagsOf(core.refused(1, held(9_000), 0)), ["Wait"])
  core.freed(2, 1_000)
  t.is(core.wakeMillis, 1_000 + retryMillis / 8)

  const yielding = begun()
  yielding.refused(1, held(9_000), 0)
  yielding.yield({ by: "ann", reason: "a drill" }, 30_000, 500)
  t.deepEqual(tagsOf(yielding.freed(2, 1_000)), [])
  t.is(yielding.wakeMillis, 30_500)
})

test("where nobody says when the lease is free it is asked for every now and then", (t) => {
  const core = begun()
  core.refused(1, held(9_000), 0)
  core.untold(2, 100)
  t.is(core.wakeMillis, 100 + retryMillis * 1.125)
  t.deepEqual(tagsOf(core.tick(core.wakeMillis)), ["Acquire"])
  t.deepEqual(tagsOf(core.refused(3, held(8_000), 2_000)), ["Wait"])
})

test("of two waits for the lease one is under way at most, and what an earlier one says means nothing", (t) => {
  const core = begun()
  core.refused(1, held(2_000), 0)
  core.tick(2_000)
  t.deepEqual(tagsOf(core.refused(3, held(9_000), 2_000)), [])
  t.is(core.wakeMillis, 11_000)
  core.freed(2, 3_000)
  core.tick(core.wakeMillis)
  t.deepEqual(tagsOf(core.refused(4, held(9_000), 4_000)), ["Wait"])
  core.freed(2, 4_100)
  t.is(core.wakeMillis, 13_000)
})

test("without an answer from the store it has stopped its actor before its lease runs out", (t) => {
  const { core } = leading()
  core.tick(ttlMillis / 3)
  core.refused(2, unavailable, ttlMillis / 3 + 2_000)
  t.is(core.wakeMillis, ttlMillis / 3 + 2_000 + retryMillis)
  core.tick(core.wakeMillis)
  t.is(core.wakeMillis, stopAtMillis)
  t.deepEqual(tagsOf(core.tick(stopAtMillis)), ["Stop"])
  const effects = core.ended("shutdown", stopAtMillis + 100)
  t.deepEqual(tagsOf(effects), ["RoleLost", "Release"])
  t.regex(reasonOf(effects), /not renewed in time: the lease store did not answer renew/)
})

test("on waking long after its lease has run out it stops its actor first thing, and says what that means", (t) => {
  const { core } = leading()
  const effects = core.tick(60_000)
  t.deepEqual(tagsOf(effects), ["Stop", "RoleLost"])
  t.regex(reasonOf(effects), /it woke too late; its actor had not stopped when the lease ran out/)
  t.deepEqual(tagsOf(core.ended("shutdown", 60_001)), [])
})

test("a lease that the store says is lost is not argued about", (t) => {
  const { core } = leading()
  core.tick(ttlMillis / 3)
  t.deepEqual(tagsOf(core.refused(2, new LeaseLost({ name: "failover", holder: "n1", epoch: 1 }), 5_100)), [
    "Stop"
  ])
})

test("asked to yield it stops its actor, gives the lease back, and keeps away for as long as it was told", (t) => {
  const { core } = leading()
  t.deepEqual(tagsOf(core.yield({ by: "ann", reason: "a drill" }, 30_000, 1_000)), ["Stop"])
  const effects = core.ended("shutdown", 1_200)
  t.deepEqual(tagsOf(effects), ["RoleLost", "Release"])
  t.like(effects[0], { event: { by: "ann", epoch: 1, reason: "ann asked it to yield: a drill" } })
  t.is(core.wakeMillis, 31_000)
  t.deepEqual(tagsOf(core.yield({ by: "ann", reason: "over" }, 0, 2_000)), ["Acquire"])
})

test("a lease that comes after it was asked to yield, or too late, is given back unused", (t) => {
  const yielding = begun()
  yielding.yield({ by: "ann", reason: "a drill" }, 30_000, 10)
  t.deepEqual(tagsOf(yielding.granted(1, lease(1, 0), 20)), ["Release"])
  const late = begun()
  t.deepEqual(tagsOf(late.granted(1, lease(1, 0), stopAtMillis)), ["Release"])
  t.is(late.status(stopAtMillis).phase, "waiting")
})

test("when its actor ends by itself the lease is given back, and it leaves others the first chance", (t) => {
  const { core } = leading()
  const effects = core.ended("crashed, Error: out of luck", 1_000)
  t.deepEqual(tagsOf(effects), ["RoleLost", "Release"])
  t.is(reasonOf(effects), "its actor has ended: crashed, Error: out of luck")
  t.is(core.wakeMillis, 1_000 + crashMillis)
})

test("when its own life ends it says what it has lost", (t) => {
  t.like(leading().core.end("its candidate has ended"), { epoch: 1, reason: "its candidate has ended" })
  t.is(begun().end("its candidate has ended"), undefined)
})

test("rules under which no renewal can succeed are refused", (t) => {
  const build = (rules: Partial<typeof defaultRules>) =>
    new LeaderRole(self, { ...defaultRules, ...rules }, 0, () => 0)
  t.throws(() => build({ ttlMillis: 6_000 }), { message: /too short to be renewed/ })
  t.throws(() => build({ retryMillis: 0 }), { message: /retryMillis/ })
})

test("whatever answers come when, no actor runs without a lease, and two never run at once", (t) => {
  const input = fc.record({
    what: fc.constantFrom("grant", "held", "silent", "lost", "ended", "yield", "freed", "untold", "nothing"),
    afterMillis: fc.integer({ min: 0, max: 6_000 })
  })
  fc.assert(
    fc.property(fc.array(input, { maxLength: 80 }), (inputs) => {
      const core = new LeaderRole(self, defaultRules, 0, () => 0.5)
      let nowMillis = 0
      let epoch = 0
      // A renewal may be unanswered still when its leadership is over and the next lease is asked for.
      let requests: ReadonlyArray<{ number: number; atMillis: number; renews: number | undefined }> = []
      let running: { stopped: boolean } | undefined
      let waits: ReadonlyArray<number> = []
      const carryOut = (effects: ReadonlyArray<LeaderEffect>) => {
        for (const effect of effects) {
          if (effect._tag === "Acquire" || effect._tag === "Renew") {
            const renews = effect._tag === "Renew" ? effect.lease.epoch : undefined
            if (renews === undefined && requests.some((other) => other.renews === undefined))
              throw new Error("asked for two leases at once")
            requests = [...requests, { number: effect.request, atMillis: nowMillis, renews }]
          } else if (effect._tag === "Start") {
            if (running !== undefined) throw new Error("two actors")
            if (nowMillis >= (core.lease?.untilMillis ?? 0)) throw new Error("started without a lease")
            running = { stopped: false }
          } else if (effect._tag === "Stop" && running !== undefined) running.stopped = true
          else if (effect._tag === "Wait") {
            if (waits.length > 0) throw new Error("waits for the lease twice")
            waits = [effect.request]
          } else if (effect._tag === "Release" && running !== undefined)
            throw new Error("given back too early")
        }
      }
      carryOut(core.tick(0))
      for (const { afterMillis, what } of inputs) {
        // Timers ring on time; only answers come when they like.
        const endMillis = nowMillis + afterMillis
        while (core.wakeMillis <= endMillis) {
          nowMillis = Math.max(nowMillis, core.wakeMillis)
          carryOut(core.tick(nowMillis))
        }
        nowMillis = endMillis
        const asked = requests[0]
        if (what === "ended" && running !== undefined) {
          running = undefined
          carryOut(core.ended("over", nowMillis))
        } else if (what === "freed" || what === "untold") {
          const [wait] = waits
          waits = []
          if (wait !== undefined) carryOut(core[what](wait, nowMillis))
        } else if (what === "yield") carryOut(core.yield({ by: "ann", reason: "x" }, 1_000, nowMillis))
        else if (asked !== undefined && what !== "nothing" && what !== "ended") {
          requests = requests.slice(1)
          if (what === "grant")
            carryOut(core.granted(asked.number, lease(asked.renews ?? ++epoch, asked.atMillis), nowMillis))
          else if (what === "lost" && asked.renews !== undefined)
            carryOut(
              core.refused(asked.number, new LeaseLost({ name: "x", holder: "n1", epoch: 1 }), nowMillis)
            )
          else {
            const isHeld = what === "held" && asked.renews === undefined
            carryOut(core.refused(asked.number, isHeld ? held(3_000) : unavailable, nowMillis))
          }
        }
        const mustHaveStopped = nowMillis >= (core.lease?.untilMillis ?? 0) - stopMillis - slackMillis
        if (running !== undefined && mustHaveStopped && !running.stopped)
          throw new Error("not stopped in time")
      }
    }),
    { numRuns: 1_000 }
  )
  t.pass()
})

// Fixtures

const held = (remainingMillis: number) => new LeaseHeld({ name: "failover", holder: "n2", remainingMillis })

const unavailable = new LeasesUnavailable({
  name: "failover",
  request: "renew",
  reason: "no answer within 2000 ms",
  definite: false
})

const lease = (epoch: number, sentMillis: number): Lease => ({
  name: "failover",
  holder: "n1",
  epoch,
  ttlMillis,
  untilMillis: sentMillis + untilMillis
})

const begun = () => {
  const core = new LeaderRole(self, defaultRules, 0, () => 0.5)
  core.tick(0)
  return core
}

const leading = () => {
  const core = begun()
  const effects = core.granted(1, lease(1, 0), 20)
  return { core, effects }
}

const tagsOf = (effects: ReadonlyArray<LeaderEffect>) =>
  effects.map((effect) => (effect._tag === "Publish" ? effect.event._tag : effect._tag))

const reasonOf = (effects: ReadonlyArray<LeaderEffect>) =>
  effects.flatMap((effect) => (effect._tag === "Publish" ? [effect.event.reason] : []))[0] ?? ""
