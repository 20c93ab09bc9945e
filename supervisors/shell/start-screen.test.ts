import test from "ava"
import type { ActorSnapshot } from "#protocols/runtime.ts"
import { commandOf, nextSteps, pruned, screenLines, sizeOf } from "./start-screen.ts"

const lines = (count: number, what: string) => Array.from({ length: count }, (_, at) => `${what} ${at + 1}`)

const actor = (name: string, children: ReadonlyArray<ActorSnapshot> = []): ActorSnapshot => ({
  path: `/${name}`,
  name,
  kind: "store",
  role: "permanent",
  status: "running",
  incarnation: 1,
  mailbox: 0,
  handled: 0,
  dropped: 0,
  handlerMillis: 0,
  lastCrash: "",
  children
})

test("who has started a node is told how to reach it", (t) => {
  t.deepEqual(
    nextSteps({
      what: "node01 is ready",
      etcd: ["127.0.0.1:2379"],
      console: "http://127.0.0.1:7780",
      tokenFile: "work/node01/token",
      command: "npm start --"
    }),
    [
      "UltraCloud: node01 is ready, Ctrl-C stops it. In another terminal or a browser:",
      "  etcd      etcdctl --endpoints 127.0.0.1:2379 put greeting hello",
      "  shell     npm start -- shell",
      "  console   http://127.0.0.1:7780, log in with the token in work/node01/token"
    ]
  )
})

test("the command is named as it was called", (t) => {
  const main = "/home/ann/ultracloud/supervisors/main.ts"
  t.is(commandOf(["node", main], "start", "/home/ann/ultracloud"), "npm start --")
  t.is(commandOf(["node", main], undefined, "/home/ann/ultracloud"), "node supervisors/main.ts")
  t.is(commandOf(["node", "/usr/bin/ultracloud"], undefined, "/home/ann"), "ultracloud")
})

test("a terminal that does not know its size is taken for a usual one", (t) => {
  t.deepEqual(sizeOf({ columns: 0, rows: 0 }), { columns: 120, rows: 40 })
  t.deepEqual(sizeOf({}), { columns: 120, rows: 40 })
  t.deepEqual(sizeOf({ columns: 80, rows: 24 }), { columns: 80, rows: 24 })
})

test("with room for everything nothing is left out", (t) => {
  const picture = { head: lines(4, "head"), tree: () => lines(10, "actor"), events: lines(3, "event") }
  t.deepEqual(screenLines(picture, 30), [
    ...lines(4, "head"),
    "",
    ...lines(10, "actor"),
    "",
    ...lines(3, "event")
  ])
})

test("on a small terminal the tree gives way to what happened last", (t) => {
  const tree = (room: number) => lines(Math.min(room, 36), "actor")
  const shown = screenLines({ head: lines(4, "head"), tree, events: lines(8, "event") }, 24)
  t.is(shown.length, 24)
  t.deepEqual(shown.slice(0, 6), [...lines(4, "head"), "", "actor 1"])
  t.deepEqual(shown.slice(-6), ["actor 14", "", "event 5", "event 6", "event 7", "event 8"])
})

test("a terminal of a few lines is not written over", (t) => {
  const picture = { head: lines(4, "head"), tree: () => lines(36, "actor"), events: lines(8, "event") }
  for (let rows = 1; rows < 12; rows++) t.true(screenLines(picture, rows).length <= rows)
})

test("of a tree that is too deep the upper levels are shown, and the rest is counted", (t) => {
  const tree = actor("n", [
    actor("a", [actor("b", [actor("c"), actor("d")])]),
    actor("e", [actor("f"), actor("g")])
  ])
  t.deepEqual(pruned(tree, 8), { tree, left: 0 })
  t.deepEqual(pruned(tree, 7), {
    tree: actor("n", [actor("a", [actor("b")]), actor("e", [actor("f"), actor("g")])]),
    left: 2
  })
  t.deepEqual(pruned(tree, 5), { tree: actor("n", [actor("a"), actor("e")]), left: 5 })
  t.deepEqual(pruned(tree, 1), { tree: actor("n", [actor("a"), actor("e")]), left: 5 })
})
