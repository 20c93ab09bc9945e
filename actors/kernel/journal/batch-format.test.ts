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

test("zeros end at the first byte that is none, however many there are", (t) => {
  const bytes = new Uint8Array(300_000)
  const around = [0, 64, 192, 448, 960, 65_472, 131_008, 196_544, 299_999].flatMap((at) => [
    at - 1,
    at,
    at + 1
  ])
  for (const at of around.filter((place) => place >= 0 && place < bytes.length)) {
    bytes[at] = 1
    for (const from of [0, 1, 63, 64, 65]) if (from <= at) t.is(zerosEnd(bytes, from), at)
    bytes[at] = 0
  }
  t.is(zerosEnd(bytes, 5), bytes.length)
  t.is(zerosEnd(bytes, bytes.length), bytes.length)
})
