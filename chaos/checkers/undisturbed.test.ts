/** Since when nothing but weather has been between nodes: what a check may hold them to depends on it. */
import test from "ava"
import {
  type Action,
  ClockJump,
  Cut,
  fairNetwork,
  Kill,
  Mend,
  Network,
  Pause,
  Resume,
  Start
} from "#chaos/faults/action.ts"
import type { Sight } from "./evidence.ts"
import { evidenceOf, sight, silence, struck } from "./fixtures/evidence.ts"
import { visitSights } from "./undisturbed.ts"

const node = "node01"
const other = "node02"

interface Look {
  readonly runs: number | undefined
  readonly down: number | undefined
  readonly whole: number | undefined
  readonly fair: number | undefined
  readonly known: ReadonlyArray<string>
}

/** What is known of `node` at each look, by its time. */
const looks = (
  actions: ReadonlyArray<readonly [atMillis: number, action: Action]>,
  sights: ReadonlyArray<Sight>
): Readonly<Record<number, Look>> => {
  const found: Record<number, Look> = {}
  const timeline = actions.map(([atMillis, action]) => struck(atMillis, action))
  visitSights(evidenceOf({ timeline, sights }), (seen) => {
    found[seen.sight.atMillis] = {
      runs: seen.runsSince(node),
      down: seen.downSince(node),
      whole: seen.wholeSinceMillis,
      fair: seen.fairSinceMillis,
      known: [...seen.known]
    }
  })
  return found
}

const seenAt = (...times: ReadonlyArray<number>): ReadonlyArray<Sight> =>
  times.map((atMillis) => sight(atMillis, node, node))

test("a node runs since it was first seen to, and one that never answered is not known", (t) => {
  const found = looks([], [silence(50, other), ...seenAt(100, 200)])
  t.deepEqual(found[50], { runs: undefined, down: undefined, whole: 0, fair: 0, known: [] })
  t.deepEqual(found[200], { runs: 100, down: undefined, whole: 0, fair: 0, known: [node] })
})

test("looks are visited in the order of time, however they were gathered", (t) => {
  const order: Array<number> = []
  visitSights(evidenceOf({ sights: seenAt(300, 100, 200) }), ({ sight }) => order.push(sight.atMillis))
  t.deepEqual(order, [100, 200, 300])
})

test("a node that was killed is down until it is started, and runs once it answers", (t) => {
  const sights = [...seenAt(100), silence(1_500, node), silence(2_500, node), ...seenAt(3_000, 4_000)]
  const found = looks(
    [
      [1_000, new Kill({ node })],
      [2_000, new Start({ node })]
    ],
    sights
  )
  t.deepEqual([found[1_500]?.runs, found[1_500]?.down], [undefined, 1_000])
  t.deepEqual([found[2_500]?.runs, found[2_500]?.down], [undefined, undefined])
  t.deepEqual([found[4_000]?.runs, found[4_000]?.down], [3_000, undefined])
})

test("whoever stands still does not run, and begins anew when it goes on", (t) => {
  const found = looks(
    [
      [1_000, new Pause({ node })],
      [2_000, new Resume({ node })]
    ],
    seenAt(100, 1_500, 2_500)
  )
  t.deepEqual(
    [100, 1_500, 2_500].map((at) => found[at]?.runs),
    [100, undefined, 2_000]
  )
})

test("a date that jumps disturbs the node that it is of, and no other", (t) => {
  t.is(looks([[1_000, new ClockJump({ node, millis: 5_000 })]], seenAt(100, 2_000))[2_000]?.runs, 1_000)
  t.is(looks([[1_000, new ClockJump({ node: other, millis: 5_000 })]], seenAt(100, 2_000))[2_000]?.runs, 100)
})

test("the network is whole since the last cut was mended, and fair since the weather ended", (t) => {
  const bad = new Network({ ...fairNetwork, loss: 0.1 })
  const found = looks(
    [
      [1_000, new Cut({ from: [node], to: [other] })],
      [1_200, new Cut({ from: [other], to: [node] })],
      [2_000, new Mend({ from: [node], to: [other] })],
      [3_000, new Mend({ from: [other], to: [node] })],
      [4_000, bad],
      [4_200, bad],
      [5_000, fairNetwork]
    ],
    [sight(50, other, node), ...seenAt(100, 1_500, 2_500, 3_500, 4_500, 5_500)]
  )
  t.deepEqual(
    [100, 1_500, 2_500, 3_500].map((at) => found[at]?.whole),
    [0, undefined, undefined, 3_000]
  )
  t.deepEqual(
    [100, 3_500, 4_500, 5_500].map((at) => found[at]?.fair),
    [0, 0, undefined, 5_000]
  )
})
