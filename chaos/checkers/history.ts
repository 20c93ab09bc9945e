/**
 * A recorded history: what clients asked for, what they were told, and in which order that happened.
 *
 *   Ok        the answer came
 *   Failed    certainly nothing happened
 *   Unknown   nobody can tell: it may take effect at any time from its invocation on, or never
 *
 * Checkers judge by `order`, which counts invocations and answers as the clients saw them; times are for
 * people. Nothing may be missing from a history, since a write that is not in it looks like a wrong answer to
 * whoever reads it. So a recorder that is full records no invocation, and what it does not record must not
 * be done.
 */
import { Data, Either, ParseResult, Schema } from "effect"

export const Moment = Schema.Struct({
  /** Of two moments of one history the earlier one has the smaller number. */
  order: Schema.NonNegativeInt,
  millis: Schema.Number
})
export type Moment = typeof Moment.Type

export type Ending<Output> =
  | { readonly _tag: "Ok"; readonly at: Moment; readonly output: Output }
  | { readonly _tag: "Failed"; readonly at: Moment; readonly reason: string }
  | { readonly _tag: "Unknown"; readonly reason: string }

export interface Operation<Input, Output> {
  readonly id: number
  readonly client: string
  readonly input: Input
  readonly invoked: Moment
  readonly ending: Ending<Output>
}

export type History<Input, Output> = ReadonlyArray<Operation<Input, Output>>

/** One operation that is under way. It ends once, with one of these; otherwise its outcome stays unknown. */
export interface Recording<Output> {
  readonly ok: (output: Output) => void
  readonly failed: (reason: string) => void
  readonly unknown: (reason: string) => void
}

export interface RecorderOptions {
  readonly nowMillis: () => number
  readonly operationsMax: number
}

export class Recorder<Input, Output> {
  readonly #options: RecorderOptions
  readonly #operations: Array<Operation<Input, Output>> = []
  #order = 0

  constructor(options: RecorderOptions) {
    this.#options = options
  }

  /** As far as it has come: what is under way has an unknown outcome. */
  get history(): History<Input, Output> {
    return [...this.#operations]
  }

  get isFull(): boolean {
    return this.#operations.length >= this.#options.operationsMax
  }

  /** Call this before the operation leaves the client. Undefined: there is no room, so do not carry it out. */
  invoke(client: string, input: Input): Recording<Output> | undefined {
    if (this.isFull) return undefined
    const id = this.#operations.length
    const under: Operation<Input, Output> = {
      id,
      client,
      input,
      invoked: this.#now(),
      ending: { _tag: "Unknown", reason: "it was under way when the history ended" }
    }
    this.#operations.push(under)
    let ended = false
    const end = (ending: Ending<Output>) => {
      if (ended) throw new Error(`operation ${id} of ${client} ended twice; a client waits for one answer`)
      ended = true
      this.#operations[id] = { ...under, ending }
    }
    return {
      ok: (output) => end({ _tag: "Ok", at: this.#now(), output }),
      failed: (reason) => end({ _tag: "Failed", at: this.#now(), reason }),
      unknown: (reason) => end({ _tag: "Unknown", reason })
    }
  }

  #now(): Moment {
    return { order: this.#order++, millis: this.#options.nowMillis() }
  }
}

// JSON Lines: a line that says what this is and how much of it there is, and a line for each operation.

const format = 1

const Heading = Schema.parseJson(
  Schema.Struct({ history: Schema.Literal(format), operations: Schema.NonNegativeInt })
)

export class HistoryUnreadable extends Data.TaggedError("HistoryUnreadable")<{
  readonly line: number
  readonly reason: string
}> {
  override get message() {
    return `line ${this.line} of the history cannot be read: ${this.reason}; take the file as the recorder wrote it, with a release that writes histories of format ${format}`
  }
}

/**
 * What inputs and outputs look like on a line is told by their schemas: `Schema.BigInt` keeps 64 bits, and
 * `Schema.Uint8ArrayFromBase64` bytes.
 */
export class HistoryFormat<Input, InputJson, Output, OutputJson> {
  readonly #line

  constructor(input: Schema.Schema<Input, InputJson>, output: Schema.Schema<Output, OutputJson>) {
    const ending = Schema.Union(
      Schema.TaggedStruct("Ok", { at: Moment, output }),
      Schema.TaggedStruct("Failed", { at: Moment, reason: Schema.String }),
      Schema.TaggedStruct("Unknown", { reason: Schema.String })
    )
    const operation = Schema.Struct({
      id: Schema.NonNegativeInt,
      client: Schema.String,
      input,
      invoked: Moment,
      ending
    })
    this.#line = Schema.parseJson(operation)
  }

  encode(history: History<Input, Output>): string {
    const encode = Schema.encodeSync(this.#line)
    const heading = Schema.encodeSync(Heading)({ history: format, operations: history.length })
    return [heading, ...history.map((operation) => encode(operation)), ""].join("\n")
  }

  decode(text: string): Either.Either<History<Input, Output>, HistoryUnreadable> {
    const [first = "", ...lines] = text.trimEnd().split("\n")
    const heading = read(Heading, first, 1)
    if (Either.isLeft(heading)) return Either.left(heading.left)
    const operations: Array<Operation<Input, Output>> = []
    for (const [index, line] of lines.entries()) {
      const operation = read(this.#line, line, index + 2)
      if (Either.isLeft(operation)) return Either.left(operation.left)
      operations.push(operation.right)
    }
    const { operations: promised } = heading.right
    if (operations.length === promised) return Either.right(operations)
    const reason = `it ends here with ${operations.length} operations, and its first line promises ${promised}`
    return Either.left(new HistoryUnreadable({ line: lines.length + 1, reason }))
  }
}

const read = <Value, Json>(
  schema: Schema.Schema<Value, Json>,
  text: string,
  line: number
): Either.Either<Value, HistoryUnreadable> =>
  Either.mapLeft(Schema.decodeUnknownEither(schema)(text), (error) => {
    const reason = ParseResult.TreeFormatter.formatErrorSync(error).replaceAll(/\s+/g, " ")
    return new HistoryUnreadable({ line, reason })
  })
