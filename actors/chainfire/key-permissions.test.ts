import test from "ava"
import fc from "fast-check"
import { type Permission, PermissionType } from "#protocols/wire/etcd/auth.ts"
import { keyPermissions } from "./key-permissions.ts"
import { compareBytes } from "./record.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const permission = (key: string, rangeEnd = "", permType: number = PermissionType.readWrite): Permission => ({
  key: bytes(key),
  rangeEnd: bytes(rangeEnd),
  permType
})

test("a range is covered by several permissions side by side, and not across a gap", (t) => {
  const { read } = keyPermissions([permission("a", "c"), permission("c", "e"), permission("x")])
  t.true(read.covers(bytes("b"), bytes("d")))
  t.true(read.covers(bytes("a"), bytes("e")))
  t.false(read.covers(bytes("a"), bytes("e\0")))
  t.false(read.covers(bytes("d"), bytes("y")))
  t.true(read.covers(bytes("x"), bytes("")))
  t.false(read.covers(bytes("xx"), bytes("")))
  t.false(read.covers(bytes("a"), bytes("\0")), "all from a on are more than these")
})

test("a permission to the end of all keys covers what has no end", (t) => {
  const { write } = keyPermissions([permission("m", "\0")])
  t.true(write.covers(bytes("m"), bytes("\0")))
  t.true(write.covers(bytes("zzz"), bytes("")))
  t.false(write.covers(bytes("a"), bytes("\0")))
  t.true(keyPermissions([permission("\0", "\0")]).read.covers(bytes("\0"), bytes("\0")))
})

test("what ends before it begins, an empty key and a type that nobody knows permit nothing", (t) => {
  const given = [permission("c", "b"), permission("c", "c"), permission(""), permission("a", "z", 7)]
  const { read, write } = keyPermissions(given)
  for (const key of ["a", "b", "c", ""]) {
    t.false(read.covers(bytes(key), bytes("")))
    t.false(write.covers(bytes(key), bytes("")))
  }
})

// Ranges begin and end at keys of one or two of three bytes. One byte more, and there is a key between any two of
// them that are not next to each other, so that all can be counted through.
const alphabet = [0, 1, 2]
const keysOf = (length: number): ReadonlyArray<ReadonlyArray<number>> =>
  length === 0 ? [[]] : keysOf(length - 1).flatMap((head) => alphabet.map((last) => [...head, last]))
const keys = (lengthMax: number) =>
  Array.from({ length: lengthMax }, (_, index) => keysOf(index + 1))
    .flat()
    .map((key) => Uint8Array.from(key))
const universe = keys(3)

const key = fc.constantFrom(...keys(2))
const rangeEnd = fc.oneof(key, fc.constant(new Uint8Array(0)), fc.constant(new Uint8Array(1)))
const anyPermission = fc.record({ key, rangeEnd, permType: fc.constantFrom(0, 1, 2) })

const inRange = (start: Uint8Array, end: Uint8Array, one: Uint8Array): boolean => {
  if (end.length === 0) return compareBytes(start, one) === 0
  const endless = end.length === 1 && end[0] === 0
  return compareBytes(one, start) >= 0 && (endless || compareBytes(one, end) < 0)
}

test("a range is permitted exactly if every key in it is; one without keys, if the key is where it begins", (t) => {
  let permittedRanges = 0
  fc.assert(
    fc.property(fc.array(anyPermission, { maxLength: 6 }), key, rangeEnd, (permissions, start, end) => {
      const permitted = keyPermissions(permissions)
      const asked = universe.filter((one) => inRange(start, end, one))
      for (const what of ["read", "write"] as const) {
        const types: ReadonlyArray<number> = what === "read" ? [0, 2] : [1, 2]
        const permits = (one: Uint8Array) =>
          permissions.some(
            (given) => types.includes(given.permType) && inRange(given.key, given.rangeEnd, one)
          )
        const expected = (asked.length === 0 ? [start] : asked).every(permits)
        t.is(permitted[what].covers(start, end), expected)
        if (expected && asked.length > 1) permittedRanges++
      }
    }),
    { numRuns: 5_000 }
  )
  t.true(permittedRanges > 100, `${permittedRanges} ranges of several keys were permitted`)
})
