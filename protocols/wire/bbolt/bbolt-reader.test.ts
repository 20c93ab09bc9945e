/** Files that are not as they should be: said so, and nothing else. */
import test from "ava"
import { Prng } from "#chaos/sim/prng.ts"
import { BboltCorrupt, pageFlags, pageHeadBytes, viewOf, writeMeta, writePageHead } from "./bbolt-format.ts"
import { BboltReader } from "./bbolt-reader.ts"
import { latin1, readBack, sourceOf, written } from "./fixtures/files.ts"

const seed = Number(process.env["UC_SEED"] ?? 1)

const sample = written([
  { name: "alarm", pairs: [] },
  {
    name: "key",
    pairs: Array.from({ length: 700 }, (_, number) => ({
      key: latin1(String(number).padStart(17, "0")),
      value: new Uint8Array(number % 11 === 0 ? 5_000 : 40)
    }))
  },
  { name: "meta", pairs: [{ key: latin1("consistent_index"), value: new Uint8Array(8) }] }
])

/** Reads all of it; whatever is wrong has to be typed. */
const outcome = (bytes: Uint8Array): "read" | "corrupt" => {
  try {
    readBack(bytes)
    return "read"
  } catch (problem) {
    if (problem instanceof BboltCorrupt) return "corrupt"
    throw problem
  }
}

test("damaged bytes are found, or harmless, and never anything else", (t) => {
  const prng = new Prng(seed)
  const seen = { read: 0, corrupt: 0 }
  for (let round = 0; round < 3_000; round++) {
    const bytes = sample.slice()
    const wrong = 1 + prng.below(6)
    for (let each = 0; each < wrong; each++) {
      // Mostly where the structure is: in the heads of pages.
      const page = prng.below(bytes.length / 4096) * 4096
      const at = prng.chance(0.7) ? page + prng.below(80) : prng.below(bytes.length)
      bytes[at] = prng.chance(0.3) ? 255 : prng.below(256)
    }
    const cut = prng.chance(0.2) ? bytes.subarray(0, prng.below(bytes.length)) : bytes
    seen[outcome(cut)]++
  }
  t.true(seen.corrupt > 1_000 && seen.read > 50, JSON.stringify(seen))
})

test("bytes that never were a file are refused", (t) => {
  const prng = new Prng(seed)
  for (let round = 0; round < 500; round++) {
    const bytes = Uint8Array.from({ length: prng.below(20_000) }, () => prng.below(256))
    t.is(outcome(bytes), "corrupt")
  }
})

test("when the first page was torn, the second one says what was before", (t) => {
  const torn = sample.slice()
  torn.fill(0xff, 0, 200)
  t.deepEqual(readBack(torn), readBack(sample))
  torn.fill(0xff, 4096, 4296)
  t.throws(() => readBack(torn), { instanceOf: BboltCorrupt, message: /neither of its first pages verifies/ })
})

test("a page that leads back to itself ends the reading", (t) => {
  const pages = 4
  const bytes = new Uint8Array(pages * 4096)
  writePageHead(viewOf(bytes), { id: 0, flags: pageFlags.meta, count: 0, overflow: 0 })
  const meta = { pageBytes: 4096, root: 3, freelist: 2, pages, transaction: 1n }
  writeMeta(viewOf(bytes), pageHeadBytes, meta)
  const branch = viewOf(bytes.subarray(3 * 4096))
  writePageHead(branch, { id: 3, flags: pageFlags.branch, count: 1, overflow: 0 })
  branch.setBigUint64(pageHeadBytes + 8, 3n, true)
  t.throws(() => new BboltReader(sourceOf(bytes)), {
    instanceOf: BboltCorrupt,
    message: /page 3 is in the tree twice/
  })
})

test("what it says is wrong names the place and what to do", (t) => {
  const short = sample.subarray(0, sample.length - 1)
  t.throws(() => new BboltReader(sourceOf(short)), {
    message: /byte \d+: it should have .* take the snapshot again/
  })
})

test("a bucket that is not there has nothing in it", (t) => {
  t.deepEqual([...new BboltReader(sourceOf(sample)).pairs("nothing")], [])
})
