/** Files of ours, read back by ours and by etcdctl. */
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import test from "ava"
import fc from "fast-check"
import { compareKeys, type Pair } from "./bbolt-format.ts"
import { BboltPlan } from "./bbolt-layout.ts"
import { bboltPages } from "./bbolt-writer.ts"
import { type Bucket, latin1, readBack, written } from "./fixtures/files.ts"

const withEtcdctl = spawnSync("etcdctl", ["version"]).status === 0 ? test : test.skip

const sorted = (pairs: ReadonlyArray<Pair>): ReadonlyArray<Pair> =>
  pairs.toSorted((one, other) => compareKeys(one.key, other.key))

const someBytes = (max: number) => fc.uint8Array({ maxLength: max })
const value = fc.oneof(
  { weight: 20, arbitrary: someBytes(40) },
  { weight: 2, arbitrary: someBytes(3_000) },
  { weight: 1, arbitrary: fc.nat({ max: 40_000 }).map((length) => new Uint8Array(length).fill(7)) }
)
const pair = fc.record({ key: fc.uint8Array({ minLength: 1, maxLength: 60 }), value })
const distinctPairs = fc.uniqueArray(pair, {
  maxLength: 300,
  selector: ({ key }) => Buffer.from(key).toString("latin1")
})
// None is called "key": in there etcdctl expects revisions.
const buckets: fc.Arbitrary<ReadonlyArray<Bucket>> = fc
  .uniqueArray(fc.record({ name: fc.stringMatching(/^b[a-z_]{0,20}$/), pairs: distinctPairs.map(sorted) }), {
    selector: ({ name }) => name,
    maxLength: 12
  })
  .map((all) => all.toSorted((one, other) => (one.name < other.name ? -1 : 1)))

const shown = (all: ReadonlyArray<Bucket>) =>
  all.map(({ name, pairs }) => [
    name,
    ...pairs.map((each) => [each.key, each.value].map((bytes) => Buffer.from(bytes).toString("latin1")))
  ])

test("whatever buckets are written, they are read back", (t) => {
  fc.assert(
    fc.property(buckets, (all) => {
      t.deepEqual(shown(readBack(written(all))), shown(all))
    }),
    { numRuns: 150 }
  )
})

const numbered = (count: number, valueBytes: (number: number) => number): ReadonlyArray<Pair> =>
  Array.from({ length: count }, (_, number) => ({
    key: latin1(String(number).padStart(17, "0")),
    value: new Uint8Array(valueBytes(number)).fill(number)
  }))

test("branches have branches above them, and every pair is found below", (t) => {
  // Keys so long that a page takes few of them, so that the tree is high.
  const pairs = Array.from({ length: 400 }, (_, number) => ({
    key: latin1(String(number).padStart(900, "0")),
    value: new Uint8Array(3)
  }))
  t.deepEqual(shown(readBack(written([{ name: "high", pairs }]))), shown([{ name: "high", pairs }]))
})

test("a second pass that sees more, less or something else than the first is refused", (t) => {
  const pairs = numbered(1_000, () => 100)
  const plan = new BboltPlan()
  plan.bucket(latin1("key"))
  for (const { key, value } of pairs) plan.add(key.length, value.length)
  const layout = plan.finish()
  const draw = (seen: ReadonlyArray<Pair>) => () => [...bboltPages(layout, () => seen)].length
  t.notThrows(draw(pairs))
  t.throws(draw(pairs.slice(0, 500)), { name: "BboltUnplanned" })
  t.throws(draw([...pairs, ...numbered(2_000, () => 100).slice(1_000)]), { name: "BboltUnplanned" })
  t.throws(draw(pairs.toReversed()), { message: /in order/ })
})

test("whoever gives the pairs may pause between any two", (t) => {
  const pairs = numbered(50, () => 1_000)
  const plan = new BboltPlan()
  plan.bucket(latin1("key"))
  for (const { key, value } of pairs) plan.add(key.length, value.length)
  const layout = plan.finish()
  const plain = [...bboltPages(layout, () => pairs)]
  const paused = [...bboltPages(layout, () => pairs.flatMap((each) => [undefined, each]))]
  t.is(paused.filter((page) => page === undefined).length, 50)
  t.deepEqual(
    paused.filter((page) => page !== undefined),
    plain
  )
})

withEtcdctl("etcdctl finds nothing wrong with files of ours, and as many keys as were written", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "bbolt-"))
  try {
    const path = join(folder, "file")
    const accepted = (all: ReadonlyArray<Bucket>): void => {
      const bytes = written(all)
      writeFileSync(path, bytes)
      const { status, stderr, stdout } = spawnSync("etcdctl", ["snapshot", "status", path, "-w", "json"], {
        env: { ...process.env, ETCDCTL_API: "3" },
        encoding: "utf8"
      })
      t.is(status, 0, stderr)
      const { totalKey, totalSize } = JSON.parse(stdout)
      t.is(
        totalKey,
        all.reduce((sum, { pairs }) => sum + pairs.length, 0)
      )
      t.is(totalSize, bytes.length)
    }
    accepted([])
    accepted([{ name: "empty", pairs: [] }])
    accepted([{ name: "many", pairs: numbered(60_000, (number) => number % 90) }])
    accepted([{ name: "large", pairs: numbered(30, (number) => (number % 3) * 700_000) }])
    fc.assert(fc.property(buckets, accepted), { numRuns: 40 })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
