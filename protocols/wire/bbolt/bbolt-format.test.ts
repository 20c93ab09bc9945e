import test from "ava"
import { readMeta, viewOf, writeMeta } from "./bbolt-format.ts"

/** The first page of a snapshot of etcd 3.4.23, behind its head. */
const ofEtcd = Uint8Array.from(
  Buffer.from(
    "edda0ced0200000000100000000000000200000000000000000000000000000" +
      "0ffffffffffffffff05000000000000001700000000000000f383bde4c9140c90",
    "hex"
  )
)

test("the head of a file of etcd verifies, and is what bbolt reads there", (t) => {
  const meta = readMeta(viewOf(ofEtcd), 0)
  t.like(meta, { pageBytes: 4096, root: 2, pages: 5, transaction: 23n })
  // It keeps no free list.
  t.is(meta?.freelist, Number(2n ** 64n - 1n))
})

test("one wrong bit anywhere in it, and it does not verify", (t) => {
  for (let bit = 0; bit < 8 * ofEtcd.length; bit++) {
    const bytes = ofEtcd.slice()
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    t.is(readMeta(viewOf(bytes), 0), undefined, `bit ${bit}`)
  }
})

test("what is written is read back", (t) => {
  const bytes = new Uint8Array(80)
  const meta = { pageBytes: 4096, root: 12, freelist: 2, pages: 13, transaction: 1n }
  writeMeta(viewOf(bytes), 16, meta)
  t.deepEqual(readMeta(viewOf(bytes), 16), meta)
})
