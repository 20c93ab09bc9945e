import test from "ava"
import fc from "fast-check"
import { compareBytes, OrderedMap } from "./ordered-map.ts"

const key = (number: number) => Uint8Array.of(number >> 8, number & 0xff)

test("it holds what a sorted list holds, and a snapshot what it held then", (t) => {
  const step = fc.record({
    kind: fc.constantFrom("set", "delete", "snapshot"),
    key: fc.nat(2_000),
    many: fc.nat(300)
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const map = new OrderedMap<number>()
      const model = new Map<number, number>()
      const snapshots: Array<[OrderedMap<number>, Map<number, number>]> = [[map, model]]
      for (const { key: from, kind, many } of steps) {
        if (kind === "snapshot") snapshots.push([map.snapshot(), new Map(model)])
        for (let at = from; at < from + many; at++) {
          if (kind === "set") {
            map.set(key(at), at + many)
            model.set(at, at + many)
          } else if (kind === "delete") {
            map.delete(key(at))
            model.delete(at)
          }
        }
      }
      for (const [one, other] of snapshots) {
        const entries = [...other].toSorted(([a], [b]) => a - b)
        if (one.size !== other.size) return false
        const there = [...one.range()].map(([bytes, value]) => [bytes[0]! * 256 + bytes[1]!, value])
        if (JSON.stringify(there) !== JSON.stringify(entries)) return false
        const [start, end] = [key(500), key(1_500)]
        const part = entries.filter(([number]) => number >= 500 && number < 1_500).map(([, value]) => value)
        const forth = [...one.range({ start, end, limit: 400 })].map(([, value]) => value)
        const back = [...one.range({ start, end, reverse: true })].map(([, value]) => value)
        if (JSON.stringify(forth) !== JSON.stringify(part.slice(0, 400))) return false
        if (JSON.stringify(back) !== JSON.stringify(part.toReversed())) return false
        if (!entries.every(([number, value]) => one.get(key(number)) === value)) return false
      }
      return true
    }),
    { numRuns: 60 }
  )
  t.pass()
})

test("bytes are compared as numbers without a sign, and a prefix comes first", (t) => {
  const of = (...bytes: ReadonlyArray<number>) => Uint8Array.from(bytes)
  t.true(compareBytes(of(127), of(128)) < 0)
  t.true(compareBytes(of(1), of(1, 0)) < 0)
  t.true(compareBytes(of(2), of(1, 9)) > 0)
  t.is(compareBytes(of(1, 2), of(1, 2)), 0)
})
