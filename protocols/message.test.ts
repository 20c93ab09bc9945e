import test from "ava"
import { Schema } from "effect"
import { ActorId, about, admin, covers, event, observe, operate } from "./message.ts"

class Look extends Schema.TaggedRequest<Look>()(
  "Look",
  { payload: { path: Schema.String }, success: Schema.Int, failure: Schema.Never },
  observe("Looks.")
) {}
class Wipe extends Schema.TaggedRequest<Wipe>()(
  "Wipe",
  { payload: { by: ActorId, reason: Schema.String }, success: Schema.Void, failure: Schema.Never },
  admin("Wipes.")
) {}
class Push extends Schema.TaggedClass<Push>()(
  "Push",
  { by: ActorId },
  operate("Pushes.", { repeatable: true })
) {}
class Pushed extends Schema.TaggedClass<Pushed>()("Pushed", {}, event("It was pushed.")) {}
class Inner extends Schema.TaggedClass<Inner>()("Inner", {}) {}

test("a message says what it is for and who may send it", (t) => {
  t.like(about(Look), { permission: "observe", description: "Looks.", repeatable: true, event: false })
  t.like(about(Wipe), { permission: "admin", description: "Wipes.", repeatable: false })
  t.like(about(Push), { permission: "operate", repeatable: true })
  t.like(about(Pushed), { permission: "observe", event: true })
})

test("a message that says nothing is not for clients", (t) => {
  t.is(about(Inner).permission, undefined)
})

test("the fields that a receiver fills in are known by their schema", (t) => {
  t.deepEqual(about(Wipe).attached, ["by"])
  t.deepEqual(about(Push).attached, ["by"])
  t.deepEqual(about(Look).attached, [])
})

test("each permission covers those before it", (t) => {
  t.true(covers("admin", "observe"))
  t.true(covers("operate", "operate"))
  t.false(covers("observe", "operate"))
  t.false(covers("operate", "admin"))
})
