import test from "ava"
import { ByteReader, ByteWriter, numberBytes, RaftCodecError } from "./raft-bytes.ts"

const numbers = [
  0,
  1,
  127,
  128,
  16_383,
  16_384,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 + 5,
  2 ** 49,
  Number.MAX_SAFE_INTEGER
]

test("a number up to 2^53 - 1 comes back, in as many bytes as were foretold", (t) => {
  for (const value of numbers) {
    const writer = new ByteWriter(numberBytes(value))
    writer.number(value)
    t.is(writer.at, writer.bytes.length)
    t.is(new ByteReader(writer.bytes).number(), value)
  }
})

test("bytes are read as a view, not as a copy", (t) => {
  const writer = new ByteWriter(4)
  writer.data(new Uint8Array([1, 2, 3]))
  const data = new ByteReader(writer.bytes).data()
  t.deepEqual([...data], [1, 2, 3])
  t.is(data.buffer, writer.bytes.buffer)
})

test("what ends too early, is too large or goes on is refused by the one error", (t) => {
  const refused = (bytes: ReadonlyArray<number>, read: (reader: ByteReader) => unknown) =>
    t.throws(() => read(new ByteReader(new Uint8Array(bytes))), { instanceOf: RaftCodecError })
  refused([], (reader) => reader.byte())
  refused([128], (reader) => reader.number())
  refused(
    Array.from({ length: 9 }, () => 255),
    (reader) => reader.number()
  )
  refused([5, 1, 2], (reader) => reader.data())
  refused([3, 0, 0], (reader) => reader.count(1))
  refused([0], (reader) => reader.end())
})
