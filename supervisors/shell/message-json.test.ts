import test from "ava"
import { Either } from "effect"
import fc from "fast-check"
import { TripBreaker } from "#protocols/breakers.ts"
import { PutKey } from "#protocols/chainfire-keys.ts"
import { SuspendActor } from "#protocols/operations.ts"
import { GetTree } from "#protocols/runtime.ts"
import { type FieldProblem, jsonText, messageFrom, problemText } from "./message-json.ts"

const problem = (outcome: Either.Either<unknown, FieldProblem>) =>
  problemText(Either.getOrThrow(Either.flip(outcome)))

test("fields are JSON, bytes in it are texts or base64, and what the node writes is left out", (t) => {
  const put = Either.getOrThrow(messageFrom(PutKey, '{"key": {"$text": "a"}, "value": {"$base64": "AP8="}}'))
  t.deepEqual(put, new PutKey({ key: Uint8Array.of(97), value: Uint8Array.of(0, 255) }))
  const trip = Either.getOrThrow(messageFrom(TripBreaker, '{"reason": "a drill"}'))
  t.like(trip, { _tag: "TripBreaker", reason: "a drill" })
})

test("what does not fit is said with its field", (t) => {
  t.regex(problem(messageFrom(GetTree, '{"depth": "two"}')), /^field depth: /)
  t.regex(problem(messageFrom(GetTree, '{"dept": 2}')), /^field dept: is unexpected/)
  t.regex(problem(messageFrom(SuspendActor, '{"reason": "x"}')), /^field path: is missing/)
  t.regex(
    problem(messageFrom(SuspendActor, '{"path": "/a", "reason": "x", "forMillis": 0}')),
    /^field forMillis: /
  )
  t.regex(problem(messageFrom(GetTree, '{"depth": ')), /^the JSON is not: /)
  t.is(
    problem(messageFrom(GetTree, "[]")),
    'the fields of GetTree are a JSON object such as {"name": "value"}'
  )
})

test("bytes that are shown can be sent again as they are shown", (t) => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (key, value) => {
      const shown = jsonText({ key, value })
      t.deepEqual(Either.getOrThrow(messageFrom(PutKey, shown)), new PutKey({ key, value }))
    })
  )
  t.pass()
})
