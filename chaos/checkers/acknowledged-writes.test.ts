import test from "ava"
import fc from "fast-check"
import { checkAcknowledgedWrites, renderWrites } from "./acknowledged-writes.ts"
import { written } from "./fixtures/histories.ts"

const history = written<string, string>(
  ["a", "1", 0, 1, "done"],
  ["b", "2", 2, 3],
  ["a", "3", 4],
  ["b", "4", 5, 6, "done"],
  ["b", "read", 7, 8, "done"]
)
const valueOf = (input: string) => (input === "read" ? undefined : input)
const linesOf = (...found: ReadonlyArray<string>) =>
  renderWrites(checkAcknowledgedWrites(history, valueOf, found))

test("what was acknowledged is there, and what nobody knows about may be", (t) => {
  t.deepEqual(linesOf("1", "4"), [])
  t.deepEqual(linesOf("1", "3", "4"), [])
  t.is(checkAcknowledgedWrites(history, valueOf, ["1", "3", "4"]).recovered, 1)
})

test("an acknowledged write that is not there is lost", (t) => {
  t.deepEqual(linesOf("1"), ["1 of 2 acknowledged writes are lost: 4"])
})

test("a write that certainly failed must not be there, nor one that nobody made, nor one twice", (t) => {
  t.deepEqual(linesOf("1", "2", "4", "5", "4"), [
    "1 writes were carried out more than once: 4",
    "2 writes are there that failed for certain, or that nobody made: 2, 5"
  ])
})

test("a write that says in its answer that it did nothing is not looked for", (t) => {
  const none = (_input: string, output: string | undefined) => (output === "done" ? undefined : "x")
  t.deepEqual(renderWrites(checkAcknowledgedWrites(history.slice(0, 1), none, [])), [])
})

test("values that are written twice are a mistake of the test", (t) => {
  t.throws(() => checkAcknowledgedWrites(history, () => "same", []), { message: /operation 1 writes same/ })
})

test("of many lost writes the first are named", (t) => {
  const many = written<string, string>(
    ...Array.from({ length: 30 }, (_, at) => ["a", `w${at}`, 2 * at, 2 * at + 1, "done"] as const)
  )
  const [line = ""] = renderWrites(checkAcknowledgedWrites(many, (input) => input, []))
  t.regex(line, /^30 of 30 acknowledged writes are lost: w0, .*w9 and 20 more$/)
})

test("taking away one acknowledged write is always found", (t) => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string(), { minLength: 1 }), fc.nat(), (values, at) => {
      const writes = written<string, string>(
        ...values.map((value, index) => ["a", value, 2 * index, 2 * index + 1, "done"] as const)
      )
      const gone = values[at % values.length]
      const check = (found: ReadonlyArray<string>) =>
        checkAcknowledgedWrites(writes, (input) => input, found).lost
      return check(values).length === 0 && check(values.filter((value) => value !== gone))[0] === gone
    })
  )
  t.pass()
})
