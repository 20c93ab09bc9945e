/** What the page works out by itself, without a browser. */
import test from "ava"
import fc from "fast-check"
import { ClusterModel, healthOf, stateOf } from "./page/cluster-model.ts"
import { wordsOf } from "./page/event-words.ts"
import { cellAt, layout } from "./page/map-layout.ts"
import { linesOf } from "./page/tree-lines.ts"
import type { Row, TreeChange } from "./page/wire.ts"

const row = (id: number, parent: number, name: string, more: Partial<Row> = {}): Row => ({
  id,
  parent,
  place: id,
  name,
  kind: "worker",
  role: "permanent",
  status: "running",
  incarnation: 1,
  mailbox: 0,
  handled: 0,
  dropped: 0,
  handlerMillis: 0,
  lastCrash: "",
  ...more
})

const change = (more: Partial<TreeChange>): TreeChange => ({
  node: "n",
  atMillis: 0,
  whole: false,
  rows: [],
  numbers: [],
  gone: [],
  omitted: 0,
  ...more
})

const small = (): ClusterModel => {
  const model = new ClusterModel()
  const rows = [row(1, 0, "n"), row(2, 1, "shop"), row(3, 2, "anna"), row(4, 2, "bert"), row(5, 1, "post")]
  model.apply(change({ whole: true, rows }), 0)
  return model
}

test("rates come from two samples, and fall to nothing when an actor rests", (t) => {
  const model = small()
  model.apply(change({ atMillis: 2_000, numbers: [[3, 4, 100, 500]] }), 2_000)
  t.like(model.at("/n/shop/anna"), { rate: 50, busy: 0.25 })
  t.like(model.at("/n/shop"), { rateBelow: 50, queuedBelow: 4, total: 3 })
  model.apply(change({ atMillis: 3_000 }), 3_000)
  t.is(model.at("/n/shop/anna")?.rate, 0)
})

test("a restart is news at once, for the actor and all above it, and counts for a minute", (t) => {
  const model = small()
  const about = { path: "/n/shop/bert", incarnation: 2, atMillis: 0 }
  t.true(model.hear({ node: "n", event: { _tag: "ActorRestarted", ...about, supervisor: "/n/shop" } }, 5_000))
  const bert = model.at("/n/shop/bert")
  t.is(bert?.row.incarnation, 2)
  t.is(model.at("/n")?.newsMillis, 5_000)
  t.is(model.totals(6_000).restartsLastMinute, 1)
  t.is(bert && healthOf(bert, 6_000), "restarted")
  // The sample that confirms it tells nothing new.
  model.apply(change({ atMillis: 1_000, rows: [row(4, 2, "bert", { incarnation: 2 })] }), 6_000)
  t.is(bert?.restarts, 1)
  t.is(model.totals(65_001).restartsLastMinute, 0)
})

test("a tree that comes whole again, with other numbers, is the same tree, and what was seen of it stays", (t) => {
  const model = small()
  model.hear({ node: "n", event: { _tag: "ActorFailed", path: "/n/shop/bert", cause: "Error: no" } }, 1_000)
  // Number 3 was anna, and is another actor of the same name now.
  const rows = [row(1, 0, "n"), row(2, 1, "anna"), row(7, 1, "shop"), row(8, 7, "anna"), row(3, 7, "bert")]
  model.apply(change({ whole: true, rows }), 2_000)
  t.deepEqual(
    [...model.all()].map(({ path }) => path),
    ["/n", "/n/anna", "/n/shop", "/n/shop/bert", "/n/shop/anna"]
  )
  t.is(model.at("/n/shop/bert")?.crashedMillis, 1_000)
  t.is(model.at("/n/anna")?.crashedMillis, Number.NEGATIVE_INFINITY)
})

test("a node that does not answer is down, and what was below it is unknown rather than down", (t) => {
  const model = small()
  model.setNodes([{ node: "n", unreachable: "it has failed" }])
  const health = (path: string) => {
    const actor = model.at(path)
    return actor && healthOf(actor, 0)
  }
  t.deepEqual([health("/n"), health("/n/shop")], ["down", "unknown"])
  t.like(model.totals(0), { unreachable: 1, unwell: 1 })
  model.setNodes([{ node: "n", unreachable: "" }])
  t.is(model.totals(0).unwell, 0)
})

test("a node is there before its tree is, does not answer before it did, and is missed when it dies before", (t) => {
  const model = small()
  model.setNodes([
    { node: "n", unreachable: "" },
    { node: "o", unreachable: "" }
  ])
  t.like(model.totals(0), { nodes: 2, awaited: 1, unreachable: 0, unwell: 0, actors: 5 })
  t.deepEqual(
    model.roots.map((root) => [root.path, stateOf(root, 0)]),
    [
      ["/n", "running"],
      ["/o", "asked"]
    ]
  )
  model.setNodes([
    { node: "n", unreachable: "" },
    { node: "o", unreachable: "it has failed" }
  ])
  t.like(model.totals(0), { awaited: 0, unreachable: 1, unwell: 1 })
  t.deepEqual(
    model.roots.map((root) => stateOf(root, 0)),
    ["running", "no answer"]
  )
  const { lines } = linesOf({
    roots: model.roots,
    toggled: new Set(),
    search: "is:down",
    sort: undefined,
    nowMillis: 0
  })
  t.deepEqual(
    lines.map(({ actor }) => actor.path),
    ["/o"],
    "it can be found"
  )
  model.setNodes([
    { node: "n", unreachable: "" },
    { node: "o", unreachable: "" }
  ])
  model.apply(change({ node: "o", whole: true, rows: [row(1, 0, "o"), row(2, 1, "post")] }), 0)
  t.like(model.totals(0), { awaited: 0, unreachable: 0, unwell: 0, actors: 7 })
  t.is(model.at("/o")?.children.length, 1)
})

test("who was down and is started again does not count as down until the next sample says so", (t) => {
  const model = small()
  model.apply(change({ rows: [row(4, 2, "bert", { status: "down" })] }), 0)
  t.deepEqual([model.totals(0).unwell, model.at("/n/shop")?.unwell], [1, 1])
  const about = { path: "/n/shop/bert", incarnation: 2, atMillis: 0, supervisor: "/n/shop" }
  model.hear({ node: "n", event: { _tag: "ActorRestarted", ...about } }, 5_000)
  t.deepEqual(
    [model.totals(0).unwell, model.at("/n/shop")?.unwell, model.at("/n/shop/bert")?.unwell],
    [0, 0, 0]
  )
})

test("a search finds words in any order, with the way to what it found", (t) => {
  const model = small()
  const look = (search: string) =>
    linesOf({ roots: model.roots, toggled: new Set(), search, sort: undefined, nowMillis: 0 })
  t.deepEqual(
    look("anna shop").lines.map(({ actor, isFound }) => [actor.path, isFound]),
    [
      ["/n", false],
      ["/n/shop", false],
      ["/n/shop/anna", true]
    ]
  )
  t.is(look("nobody").lines.length, 0)
  model.apply(change({ rows: [row(5, 1, "post", { status: "down" })] }), 0)
  t.deepEqual(
    look("is:down")
      .lines.filter(({ isFound }) => isFound)
      .map(({ actor }) => actor.name),
    ["post"]
  )
  t.is(model.totals(0).unwell, 1)
})

test("sorted, the list has no branches and the most comes first", (t) => {
  const model = small()
  model.apply(
    change({
      atMillis: 1_000,
      numbers: [
        [4, 9, 10, 0],
        [5, 3, 20, 0]
      ]
    }),
    1_000
  )
  const by = (sort: "queued" | "rate") =>
    linesOf({ roots: model.roots, toggled: new Set(), search: "", sort, nowMillis: 0 }).lines.map(
      ({ actor, depth }) => [actor.name, depth]
    )
  t.deepEqual(by("queued").slice(0, 2), [
    ["bert", 0],
    ["post", 0]
  ])
  t.deepEqual(by("rate")[0], ["post", 0])
})

test("whatever the samples, the model is the tree that they say", (t) => {
  const step = fc.record({ id: fc.integer({ min: 2, max: 12 }), parent: fc.integer({ min: 1, max: 11 }) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const model = new ClusterModel()
      model.apply(change({ whole: true, rows: [row(1, 0, "n")] }), 0)
      const expected = new Map<number, number>()
      for (const { id, parent } of steps) {
        if (expected.has(id)) {
          const goes = below(expected, id)
          for (const gone of goes) expected.delete(gone)
          model.apply(change({ gone: goes }), 0)
        } else if (parent === 1 || expected.has(parent)) {
          expected.set(id, parent)
          model.apply(change({ rows: [row(id, parent, `a${id}`)] }), 0)
        }
      }
      const found = [...model.all()].map(({ id }) => id).toSorted((one, other) => one - other)
      return found.join() === [1, ...[...expected.keys()].toSorted((one, other) => one - other)].join()
    })
  )
  t.pass()
})

const below = (parents: ReadonlyMap<number, number>, id: number): Array<number> => [
  id,
  ...[...parents].filter(([, parent]) => parent === id).flatMap(([child]) => below(parents, child))
]

test("on the map every actor has the same area, and lies within its supervisor", (t) => {
  const model = new ClusterModel()
  const groups = Array.from({ length: 20 }, (_, group) => row(group + 2, 1, `g${group}`))
  const workers = Array.from({ length: 400 }, (_, index) => row(100 + index, 2 + (index % 20), `w${index}`))
  model.apply(change({ whole: true, rows: [row(1, 0, "n"), ...groups, ...workers] }), 0)
  const cells = layout(model.roots, { x: 0, y: 0, width: 1_000, height: 200 })
  t.is(cells.length, 421)
  const byPath = new Map(cells.map((cell) => [cell.actor.path, cell]))
  for (const cell of cells) {
    const around = byPath.get(cell.actor.parent?.path ?? "")
    if (around === undefined) continue
    t.true(cell.x >= around.x - 0.01 && cell.x + cell.width <= around.x + around.width + 0.01)
    t.true(cell.y >= around.y - 0.01 && cell.y + cell.height <= around.y + around.height + 0.01)
  }
  const first = byPath.get("/n/g0/w0")
  t.is(cellAt(cells, (first?.x ?? 0) + 1, (first?.y ?? 0) + 1)?.actor.path, "/n/g0/w0")
})

test("events are told in words, those that nobody thought of too", (t) => {
  const failed = {
    _tag: "ActorFailed",
    path: "/n/a",
    handling: "Tick",
    cause: "Error: no\n  at x",
    atMillis: 1
  }
  t.like(wordsOf({ node: "n", event: failed }), {
    severity: "bad",
    what: "crashed",
    about: "/n/a",
    why: "Error: no · handling Tick"
  })
  t.like(wordsOf({ node: "n", event: { _tag: "MoonRose", reason: "evening" } }), {
    what: "moon rose",
    why: "evening"
  })
})
