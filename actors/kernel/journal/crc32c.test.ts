import test from "ava"
import { crc32c } from "./crc32c.ts"

const text = (value: string) => new TextEncoder().encode(value)

test("it agrees with the check value of the CRC catalogue and the vectors of RFC 3720", (t) => {
  t.is(crc32c(text("123456789")), 0xe3069283)
  t.is(crc32c(new Uint8Array(32)), 0x8a9136aa)
  t.is(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43)
  t.is(crc32c(Uint8Array.from({ length: 32 }, (_, byte) => byte)), 0x46dd794e)
})

test("in two parts it is what it is in one, wherever it is cut", (t) => {
  const bytes = Uint8Array.from({ length: 100 }, (_, byte) => (byte * 37) & 0xff)
  const whole = crc32c(bytes)
  for (let cut = 0; cut <= bytes.length; cut++)
    t.is(crc32c(bytes, cut, bytes.length, crc32c(bytes, 0, cut)), whole)
})

test("one flipped bit is found, wherever it is", (t) => {
  const bytes = Uint8Array.from({ length: 41 }, (_, byte) => byte)
  const whole = crc32c(bytes)
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = bytes.slice()
    flipped[bit >> 3]! ^= 1 << (bit & 7)
    t.not(crc32c(flipped), whole)
  }
})
