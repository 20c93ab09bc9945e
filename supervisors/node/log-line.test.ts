/** A log is read by programs and by people, in a hurry: one line each, short, and nothing in it that others may not see. */
import test from "ava"
import * as fc from "fast-check"
import { type LogEntry, logLine } from "./log-line.ts"

const entry = (given: Partial<LogEntry> = {}): LogEntry => ({
  time: "2026-11-21T12:06:07.164Z",
  level: "warn",
  node: "node01",
  path: "/node01/shop",
  message: "it is late",
  fields: {},
  ...given
})

const token = "eyJhbGciOiJIUzI1NiJ9.eyJhY3RvcklkIjoiSFVNQU46Om9wZXJhdG9yIn0.c2lnbmF0dXJlc2lnbmF0dXJl"

test("programs get an object, people a line without the date", (t) => {
  const given = entry({ fields: { millis: 12, why: "a long way" } })
  t.deepEqual(JSON.parse(logLine(given, "json")), {
    ...{ time: "2026-11-21T12:06:07.164Z", level: "warn", node: "node01", path: "/node01/shop" },
    ...{ message: "it is late", fields: { millis: 12, why: "a long way" } }
  })
  t.is(logLine(given, "pretty"), '12:06:07.164 warn   /node01/shop  it is late  millis=12 why="a long way"')
  t.is(logLine(entry({ path: "" }), "pretty"), "12:06:07.164 warn   it is late")
  t.true(logLine(given, "pretty", true).includes("\u001b[33mwarn"))
  t.deepEqual(Object.keys(JSON.parse(logLine(entry({ path: "" }), "json"))), [
    "time",
    "level",
    "node",
    "message"
  ])
})

test("a secret is in no line, whether a field has its name or somebody put it into the text", (t) => {
  const key = "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----"
  for (const format of ["json", "pretty"] as const) {
    const line = logLine(
      entry({
        message: `refused ${token}, Bearer abcdefgh12345 and ${key}`,
        fields: { password: "hunter2", operatorToken: token, nested: { said: token }, holder: "node02" }
      }),
      format
    )
    for (const secret of [token, "abcdefgh12345", "MIIEvQ", "hunter2"]) t.false(line.includes(secret), line)
    t.true(line.includes("node02"))
  }
})

test("whatever is said, it is one line of bounded length, and JSON is JSON", (t) => {
  const cyclic: Record<string, unknown> = {}
  cyclic["self"] = cyclic
  t.true(logLine(entry({ fields: { cyclic, big: 10n } }), "json").includes("[object Object]"))
  t.true(logLine(entry({ message: "x".repeat(1_000_000) }), "json").length < 10_000)
  const anything = fc.dictionary(fc.string(), fc.anything())
  fc.assert(
    fc.property(fc.string(), anything, (message, fields) => {
      const json = logLine(entry({ message, fields }), "json")
      t.notThrows(() => JSON.parse(json))
      for (const line of [json, logLine(entry({ message, fields }), "pretty")]) t.notRegex(line, /[\n\r]/)
    })
  )
})
