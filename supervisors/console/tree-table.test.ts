import test from "ava"
import type { ActorSnapshot } from "#protocols/runtime.ts"
import { rowsMax, TreeTable } from "./tree-table.ts"

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

test("the first sample comes whole, and one in which nothing happened is empty", (t) => {
  const table = new TreeTable("n")
  const tree = actor("/n", { children: [actor("/n/a"), actor("/n/b")] })
  const first = table.advance(tree, 1_000)
  t.deepEqual(
    first.rows.map(({ id, name, parent, place }) => [id, parent, place, name]),
    [
      [1, 0, 0, "n"],
      [2, 1, 0, "a"],
      [3, 1, 1, "b"]
    ]
  )
  t.like(table.advance(tree, 2_000), { rows: [], numbers: [], gone: [], atMillis: 2_000 })
})

test("numbers that grow travel alone; a restart brings the row", (t) => {
  const table = new TreeTable("n")
  table.advance(actor("/n", { children: [actor("/n/a")] }), 0)
  const busy = actor("/n/a", { handled: 7, mailbox: 2, handlerMillis: 0.123 })
  t.deepEqual(table.advance(actor("/n", { children: [busy] }), 1).numbers, [[2, 2, 7, 0.12]])
  const again = actor("/n/a", { ...busy, incarnation: 2, lastCrash: "Error: out of ideas" })
  const change = table.advance(actor("/n", { children: [again] }), 2)
  t.like(change.rows[0], { id: 2, incarnation: 2, lastCrash: "Error: out of ideas" })
  t.deepEqual(change.numbers, [])
})

test("an actor that is gone is named by its number, and its number is never used again", (t) => {
  const table = new TreeTable("n")
  table.advance(actor("/n", { children: [actor("/n/a")] }), 0)
  t.deepEqual(table.advance(actor("/n"), 1).gone, [2])
  t.is(table.advance(actor("/n", { children: [actor("/n/a")] }), 2).rows[0]?.id, 3)
})

test("whoever comes later gets the table whole", (t) => {
  const table = new TreeTable("n")
  table.advance(actor("/n", { children: [actor("/n/a", { handled: 1 })] }), 0)
  table.advance(actor("/n", { children: [actor("/n/a", { handled: 5 })] }), 1)
  const whole = table.whole()
  t.true(whole.whole)
  t.deepEqual(
    whole.rows.map(({ handled, name }) => [name, handled]),
    [
      ["n", 0],
      ["a", 5]
    ]
  )
})

test("a table has an end, and says how many actors are beyond it", (t) => {
  const table = new TreeTable("n")
  const children = Array.from({ length: rowsMax + 9 }, (_, index) => actor(`/n/${index}`))
  const change = table.advance(actor("/n", { children }), 0)
  t.is(change.rows.length, rowsMax)
  t.is(change.omitted, 10)
})
