import test from "ava"
import { commandOf, nextSteps, screenLines } from "./start-screen.ts"

const lines = (count: number, what: string) => Array.from({ length: count }, (_, at) => `${what} ${at + 1}`)

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
      "UltraCloud: node01 is ready. Ctrl-C stops it in order. Meanwhile, in another terminal or a browser:",
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

test("with room for everything nothing is left out", (t) => {
  const picture = { head: lines(4, "head"), tree: lines(10, "actor"), events: lines(3, "event") }
  t.deepEqual(screenLines(picture, 30), [...picture.head, "", ...picture.tree, "", ...picture.events])
})

test("on a small terminal the end of the tree gives way to what happened last", (t) => {
  const shown = screenLines(
    { head: lines(4, "head"), tree: lines(36, "actor"), events: lines(8, "event") },
    24
  )
  t.is(shown.length, 24)
  t.deepEqual(shown.slice(0, 6), [...lines(4, "head"), "", "actor 1"])
  t.is(shown[18], "… and 23 more: the console and the shell show them")
  t.deepEqual(shown.slice(-4), ["event 5", "event 6", "event 7", "event 8"])
})

test("a terminal of a few lines is not written over", (t) => {
  for (let rows = 1; rows < 12; rows++) {
    const shown = screenLines(
      { head: lines(4, "head"), tree: lines(36, "actor"), events: lines(8, "event") },
      rows
    )
    t.true(shown.length <= rows)
  }
})
