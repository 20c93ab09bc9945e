import test from "ava"
import fc from "fast-check"
import { wireCopy } from "./wire-copy.ts"

test("it is what a structured clone is, and shares nothing with what was sent", (t) => {
  const values = fc.anything({
    withDate: true,
    withMap: true,
    withSet: true,
    withTypedArray: true,
    withBigInt: true
  })
  fc.assert(
    fc.property(values, (value) => {
      t.deepEqual(wireCopy(value), structuredClone(value))
      if (typeof value === "object" && value !== null) t.not(wireCopy(value), value)
    })
  )
  const bytes = Buffer.from("abc")
  t.deepEqual(wireCopy([bytes]), [Uint8Array.from(bytes)])
})

test("what no wire carries is refused", (t) => {
  for (const value of [() => {}, Symbol("a"), [{ deep: () => {} }]])
    t.throws(() => wireCopy(value), { name: "DataCloneError" })
})
