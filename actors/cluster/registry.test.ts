import test from "ava"
import fc from "fast-check"
import { Registry } from "./registry.ts"

const claims = ({ tables }: Registry) =>
  tables.map(({ claims, node }) => [node, claims.map(({ key, path }) => `${key} ${path}`).toSorted()])
const exchange = (one: Registry, other: Registry) => {
  for (let round = 0; round < 3; round++) {
    other.merge(one.ownTable)
    one.merge(other.ownTable)
  }
}

test("a name has one holder: who holds it is told to whoever else wants it", (t) => {
  const registry = new Registry("n0", "b0")
  t.is(registry.claim("name", "leader", "/n0/a", 1), undefined)
  t.is(registry.claim("name", "leader", "/n0/b", 2), "/n0/a")
  t.is(registry.claim("name", "leader", "/n0/a", 3), undefined, "claiming it again is no conflict")
  registry.releaseAll("/n0/a")
  t.is(registry.claim("name", "leader", "/n0/b", 4), undefined)
  t.deepEqual(
    registry.takeChanges().map(({ _tag, path }) => `${_tag} ${path}`),
    ["Registered /n0/a", "Freed /n0/a", "Registered /n0/b"]
  )
})

test("what another node claims is known once its table has arrived", (t) => {
  const [here, there] = [new Registry("n0", "b0"), new Registry("n1", "b1")]
  there.claim("name", "leader", "/n1/a", 1)
  there.claim("group", "workers", "/n1/w", 1)
  here.claim("group", "workers", "/n0/w", 1)
  exchange(here, there)
  t.is(here.whereIs("leader"), "/n1/a")
  t.deepEqual(here.members("workers"), ["/n0/w", "/n1/w"])
  t.is(here.claim("name", "leader", "/n0/a", 2), "/n1/a")
})

test("of two claims of one name the earlier stays, on both nodes, and the other is taken back by its own node", (t) => {
  const [here, there] = [new Registry("n0", "b0"), new Registry("n1", "b1")]
  here.claim("name", "leader", "/n0/late", 20)
  there.claim("name", "leader", "/n1/early", 10)
  here.takeChanges()
  exchange(here, there)
  t.is(here.whereIs("leader"), "/n1/early")
  t.is(there.whereIs("leader"), "/n1/early")
  t.deepEqual(here.claimsOf("/n0/late"), [])
  t.deepEqual(here.takeChanges(), [
    { _tag: "Registered", key: "leader", path: "/n1/early", node: "n1" },
    { _tag: "Lost", key: "leader", path: "/n0/late", node: "n0", winner: "/n1/early" }
  ])
})

test("when both were registered in the same millisecond, the smaller node name decides", (t) => {
  const [here, there] = [new Registry("n1", "b1"), new Registry("n0", "b0")]
  here.claim("name", "leader", "/n1/a", 5)
  there.claim("name", "leader", "/n0/a", 5)
  exchange(here, there)
  t.deepEqual([here.whereIs("leader"), there.whereIs("leader")], ["/n0/a", "/n0/a"])
})

test("a node that is gone takes its claims along; one that is another process by now does not", (t) => {
  const [here, there] = [new Registry("n0", "b0"), new Registry("n1", "b1")]
  there.claim("name", "leader", "/n1/a", 1)
  exchange(here, there)
  here.forget("n1", "b0")
  t.is(here.whereIs("leader"), "/n1/a")
  here.forget("n1", "b1")
  t.is(here.whereIs("leader"), undefined)
})

test("a new process under an old name begins with what it claims itself", (t) => {
  const here = new Registry("n0", "b0")
  const before = new Registry("n1", "b1")
  before.claim("name", "leader", "/n1/a", 1)
  here.merge(before.ownTable)
  const after = new Registry("n1", "b2")
  after.claim("group", "workers", "/n1/w", 2)
  here.merge(after.ownTable)
  t.is(here.whereIs("leader"), undefined)
  t.deepEqual(here.members("workers"), ["/n1/w"])
})

test("a delta is as good as the table, and one that does not follow is refused", (t) => {
  const [here, there] = [new Registry("n0", "b0"), new Registry("n1", "b1")]
  here.merge(there.ownTable)
  there.claim("group", "workers", "/n1/a", 1)
  there.claim("group", "workers", "/n1/b", 1)
  there.release("group", "workers", "/n1/a")
  const first = there.takeDelta()
  there.claim("group", "workers", "/n1/c", 1)
  const second = there.takeDelta()
  t.is(there.takeDelta(), undefined)
  if (first === undefined || second === undefined) return t.fail("no delta")
  t.false(here.mergeDelta("n1", "b1", second))
  t.true(here.mergeDelta("n1", "b1", first))
  t.true(here.mergeDelta("n1", "b1", first), "one that is known already does no harm")
  t.true(here.mergeDelta("n1", "b1", second))
  t.deepEqual(here.members("workers"), ["/n1/b", "/n1/c"])
  t.false(here.mergeDelta("n1", "b9", second))
})

test("whatever is claimed, released, lost and doubled, all that hear of each other's last tables agree", (t) => {
  const step = fc.record({
    node: fc.nat({ max: 2 }),
    to: fc.nat({ max: 2 }),
    what: fc.constantFrom("name", "group", "release", "end", "table", "delta"),
    key: fc.constantFrom("a", "b"),
    actor: fc.nat({ max: 2 }),
    atMillis: fc.nat({ max: 5 })
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const nodes = [0, 1, 2].map((index) => new Registry(`n${index}`, `b${index}`))
      const node = (index: number) => nodes[index] ?? new Registry("", "")
      for (const { actor, atMillis, key, node: index, to, what } of steps) {
        const registry = node(index)
        const path = `/n${index}/a${actor}`
        if (what === "name" || what === "group") registry.claim(what, key, path, atMillis)
        else if (what === "release") registry.release("name", key, path)
        else if (what === "end") registry.releaseAll(path)
        else if (what === "table") node(to).merge(registry.ownTable)
        else {
          const delta = registry.takeDelta()
          if (delta !== undefined) node(to).mergeDelta(`n${index}`, `b${index}`, delta)
        }
      }
      // A claim that is taken back is one more change to hear of.
      for (let round = 0; round < 4; round++) {
        for (const from of nodes) for (const to of nodes) to.merge(from.ownTable)
      }
      const [first, ...others] = nodes.map((registry) => ({
        claims: claims(registry).toSorted(),
        names: ["a", "b"].map((key) => registry.whereIs(key)),
        groups: ["a", "b"].map((key) => registry.members(key))
      }))
      for (const other of others) t.deepEqual(other, first)
      const held = nodes.flatMap(({ ownTable }) => ownTable.claims.filter(({ kind }) => kind === "name"))
      t.is(new Set(held.map(({ key }) => key)).size, held.length, "one claim per name is left")
    }),
    { numRuns: 2_000 }
  )
})
