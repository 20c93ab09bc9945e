import test from "ava"
import fc from "fast-check"
import { zerosEnd } from "./batch-format.ts"

test("zeros end at the first byte that is none, wherever the bytes begin in memory", (t) => {
  const zeros = fc.nat(40).map((length) => new Uint8Array(length))
  fc.assert(
    fc.property(
      fc.nat(9),
      zeros,
      fc.uint8Array({ maxLength: 12 }),
      fc.nat(50),
      (shift, before, after, from) => {
        const memory = new Uint8Array([...new Uint8Array(shift).fill(1), ...before, ...after])
        const bytes = memory.subarray(shift)
        const start = Math.min(from, bytes.length)
        const found = bytes.findIndex((byte, at) => at >= start && byte !== 0)
        t.is(zerosEnd(bytes, start), found === -1 ? bytes.length : found)
      }
    ),
    { numRuns: 1_000 }
  )
})
