import test from "ava"
import { Effect, Exit } from "effect"
import { leasesContract } from "#actors/kernel/fixtures/leases-contract.ts"
import type { WorldClock } from "#actors/kernel/ports/clock.ts"
import { clockDriftMax, holdMillis } from "#actors/kernel/ports/leases.ts"
import { type LeaseHeld, LeaseLost, LeasesUnavailable } from "#protocols/leases.ts"
import { SimLeases } from "./sim-leases.ts"
import { SimWorld } from "./world.ts"

const ttl = 10_000

for (const [promise, plays] of Object.entries(leasesContract)) {
  test(`as every store of leases: ${promise}`, (t) => {
    play((leases, { clock }) =>
      plays({ one: leases.portOf("n1"), two: leases.portOf("n2"), clock, ttlMillis: ttl }, t)
    )
  })
}

test("a free name is granted, with the time that its holder may act by its own clock", (t) => {
  const lease = play((leases) => leases.portOf("n1").acquire("volumes", "n1", ttl))
  t.deepEqual(lease, {
    name: "volumes",
    holder: "n1",
    epoch: 1,
    ttlMillis: ttl,
    untilMillis: holdMillis(ttl)
  })
})

test("a name that another holds is refused with its holder and the time that remains", (t) => {
  const fault = play((leases) =>
    Effect.gen(function* () {
      yield* leases.portOf("n1").acquire("volumes", "n1", ttl)
      yield* Effect.sleep(4_000)
      return yield* Effect.flip(leases.portOf("n2").acquire("volumes", "n2", ttl))
    })
  ) as LeaseHeld
  t.is(fault._tag, "LeaseHeld")
  t.is(fault.holder, "n1")
  t.true(fault.definite && fault.remainingMillis > 5_900 && fault.remainingMillis <= 6_010)
  t.regex(fault.message, /volumes is leased to n1 for another 6\.0 s/)
})

test("epochs of one name grow for ever: after expiry, after release, and for the same holder", (t) => {
  const epochs = play((leases) =>
    Effect.gen(function* () {
      const [one, two] = [leases.portOf("n1"), leases.portOf("n2")]
      const first = yield* one.acquire("volumes", "n1", ttl)
      const again = yield* one.acquire("volumes", "n1", ttl)
      yield* one.release(again)
      const released = yield* two.acquire("volumes", "n2", ttl)
      yield* Effect.sleep(ttl)
      const expired = yield* one.acquire("volumes", "n1", ttl)
      const other = yield* one.acquire("routes", "n1", ttl)
      return [first, again, released, expired, other].map(({ epoch }) => epoch)
    })
  )
  t.deepEqual(epochs, [1, 2, 3, 4, 1])
})

test("a renewal gives the whole time again, and what has run out or was taken anew is lost", (t) => {
  const { late, old, renewed } = play((leases) =>
    Effect.gen(function* () {
      const port = leases.portOf("n1")
      const lease = yield* port.acquire("volumes", "n1", ttl)
      yield* Effect.sleep(6_000)
      const renewed = yield* port.renew(lease)
      yield* Effect.sleep(6_000)
      const held = yield* port.acquire("volumes", "n1", ttl)
      const old = yield* Effect.flip(port.renew(lease))
      yield* Effect.sleep(ttl)
      return { renewed, old, late: yield* Effect.flip(port.renew(held)) }
    })
  )
  t.is(renewed.epoch, 1)
  t.true(renewed.untilMillis >= 6_000 + holdMillis(ttl))
  t.true(old instanceof LeaseLost && late instanceof LeaseLost)
})

test("giving back an old epoch takes nothing from a new one", (t) => {
  const holder = play((leases) =>
    Effect.gen(function* () {
      const port = leases.portOf("n1")
      const lease = yield* port.acquire("volumes", "n1", ttl)
      yield* port.acquire("volumes", "n1", ttl)
      yield* port.release(lease)
      return leases.holderOf("volumes")
    })
  )
  t.is(holder, "n1")
})

test("a node that is cut off gets no answer in time, and at most sometimes learns that nothing happened", (t) => {
  const faults = play((leases) =>
    Effect.gen(function* () {
      leases.cut("n1")
      const faults: Array<LeasesUnavailable> = []
      for (let turn = 0; turn < 20; turn++) {
        const fault = yield* Effect.flip(leases.portOf("n1").acquire("volumes", "n1", ttl))
        if (fault instanceof LeasesUnavailable) faults.push(fault)
      }
      yield* leases.portOf("n2").acquire("volumes", "n2", ttl)
      return faults
    })
  )
  t.is(faults.length, 20)
  t.true(faults.some(({ definite }) => definite) && faults.some(({ definite }) => !definite))
  t.regex(
    faults.find(({ definite }) => !definite)?.message ?? "",
    /no answer within 1000 ms.*it may have been done/
  )
})

test("an answer may be lost after the grant has happened, and then another is refused", (t) => {
  const outcomes = new Set<string>()
  for (let seed = 1; seed <= 60; seed++) {
    const [own, other] = play(
      (leases) =>
        Effect.gen(function* () {
          leases.weather = { ...leases.weather, loss: 0.5 }
          const own = yield* Effect.exit(leases.portOf("n1").acquire("volumes", "n1", ttl))
          leases.weather = { ...leases.weather, loss: 0 }
          const other = yield* Effect.exit(leases.portOf("n2").acquire("volumes", "n2", ttl))
          return [own, other] as const
        }),
      seed
    )
    outcomes.add(
      `${Exit.isSuccess(own) ? "granted" : "unknown"}, then ${Exit.isSuccess(other) ? "free" : "held"}`
    )
  }
  t.deepEqual([...outcomes].toSorted(), ["granted, then held", "unknown, then free", "unknown, then held"])
})

test("what is asked twice by the network is harmless: nobody else gets it before its holder has stopped", (t) => {
  for (let seed = 1; seed <= 60; seed++) {
    const [untilMillis, nextMillis] = play(
      (leases, world) =>
        Effect.gen(function* () {
          leases.weather = { ...leases.weather, duplicate: 0.8, latencyMillisMax: 500 }
          // The slowest clock that is promised to be still good enough.
          const rate = 1 - clockDriftMax
          const slow: WorldClock = {
            nowMillis: () => world.nowMillis * rate,
            wallMillis: world.clock.wallMillis,
            alarm: (delayMillis, ring) => world.clock.alarm(delayMillis / rate, ring)
          }
          const port = leases.portOf("n1", slow)
          let lease = yield* port.acquire("volumes", "n1", ttl)
          for (let turn = 0; turn < 3; turn++) {
            yield* Effect.sleep(3_000)
            const renewed = yield* Effect.option(port.renew(lease))
            if (renewed._tag === "Some") lease = renewed.value
          }
          const other = leases.portOf("n2")
          while (Exit.isFailure(yield* Effect.exit(other.acquire("volumes", "n2", ttl))))
            yield* Effect.sleep(1)
          const granted = leases.grants.find(({ holder }) => holder === "n2")?.atMillis ?? 0
          return [lease.untilMillis / rate, granted] as const
        }),
      seed
    )
    t.true(nextMillis >= untilMillis, `seed ${seed}: granted at ${nextMillis}, held until ${untilMillis}`)
  }
})

const play = <A, E>(body: (leases: SimLeases, world: SimWorld) => Effect.Effect<A, E>, seed = 1): A => {
  const world = new SimWorld(seed)
  return world.run(body(new SimLeases(world), world))
}
