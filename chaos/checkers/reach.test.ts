import test from "ava"
import {
  type Action,
  Cut,
  FairDisk,
  FullDisk,
  fairNetwork,
  Kill,
  Mend,
  Network,
  Pause,
  PowerOff,
  PowerOn,
  ReplaceNode,
  Reset,
  Resume,
  SlowDisk,
  Start
} from "#chaos/faults/action.ts"
import type { Sight } from "./evidence.ts"
import { sight, sightsOf, silence, struck } from "./fixtures/evidence.ts"
import { ableToLead, situationsOf } from "./reach.ts"

const node = "node01"

/** Who can lead at the beginning and after each action, which come a second apart. */
const able = (actions: ReadonlyArray<Action>, more: ReadonlyArray<Sight> = []) => {
  const timeline = actions.map((action, at) => struck((at + 1) * 1_000, action))
  const sights = [...sightsOf("node01", [500]), ...more]
  return situationsOf({ sights, timeline }).map((situation) =>
    ableToLead(situation)
      .map((name) => name.slice(-1))
      .join("")
  )
}

test("whoever runs and reaches a majority can lead", (t) => {
  t.deepEqual(able([new Pause({ node }), new Resume({ node })]), ["123", "23", "123"])
  t.deepEqual(able([new Kill({ node }), new Kill({ node: "node02" })]), ["123", "23", ""])
  t.deepEqual(able([new FullDisk({ node }), new FairDisk({ node })]), ["123", "23", "123"])
  t.deepEqual(able([new SlowDisk({ node, syncMillis: 400 })]), ["123", "123"])
})

test("a node that gets its power back is there when it answers again", (t) => {
  const actions = [new PowerOff({ node }), new PowerOn({ node })]
  t.deepEqual(able(actions), ["123", "23", "23"])
  t.deepEqual(able(actions, [silence(2_500, node), sight(2_600, node, "node02")]), ["123", "23", "23", "123"])
  t.deepEqual(able([new Reset({ node })], [sight(1_500, node, "node02")]), ["123", "23", "123"])
})

test("cuts are one way, and a leader needs both", (t) => {
  const others = ["node02", "node03"]
  const cut = new Cut({ from: [node], to: others })
  t.deepEqual(able([cut, new Mend({ from: [node], to: others })]), ["123", "23", "123"])
  // A bridge: node03 reaches both, and can lead; so can the other two, through it.
  t.deepEqual(able([new Cut({ from: ["node01"], to: ["node02"] })]), ["123", "123"])
  t.deepEqual(able([cut, new Cut({ from: ["node02"], to: ["node03"] })]), ["123", "23", ""])
})

test("a spare takes the place of a node, and weather is not distance", (t) => {
  t.deepEqual(able([new Start({ node: "node04" }), new ReplaceNode({ node: "node03", by: "node04" })]), [
    "123",
    "123",
    "12"
  ])
  const bad = new Network({ ...fairNetwork, loss: 0.5 })
  const situations = situationsOf({
    sights: sightsOf("node01", [500]),
    timeline: [struck(1_000, bad), struck(2_000, fairNetwork)]
  })
  t.deepEqual(
    situations.map(({ isNetworkFair }) => isNetworkFair),
    [true, false, true]
  )
})

test("who leads is who says so in the latest term, as it was seen before the strike", (t) => {
  const sights = [
    ...sightsOf("node01", [500]),
    sight(900, "node02", "node02", { term: 2 }),
    sight(1_100, "node03", "node03", { term: 3 })
  ]
  const [, first, second] = situationsOf({
    sights,
    timeline: [struck(1_000, new Pause({ node })), struck(2_000, new Resume({ node }))]
  })
  t.is(first?.leader, "node02")
  t.is(second?.leader, "node03")
})
