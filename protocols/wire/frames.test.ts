import test from "ava"
import fc from "fast-check"
import { approximateBytes, completed, type Frame, headOf, isFrame } from "./frames.ts"

const bytes = new Uint8Array([1, 2, 3])

const frames: ReadonlyArray<Frame> = [
  ["tell", "/node01/a", { _tag: "X" }],
  ["ask", 0, "/node01/a", 1_000, { _tag: "X" }],
  ["withdraw", 0],
  ["reply", 0, null],
  ["failed", 0, { _tag: "Fault" }],
  ["died", 0, "a bug"],
  ["undelivered", "/node01/a", { _tag: "Fault" }],
  ["watch", 1, "/node01/a"],
  ["unwatch", 1],
  ["ended", 1, {}],
  ["subscribe", 2, "/node01", ["MemberFailed"], 10],
  ["more", 2, 10],
  ["unsubscribe", 2],
  ["event", 2, {}],
  ["missed", 2, 5],
  ["datagram", {}],
  ["large", ["tell", "/node01/a", null], 1_000_000],
  ["part", bytes],
  ["taken", 5],
  ["stop"]
]

for (const frame of frames) {
  test(`a ${frame[0]} is a frame, and with an element more or less it is none`, (t) => {
    t.true(isFrame(frame))
    t.false(isFrame([...frame, 1]))
    t.false(isFrame(frame.slice(0, -1)))
  })
}

const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

const traced: ReadonlyArray<Frame> = [
  ["tell", "/node01/a", trace, { _tag: "X" }],
  ["ask", 0, "/node01/a", 1_000, trace, { _tag: "X" }],
  ["subscribe", 2, "/node01", ["MemberFailed"], 10, trace]
]

for (const frame of traced) {
  test(`a ${frame[0]} may be part of a trace, and of nothing else`, (t) => {
    t.true(isFrame(frame))
    t.false(isFrame([...frame, trace]))
    for (const wrong of [null, 1, "", "00-1-2-01", `${trace}0`, trace.toUpperCase(), "x".repeat(1_000_000)])
      t.false(isFrame(frame.map((element) => (element === trace ? wrong : element))))
  })
}

test("what fits no kind is no frame", (t) => {
  const wrong: ReadonlyArray<unknown> = [
    null,
    "ask",
    {},
    [],
    ["shout", 1],
    ["constructor", 1],
    ["ask", -1, "/a", 10, {}],
    ["ask", 0.5, "/a", 10, {}],
    ["ask", 1, "/a", Number.NaN, {}],
    ["ask", 1, "/a", Number.POSITIVE_INFINITY, {}],
    ["ask", 1, "/".repeat(5_000), 10, {}],
    ["ask", 1, 5, 10, {}],
    ["subscribe", 1, "/node01", "MemberFailed", 10],
    ["subscribe", 1, "/node01", [5], 10],
    ["subscribe", 1, "/node01", Array.from({ length: 101 }, () => "A"), 10],
    ["large", ["taken", 1], 10],
    ["large", ["large", ["tell", "/a", null], 5], 10],
    ["part", [1, 2, 3]],
    ["taken", Number.MAX_VALUE]
  ]
  for (const value of wrong) t.false(isFrame(value), JSON.stringify(value))
})

test("whatever arrives, looking at it throws nothing", (t) => {
  fc.assert(
    fc.property(
      fc.anything({ withBigInt: true, withSparseArray: true }),
      (value) => typeof isFrame(value) === "boolean"
    )
  )
  t.pass()
})

test("the last element of a large frame takes its place", (t) => {
  for (const frame of [...frames, ...traced]) {
    const head = headOf(frame)
    if (head === undefined) continue
    t.true(isFrame(["large", head, 10]))
    t.deepEqual(completed(head, frame[frame.length - 1]), frame)
  }
})

test("an approximate size is at least that of the text of a value, up to what was asked for", (t) => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = Buffer.byteLength(JSON.stringify(value))
      return approximateBytes(value) * 3 >= text
    })
  )
  t.true(approximateBytes("x".repeat(1_000)) >= 1_000)
  t.true(approximateBytes(new Uint8Array(1_000)) >= 1_000)
  const huge = Array.from({ length: 100_000 }, () => "word")
  t.true(approximateBytes(huge, 1_000) < 1_100)
})
