import test from "ava"
import { seal, sealBytes, unseal } from "./sealed-values.ts"

const key = Uint8Array.of(1, 2, 3)
const value = Uint8Array.from({ length: 50 }, (_, byte) => byte * 5)

const sealed = (): Uint8Array => {
  const bytes = new Uint8Array(value.length + sealBytes)
  seal(key, value, bytes, 0)
  return bytes
}

test("a sealed value opens under its key, and under no other", (t) => {
  t.deepEqual(unseal(key, sealed()), value)
  t.is(unseal(Uint8Array.of(1, 2, 4), sealed()), undefined)
})

test("any changed bit and any other length breaks the seal", (t) => {
  for (let bit = 0; bit < sealed().length * 8; bit++) {
    const bytes = sealed()
    bytes[bit >> 3]! ^= 1 << (bit & 7)
    t.is(unseal(key, bytes), undefined)
  }
  for (let length = 0; length < sealed().length; length++)
    t.is(unseal(key, sealed().subarray(0, length)), undefined)
})
