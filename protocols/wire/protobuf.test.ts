import test from "ava"
import fc from "fast-check"
import { delimited, depthMax, ProtobufMalformed, Reader, Writer } from "./protobuf.ts"
import {
  bool,
  bytes,
  count,
  enumeration,
  id,
  type Message,
  message,
  nested,
  repeated,
  string,
  uid,
  uint32
} from "./protobuf-message.ts"

const written = (write: (writer: Writer) => void): Uint8Array => {
  const writer = new Writer(8)
  write(writer)
  return writer.finish()
}

test("numbers of all sizes are written as everybody writes them", (t) => {
  t.deepEqual(
    [...written((writer) => writer.safe(0x08, 150))],
    [0x08, 0x96, 0x01],
    "the example of the documentation"
  )
  t.deepEqual(
    [...written((writer) => writer.safe(0x08, -1))],
    [0x08, ...new Array<number>(9).fill(0xff), 0x01],
    "minus one takes ten bytes"
  )
  t.deepEqual([...written((writer) => writer.big(0x08, 2n ** 64n - 1n))].length, 11)
})

test("safe integers, and bigints of 64 bits, come back as they were", (t) => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), (safe, big) => {
      const reader = new Reader(
        written((writer) => {
          writer.big(0x18, BigInt.asUintN(64, big))
          writer.big(0x10, big)
          writer.safe(0x08, safe)
        })
      )
      t.is(reader.tag(), 0x08)
      t.is(reader.safe(), safe)
      t.is(reader.tag(), 0x10)
      t.is(reader.int64(), big)
      t.is(reader.tag(), 0x18)
      t.is(reader.uint64(), BigInt.asUintN(64, big))
      t.is(reader.tag(), 0)
    }),
    { numRuns: 2_000 }
  )
})

test("a number that does not count exactly is refused, not rounded", (t) => {
  const reader = new Reader(written((writer) => writer.big(0x08, 2n ** 53n)))
  reader.tag()
  t.throws(() => reader.safe(), { instanceOf: ProtobufMalformed, message: /beyond what counts exactly/ })
})

test("what one writer wrote stays, whatever it writes next", (t) => {
  const writer = new Writer(16)
  const kept = Array.from({ length: 20_000 }, (_, index) => {
    writer.safe(0x08, index)
    return writer.finish()
  })
  const values = kept.map((encoded) => {
    const reader = new Reader(encoded)
    reader.tag()
    return reader.safe()
  })
  t.deepEqual(values, [...kept.keys()])
  writer.bytes(0x0a, new Uint8Array(300_000).fill(7))
  t.is(writer.finish().length, 300_004)
  writer.bool(0x08, true)
  t.deepEqual([...writer.finish()], [8, 1])
})

test("bytes are views of what came in", (t) => {
  const encoded = written((writer) => writer.bytes(0x0a, Uint8Array.of(1, 2, 3)))
  const reader = new Reader(encoded)
  reader.tag()
  const view = reader.bytes()
  t.deepEqual([...view], [1, 2, 3])
  t.is(view.buffer, encoded.buffer)
})

const Tree: Message<Tree> = message("Tree", { name: string(1), branches: repeated(nested(2, () => Tree)) })
type Tree = { readonly name: string; readonly branches: ReadonlyArray<Tree> }

const Everything = message("Everything", {
  some_bytes: bytes(1),
  text: string(2),
  yes: bool(3),
  small: uint32(4),
  counted: count(5),
  named: id(6),
  unsigned: uid(7),
  colour: enumeration(8, ["RED", "GREEN"]),
  numbers: repeated(count(9)),
  texts: repeated(string(10)),
  tree: nested(100_000, () => Tree)
})

test("fields nobody knows are passed over, whatever their wire type", (t) => {
  const Newer = message("Newer", {
    text: string(2),
    extra: bytes(900),
    number: id(901),
    more: nested(902, () => Tree)
  })
  const encoded = Newer.encode(
    Newer.make({ text: "here", extra: Uint8Array.of(9), number: -5n, more: { name: "x", branches: [] } })
  )
  const fixed = Uint8Array.of((20 << 3) | 5, 1, 0, 1, 2, 3, 4, (21 << 3) | 1, 1, 1, 2, 3, 4, 5, 6, 7, 8)
  fixed[0] = (((20 << 3) | 5) & 0x7f) | 0x80
  fixed[7] = (((21 << 3) | 1) & 0x7f) | 0x80
  const both = Uint8Array.of(...encoded, fixed[0]!, 1, 1, 2, 3, 4, fixed[7]!, 1, 1, 2, 3, 4, 5, 6, 7, 8)
  t.is(Everything.decode(both).text, "here")
})

test("a group is refused, and so is the field number zero", (t) => {
  t.throws(() => Everything.decode(Uint8Array.of(0x0b)), { message: /wire type 3/ })
  t.throws(() => Everything.decode(Uint8Array.of(0x83, 0x04)), { message: /groups are not understood/ })
  t.throws(() => Everything.decode(Uint8Array.of(0x02)), { message: /number zero/ })
})

test("what says it is longer than it is, is refused without allocating", (t) => {
  t.throws(() => Everything.decode(Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f)), {
    message: /4294967295 bytes where 0 are left/
  })
  t.throws(() => Everything.decode(Uint8Array.of(0x28, ...new Array<number>(11).fill(0x80))), {
    message: /more than ten bytes/
  })
})

test("an inner message cannot read beyond its own end", (t) => {
  // A tree of two bytes that claims a name of five, with bytes enough behind it.
  t.throws(() => Tree.decode(Uint8Array.of(0x12, 2, 0x0a, 5, 0x0a, 3, 1, 2, 3)), {
    message: /5 bytes where 0/
  })
})

test("messages nest as deep as allowed, and no deeper", (t) => {
  const deep = (depth: number): Uint8Array => {
    const writer = new Writer()
    for (let level = 0; level < depth; level++) writer.nest((2 << 3) | delimited, 0)
    return writer.finish()
  }
  t.is(Tree.decode(deep(depthMax)).branches.length, 1)
  t.throws(() => Tree.decode(deep(depthMax + 1)), { message: /nest deeper/ })
})

test("packed numbers are read one by one, too, and written packed", (t) => {
  t.deepEqual([...Everything.decode(Uint8Array.of(0x48, 1, 0x48, 2, 0x4a, 2, 3, 4)).numbers], [1, 2, 3, 4])
  t.deepEqual([...Everything.encode(Everything.make({ numbers: [1, 300] }))], [0x4a, 3, 1, 0xac, 2])
})

test("a text that is not UTF-8 is refused", (t) => {
  t.throws(() => Everything.decode(Uint8Array.of(0x12, 1, 0xff)), { message: /not UTF-8/ })
})

const anything = fc.record({
  someBytes: fc.uint8Array(),
  text: fc.string({ unit: "grapheme" }),
  yes: fc.boolean(),
  small: fc.nat(),
  counted: fc.maxSafeInteger(),
  named: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
  unsigned: fc.bigInt(0n, 2n ** 64n - 1n),
  colour: fc.constantFrom(0, 1, 2),
  numbers: fc.array(fc.nat()),
  texts: fc.array(fc.string()),
  tree: fc.option(fc.record({ name: fc.string(), branches: fc.constant([]) }), { nil: undefined })
})

test("every message comes back as it was", (t) => {
  fc.assert(
    fc.property(anything, (value) => {
      t.deepEqual(Everything.decode(Everything.encode(value)), value)
    }),
    { numRuns: 500 }
  )
  t.pass()
})

test("whatever comes in, either a message comes out or the one error", (t) => {
  const decoded = (encoded: Uint8Array) => {
    try {
      Everything.decode(encoded)
    } catch (problem) {
      if (!(problem instanceof ProtobufMalformed)) throw problem
    }
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), decoded), { numRuns: 5_000 })
  fc.assert(
    fc.property(anything, fc.nat(), fc.nat(255), fc.nat(), (value, at, byte, cut) => {
      const encoded = Everything.encode(value)
      if (encoded.length === 0) return
      encoded[at % encoded.length] = byte
      decoded(encoded.subarray(0, 1 + (cut % encoded.length)))
    }),
    { numRuns: 3_000 }
  )
  t.pass()
})
