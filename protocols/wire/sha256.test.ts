import { createHash } from "node:crypto"
import test from "ava"
import fc from "fast-check"
import { Sha256 } from "./sha256.ts"

test("bytes in whatever pieces have the digest that the host gives them", (t) => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 12 }), (pieces) => {
      const ours = new Sha256()
      const theirs = createHash("sha256")
      for (const piece of pieces) {
        ours.update(piece)
        theirs.update(piece)
      }
      t.deepEqual(Buffer.from(ours.digest()), theirs.digest())
    }),
    { numRuns: 500 }
  )
})

test("its padding is right around the ends of blocks", (t) => {
  for (let length = 0; length < 200; length++) {
    const bytes = new Uint8Array(length).fill(length)
    const ours = new Sha256()
    ours.update(bytes)
    t.deepEqual(Buffer.from(ours.digest()), createHash("sha256").update(bytes).digest(), `${length} bytes`)
  }
})
