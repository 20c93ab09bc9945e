import { globSync } from "node:fs"
import { join } from "node:path"
import { isDeepStrictEqual } from "node:util"
import test from "ava"
import { Arbitrary, Either, FastCheck as fc, ParseResult, Schema, SchemaAST } from "effect"
import { Total, TotalUnknown, Write } from "#protocols/demonstration.ts"
import { Metadata } from "#protocols/membership.ts"
import { ActorSnapshot } from "#protocols/runtime.ts"
import { compile } from "./codec.ts"
import { constructionOf } from "./codec-class.ts"
import {
  Base,
  Extended,
  effectful,
  Filtered,
  kinds,
  Nested,
  Optionals,
  Throwing,
  WithConstructor,
  WithConstructorBetween,
  WithDefault,
  WithFields,
  WithPrivates
} from "./fixtures/codec-kinds.ts"

test("every schema of every protocol encodes and decodes as Effect would", async (t) => {
  const schemas = await protocolSchemas()
  t.true(schemas.length > 80)
  for (const [name, schema] of schemas) agreesOnValues(name, schema, 20)
})

test("what a network may make of a message is accepted or refused as Effect would", async (t) => {
  const schemas = await protocolSchemas()
  for (const [name, schema] of schemas) agreesOnSpoiled(name, schema, 60)
  t.pass()
})

test("each kind of schema means what it means to Effect, for what fits and for what does not", (t) => {
  for (const [name, schema] of Object.entries(kinds)) {
    agreesOnValues(name, schema, 60)
    agreesOnSpoiled(name, schema, 150)
    agreesOnAnything(name, schema, 60)
  }
  t.pass()
})

test("a value that fits is looked at once: nothing is refused first and left to Effect", (t) => {
  for (const [name, schema] of Object.entries(kinds)) {
    if (effectful.has(name)) continue
    let looks = 0
    const counted = Schema.Boolean.pipe(Schema.filter(() => ++looks > 0))
    const { decode, encode } = compile(Schema.Tuple(counted, schema))
    for (const value of fc.sample(Arbitrary.make(schema), { seed: 7, numRuns: 20 })) {
      if (Either.isLeft(Schema.encodeUnknownEither(schema)(value))) continue
      looks = 0
      encode([true, value])
      t.is(looks, 1, `encoding ${name}`)
      for (const encoded of encodings(schema, value)) {
        looks = 0
        decode([true, encoded])
        t.is(looks, 1, `decoding ${name}`)
      }
    }
  }
})

test("a decoded message is an instance of its class, with what the class adds to its fields", (t) => {
  const cases = [
    [Total, new Total({ key: "a" })],
    [Write, new Write({ key: "a", by: 1 })],
    [TotalUnknown, new TotalUnknown({ key: "a" })],
    [WithFields, new WithFields({ a: 1 })],
    [WithPrivates, new WithPrivates({ a: 1 })],
    [WithConstructor, new WithConstructor({ a: 1 })],
    [Extended, new Extended({ a: 1, b: "b" })],
    [WithDefault, new WithDefault({ a: 1 })]
  ] as const
  for (const [schema, value] of cases) {
    const { decode, encode } = compile(schema)
    // The first one still goes through the constructor.
    for (let round = 0; round < 3; round++) {
      const decoded = Either.getOrThrow(decode(encode(value)))
      t.true(decoded instanceof schema)
      t.true(isDeepStrictEqual(decoded, value))
      t.deepEqual(ownProperties(decoded), ownProperties(value))
      t.is(String(decoded), String(value))
      if (decoded instanceof WithPrivates) t.is(decoded.doubled, 2)
    }
  }
})

test("a constructor written by hand runs for each instance, and sees what Effect shows it", (t) => {
  const { decode } = compile(WithConstructor)
  WithConstructor.seen = []
  for (let round = 0; round < 3; round++) decode({ _tag: "WithConstructor", a: round })
  t.deepEqual(
    WithConstructor.seen,
    [0, 1, 2].map((a) => [{ _tag: "WithConstructor", a }, true])
  )
})

test("a constructor runs only where it does more than copy, and is given the tag only where it could see it", (t) => {
  for (const schema of [Total, Write, Base, Nested, Filtered]) t.is(constructionOf(schema), "copy")
  for (const schema of [TotalUnknown, WithFields, WithPrivates]) {
    t.is(constructionOf(schema), "construct without tag")
  }
  for (const schema of [WithConstructor, WithConstructorBetween, Extended, Optionals]) {
    t.is(constructionOf(schema), "construct")
  }
  t.is(constructionOf(WithDefault), "construct without tag")
})

test("a field with a default gets it when the message came without", (t) => {
  const { decode } = compile(WithDefault)
  for (let round = 0; round < 3; round++) {
    t.like(Either.getOrThrow(decode({ _tag: "WithDefault", a: 1 })), { a: 1, b: "none" })
  }
})

test("an instance of a subclass is encoded as its superclass, a lookalike is checked first", (t) => {
  class Narrow extends Write {}
  const { encode } = compile(Write)
  const encoded = { _tag: "Write", key: "a", by: 1 }
  t.deepEqual(encode(new Narrow({ key: "a", by: 1 })), encoded)
  t.deepEqual(encode(encoded), encoded)
  t.throws(() => encode({ _tag: "Write", key: "a", by: "1" }), { instanceOf: ParseResult.ParseError })
})

test("an instance that was built without validation and is wrong is not encoded", (t) => {
  for (let round = 0; round < 3; round++) {
    const wrong = new Write({ key: "a", by: 1.5 }, true)
    t.throws(() => compile(Write).encode(wrong), { instanceOf: ParseResult.ParseError, message: /by/ })
    t.throws(() =>
      compile(Metadata).encode(
        new Metadata({ roles: [], zone: "z".repeat(600), version: "", ports: {} }, true)
      )
    )
    compile(Write).encode(new Write({ key: "a", by: 1 }))
  }
})

test("a record never takes the key __proto__, so no sender chooses a prototype", (t) => {
  const { decode } = compile(
    Schema.Struct({ labels: Schema.Record({ key: Schema.String, value: Schema.Unknown }) })
  )
  const decoded = Either.getOrThrow(
    decode(JSON.parse(`{ "labels": { "__proto__": { "admin": true }, "a": 1 } }`))
  )
  t.deepEqual(decoded, { labels: { a: 1 } })
  t.is(Object.getPrototypeOf(Reflect.get(Object(decoded), "labels")), Object.prototype)
  const named = compile(Schema.Struct({ ["__proto__"]: Schema.Number, a: Schema.Number }))
  t.true(Either.isLeft(named.decode({ a: 1 })))
})

test("nesting that exhausts the stack is refused, and harmless", (t) => {
  const leaf = Schema.encodeSync(ActorSnapshot)(
    fc.sample(Arbitrary.make(ActorSnapshot), { seed: 1, numRuns: 1 })[0]!
  )
  let deep: unknown = { ...leaf, children: [] }
  for (let depth = 0; depth < 100_000; depth++) deep = { ...leaf, children: [deep] }
  t.deepEqual(compile(ActorSnapshot).decode(deep), Either.left("it is nested too deeply"))
  let wrong: unknown = { ...leaf, children: [], path: 7 }
  for (let depth = 0; depth < 2_000; depth++) wrong = { ...leaf, children: [wrong] }
  t.true(Either.isLeft(compile(ActorSnapshot).decode(wrong)))
})

test("decoding does not throw when a constructor does", (t) => {
  const { decode } = compile(Throwing)
  for (let round = 0; round < 3; round++) {
    t.deepEqual(decode({ _tag: "Throwing", a: 1 }), Either.left("its decoding threw an exception"))
  }
})

test("a refusal names the field, what was expected there and what was found", (t) => {
  const problem = (schema: Schema.Schema.AnyNoContext, encoded: unknown) =>
    Either.flip(compile(schema).decode(encoded)).pipe(Either.getOrThrow)
  const list = Schema.Struct({
    list: Schema.Array(Schema.Struct({ port: Schema.Int.pipe(Schema.between(1, 9)) }))
  })
  t.is(
    problem(list, { list: [{ port: 1 }, { port: "http" }] }),
    `list[1].port: expected number, found "http"`
  )
  t.is(problem(list, { list: [{ port: 10 }] }), `list[0].port: expected Int & between(1, 9), found 10`)
  t.is(problem(list, { list: [{}] }), `list[0].port: is missing`)
  t.is(
    problem(list, null),
    `expected { readonly list: ReadonlyArray<{ readonly port: Int & between(1, 9) }> }, found null`
  )
  t.is(
    problem(Metadata, { roles: [], zone: "z", version: "", ports: { ["a\nb"]: 70_000 } }),
    `ports["a\\nb"]: expected Int & between(0, 65535), found 70000`
  )
  t.is(problem(Schema.NullOr(Schema.String), 7), `expected string | null, found 7`)
  t.is(problem(Schema.Struct({ at: Schema.Date }), { at: 7 }), `at: expected string, found 7`)
})

test("a refusal is short, one line, and shows no more than a few characters of the value", (t) => {
  const secret = "sesame\n".repeat(1_000)
  for (const schema of [
    Schema.NumberFromString,
    Schema.Int,
    Schema.String.pipe(Schema.maxLength(9)),
    Schema.parseJson(Schema.Int)
  ]) {
    for (const encoded of [secret, { [secret]: secret }, [secret]]) {
      const problem = Either.getOrThrow(
        Either.flip(compile(Schema.Struct({ key: schema })).decode({ key: encoded }))
      )
      t.true(problem.length <= 300, problem)
      t.notRegex(problem, /\n|sesame.*sesame/, problem)
    }
  }
  const record = compile(Schema.Record({ key: Schema.String, value: Schema.Int }))
  t.true(Either.getOrThrow(Either.flip(record.decode({ [secret]: "" }))).length <= 300)
})

test("a schema is compiled once", (t) => {
  t.is(compile(Write), compile(Write))
})

test("where several members of a union fit, the same one is taken as by Effect", (t) => {
  const { literalsOrdered, overlapping, overlappingRefined, effectInUnion } = kinds
  const cases = [
    [overlapping, { a: "not a number", b: "b", c: 1 }],
    [overlapping, { a: "not a number", b: "b", c: "c" }],
    [overlappingRefined, { a: "not a number", b: "b" }],
    [literalsOrdered, { k: "x", s: 1, b: 1, c: 2 }],
    [literalsOrdered, { k: "x", s: 1, a: 1, b: 1, c: 2 }],
    [effectInUnion, "text"]
  ] as const
  for (const [schema, value] of cases) {
    sameDecoded("union", schema!, value)
    sameEncoded("union", schema!, value)
  }
  t.pass()
})

// What is compared, and how

const agreesOnValues = (name: string, schema: Schema.Schema.AnyNoContext, numRuns: number): void =>
  fc.assert(
    fc.property(Arbitrary.make(schema), (value) => {
      const encoded = sameEncoded(name, schema, value)
      if (Either.isRight(encoded)) sameDecoded(name, schema, encoded.right)
    }),
    { numRuns, seed: 1 }
  )

const agreesOnSpoiled = (name: string, schema: Schema.Schema.AnyNoContext, numRuns: number): void =>
  fc.assert(
    fc.property(
      Arbitrary.make(schema),
      fc.array(spoiling, { minLength: 1, maxLength: 3 }),
      (value, spoilings) => {
        const encoded = Schema.encodeUnknownEither(schema)(value)
        if (Either.isLeft(encoded)) return
        sameDecoded(name, schema, spoilings.reduce(spoil, encoded.right))
        sameEncoded(name, schema, spoilings.reduce(spoil, value))
      }
    ),
    { numRuns, seed: 2 }
  )

const agreesOnAnything = (name: string, schema: Schema.Schema.AnyNoContext, numRuns: number): void =>
  fc.assert(
    fc.property(fc.oneof(fc.anything({ withBigInt: true, withSparseArray: true }), oddity), (value) => {
      sameDecoded(name, schema, value)
      sameEncoded(name, schema, value)
    }),
    { numRuns, seed: 3 }
  )

/** What a value may look like on the wire and be accepted: as encoded, and with a property more or less. */
const encodings = (schema: Schema.Schema.AnyNoContext, value: unknown): ReadonlyArray<unknown> => {
  const encoded = Schema.encodeUnknownSync(schema)(value)
  const varied = [0, 1, 2, 3].flatMap((where) =>
    (["add", "drop"] as const).map((how) => spoil(encoded, { how, where, other: 0, by: 1 }))
  )
  return [encoded, ...varied].filter((one) => Either.isRight(Schema.decodeUnknownEither(schema)(one)))
}

const sameDecoded = (name: string, schema: Schema.Schema.AnyNoContext, encoded: unknown): void => {
  const theirs = attempt(() => Schema.decodeUnknownSync(schema)(encoded))
  const ours = compile(schema).decode(encoded)
  if (
    Either.isLeft(ours) !== Either.isLeft(theirs) ||
    !isDeepStrictEqual(Either.getRight(ours), Either.getRight(theirs))
  ) {
    throw new Error(`${name}: decoded ${String(ours)}, by Effect ${String(theirs)}`)
  }
}

const sameEncoded = (
  name: string,
  schema: Schema.Schema.AnyNoContext,
  value: unknown
): Either.Either<unknown, unknown> => {
  const theirs = attempt(() => Schema.encodeUnknownSync(schema)(value))
  const ours = attempt(() => compile(schema).encode(value))
  if (
    Either.isLeft(ours) !== Either.isLeft(theirs) ||
    !isDeepStrictEqual(Either.getRight(ours), Either.getRight(theirs))
  ) {
    throw new Error(`${name}: encoded ${String(ours)}, by Effect ${String(theirs)}`)
  }
  return ours
}

const attempt = (run: () => unknown): Either.Either<unknown, unknown> =>
  Either.try({ try: run, catch: (thrown) => thrown })

const ownProperties = (value: unknown) =>
  Object.entries(Object.getOwnPropertyDescriptors(value))
    .filter(([name]) => name !== "stack")
    .toSorted()

/** All that protocols export, and what their requests are answered with. */
const protocolSchemas = async () => {
  const found = new Map<Schema.Schema.AnyNoContext, string>()
  const root = join(import.meta.dirname, "../..")
  for (const file of globSync("protocols/*.ts", { cwd: root })) {
    if (file.endsWith(".test.ts")) continue
    const exported: Record<string, unknown> = await import(join(root, file))
    for (const [name, value] of Object.entries(exported)) {
      if (!isSchema(value)) continue
      found.set(value, name)
      for (const answer of ["success", "failure"]) {
        const schema: unknown = Reflect.get(value, answer)
        if (isSchema(schema) && !SchemaAST.isNeverKeyword(schema.ast)) found.set(schema, `${name}, ${answer}`)
      }
    }
  }
  return [...found].map(([schema, name]) => [name, schema] as const)
}

const isSchema = (value: unknown): value is Schema.Schema.AnyNoContext => Schema.isSchema(value)

// What goes wrong on the way

const oddity = fc.constantFrom<unknown>(
  undefined,
  null,
  Number.NaN,
  -0,
  1n,
  "",
  "__proto__",
  [],
  {},
  Object.create(null),
  [[]],
  [undefined],
  Array(3),
  new Date(0),
  new Map(),
  new Uint8Array(2),
  Symbol.iterator,
  () => 0,
  { _tag: ["a"] },
  { _tag: null },
  ["a", 1],
  ["b", "1"]
)

interface Spoiling {
  readonly where: number
  readonly how: "drop" | "replace" | "add" | "wrap" | "swap"
  readonly other: number
  readonly by: unknown
}

const spoiling: fc.Arbitrary<Spoiling> = fc.record({
  where: fc.nat(),
  how: fc.constantFrom("drop", "replace", "replace", "add", "wrap", "swap"),
  other: fc.nat(),
  by: fc.oneof(oddity, fc.string(), fc.double(), fc.integer(), fc.boolean())
})

type Path = ReadonlyArray<PropertyKey>

const spoil = (value: unknown, { by, how, other, where }: Spoiling): unknown => {
  const paths = pathsOf(value)
  const path = paths[where % paths.length]!
  const at = valueAt(value, path)
  switch (how) {
    case "drop":
      return path.length === 0
        ? by
        : changedAt(value, path.slice(0, -1), (parent) => without(parent, path.at(-1)!))
    case "replace":
      return changedAt(value, path, () => by)
    case "add":
      return changedAt(value, path, () =>
        Array.isArray(at) ? [...at, by] : isPlain(at) ? { ...at, x: by } : by
      )
    case "wrap":
      return changedAt(value, path, () => (other % 2 === 0 ? [at] : { value: at }))
    case "swap":
      return changedAt(value, path, () => valueAt(value, paths[other % paths.length]!))
  }
}

const isPlain = (value: unknown): value is Record<PropertyKey, unknown> =>
  typeof value === "object" &&
  value !== null &&
  !ArrayBuffer.isView(value) &&
  Object.getPrototypeOf(value) !== Date.prototype

const pathsOf = (value: unknown, depth = 0): ReadonlyArray<Path> => [
  [],
  ...(isPlain(value) && depth < 6
    ? Reflect.ownKeys(value)
        .filter(
          (key) =>
            key !== "length" && key !== "stack" && Object.getOwnPropertyDescriptor(value, key)!.enumerable
        )
        .flatMap((key) => pathsOf(value[key], depth + 1).map((path) => [key, ...path]))
    : [])
]

const valueAt = (value: unknown, [key, ...rest]: Path): unknown =>
  key === undefined || !isPlain(value) ? value : valueAt(value[key], rest)

const changedAt = (value: unknown, [key, ...rest]: Path, change: (value: unknown) => unknown): unknown => {
  if (key === undefined || !isPlain(value)) return change(value)
  const copy = copyOf(value)
  copy[key] = changedAt(value[key], rest, change)
  return copy
}

const without = (value: unknown, key: PropertyKey): unknown => {
  if (!isPlain(value)) return undefined
  const copy = copyOf(value)
  delete copy[key]
  return copy
}

const copyOf = (value: Record<PropertyKey, unknown>): Record<PropertyKey, unknown> => {
  const copy = Array.isArray(value) ? [] : Object.create(Object.getPrototypeOf(value))
  return Object.defineProperties(copy, Object.getOwnPropertyDescriptors(value))
}
