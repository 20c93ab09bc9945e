import test from "ava"
import { BboltPlan, pageBytes, rootOf } from "./bbolt-layout.ts"

const bytes = (length: number) => new Uint8Array(length).fill(97)

test("an empty bucket is one leaf, and so is the root", (t) => {
  const plan = new BboltPlan()
  plan.bucket(bytes(3))
  const layout = plan.finish()
  t.deepEqual(
    layout.buckets.map(({ tree }) => tree),
    [[{ first: 3, pages: 1 }]]
  )
  t.is(rootOf(layout.root), 4)
  t.is(layout.bytes, 5 * pageBytes)
})

test("an entry that fits in no page has pages behind its own, and the next one begins anew", (t) => {
  const plan = new BboltPlan()
  plan.bucket(bytes(3))
  plan.add(17, 10)
  plan.add(17, 10_000)
  plan.add(17, 10)
  const [bucket] = plan.finish().buckets
  // A leaf, one of three pages, a leaf; and a branch of three above them.
  t.deepEqual(bucket?.tree, [
    { first: 3, pages: 5 },
    { first: 8, pages: 1 }
  ])
})

test("levels grow until one node is above all", (t) => {
  const plan = new BboltPlan()
  plan.bucket(bytes(3))
  for (let number = 0; number < 100_000; number++) plan.add(17, 1_000)
  const [bucket] = plan.finish().buckets
  const tree = bucket?.tree ?? []
  t.deepEqual(
    tree.map(({ pages }) => pages),
    // Three entries to a leaf, 123 to a branch.
    [33_334, 272, 3, 1]
  )
  t.is(rootOf(tree), 3 + 33_334 + 272 + 3)
})
