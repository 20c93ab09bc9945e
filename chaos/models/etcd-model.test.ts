import test from "ava"
import { deleted, got, swap, type Written, written, wrote } from "#chaos/checkers/fixtures/histories.ts"
import {
  del,
  type EtcdCompare,
  type EtcdInput,
  type EtcdOutput,
  type EtcdState,
  etcdModel,
  get,
  put
} from "./etcd-model.ts"

const { initial, step } = etcdModel

/** After these, each of which can only go one way. */
const after = (...steps: ReadonlyArray<readonly [EtcdInput, EtcdOutput | undefined]>): EtcdState => {
  let state = initial
  for (const [input, output] of steps) {
    const [next, ...others] = step(state, input, output)
    if (next === undefined || others.length > 0) throw new Error(`${others.length} other ways`)
    state = next
  }
  return state
}

const allows = (state: EtcdState, input: EtcdInput, output: EtcdOutput) =>
  step(state, input, output).length > 0

const when = (target: EtcdCompare["target"], result: EtcdCompare["result"], operand: string | number) =>
  ({
    compares: [{ key: "a", target, result, operand }],
    success: [{ _tag: "Put", key: "a", value: "new" }],
    failure: [{ _tag: "Get", key: "a" }]
  }) as const

const done: EtcdOutput = { succeeded: true, results: [{ _tag: "Wrote" }] }
const otherwise = (value: string | null): EtcdOutput => ({ ...got(value), succeeded: false })

test("a key has the value, the revision and the version of its last put", (t) => {
  const state = after([put("a", "1"), wrote(2)], [put("a", "2"), wrote(7)])
  const seen = { value: "2", version: 2, createRevision: 2, modRevision: 7 }
  const reads = (kv: typeof seen) =>
    allows(state, get("a"), { succeeded: true, results: [{ _tag: "Got", kv }], revision: 9 })
  t.true(reads(seen))
  t.false(reads({ ...seen, value: "1" }))
  t.false(reads({ ...seen, version: 1 }))
  t.false(reads({ ...seen, createRevision: 7 }))
  t.false(reads({ ...seen, modRevision: 2 }))
  t.false(allows(state, get("a"), got(null)))
})

test("a deletion says how many it found, and the next put begins anew", (t) => {
  const state = after([put("a", "1"), wrote(2)], [del("a"), deleted(1, 3)])
  t.true(allows(state, get("a"), got(null, undefined, 3)))
  t.true(allows(state, del("a"), deleted(0, 3)))
  t.false(allows(state, del("a"), deleted(1, 4)))
  const anew = after([put("a", "1"), wrote(2)], [del("a"), deleted(1, 3)], [put("a", "2"), wrote(4)])
  const kv = { value: "2", version: 1, createRevision: 4 }
  t.true(allows(anew, get("a"), { succeeded: true, results: [{ _tag: "Got", kv }] }))
})

test("revisions grow with each change, and do not with what changes nothing", (t) => {
  const state = after([put("a", "1"), wrote(5)])
  t.false(allows(state, put("a", "2"), wrote(5)))
  t.false(allows(state, put("a", "2"), wrote(4)))
  t.true(allows(state, put("a", "2"), wrote(6)))
  t.true(allows(state, get("a"), got("1", 5, 5)))
  t.true(allows(state, get("a"), got("1", 5, 8)))
  t.false(allows(state, get("a"), got("1", 5, 4)))
  t.true(allows(state, del("b"), deleted(0, 5)))
  t.false(allows(state, del("a"), deleted(1, 5)))
})

test("transactions go the way that their comparisons say", (t) => {
  const state = after([put("a", "1"), wrote(2)], [put("a", "2"), wrote(4)])
  const holding = [
    when("value", "=", "2"),
    when("value", "!=", "1"),
    when("value", ">", "1"),
    when("version", "=", 2),
    when("version", "<", 3),
    when("modRevision", "=", 4),
    when("modRevision", ">", 3),
    when("createRevision", "=", 2),
    when("createRevision", "!=", 0)
  ]
  for (const input of holding) {
    t.true(allows(state, input, done))
    t.false(allows(state, input, otherwise("2")))
  }
  for (const input of [when("value", "=", "1"), when("version", ">", 2), when("modRevision", "<", 4)]) {
    t.false(allows(state, input, done))
    t.true(allows(state, input, otherwise("2")))
  }
})

test("of what is not there the numbers are 0, and no comparison of its value holds", (t) => {
  t.true(allows(initial, when("createRevision", "=", 0), done))
  t.true(allows(initial, when("version", "<", 1), done))
  t.false(allows(initial, when("value", "!=", "1"), done))
  t.true(allows(initial, when("value", "=", ""), otherwise(null)))
})

test("a put without an answer has a revision that the next reader finds out", (t) => {
  const state = after([put("a", "1"), wrote(5)], [put("a", "2"), undefined])
  t.false(allows(state, get("a"), got("2", 5, 9)))
  t.false(allows(state, get("a"), got("2", 10, 9)))
  t.true(allows(state, get("a"), got("2", 7, 9)))
  const known = after([put("a", "1"), wrote(5)], [put("a", "2"), undefined], [get("a"), got("2", 7, 9)])
  t.false(allows(known, get("a"), got("2", 8, 9)))
  t.true(allows(known, when("modRevision", "=", 7), done))
  t.false(allows(known, when("modRevision", "=", 8), done))
})

test("a comparison with what nobody knows may go either way, and is known then", (t) => {
  const state = after([put("a", "1"), wrote(5)], [put("a", "2"), undefined])
  t.true(allows(state, when("modRevision", "=", 7), otherwise("2")))
  t.false(allows(state, when("modRevision", "=", 5), done))
  const guarded: EtcdInput = { ...when("modRevision", "=", 7), success: [{ _tag: "Get", key: "a" }] }
  const [known] = step(state, guarded, got("2"))
  t.not(known, undefined)
  if (known !== undefined) t.false(allows(known, get("a"), got("2", 8)))
})

test("a transaction without an answer went either way, if it could", (t) => {
  const state = after([put("a", "1"), wrote(5)])
  t.is(step(state, swap("a", "1", "2"), undefined).length, 1)
  t.is(step(after([put("a", "1"), undefined]), when("version", "=", 2), undefined).length, 2)
})

test("within a transaction later operations see what earlier ones did", (t) => {
  const input: EtcdInput = {
    compares: [],
    success: [
      { _tag: "Put", key: "a", value: "1" },
      { _tag: "Get", key: "a" },
      { _tag: "Delete", key: "a" }
    ],
    failure: []
  }
  const kv = { value: "1", modRevision: 3 }
  const results = [{ _tag: "Wrote" }, { _tag: "Got", kv }, { _tag: "Deleted", count: 1 }] as const
  t.true(allows(initial, input, { succeeded: true, results, revision: 3 }))
  t.false(allows(initial, input, { succeeded: true, results, revision: 4 }))
  t.false(allows(initial, input, { succeeded: true, results: results.slice(1), revision: 3 }))
})

test("a key that a transaction deletes behind a put of another one is gone", (t) => {
  const both: EtcdInput = {
    compares: [],
    success: [
      { _tag: "Put", key: "a", value: "2" },
      { _tag: "Delete", key: "b" }
    ],
    failure: []
  }
  const results: EtcdOutput["results"] = [{ _tag: "Wrote" }, { _tag: "Deleted", count: 1 }]
  const state = after([put("b", "1"), wrote(2)], [both, { succeeded: true, results, revision: 3 }])
  t.true(allows(state, get("b"), got(null)))
})

test("keys of one transaction are one partition, with all that they are connected to", (t) => {
  const move = (from: string, to: string): EtcdInput => ({
    compares: [],
    success: [
      { _tag: "Delete", key: from },
      { _tag: "Put", key: to, value: "1" }
    ],
    failure: []
  })
  const history = written<EtcdInput, EtcdOutput>(
    ["c", get("a"), 0, 1, got(null)],
    ["c", move("a", "b"), 2],
    ["c", get("x"), 3, 4, got(null)],
    ["c", move("d", "c"), 5],
    ["c", move("c", "b"), 6],
    ["c", move("y", "x"), 7]
  )
  const parts = [...etcdModel.partition(history)].map(([name, part]) => [name, part.map(({ id }) => id)])
  t.deepEqual(parts, [
    ["a, b, c, d", [0, 1, 3, 4]],
    ["x, y", [2, 5]]
  ])
})

test("lost writes of values that nobody saw are the same, unless somebody compares their order", (t) => {
  const names = (...more: ReadonlyArray<Written<EtcdInput, EtcdOutput>>) => {
    const history = written<EtcdInput, EtcdOutput>(
      ["c", put("a", "1"), 0],
      ["c", put("a", "2"), 1],
      ["c", put("a", "3"), 2],
      ["c", get("a"), 3],
      ["c", get("a"), 4, 5, got("3")],
      ...more
    )
    const [part = []] = etcdModel.partition(history).values()
    const lost = part.filter(({ ending }) => ending._tag === "Unknown")
    return new Set(lost.map(({ input }) => etcdModel.nameOf?.(input)))
  }
  t.is(names().size, 2)
  t.is(names(["c", swap("a", "1", "4"), 6, 7, done]).size, 3)
  t.is(names(["c", when("value", "<", "3"), 6, 7, done]).size, 3)
})
