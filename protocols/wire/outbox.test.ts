import test from "ava"
import fc from "fast-check"
import {
  batchBytes,
  completed,
  type Frame,
  inFlightBytesMax,
  inFlightFramesMax,
  partBytes
} from "./frames.ts"
import { defaultLimits, Outbox } from "./outbox.ts"

const pack = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))
const unpack = (parts: ReadonlyArray<Uint8Array>): unknown => JSON.parse(Buffer.concat(parts).toString())
const outbox = (limits = defaultLimits) => new Outbox(limits, pack)
const tell = (text: string): Frame => ["tell", "/node02/a", text]
const everything = () => true

const fill = (from: Outbox): ReadonlyArray<Frame> => {
  const batch: Array<Frame> = []
  from.fill(batch, everything)
  return batch
}

/** What the other end puts together again. */
const received = (frames: ReadonlyArray<Frame>): ReadonlyArray<unknown> => {
  const whole: Array<unknown> = []
  let large: { head: Frame; bytes: number; parts: Array<Uint8Array> } | undefined
  for (const frame of frames) {
    if (frame[0] === "large") large = { head: frame[1], bytes: frame[2], parts: [] }
    else if (frame[0] === "part" && large !== undefined) {
      large.parts.push(frame[1])
      large.bytes -= frame[1].length
      if (large.bytes === 0) whole.push(completed(large.head, unpack(large.parts)))
    } else whole.push(frame)
  }
  return whole
}

test("frames leave in the order they came", (t) => {
  const box = outbox()
  for (const text of ["a", "b", "c"]) box.push(tell(text))
  t.deepEqual(fill(box), [tell("a"), tell("b"), tell("c")])
  t.false(box.ready)
})

test("without credit nothing leaves, and with it the rest does", (t) => {
  const box = outbox()
  for (let count = 0; count < inFlightFramesMax + 10; count++) box.push(["withdraw", count])
  let sent = 0
  while (box.ready) sent += fill(box).length
  t.is(sent, inFlightFramesMax)
  t.is(box.queued, 10)

  box.taken(4)
  t.true(box.ready)
  t.is(fill(box).length, 4)
})

test("the window is bounded in bytes as well", (t) => {
  const box = outbox()
  for (let count = 0; count < 200; count++) box.push(tell("x".repeat(20_000)))
  while (box.ready) fill(box)
  t.true(box.inFlightBytes < inFlightBytesMax + batchBytes)
  t.true(box.queued > 100)
})

test("an outbox that nobody empties is full at its bound, in frames or in bytes", (t) => {
  const few = outbox({ queuedFramesMax: 3, queuedBytesMax: 1_000_000 })
  const small = outbox({ queuedFramesMax: 1_000, queuedBytesMax: 10_000 })
  for (let count = 0; count < 3; count++) few.push(tell("a"))
  t.true(few.full)
  t.false(small.full)
  small.push(tell("x".repeat(10_000)))
  t.true(small.full)
})

test("a large frame leaves in parts over several batches, and what follows it waits", (t) => {
  const box = outbox()
  const text = "y".repeat(10 * partBytes)
  box.push(tell(text))
  box.push(tell("after"))
  const batches: Array<ReadonlyArray<Frame>> = []
  while (box.ready) batches.push(fill(box))
  t.true(batches.length > 1)
  t.deepEqual(received(batches.flat()), [tell(text), tell("after")])
})

test("datagrams overtake everything and need no credit; the oldest give way", (t) => {
  const box = outbox()
  for (let count = 0; count < inFlightFramesMax; count++) box.push(["withdraw", count])
  while (box.ready) fill(box)
  box.push(tell("waits"))
  for (let count = 0; count < 300; count++) box.pushDatagram(count)
  const batch = fill(box)
  t.is(batch.length, 256)
  t.deepEqual(batch[0], ["datagram", 44])
  t.is(box.droppedDatagrams, 44)
})

test("a frame may be held back for good when its turn comes", (t) => {
  const box = outbox()
  box.push(["ask", 1, "/a", 10, null])
  box.push(["ask", 2, "/a", 10, null])
  const batch: Array<Frame> = []
  box.fill(batch, (frame) => frame[0] !== "ask" || frame[1] !== 1)
  t.deepEqual(batch, [["ask", 2, "/a", 10, null]])
})

test("whatever is sent and taken in whatever pieces arrives whole, in order, within the window", (t) => {
  const texts = fc.array(
    fc.oneof(
      fc.string({ maxLength: 20 }),
      fc.integer({ min: 0, max: 300_000 }).map((length) => "z".repeat(length))
    ),
    { maxLength: 30 }
  )
  fc.assert(
    fc.property(texts, fc.infiniteStream(fc.integer({ min: 1, max: 50 })), (all, credit) => {
      const box = outbox()
      for (const text of all) box.push(tell(text))
      const crossed: Array<Frame> = []
      let owed = 0
      while (box.queued > 0 || box.ready) {
        const batch = fill(box)
        crossed.push(...batch)
        owed += batch.length
        const taken = Math.min(owed, credit.next().value ?? 1)
        box.taken(taken)
        owed -= taken
      }
      t.deepEqual(received(crossed), all.map(tell))
      box.taken(owed)
      return box.inFlightBytes === 0 && box.queuedBytes === 0
    }),
    { numRuns: 100 }
  )
})
