import test from "ava"
import type { ActorSnapshot } from "#protocols/runtime.ts"
import { drawTree } from "./tree-view.ts"

const actor = (path: string, more: Partial<ActorSnapshot> = {}): ActorSnapshot => ({
  path,
  name: path.split("/").at(-1) ?? "",
  kind: "store",
  role: "permanent",
  status: "running",
  incarnation: 1,
  mailbox: 0,
  handled: 0,
  dropped: 0,
  handlerMillis: 0,
  lastCrash: "",
  children: [],
  ...more
})

const plain = { colour: false, columns: 120 }

test("a tree is drawn with rates from the time between two looks", (t) => {
  const before = actor("/n", { kind: "one-for-one", children: [actor("/n/a"), actor("/n/b")] })
  const now = actor("/n", {
    kind: "one-for-one",
    children: [
      actor("/n/a", { handled: 24_690, handlerMillis: 500, mailbox: 7 }),
      actor("/n/b", { status: "down", incarnation: 3, lastCrash: "Error: out of ideas" })
    ]
  })
  const lines = drawTree({ tree: now, atMillis: 2_000 }, { tree: before, atMillis: 0 }, plain)
  t.is(
    lines.join("\n"),
    `
actor                             kind            state     life  queued   msgs/s  busy  last crash
n                                 one-for-one     running      1       0        0    0%
├─ a                              store           running      1       7   12,345   25%
└─ b                              store           down         3       0        0    0%  Error: out of ideas
    `.trim()
  )
})

test("a line is never wider than the terminal", (t) => {
  const wide = actor("/n", { lastCrash: "x".repeat(500) })
  for (const line of drawTree({ tree: wide, atMillis: 0 }, undefined, { colour: false, columns: 80 }).slice(
    1
  )) {
    t.true(line.length <= 80)
  }
})
