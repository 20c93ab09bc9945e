import test from "ava"
import fc from "fast-check"
import { del, type EtcdInput, type EtcdOutput, etcdModel, get, put } from "#chaos/models/etcd-model.ts"
import { Prng } from "#chaos/sim/prng.ts"
import { bounds, bruteForce, crowd, deleted, got, swap, whole, written, wrote } from "./fixtures/histories.ts"
import type { History, Operation } from "./history.ts"
import { checkLinearizability, renderVerdict } from "./linearizability.ts"

type EtcdHistory = History<EtcdInput, EtcdOutput>
const etcd = written<EtcdInput, EtcdOutput>

const check = (history: EtcdHistory) => checkLinearizability(etcdModel, history, bounds)
const tagOf = (history: EtcdHistory) => check(history)._tag

test("of two writes at once either may have come last", (t) => {
  const writes = [
    ["c1", put("a", "1"), 0, 3, wrote()],
    ["c2", put("a", "2"), 1, 2, wrote()]
  ] as const
  t.is(tagOf(etcd(...writes, ["c1", get("a"), 4, 5, got("1")])), "Linearizable")
  t.is(tagOf(etcd(...writes, ["c1", get("a"), 4, 5, got("2")])), "Linearizable")
  t.is(tagOf(etcd(...writes, ["c1", get("a"), 4, 5, got("2")], ["c1", get("a"), 6, 7, got("1")])), "Violated")
})

test("a read that began after a write was acknowledged sees it", (t) => {
  t.is(tagOf(etcd(["c1", put("a", "1"), 0, 1, wrote()], ["c2", get("a"), 2, 3, got(null)])), "Violated")
  t.is(tagOf(etcd(["c1", put("a", "1"), 0, 2, wrote()], ["c2", get("a"), 1, 3, got(null)])), "Linearizable")
})

test("a write without an answer may take effect much later, and never, but not before it was sent", (t) => {
  const lost = ["c1", put("a", "1"), 2] as const
  t.is(
    tagOf(etcd(lost, ["c2", get("a"), 3, 4, got(null)], ["c2", get("a"), 90, 91, got("1")])),
    "Linearizable"
  )
  t.is(
    tagOf(etcd(lost, ["c2", get("a"), 3, 4, got(null)], ["c2", get("a"), 90, 91, got(null)])),
    "Linearizable"
  )
  t.is(tagOf(etcd(lost, ["c2", get("a"), 0, 1, got("1")])), "Violated")
  t.is(tagOf(etcd(lost, ["c2", get("a"), 3, 4, got("1")], ["c2", get("a"), 5, 6, got(null)])), "Violated")
})

test("what certainly failed has no effect", (t) => {
  t.is(tagOf(etcd(["c1", put("a", "1"), 0, 1], ["c2", get("a"), 2, 3, got(null)])), "Linearizable")
  t.is(tagOf(etcd(["c1", put("a", "1"), 0, 1], ["c2", get("a"), 2, 3, got("1")])), "Violated")
})

test("two swaps from the same value do not both succeed", (t) => {
  const begun = ["c1", put("a", "0"), 0, 1, wrote()] as const
  t.is(
    tagOf(
      etcd(begun, ["c1", swap("a", "0", "1"), 2, 5, wrote()], ["c2", swap("a", "0", "2"), 3, 4, wrote()])
    ),
    "Violated"
  )
})

test("a violation names the key, the order that was found, and what cannot follow, in words", (t) => {
  const verdict = check(
    etcd(
      ["c1", put("a", "1"), 0, 1, wrote(2)],
      ["c1", put("b", "1"), 2, 3, wrote(3)],
      ["c2", put("a", "2"), 4],
      ["c1", put("a", "3"), 5, 6, wrote(5)],
      ["c3", get("a"), 7, 9, got("2", 4, 5)],
      ["c1", del("a"), 8, 10, deleted(0, 5)]
    )
  )
  t.deepEqual(renderVerdict(etcdModel, verdict), [
    "a is not linearizable: of 4 answered operations 2 can be put in an order, and then none can follow",
    "  the order found",
    '    c1 0–1 ms  put a = "1" → written, at revision 2',
    '    c1 5–6 ms  put a = "3" → written, at revision 5',
    '  after which a is "3" (revision 5, version 2)',
    "  and none of these can come next",
    "    c1 8–10 ms  delete a → 0 deleted, at revision 5",
    '    c3 7–9 ms  get a → "2" of revision 4, at revision 5'
  ])
})

test("nothing at all is linearizable", (t) => {
  t.deepEqual(renderVerdict(etcdModel, check([])), [
    "linearizable: an order was found for each of 0 partitions"
  ])
})

test("whatever random clients of a correct store see is linearizable", (t) => {
  fc.assert(
    fc.property(
      fc.record({
        seed: fc.integer(),
        clients: fc.integer({ min: 1, max: 8 }),
        keys: fc.integer({ min: 1, max: 4 }),
        operations: fc.integer({ min: 1, max: 200 }),
        lost: fc.constantFrom(0, 0.05, 0.3),
        bare: fc.boolean()
      }),
      (options) => {
        const verdict = check(crowd(options))
        return verdict._tag === "Linearizable" || t.log(renderVerdict(etcdModel, verdict)) === null
      }
    ),
    { numRuns: 300 }
  )
  t.pass()
})

test("one wrong answer in a history without overlaps is found", (t) => {
  fc.assert(
    fc.property(fc.integer(), fc.nat(), (seed, place) => {
      const history = crowd({ seed, clients: 1, keys: 2, operations: 30 })
      const chosen = history[place % history.length]
      if (chosen === undefined) throw new Error("there is no operation")
      const wrong = history.map((operation) => (operation === chosen ? mutated(operation) : operation))
      return tagOf(wrong) === "Violated"
    }),
    { numRuns: 300 }
  )
  t.pass()
})

test("a slow and obvious checker says the same of small histories, right ones and wrong ones", (t) => {
  const counts = { Linearizable: 0, Violated: 0 }
  fc.assert(
    fc.property(
      fc.record({
        seed: fc.integer(),
        clients: fc.integer({ min: 1, max: 5 }),
        keys: fc.integer({ min: 1, max: 2 }),
        operations: fc.integer({ min: 1, max: 7 }),
        lost: fc.constantFrom(0, 0.2, 0.5),
        bare: fc.boolean()
      }),
      fc.nat({ max: 3 }),
      (options, changes) => {
        const prng = new Prng(options.seed)
        let history = crowd(options)
        for (let count = 0; count < changes; count++) history = tampered(history, prng)
        const expected = bruteForce(whole, history) ? "Linearizable" : "Violated"
        counts[expected]++
        // Revisions connect all keys, and partitions do not see that.
        const isPartitioned = options.bare || options.keys === 1
        return (
          checkLinearizability(whole, history, bounds)._tag === expected &&
          (!isPartitioned || tagOf(history) === expected)
        )
      }
    ),
    { numRuns: 3_000 }
  )
  t.log(counts)
  t.true(counts.Linearizable > 500 && counts.Violated > 500)
})

test("partitions say the same as the whole", (t) => {
  fc.assert(
    fc.property(fc.integer(), fc.boolean(), (seed, tampers) => {
      const right = crowd({ seed, clients: 3, keys: 3, operations: 25, lost: 0.1, bare: true })
      const history = tampers ? tampered(right, new Prng(seed)) : right
      return tagOf(history) === checkLinearizability(whole, history, bounds)._tag
    }),
    { numRuns: 200 }
  )
  t.pass()
})

test("a search that has no time or no memory left says so, and how far it came", (t) => {
  const history = crowd({ seed: 1, clients: 5, keys: 1, operations: 500 })
  let nowMillis = 0
  const late = checkLinearizability(etcdModel, history, { ...bounds, nowMillis: () => nowMillis++ })
  t.like(late, { _tag: "Unknown", bound: "time", partition: "k0", operations: 500 })
  const small = checkLinearizability(etcdModel, history, { ...bounds, cacheEntriesMax: 100 })
  t.like(small, { _tag: "Unknown", bound: "memory", partition: "k0", operations: 500, placed: 100 })
  t.deepEqual(renderVerdict(etcdModel, small), [
    "undecided: the search over k0 reached its bound in memory with 100 of 500 operations placed",
    "  raise cacheEntriesMax, record less, or let fewer operations end without an answer"
  ])
})

test("a violation in one key counts, whatever could not be decided in another", (t) => {
  const many = crowd({ seed: 1, clients: 5, keys: 1, operations: 500 })
  const wrong = etcd(["c1", get("z"), 0, 1, got("never")])
  const verdict = checkLinearizability(etcdModel, [...many, ...wrong], { ...bounds, cacheEntriesMax: 100 })
  t.like(verdict, { _tag: "Violated", partition: "z" })
})

test("a hundred writes whose answers were lost do not make the search endless", (t) => {
  const lost = Array.from({ length: 100 }, (_, id) => ["c", put("a", `lost ${id}`), id] as const)
  const known = Array.from({ length: 300 }, (_, at) =>
    at % 3 === 0
      ? (["d", put("a", `${at}`), 200 + 2 * at, 201 + 2 * at, wrote()] as const)
      : ([
          "d",
          get("a"),
          200 + 2 * at,
          201 + 2 * at,
          got(at % 3 === 1 ? `${at - 1}` : `lost ${(at - 2) / 3}`)
        ] as const)
  )
  t.is(tagOf(etcd(...lost, ...known)), "Linearizable")
  // The last one is read twice, with a write in between.
  const again = [
    ...known,
    ["d", put("a", "x"), 900, 901, wrote()],
    ["d", get("a"), 902, 903, got("lost 99")]
  ] as const
  t.is(tagOf(etcd(...lost, ...again)), "Violated")
})

test("ten thousand operations of ten clients on ten keys are checked in well under two seconds", (t) => {
  const history = crowd({ seed: 1, clients: 10, keys: 10, operations: 10_000, lost: 0.01 })
  const fromMillis = performance.now()
  const verdict = checkLinearizability(etcdModel, history, {
    nowMillis: () => performance.now(),
    millisMax: 60_000,
    cacheEntriesMax: 1_000_000
  })
  const tookMillis = performance.now() - fromMillis
  t.log(`${Math.round(tookMillis)} ms`)
  t.is(verdict._tag, "Linearizable")
  t.true(tookMillis < 2_000)
})

/** An answer that cannot be right, whatever the state is. */
const mutated = (operation: Operation<EtcdInput, EtcdOutput>): Operation<EtcdInput, EtcdOutput> => {
  const { ending } = operation
  if (ending._tag !== "Ok") return operation
  const [result] = ending.output.results
  const { output } = ending
  const wrong: EtcdOutput =
    result?._tag === "Got"
      ? { ...output, results: [{ _tag: "Got", kv: { value: "never written" } }] }
      : result?._tag === "Deleted"
        ? { ...output, results: [{ _tag: "Deleted", count: 1 - result.count }] }
        : { ...output, succeeded: !output.succeeded }
  return { ...operation, ending: { ...ending, output: wrong } }
}

/** Two answers change places, or one becomes that of another operation. */
const tampered = (history: EtcdHistory, prng: Prng): EtcdHistory => {
  const answered = history.filter(({ ending }) => ending._tag === "Ok")
  const one = answered[prng.below(answered.length)]
  const other = answered[prng.below(answered.length)]
  if (one?.ending._tag !== "Ok" || other?.ending._tag !== "Ok") return history
  const output = prng.chance(0.3) ? { ...other.ending.output } : one.ending.output
  const from = other.ending.output
  return history.map((operation) => {
    if (operation.ending._tag !== "Ok") return operation
    if (operation.id === one.id) return { ...operation, ending: { ...operation.ending, output: from } }
    if (operation.id === other.id) return { ...operation, ending: { ...operation.ending, output } }
    return operation
  })
}
