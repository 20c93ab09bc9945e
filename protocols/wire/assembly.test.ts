import test from "ava"
import { Assembly } from "./assembly.ts"
import type { Frame } from "./frames.ts"

const unpack = (bytes: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(bytes))
const packed = new TextEncoder().encode(JSON.stringify("a long text"))
const head: Frame = ["reply", 7, null]

test("a frame is whole with its last part", (t) => {
  const assembly = new Assembly(unpack)
  assembly.begin(head, packed.length)
  t.is(assembly.add(packed.subarray(0, 5)), undefined)
  t.deepEqual(assembly.add(packed.subarray(5)), { whole: ["reply", 7, "a long text"] })
})

test("what is not wanted is thrown away as it comes", (t) => {
  const assembly = new Assembly(unpack)
  assembly.begin(undefined, packed.length)
  t.is(assembly.add(packed), undefined)
  t.deepEqual(assembly.add(packed), { malformed: undefined })
})

test("a part too long, a part of nothing, and parts that are no value are malformed, and the next frame is not", (t) => {
  const assembly = new Assembly(unpack)
  assembly.begin(head, 3)
  t.deepEqual(assembly.add(packed), { malformed: head })
  t.deepEqual(assembly.add(packed), { malformed: undefined })
  assembly.begin(head, 0)
  t.deepEqual(assembly.add(new Uint8Array(0)), { malformed: undefined })
  assembly.begin(head, 2)
  t.deepEqual(assembly.add(packed.subarray(0, 2)), { malformed: head })
  assembly.begin(head, packed.length)
  t.deepEqual(assembly.add(packed), { whole: ["reply", 7, "a long text"] })
})
