import test from "ava"
import { Either, Schema } from "effect"
import fc from "fast-check"
import { EtcdInput, EtcdOutput } from "#chaos/models/etcd-model.ts"
import { crowd } from "./fixtures/histories.ts"
import { HistoryFormat, Recorder } from "./history.ts"

test("a history tells in which order things happened, also within one millisecond", (t) => {
  const recorder = new Recorder<string, string>({ nowMillis: () => 7, operationsMax: 10 })
  const first = recorder.invoke("a", "write")
  const second = recorder.invoke("b", "read")
  second?.ok("old")
  first?.ok("done")
  t.deepEqual(
    recorder.history.map(({ ending, invoked }) => [invoked, ending._tag === "Ok" && ending.at]),
    [
      [
        { order: 0, millis: 7 },
        { order: 3, millis: 7 }
      ],
      [
        { order: 1, millis: 7 },
        { order: 2, millis: 7 }
      ]
    ]
  )
})

test("what has not ended, or ended without an answer, has an unknown outcome", (t) => {
  const recorder = new Recorder<string, string>({ nowMillis: () => 0, operationsMax: 10 })
  recorder.invoke("a", "write")
  recorder.invoke("b", "write")?.unknown("timed out")
  recorder.invoke("c", "write")?.failed("no leader")
  t.deepEqual(
    recorder.history.map(({ ending }) => ending._tag),
    ["Unknown", "Unknown", "Failed"]
  )
})

test("a recorder that is full takes no invocation, so that nothing happens which is not in the history", (t) => {
  const recorder = new Recorder<string, string>({ nowMillis: () => 0, operationsMax: 1 })
  t.not(recorder.invoke("a", "write"), undefined)
  t.true(recorder.isFull)
  t.is(recorder.invoke("a", "write"), undefined)
  t.is(recorder.history.length, 1)
})

test("an operation ends once", (t) => {
  const recorder = new Recorder<string, string>({ nowMillis: () => 0, operationsMax: 1 })
  const recording = recorder.invoke("a", "write")
  recording?.unknown("timed out")
  t.throws(() => recording?.ok("late"), { message: /operation 0 of a ended twice/ })
})

test("a history is the same after it was saved and read back", (t) => {
  const format = new HistoryFormat(EtcdInput, EtcdOutput)
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const history = crowd({ seed, clients: 4, keys: 2, operations: 20, lost: 0.3 })
      t.deepEqual(Either.getOrThrow(format.decode(format.encode(history))), history)
    }),
    { numRuns: 50 }
  )
})

const bytesAndNumbers = new HistoryFormat(
  Schema.Struct({ key: Schema.Uint8ArrayFromBase64, lease: Schema.BigInt }),
  Schema.BigInt
)

const large = () => {
  const recorder = new Recorder<{ key: Uint8Array; lease: bigint }, bigint>({
    nowMillis: () => 0.5,
    operationsMax: 10
  })
  recorder.invoke("a", { key: Uint8Array.of(0, 255), lease: -(2n ** 63n) })?.ok(2n ** 63n - 1n)
  recorder.invoke("b", { key: new Uint8Array(0), lease: 1n })?.failed("no leader")
  return recorder.history
}

test("bytes and 64 bits are kept, and a line is as it always was", (t) => {
  const text = bytesAndNumbers.encode(large())
  t.deepEqual(text.split("\n"), [
    '{"history":1,"operations":2}',
    '{"id":0,"client":"a","input":{"key":"AP8=","lease":"-9223372036854775808"},"invoked":{"order":0,"millis":0.5},"ending":{"_tag":"Ok","at":{"order":1,"millis":0.5},"output":"9223372036854775807"}}',
    '{"id":1,"client":"b","input":{"key":"","lease":"1"},"invoked":{"order":2,"millis":0.5},"ending":{"_tag":"Failed","at":{"order":3,"millis":0.5},"reason":"no leader"}}',
    ""
  ])
  t.deepEqual(Either.getOrThrow(bytesAndNumbers.decode(text)), large())
})

test("a history that was cut off, or is none, is refused with the line", (t) => {
  const lines = bytesAndNumbers.encode(large()).split("\n")
  const refusal = (text: string) => Either.getOrThrow(Either.flip(bytesAndNumbers.decode(text))).message
  t.regex(refusal(lines.slice(0, 2).join("\n")), /line 2 .* 1 operations, .* promises 2/)
  t.regex(refusal(lines.slice(1).join("\n")), /line 1 of the history cannot be read/)
  t.regex(refusal([lines[0], lines[1]?.slice(0, 50), lines[2]].join("\n")), /line 2 of the history cannot/)
  t.regex(refusal(""), /line 1/)
})
