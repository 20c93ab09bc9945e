import test from "ava"
import fc from "fast-check"
import { shapeOf } from "./message-shape.ts"

test("the shape of a message says which fields it has, and nothing of what is in its texts", (t) => {
  const message = {
    _tag: "PutKey",
    key: new Uint8Array(12),
    lease: "7587",
    prevKv: true,
    depth: 2,
    owner: null,
    grants: ["a", "b"],
    nested: { password: "hunter2" }
  }
  t.is(
    shapeOf(message),
    "{ key: 12 bytes, lease: text of 4, prevKv: true, depth: 2, owner: null, grants: list of 2, nested: { password: text of 7 } }"
  )
  t.is(shapeOf({ _tag: "Tick" }), "{}")
})

test("whatever the message, its shape is short, and holds no text of it", (t) => {
  fc.assert(
    fc.property(fc.object({ maxDepth: 5 }), fc.uuid(), (message, secret) => {
      const text = shapeOf({ ...message, secret, deep: { secret, list: [secret] } })
      t.true(text.length <= 240)
      t.false(text.includes(secret))
    })
  )
  t.pass()
})
