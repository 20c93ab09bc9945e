import test from "ava"
import { Either } from "effect"
import fc from "fast-check"
import { quoted, wordsOf } from "./command-line.ts"

const texts = (line: string) => Either.map(wordsOf(line), (words) => words.map(({ text }) => text))

test("a line is words; quotes keep spaces, and JSON is one word", (t) => {
  t.deepEqual(
    texts(`ask /node01/x Put {"key": "a } b", "list": [1, {"c": 2}]} --reason 'it is "so"' "a\\"b"`),
    Either.right([
      ...["ask", "/node01/x", "Put", `{"key": "a } b", "list": [1, {"c": 2}]}`],
      ...["--reason", `it is "so"`, `a"b`]
    ])
  )
  t.deepEqual(texts("   "), Either.right([]))
})

test("what is not closed is said, with its place", (t) => {
  const problem = (line: string) => Either.getOrThrow(Either.flip(wordsOf(line)))
  t.like(problem("kill 'a b"), { problem: "this quote is not closed", at: 5 })
  t.like(problem('ask /x Y {"a": [1}'), { problem: "this } closes nothing", at: 9 })
  t.like(problem('ask /x Y {"a": "b'), { problem: "a } is missing at its end", at: 9 })
})

test("whatever the words, quoted they are read as the same words again", (t) => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "grapheme" })), (words) => {
      t.deepEqual(texts(words.map(quoted).join(" ")), Either.right(words))
    })
  )
  t.pass()
})

test("JSON of any shape is one word", (t) => {
  const structure = fc.oneof(fc.object(), fc.array(fc.anything({ withNullPrototype: false })))
  fc.assert(
    fc.property(structure, (value) => {
      const json = JSON.stringify(value)
      t.deepEqual(texts(`ask ${json} --json`), Either.right(["ask", json, "--json"]))
    })
  )
  t.pass()
})

test("whatever is typed, reading it ends, and words are where they say they are", (t) => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."ab {}[]\"'\\/-,: ") }), (line) => {
      const words = Either.match(wordsOf(line), { onLeft: (left) => left.words, onRight: (all) => all })
      let before = 0
      for (const { end, start } of words) {
        t.true(before <= start && start < end && end <= line.length)
        before = end
      }
    })
  )
  t.pass()
})
