import test from "ava"
import fc from "fast-check"
import {
  MemberFailed,
  MemberJoined,
  MemberLeft,
  type MemberRecord,
  MemberRecovered,
  MemberSuspected,
  type MembershipEvent,
  MemberUpdated,
  Metadata
} from "#protocols/membership.ts"
import { defaultRules, FleetBreaker, type FleetChange, type FleetRules } from "./fleet-breaker.ts"

const ann = { by: "ann", reason: "a drill" }

test("half of a zone dead within the window stops automation there, and nowhere else", (t) => {
  const { breaker, die, joined } = newFleet()
  joined("a", 10)
  joined("b", 20)
  t.deepEqual(die("a", 4, 0), [])
  const [change] = die("a", 1, 0, 4)
  t.like(change, {
    to: "tripped",
    zone: "a",
    reason: "5 of 10 nodes died within 60 s",
    members: 10,
    healthy: 5
  })
  t.deepEqual(change?.dead, ["a0", "a1", "a2", "a3", "a4"])
  t.is(breaker.stopped("a", 0)?.tripped, "a")
  t.is(breaker.stopped("b", 0), undefined)
})

test("half of the fleet dead stops automation in every zone, also in those without a death", (t) => {
  const { breaker, die, joined } = newFleet()
  joined("a", 4)
  joined("b", 2)
  joined("c", 2)
  t.deepEqual(
    die("a", 4, 0).map(({ zone }) => zone),
    ["a", null]
  )
  t.is(breaker.stopped("c", 0)?.tripped, null)
  t.is(breaker.stopped("a zone without nodes", 0)?.tripped, null)
})

test("deaths spread over the window count together", (t) => {
  const { die, joined } = newFleet()
  joined("a", 10)
  const changes = [0, 1, 2, 3, 4].map((index) => die("a", 1, index * 14_999, index))
  t.deepEqual(
    changes.map(({ length }) => length),
    [0, 0, 0, 0, 2]
  )
})

test("slow attrition, which automation has dealt with, never trips it", (t) => {
  const { breaker, die, joined } = newFleet()
  joined("a", 10)
  for (let index = 0; index < 9; index++) t.deepEqual(die("a", 1, index * 60_000, index), [])
  t.is(breaker.size, 2, "those that count no more are forgotten")
})

test("once tripped it does not reset because time passes", (t) => {
  const { breaker, die, joined } = newFleet()
  joined("a", 10)
  die("a", 5, 0)
  breaker.status(3_600_000)
  const dayMillis = 86_400_000
  const { change } = tell(breaker, new MemberUpdated(about(record("a9", "a"))), dayMillis)
  t.is(change, undefined)
  t.like(breaker.stopped("a", dayMillis), { sinceMillis: dayMillis, healthyNeeded: 8 })
})

test("it resets when enough are healthy again, and one less is not enough", (t) => {
  const { breaker, die, joined, recover } = newFleet()
  joined("a", 10)
  die("a", 5, 0)
  t.deepEqual(recover("a", 2, 100_000), [])
  t.deepEqual(
    recover("a", 1, 100_000, 2).map(({ by, reason, to, zone }) => [to, zone, reason, by]),
    [
      ["reset", null, "8 of 10 nodes are healthy", undefined],
      ["reset", "a", "8 of 10 nodes are healthy", undefined]
    ]
  )
  t.is(breaker.stopped("a", 100_000), undefined)
})

test("new nodes help as much as those that come back", (t) => {
  const { breaker, die, joined } = newFleet()
  joined("a", 4)
  die("a", 2, 0)
  joined("a", 5, 4)
  t.not(breaker.stopped("a", 0), undefined)
  joined("a", 1, 9)
  t.is(breaker.stopped("a", 0), undefined)
})

test("a suspected member is not dead, but not healthy either", (t) => {
  const { breaker, die, joined, recover } = newFleet()
  joined("a", 10)
  const suspect = (index: number) =>
    tell(breaker, new MemberSuspected(about(record(`a${index}`, "a"))), 0).change
  for (let index = 0; index < 10; index++) t.is(suspect(index), undefined)
  recover("a", 10, 0)
  die("a", 5, 0)
  suspect(9)
  t.deepEqual(recover("a", 3, 0), [])
  t.is(recover("a", 1, 0, 9).length, 2)
})

test("planned leaves are no deaths, however many", (t) => {
  const { breaker, die, joined, leave } = newFleet()
  joined("a", 10)
  die("a", 1, 0)
  t.deepEqual(leave("a", 8, 0, 1), [])
  t.is(breaker.stopped("a", 0), undefined)
  t.like(breaker.status(0)[1], { zone: "a", healthy: 1, members: 2 })
})

test("taking the dead out of the cluster for good resets it", (t) => {
  const { breaker, die, joined, leave } = newFleet()
  joined("a", 2)
  die("a", 2, 0)
  leave("a", 2, 0)
  t.is(breaker.stopped("a", 0), undefined)
})

test("nodes that were never seen alive do not count", (t) => {
  const { breaker, die, joined } = newFleet()
  joined("a", 2)
  t.deepEqual(die("b", 50, 0), [])
  t.is(breaker.size, 2)
  t.deepEqual(tell(breaker, new MemberSuspected(about(record("c", "c"))), 0).all, [])
  t.is(breaker.size, 2)
})

test("in a small fleet one death is what automation is for, and two are not", (t) => {
  for (const size of [1, 2, 3, 4]) {
    const { breaker, die, joined } = newFleet()
    joined("a", size)
    die("a", 1, 0)
    t.is(breaker.stopped("a", 0), undefined, `1 of ${size}`)
    die("a", 1, 0, 1)
    t.is(breaker.stopped("a", 0) !== undefined, size > 1, `2 of ${size}`)
  }
})

test("a node that dies again and again is one dead node", (t) => {
  const { die, joined, recover } = newFleet()
  joined("a", 10)
  for (let time = 0; time < 20; time++) t.deepEqual([...die("a", 1, time), ...recover("a", 1, time)], [])
})

test("a reset by hand forgives those who are dead, and the next deaths count from there", (t) => {
  const { breaker, die, joined } = newFleet()
  joined("a", 10)
  die("a", 6, 0)
  t.like(breaker.reset("a", ann, 1)[0], { to: "reset", zone: "a", by: "ann", healthy: 4, members: 10 })
  t.is(breaker.stopped("a", 1)?.tripped, null, "the fleet is another matter")
  breaker.reset(null, ann, 1)
  t.is(breaker.stopped("a", 1), undefined)
  t.is(breaker.size, 4)
  die("a", 1, 1, 6)
  t.is(breaker.stopped("a", 1), undefined)
  die("a", 1, 1, 7)
  t.is(breaker.stopped("a", 1)?.reason, "2 of 4 nodes died within 60 s")
})

test("tripped by hand it waits for a hand", (t) => {
  const { breaker, joined } = newFleet()
  t.like(breaker.trip("a", ann, 0)[0], { to: "tripped", zone: "a", by: "ann", reason: "a drill" })
  joined("a", 10)
  t.like(breaker.stopped("a", 5_000), { by: "ann", healthyNeeded: null, sinceMillis: 5_000 })
  t.is(breaker.reset("a", ann, 5_000).length, 1)
  t.deepEqual(breaker.reset("a", ann, 5_000), [], "there was nothing to reset")
})

test("taken over by hand it still knows who died before", (t) => {
  const { breaker, die, joined } = newFleet()
  joined("a", 10)
  die("a", 5, 0)
  breaker.trip("a", ann, 600_000)
  t.is(breaker.stopped("a", 600_000)?.status.tripped, true)
  t.is(breaker.status(600_000)[1]?.dead.length, 5)
})

test("a node that moves to another zone counts there", (t) => {
  const { breaker, joined } = newFleet()
  joined("a", 2)
  tell(breaker, new MemberUpdated(about(record("a0", "b"))), 0)
  t.deepEqual(
    breaker.status(0).map(({ members, zone }) => [zone, members]),
    [
      [null, 2],
      ["b", 1],
      ["a", 1]
    ]
  )
})

test("it begins with what membership knows, and counts the failed as dying now", (t) => {
  const breaker = new FleetBreaker(defaultRules)
  const members = ["alive", "suspect", "failed", "failed", "left"].map((status, index) => ({
    ...record(`a${index}`, "a"),
    status: status as MemberRecord["status"]
  }))
  t.deepEqual(
    breaker.begin(members, 0).map(({ dead, healthy, members, zone }) => [zone, dead, healthy, members]),
    [
      ["a", ["a2", "a3"], 1, 4],
      [null, ["a2", "a3"], 1, 4]
    ]
  )
})

test("an event that is older than what it knows changes nothing", (t) => {
  const { breaker, die, joined } = newFleet()
  joined("a", 2)
  for (const name of ["a0", "a1"]) tell(breaker, new MemberRecovered(about(record(name, "a", 7))), 0)
  t.deepEqual(die("a", 2, 0), [])
})

test("rules that would flap are refused", (t) => {
  t.throws(() => newFleet({ tripRate: 0.2 }), {
    message:
      "a fleet breaker that trips at 0.2 dead and resets at 0.8 healthy would flap: the two rates must add up to more than 1"
  })
  t.throws(() => newFleet({ windowMillis: 0 }), { message: /makes no sense/ })
})

// Properties

const node = fc.record({ index: fc.nat(11), zone: fc.constantFrom("a", "b") })
const happening = fc.record({
  what: fc.constantFrom("join", "recover", "fail", "fail", "suspect", "leave"),
  node,
  afterMillis: fc.oneof(fc.constant(0), fc.nat(30_000))
})
const happenings = fc.array(happening, { maxLength: 200, size: "max" })

test("it agrees with a plain list of all that ever happened", (t) => {
  fc.assert(
    fc.property(happenings, (steps) => {
      const { breaker } = newFleet()
      const model = new Model()
      let nowMillis = 0
      for (const { afterMillis, node: of, what } of steps) {
        nowMillis += afterMillis
        const event = eventOf(what, of.index, of.zone)
        breaker.observe(event, nowMillis)
        model.observe(event, nowMillis)
        for (const scope of [null, "a", "b"]) {
          const stop = breaker.stopped(scope ?? "another", nowMillis)
          const tripped =
            stop !== undefined && (scope === null || stop.tripped === null || stop.tripped === scope)
          t.is(tripped, model.tripped.has(scope) || model.tripped.has(null), `${scope}`)
        }
      }
    }),
    { numRuns: 500 }
  )
})

test("between two trips of a scope it was as healthy as its rule demands: it does not flap", (t) => {
  fc.assert(
    fc.property(happenings, (steps) => {
      const { breaker } = newFleet()
      const last = new Map<string | null, FleetChange>()
      let nowMillis = 0
      for (const { afterMillis, node: of, what } of steps) {
        nowMillis += afterMillis
        for (const change of breaker.observe(eventOf(what, of.index, of.zone), nowMillis)) {
          t.not(change.to, last.get(change.zone)?.to ?? "reset", "trips and resets take turns")
          const { dead, healthy, members } = change
          if (change.to === "tripped") t.true(dead.length >= 2 && dead.length / members >= 0.5)
          else t.true(members === 0 || healthy / members >= 0.8)
          last.set(change.zone, change)
        }
      }
      t.pass()
    }),
    { numRuns: 500 }
  )
})

test("a member that dies and returns at the very threshold trips it once", (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 4, max: 30 }), fc.integer({ min: 2, max: 50 }), (size, times) => {
      const { die, joined, recover } = newFleet()
      joined("a", size)
      const threshold = Math.ceil(size / 2)
      const trips = die("a", threshold, 0).filter(({ zone }) => zone === "a")
      for (let time = 1; time <= times; time++) {
        trips.push(...recover("a", 1, time), ...die("a", 1, time))
      }
      t.is(trips.filter(({ zone }) => zone === "a").length, 1)
    })
  )
})

test("it remembers nobody but members and those of the dead that count", (t) => {
  fc.assert(
    fc.property(happenings, (steps) => {
      const { breaker } = newFleet()
      let nowMillis = 0
      for (const { afterMillis, node: of, what } of steps) {
        nowMillis += afterMillis
        breaker.observe(eventOf(what, of.index, of.zone), nowMillis)
      }
      const counted = new Set(breaker.status(nowMillis).flatMap(({ dead }) => dead))
      const [fleet] = breaker.status(nowMillis)
      t.true(breaker.size <= fleet!.members + counted.size)
      for (const scope of [null, "a", "b"]) breaker.reset(scope, ann, nowMillis)
      t.is(breaker.size, breaker.status(nowMillis)[0]!.members)
    }),
    { numRuns: 500 }
  )
})

// Fixtures

const record = (name: string, zone: string, incarnation = 1): MemberRecord => ({
  name,
  address: `${name}:7700`,
  bootId: "boot",
  incarnation,
  status: "alive",
  metadata: new Metadata({ roles: [], zone, version: "1", ports: {} })
})

const about = (member: MemberRecord) => ({
  member,
  evidence: { source: "test", what: "probe" as const, confirmations: 0 }
})

const tell = (breaker: FleetBreaker, event: MembershipEvent, nowMillis: number) => {
  const all = breaker.observe(event, nowMillis)
  return { all, change: all[0] }
}

const eventOf = (what: string, index: number, zone: string): MembershipEvent => {
  const told = about(record(`${zone}${index}`, zone))
  if (what === "join") return new MemberJoined(told)
  if (what === "recover") return new MemberRecovered(told)
  if (what === "suspect") return new MemberSuspected(told)
  return what === "leave" ? new MemberLeft(told) : new MemberFailed(told)
}

const newFleet = (rules: Partial<FleetRules> = {}) => {
  const breaker = new FleetBreaker({ ...defaultRules, ...rules })
  const each = (what: string) => (zone: string, count: number, nowMillis: number, from: number) =>
    Array.from({ length: count }, (_, index) =>
      breaker.observe(eventOf(what, from + index, zone), nowMillis)
    ).flat()
  return {
    breaker,
    joined: (zone: string, count: number, from = 0) => each("join")(zone, count, 0, from),
    die: (zone: string, count: number, nowMillis: number, from = 0) =>
      each("fail")(zone, count, nowMillis, from),
    recover: (zone: string, count: number, nowMillis: number, from = 0) =>
      each("recover")(zone, count, nowMillis, from),
    leave: (zone: string, count: number, nowMillis: number, from = 0) =>
      each("leave")(zone, count, nowMillis, from)
  }
}

interface Known {
  readonly zone: string
  readonly status: "healthy" | "suspect" | "dead"
  readonly diedMillis: number
}

/** The rules once more, without forgetting anything and without any hurry. */
class Model {
  readonly tripped = new Map<string | null, number>()
  readonly #known = new Map<string, Known>()

  observe({ _tag, member }: MembershipEvent, nowMillis: number): void {
    const { name } = member
    const { zone } = member.metadata
    const known = this.#known.get(name)
    const dead = known?.status === "dead"
    if (_tag === "MemberJoined" || _tag === "MemberRecovered")
      this.#known.set(name, { zone, status: "healthy", diedMillis: 0 })
    if (_tag === "MemberLeft") this.#known.delete(name)
    if (_tag === "MemberSuspected" && known !== undefined && !dead)
      this.#known.set(name, { ...known, status: "suspect" })
    if (_tag === "MemberFailed" && known !== undefined && !dead) {
      this.#known.set(name, { zone, status: "dead", diedMillis: nowMillis })
      for (const scope of [zone, null]) {
        const { died, members } = this.#numbers(scope, nowMillis)
        if (died >= 2 && died / members >= 0.5 && !this.tripped.has(scope)) this.tripped.set(scope, nowMillis)
      }
    }
    for (const scope of [...this.tripped.keys()]) {
      const { healthy, members } = this.#numbers(scope, nowMillis)
      if (members === 0 || healthy / members >= 0.8) this.tripped.delete(scope)
    }
  }

  #numbers(scope: string | null, nowMillis: number) {
    const sinceMillis = (this.tripped.get(scope) ?? nowMillis) - 60_000
    const here = [...this.#known.values()].filter(({ zone }) => scope === null || zone === scope)
    const died = here.filter(({ diedMillis, status }) => status === "dead" && diedMillis > sinceMillis).length
    const alive = here.filter(({ status }) => status !== "dead")
    return {
      died,
      members: alive.length + died,
      healthy: alive.filter(({ status }) => status === "healthy").length
    }
  }
}
