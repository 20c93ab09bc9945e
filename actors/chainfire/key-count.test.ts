import test from "ava"
import fc from "fast-check"
import { memoryTables } from "./fixtures/memory-table.ts"
import { KeyCount } from "./key-count.ts"
import { Mvcc, prefixed } from "./mvcc.ts"

const all = prefixed(new Uint8Array(0))

test("whatever is written while it counts, in the end it knows how many keys there are", (t) => {
  const key = fc.uint8Array({ minLength: 1, maxLength: 2, max: 3 })
  const step = fc.oneof(
    fc.record({ kind: fc.constant("put" as const), key }),
    fc.record({ kind: fc.constant("delete" as const), key }),
    fc.record({ kind: fc.constant("walk" as const), max: fc.integer({ min: 1, max: 4 }) })
  )
  fc.assert(
    fc.property(fc.array(key), fc.array(step), (before, steps) => {
      const mvcc = new Mvcc(memoryTables())
      mvcc.begin()
      for (const each of before) mvcc.put(each, each)
      mvcc.commit()
      const count = new KeyCount()
      for (const each of steps) {
        if (each.kind === "walk") count.walk(mvcc, each.max)
        else {
          mvcc.begin()
          if (each.kind === "put") mvcc.put(each.key, each.key)
          else mvcc.delete({ key: each.key, rangeEnd: new Uint8Array(0) })
          count.changed(mvcc.commit())
        }
        if (count.known !== undefined) t.is(count.known, [...mvcc.range(all)].length)
      }
      for (let turn = 0; turn < 200; turn++) count.walk(mvcc, 3)
      t.is(count.known, [...mvcc.range(all)].length)
      count.again()
      t.is(count.known, undefined)
    })
  )
})
