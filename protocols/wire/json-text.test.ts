import test from "ava"
import fc from "fast-check"
import { JsonMalformed, JsonNumber, JsonReader, jsonText, wholeJson } from "./json-text.ts"

/** Numbers as JSON.parse has them. */
const plain = (value: unknown): unknown => {
  if (value instanceof JsonNumber) return Number(value.text)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]))
}

/** What of it both ways of reading agree on: a value, or that there is none. */
const read = (parse: (text: string) => unknown, text: string): unknown => {
  try {
    return { value: parse(text) }
  } catch (problem) {
    if (problem instanceof JsonMalformed || problem instanceof SyntaxError) return "malformed"
    throw problem
  }
}

test("what is JSON is read as everybody reads it, and all else is refused", (t) => {
  const fragment = fc.constantFrom(
    ...[
      '{"a":1}',
      "[",
      "]",
      "{",
      "}",
      ",",
      ":",
      '"',
      "\\",
      "\\u00",
      "e",
      "-",
      "0",
      "1.5",
      "true",
      "nul",
      " ",
      "\n"
    ]
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.json(),
        fc.string(),
        fc.array(fragment, { maxLength: 12 }).map((parts) => parts.join(""))
      ),
      (text) =>
        t.deepEqual(
          read((given) => plain(wholeJson(given)), text),
          read(JSON.parse, text)
        )
    ),
    { numRuns: 3_000 }
  )
})

test("a text may hold value after value, and a bad one leaves those before it alone", (t) => {
  const reader = new JsonReader(' {"a":[]}{"b":null} 5\n{')
  t.deepEqual([reader.next(), reader.next()], [{ a: [] }, { b: null }])
  t.deepEqual(reader.next(), new JsonNumber("5"))
  t.throws(() => reader.next(), { instanceOf: JsonMalformed, message: "unexpected EOF" })
  t.is(new JsonReader(" \n").next(), undefined)
})

test("numbers lose nothing", (t) => {
  t.deepEqual(wholeJson("[7587862094143430657, 1e400]"), [
    new JsonNumber("7587862094143430657"),
    new JsonNumber("1e400")
  ])
})

test("a name that objects have of themselves is one like any other", (t) => {
  const value = wholeJson('{"__proto__":{"a":true},"constructor":1}')
  t.deepEqual(Object.keys(Object(value)), ["__proto__", "constructor"])
  t.is(Reflect.get(Object({}), "a"), undefined)
})

test("about what is no JSON it says what Go says", (t) => {
  const said = (text: string) =>
    t.throws(() => new JsonReader(text).next(), { instanceOf: JsonMalformed })?.reason
  for (const [text, reason] of [
    ["x", "invalid character 'x' looking for beginning of value"],
    ["{'a'", "invalid character '\\'' looking for beginning of object key string"],
    ['{"a"}', "invalid character '}' after object key"],
    ['{"a":1 2}', "invalid character '2' after object key:value pair"],
    ["[1 2]", "invalid character '2' after array element"],
    ["[1,]", "invalid character ']' looking for beginning of value"],
    ['"\\x"', "invalid character 'x' in string escape code"],
    ['"\\u12"', "invalid character '\"' in \\u hexadecimal character escape"],
    ['"\u0001"', "invalid character '\\x01' in string literal"],
    ['"\n"', "invalid character '\\n' in string literal"],
    ["[tru]", "invalid character ']' in literal true (expecting 'e')"],
    ["[-]", "invalid character ']' in numeric literal"],
    ["[1.]", "invalid character ']' after decimal point in numeric literal"],
    ["[1e]", "invalid character ']' in exponent of numeric literal"],
    ['{"a":"b', "unexpected EOF"],
    ["[".repeat(100_000), "exceeded max depth"]
  ] as const) {
    t.is(said(text), reason)
  }
  t.is(t.throws(() => wholeJson("1x"))?.message, "invalid character 'x' after top-level value")
  t.is(t.throws(() => wholeJson("-"))?.message, "invalid character ' ' in numeric literal")
  t.is(t.throws(() => wholeJson(""))?.message, "unexpected end of JSON input")
})

test("what is written can stand in a page, and is the same value", (t) => {
  const value = { "a&b": "<script>\u2028</script>" }
  t.is(jsonText(value), '{"a\\u0026b":"\\u003cscript\\u003e\\u2028\\u003c/script\\u003e"}')
  t.deepEqual(JSON.parse(jsonText(value)), value)
})
