import test from "ava"
import { Either } from "effect"
import fc from "fast-check"
import { shown, stateLimits, unshown, unshownDepthMax } from "./shown.ts"

test("bytes are text where they are, and base64 where not; both come back", (t) => {
  const text = shown(new TextEncoder().encode("grüß\n"), stateLimits)
  const bytes = shown(new Uint8Array([0, 255]), stateLimits)
  t.deepEqual(text, { $text: "grüß\n" })
  t.deepEqual(bytes, { $base64: "AP8=" })
  const back = { key: new TextEncoder().encode("grüß\n"), end: [new Uint8Array([0, 255])] }
  t.deepEqual(unshown({ key: text, end: [bytes] }), Either.right(back))
})

test("what is nested deeper than any message is refused in words, however deep it is", (t) => {
  const nested = (depth: number): unknown => JSON.parse("[".repeat(depth) + "]".repeat(depth))
  t.deepEqual(unshown(nested(unshownDepthMax)), Either.right(nested(unshownDepthMax)))
  for (const depth of [unshownDepthMax + 1, 32_000]) {
    const refused = unshown({ value: nested(depth) })
    t.regex(Either.isLeft(refused) ? refused.left : "", /nested deeper than 64 levels/)
  }
})

test("what has no form in JSON is shown in words", (t) => {
  class Clock {
    hours = 12n
    readonly chimes = new Map<string, unknown>([["loud", new Set([1, Number.NaN])]])
    get time(): string {
      throw new Error("stopped")
    }
  }
  const clock = new Clock()
  const pairs = new Map([[{ key: 1 }, "one"]])
  const self: Record<string, unknown> = { clock, pairs, error: new Error("late"), tick: () => 0 }
  self["self"] = self
  t.deepEqual(shown(self, stateLimits), {
    clock: { hours: "12", chimes: { loud: [1, "NaN"] } },
    pairs: [[{ key: 1 }, "one"]],
    error: { name: "Error", message: "late" },
    tick: "(function tick)",
    self: "(itself)"
  })
})

test("a getter of its own that throws is shown as what it threw", (t) => {
  const fragile = Object.defineProperty({}, "pulse", {
    enumerable: true,
    get: () => {
      throw new Error("none")
    }
  })
  t.deepEqual(shown(fragile, stateLimits), { pulse: "(threw none)" })
})

test("whatever the value, what is shown is JSON, is bounded, and shows no prototype", (t) => {
  const limits = { valuesMax: 40, depthMax: 4, textMax: 30 }
  fc.assert(
    fc.property(
      fc.anything({ withBigInt: true, withMap: true, withSet: true, withTypedArray: true, withDate: true }),
      (value) => {
        const json = JSON.stringify(shown(value, limits))
        // Each value is at most a key and a text, each with what says that it was cut.
        return json === JSON.stringify(JSON.parse(json)) && json.length < 45 * 400
      }
    )
  )
  const long = shown(
    Array.from({ length: 1_000 }, () => "x"),
    limits
  )
  t.is(Array.isArray(long) ? long.at(-1) : undefined, "(more)")
})
