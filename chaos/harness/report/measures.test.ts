import test from "ava"
import fc from "fast-check"
import type { Sight, Struck } from "#chaos/checkers/evidence.ts"
import type { Operation } from "#chaos/checkers/history.ts"
import { forces, measure, nodeSpans, percentile, sample, throughput } from "./measures.ts"

type Op = Operation<string, string>

const operation = (id: number, invoked: number, tag: "Ok" | "Failed" | "Unknown", ended = invoked): Op => ({
  id,
  client: "ann",
  input: "",
  invoked: { order: 2 * id, millis: invoked },
  ending:
    tag === "Ok"
      ? { _tag: tag, at: { order: 2 * id + 1, millis: ended }, output: "" }
      : tag === "Failed"
        ? { _tag: tag, at: { order: 2 * id + 1, millis: ended }, reason: "" }
        : { _tag: tag, reason: "" }
})

const sight = (atMillis: number, node: string, leader: string | undefined, term = 1): Sight => ({
  atMillis,
  node,
  status:
    leader === undefined
      ? undefined
      : {
          leader,
          term,
          appliedIndex: 0,
          residentBytes: undefined,
          restartsByPath: {},
          members: {},
          fleetBreaker: undefined
        }
})

const struck = (atMillis: number, fault: string, nodes: ReadonlyArray<string>, ends: boolean): Struck => ({
  atMillis,
  fault,
  nodes,
  ends,
  action: undefined,
  what: ""
})

test("a percentile is one of the values, and at most that share of them is smaller", (t) => {
  t.is(percentile([], 0.5), undefined)
  t.deepEqual(
    [0, 0.5, 0.51, 0.99, 1].map((share) => percentile([1, 2, 3, 4], share)),
    [1, 2, 3, 4, 4]
  )
  fc.assert(
    fc.property(
      fc.array(fc.double({ noNaN: true }), { minLength: 1 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (values, share) => {
        const sorted = values.toSorted((one, other) => one - other)
        const found = percentile(sorted, share)
        return (
          found !== undefined &&
          values.includes(found) &&
          values.filter((value) => value < found).length <= share * values.length
        )
      }
    )
  )
  t.pass()
})

test("rates and latencies come from answers; the longest silence counts to the last question", (t) => {
  const history = [
    operation(0, 100, "Ok", 110),
    operation(1, 200, "Ok", 230),
    operation(2, 300, "Unknown"),
    operation(3, 1500, "Failed", 1510),
    operation(4, 1900, "Ok", 1920)
  ]
  t.deepEqual(measure({ history, sights: [], endedMillis: 2000 }), {
    answered: 3,
    failed: 1,
    unknown: 1,
    answeredPerSecond: 1.5,
    latency: { p50Millis: 20, p95Millis: 30, p99Millis: 30, maxMillis: 30 },
    silenceMillisMax: 1690,
    leaderChanges: 0
  })
})

test("an old leader that still believes in itself is no change of leaders", (t) => {
  const sights = [
    sight(0, "a", "a", 1),
    sight(10, "b", "b", 2),
    sight(20, "a", "a", 1),
    sight(30, "b", "b", 2),
    sight(40, "a", "a", 3)
  ]
  t.is(measure({ history: [], sights, endedMillis: 50 }).leaderChanges, 2)
})

test("every operation is in one bucket", (t) => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(
          fc.nat(5000),
          fc.constantFrom("Ok" as const, "Failed" as const, "Unknown" as const),
          fc.nat(900)
        )
      ),
      fc.integer({ min: 1, max: 50 }),
      (drawn, count) => {
        const history = drawn.map(([at, tag, took], id) => operation(id, at, tag, at + took))
        const { buckets } = throughput(history, 4000, count)
        const sum = buckets.reduce((all, one) => all + one.answered + one.failed + one.unknown, 0)
        return buckets.length === count && sum === history.length
      }
    )
  )
  t.pass()
})

test("spans of a node begin where something changed, and leave no gap", (t) => {
  const sights = [
    sight(0, "b", "a"),
    sight(0, "a", "a"),
    sight(100, "a", "a"),
    sight(200, "a", undefined),
    sight(300, "a", "b"),
    sight(300, "b", "b", 2)
  ]
  const spans = nodeSpans(sights, 400)
  t.deepEqual([...spans.keys()], ["a", "b"])
  t.deepEqual(
    spans.get("a")?.map(({ fromMillis, state, untilMillis }) => [state, fromMillis, untilMillis]),
    [
      ["leads", 0, 200],
      ["silent", 200, 300],
      ["follows", 300, 400]
    ]
  )
})

test("a fault lasts from its beginning to its own end, and is a moment without one", (t) => {
  const found = forces([
    struck(10, "pause", ["a"], false),
    struck(20, "pause", ["b"], false),
    struck(25, "clock jump", ["a"], false),
    struck(30, "pause", ["b"], true),
    struck(40, "pause", ["a"], true)
  ])
  t.deepEqual(
    found.map(({ fault, fromMillis, isMoment, nodes, untilMillis }) => [
      fault,
      nodes[0],
      fromMillis,
      untilMillis,
      isMoment
    ]),
    [
      ["pause", "a", 10, 40, false],
      ["pause", "b", 20, 30, false],
      ["clock jump", "a", 25, 25, true]
    ]
  )
})

test("a sample has its size, its order, and everything that must be seen", (t) => {
  fc.assert(
    fc.property(
      fc.nat(300),
      fc.integer({ min: 20, max: 100 }),
      fc.array(fc.nat(299), { maxLength: 20 }),
      (size, most, must) => {
        const history = Array.from({ length: size }, (_, id) =>
          operation(id, id, id % 7 === 0 ? "Unknown" : "Ok", 2 * id)
        )
        const ids = sample(history, new Set(must), most).map(({ id }) => id)
        return (
          ids.length === Math.min(size, most) &&
          ids.every((id, index) => index === 0 || id > (ids[index - 1] ?? 0)) &&
          must.every((id) => id >= size || ids.includes(id))
        )
      }
    )
  )
  t.pass()
})
