/**
 * Messages of proto3 as tables: a message is its name and its fields, and from that follow its type, its
 * defaults, its reader, its writer and its JSON form (protobuf-json.ts).
 *
 *   const Member = message("etcdserverpb.Member", { ID: uid(1), name: string(2), peerURLs: repeated(string(3)) })
 *   type Member = TypeOf<typeof Member>
 *
 * Fields are called as in the .proto, with `snake_case` turned into `camelCase`. A field that is not there
 * has its default; of messages, and of the fields of which a message has at most one (`choice`), that is
 * undefined. A field that comes twice counts as it came last, except that repeated ones add up.
 *
 * Reading by table costs about a microsecond; messages that come by the thousand bring their own reader and
 * writer (`byHand`), and a test compares the two.
 */
import { delimited, noBytes, ProtobufMalformed, Reader, varint, Writer } from "./protobuf.ts"

/**
 * `safe64` and `uint32` are numbers, `int64` and `uint64` bigints; the JSON form tells 64 bits from 32.
 */
export type Kind = "bytes" | "string" | "bool" | "uint32" | "safe64" | "int64" | "uint64" | "enum" | "message"

export interface Field<Value> {
  readonly number: number
  readonly kind: Kind
  /** Many, alone, or at most one of all those of the message. */
  readonly rule: "single" | "repeated" | "choice"
  readonly initial: Value
  /** Of an enumeration, by number. */
  readonly names: ReadonlyArray<string>
  /** Of a message; asked for late, since messages contain each other. */
  readonly of: (() => Message<object>) | undefined
}

export interface NamedField extends Field<unknown> {
  /** As in the .proto. */
  readonly protoName: string
  /** As in our type, and in the JSON form of protobuf's own. */
  readonly name: string
}

/** Methods on purpose: a message of some type is a message of any object. */
export interface Message<T extends object> {
  readonly name: string
  readonly fields: ReadonlyArray<NamedField>
  /** What is not given has its default. */
  make(given: Partial<T>): T
  /** In bytes that nobody writes to again, and that share a buffer with other messages. */
  encode(message: T): Uint8Array
  /** Throws ProtobufMalformed. Bytes in it are views of these. */
  decode(bytes: Uint8Array): T
  /** Backwards, see protobuf.ts. */
  write(writer: Writer, message: T): void
  read(reader: Reader): T
}

export type TypeOf<M> = M extends Message<infer T> ? T : never

type Camel<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Name

type Fields = Readonly<Record<string, Field<unknown>>>

export type Shape<Table extends Fields> = {
  readonly [Name in keyof Table & string as Camel<Name>]: Table[Name] extends Field<infer Value>
    ? Value
    : never
}

const scalar = <Value>(number: number, kind: Kind, initial: Value): Field<Value> => ({
  number,
  kind,
  rule: "single",
  initial,
  names: [],
  of: undefined
})

export const bytes = (number: number) => scalar<Uint8Array>(number, "bytes", noBytes)
export const string = (number: number) => scalar<string>(number, "string", "")
export const bool = (number: number) => scalar<boolean>(number, "bool", false)
export const uint32 = (number: number) => scalar<number>(number, "uint32", 0)
/** An int64 or uint64 that counts something. */
export const count = (number: number) => scalar<number>(number, "safe64", 0)
/** An int64 that names something. */
export const id = (number: number) => scalar<bigint>(number, "int64", 0n)
/** A uint64 that names something. */
export const uid = (number: number) => scalar<bigint>(number, "uint64", 0n)

/** Numbers nobody has a name for stay numbers. */
export const enumeration = (number: number, names: ReadonlyArray<string>): Field<number> => ({
  ...scalar(number, "enum", 0),
  names
})

export const nested = <T extends object>(number: number, of: () => Message<T>): Field<T | undefined> => ({
  ...scalar<T | undefined>(number, "message", undefined),
  of
})

export const repeated = <Value>(field: Field<Value>): Field<ReadonlyArray<NonNullable<Value>>> => ({
  ...field,
  rule: "repeated",
  initial: []
})

export const choice = <Value>(field: Field<Value>): Field<Value | undefined> => ({
  ...field,
  rule: "choice",
  initial: undefined
})

const camel = (name: string): string =>
  name.replaceAll(/_([a-zA-Z])/g, (_, letter: string) => letter.toUpperCase())

export const message = <const Table extends Fields>(name: string, table: Table): Message<Shape<Table>> =>
  byTable<Shape<Table>>(
    name,
    Object.entries(table)
      .map(([protoName, field]) => ({ ...field, protoName, name: camel(protoName) }))
      .toSorted((one, other) => one.number - other.number)
  )

/** The same message, read and written by these. */
export const byHand = <T extends object>(
  table: Message<T>,
  by: { readonly read: (reader: Reader) => T; readonly write: (writer: Writer, message: T) => void }
): Message<T> => assembled(table.name, table.fields, by.read, by.write)

export const byTable = <T extends object>(name: string, fields: ReadonlyArray<NamedField>): Message<T> => {
  const numbered = new Map(fields.map((field) => [field.number, field]))
  const downwards = fields.toReversed()
  const choices = fields.filter(({ rule }) => rule === "choice").map((field) => field.name)
  return assembled<T>(
    name,
    fields,
    (reader) => {
      const values = defaults(fields)
      for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
        const field = numbered.get(tag >>> 3)
        if (field === undefined) {
          reader.skip(tag)
          continue
        }
        if (field.rule === "choice") for (const other of choices) values[other] = undefined
        if (field.rule !== "repeated") {
          reader.expect(tag, wireTypeOf(field.kind))
          values[field.name] = readValue(reader, field)
        } else readElements(reader, tag, field, values)
      }
      // The table is where the type comes from.
      return values as T
    },
    (writer, given) => {
      const values: Readonly<Record<string, unknown>> = { ...asObject(given) }
      for (const field of downwards) writeField(writer, field, values[field.name])
    }
  )
}

/** For a value of a generic type, which cannot be spread into values by name. */
export const asObject = (value: object): object => value

const shared = new Writer()

const assembled = <T extends object>(
  name: string,
  fields: ReadonlyArray<NamedField>,
  read: (reader: Reader) => T,
  write: (writer: Writer, message: T) => void
): Message<T> => ({
  name,
  fields,
  read,
  write,
  // Defaults first, so that a message made by hand has the shape of one that was read.
  make: (given) => ({ ...defaults(fields), ...asObject(given) }) as T,
  encode: (given) => {
    shared.clear()
    write(shared, given)
    return shared.finish()
  },
  decode: (encoded) => read(new Reader(encoded))
})

const defaults = (fields: ReadonlyArray<NamedField>): Record<string, unknown> => {
  const values: Record<string, unknown> = {}
  for (const { initial, name } of fields) values[name] = initial
  return values
}

const wireTypeOf = (kind: Kind): number =>
  kind === "bytes" || kind === "string" || kind === "message" ? delimited : varint

const readValue = (reader: Reader, field: NamedField): unknown => {
  switch (field.kind) {
    case "bytes":
      return reader.bytes()
    case "string":
      return reader.string()
    case "bool":
      return reader.bool()
    case "uint32":
      return reader.uint32()
    case "enum":
      return reader.int32()
    case "safe64":
      return reader.safe()
    case "int64":
      return reader.int64()
    case "uint64":
      return reader.uint64()
    case "message": {
      const outer = reader.enter()
      const value = field.of!().read(reader)
      reader.leave(outer)
      return value
    }
  }
}

/** Numbers may come packed or one by one, whatever the schema says. */
const readElements = (
  reader: Reader,
  tag: number,
  field: NamedField,
  values: Record<string, unknown>
): void => {
  const before = values[field.name]
  // The default is one array for all; ours is made when the first element comes.
  const elements: Array<unknown> = Array.isArray(before) && before !== field.initial ? before : []
  values[field.name] = elements
  if (wireTypeOf(field.kind) === varint && (tag & 7) === delimited) {
    const outer = reader.enter()
    while (reader.more) elements.push(readValue(reader, field))
    reader.leave(outer)
    return
  }
  reader.expect(tag, wireTypeOf(field.kind))
  elements.push(readValue(reader, field))
}

const writeField = (writer: Writer, field: NamedField, value: unknown): void => {
  if (value === undefined) return
  if (field.rule !== "repeated") {
    if (field.rule === "choice" || !isDefault(value)) writeValue(writer, field, value)
    return
  }
  if (!Array.isArray(value) || value.length === 0) return
  if (wireTypeOf(field.kind) === delimited) {
    for (let index = value.length - 1; index >= 0; index--) writeValue(writer, field, value[index])
    return
  }
  const before = writer.length
  for (let index = value.length - 1; index >= 0; index--) writer.uint32(Number(value[index]))
  writer.nest((field.number << 3) | delimited, before)
}

export const isDefault = (value: unknown): boolean =>
  value === 0 ||
  value === "" ||
  value === false ||
  value === 0n ||
  (value instanceof Uint8Array && value.length === 0)

/** What is written comes from our own code; a value of another type is a bug there. */
const writeValue = (writer: Writer, field: NamedField, value: unknown): void => {
  const tag = (field.number << 3) | wireTypeOf(field.kind)
  if (value instanceof Uint8Array) writer.bytes(tag, value)
  else if (typeof value === "string") writer.string(tag, value)
  else if (typeof value === "boolean") writer.bool(tag, value)
  else if (typeof value === "number") writer.safe(tag, value)
  else if (typeof value === "bigint") writer.big(tag, value)
  else if (typeof value === "object" && value !== null && field.of !== undefined) {
    const before = writer.length
    field.of().write(writer, value)
    writer.nest(tag, before)
  } else throw new ProtobufMalformed({ reason: `${field.protoName} is no ${field.kind}`, offset: 0 })
}
