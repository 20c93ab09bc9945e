import test from "ava"
import { boundedMemory } from "./bounded-memory.ts"
import { judged, sight } from "./fixtures/evidence.ts"

/** Forty looks within the twenty seconds of a run. */
const looks = (mebibytes: (at: number) => number) =>
  Array.from({ length: 40 }, (_, at) =>
    sight(at * 500, "node01", "node01", { residentBytes: mebibytes(at) * 2 ** 20 })
  )
const judge = (mebibytes: (at: number) => number) =>
  judged(boundedMemory({ mebibytesMax: 300, growthMax: 1.5 }), { sights: looks(mebibytes) })

test("memory that grows at first and then stays passes", (t) => {
  const { lines, verdict } = judge((at) => Math.min(200, 50 + at * 20))
  t.is(verdict, "passed")
  t.deepEqual(lines, ["1 nodes took 200 MiB at most"])
})

test("too much at any time fails", (t) => {
  t.deepEqual(judge((at) => (at === 3 ? 301 : 100)).lines, ["node01 took 301 MiB; it may take 300 MiB"])
})

test("memory that grows all the time fails before it is too much", (t) => {
  t.deepEqual(judge((at) => 50 + at * 4).lines, [
    "node01 took 1.67 times as much in the end; it may be 1.5 times"
  ])
})

test("one look too many is not growth", (t) => {
  t.is(judge((at) => (at === 39 ? 290 : 100)).verdict, "passed")
})

test("where a world cannot tell nothing was shown", (t) => {
  t.is(
    judged(boundedMemory({ mebibytesMax: 1 }), { sights: [sight(1, "node01", "node01")] }).verdict,
    "unknown"
  )
})
