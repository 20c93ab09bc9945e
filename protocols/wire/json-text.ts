/**
 * JSON text as Go's encoding/json reads and writes it, since that is what stands in front of etcd: value
 * after value from one text, numbers as they were written and of any length, and about what is no JSON the
 * words that Go has.
 */
import { Data } from "effect"

/** As it was written, since 64 bits do not fit a number of ours. */
export class JsonNumber {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

export type JsonValue =
  | null
  | boolean
  | string
  | JsonNumber
  | ReadonlyArray<JsonValue>
  | { readonly [name: string]: JsonValue }

export class JsonMalformed extends Data.TaggedError("JsonMalformed")<{ readonly reason: string }> {
  override get message() {
    return this.reason
  }
}

/** Go has 10,000; a message of etcd has a dozen. */
const depthMax = 1_000

const spaces = /[ \t\r\n]*/y
/** Neither a quote nor a backslash nor a control character. */
const plainText = /[ !#-[\]-\uffff]*/y
const digits = /[0-9]*/y

export class JsonReader {
  readonly #text: string
  readonly #whatEnds: string
  #at = 0

  /** `whatEnds`: what is said about a text that ends too soon. */
  constructor(text: string, whatEnds = "unexpected EOF") {
    this.#text = text
    this.#whatEnds = whatEnds
  }

  /** The next value; undefined where only space is left. Throws JsonMalformed. */
  next(): JsonValue | undefined {
    this.#skip(spaces)
    return this.#at === this.#text.length ? undefined : this.#value(0)
  }

  /** Throws JsonMalformed where more than space is left. */
  end(): void {
    this.#skip(spaces)
    if (this.#at < this.#text.length) this.#unexpected("after top-level value")
  }

  #value(depth: number): JsonValue {
    this.#skip(spaces)
    const first = this.#text[this.#at]
    switch (first) {
      case "{":
        return this.#object(depth + 1)
      case "[":
        return this.#array(depth + 1)
      case '"':
        return this.#string()
      case "t":
        return this.#literal("true", true)
      case "f":
        return this.#literal("false", false)
      case "n":
        return this.#literal("null", null)
      default:
        if (first === "-" || isDigit(first)) return this.#number()
        return this.#unexpected("looking for beginning of value")
    }
  }

  #object(depth: number): JsonValue {
    if (depth > depthMax) throw new JsonMalformed({ reason: "exceeded max depth" })
    const members: Array<readonly [string, JsonValue]> = []
    this.#at++
    this.#skip(spaces)
    if (this.#take("}")) return {}
    for (;;) {
      this.#skip(spaces)
      if (this.#text[this.#at] !== '"') return this.#unexpected("looking for beginning of object key string")
      const name = this.#string()
      this.#skip(spaces)
      if (!this.#take(":")) return this.#unexpected("after object key")
      members.push([name, this.#value(depth)])
      this.#skip(spaces)
      // The last of a name counts, and a name such as __proto__ is one like any other.
      if (this.#take("}")) return Object.fromEntries(members)
      if (!this.#take(",")) return this.#unexpected("after object key:value pair")
    }
  }

  #array(depth: number): JsonValue {
    if (depth > depthMax) throw new JsonMalformed({ reason: "exceeded max depth" })
    const elements: Array<JsonValue> = []
    this.#at++
    this.#skip(spaces)
    if (this.#take("]")) return elements
    for (;;) {
      elements.push(this.#value(depth))
      this.#skip(spaces)
      if (this.#take("]")) return elements
      if (!this.#take(",")) return this.#unexpected("after array element")
    }
  }

  #string(): string {
    const start = this.#at++
    let isPlain = true
    for (;;) {
      this.#skip(plainText)
      if (this.#take('"')) break
      if (this.#text[this.#at] !== "\\") return this.#unexpected("in string literal")
      isPlain = false
      this.#at++
      this.#escape()
    }
    const text = this.#text.slice(start, this.#at)
    // Everything that JSON.parse could object to was looked at.
    return isPlain ? text.slice(1, -1) : String(JSON.parse(text))
  }

  #escape(): void {
    const code = this.#text[this.#at]
    if (code === undefined || !'bfnrt\\/"u'.includes(code)) this.#unexpected("in string escape code")
    this.#at++
    if (code !== "u") return
    for (const end = this.#at + 4; this.#at < end; this.#at++) {
      if (!/^[0-9a-fA-F]$/.test(this.#text[this.#at] ?? ""))
        this.#unexpected("in \\u hexadecimal character escape")
    }
  }

  #number(): JsonNumber {
    const start = this.#at
    this.#take("-")
    if (!this.#take("0")) this.#digits("in numeric literal")
    if (this.#take(".")) this.#digits("after decimal point in numeric literal")
    if (this.#take("e") || this.#take("E")) {
      if (!this.#take("+")) this.#take("-")
      this.#digits("in exponent of numeric literal")
    }
    return new JsonNumber(this.#text.slice(start, this.#at))
  }

  #digits(where: string): void {
    if (!isDigit(this.#text[this.#at])) this.#unexpected(where)
    this.#skip(digits)
  }

  #literal<Value extends JsonValue>(word: string, value: Value): Value {
    for (const letter of word) {
      if (!this.#take(letter)) return this.#unexpected(`in literal ${word} (expecting '${letter}')`)
    }
    return value
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }

  #skip(pattern: RegExp): void {
    pattern.lastIndex = this.#at
    pattern.test(this.#text)
    this.#at = pattern.lastIndex
  }

  #unexpected(where: string): never {
    const character = this.#text[this.#at]
    const reason =
      character === undefined ? this.#whatEnds : `invalid character ${quoted(character)} ${where}`
    throw new JsonMalformed({ reason })
  }
}

/** A text that is one value and nothing else. Throws JsonMalformed. */
export const wholeJson = (text: string): JsonValue => {
  const whatEnds = "unexpected end of JSON input"
  // Go, too, takes the end for a space, and says so of a number that it cuts off.
  const reader = new JsonReader(`${text} `, whatEnds)
  const value = reader.next()
  if (value === undefined) throw new JsonMalformed({ reason: whatEnds })
  reader.end()
  return value
}

/** What JSON is written: as ours, but that browsers may take it for a page without harm. */
export const jsonText = (value: unknown): string =>
  JSON.stringify(value).replaceAll(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
  )

const isDigit = (character: string | undefined): boolean =>
  character !== undefined && character >= "0" && character <= "9"

const named: Readonly<Record<string, string>> = {
  "'": "\\'",
  "\\": "\\\\",
  "\u0007": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v"
}

/** As Go names a character in its errors. */
const quoted = (character: string): string => {
  const code = character.charCodeAt(0)
  const control = code < 0x20 || code === 0x7f ? `\\x${code.toString(16).padStart(2, "0")}` : character
  return `'${named[character] ?? control}'`
}
