import { globSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { Arbitrary, FastCheck as fc, Schema } from "effect"
import { catalogue, catalogueEntries, entryOf, noJsonSchema, type PublicMessage } from "./catalogue.ts"
import { CatalogueEntry, type JsonSchema } from "./catalogue-requests.ts"
import { ActorId, about, admin, event, observe, operate } from "./message.ts"

test("every message of every protocol that says who may send it is in the catalogue", async (t) => {
  const forgotten: Array<string> = []
  for (const path of globSync("*.ts", { cwd: import.meta.dirname }).filter((path) => !isTest(path))) {
    const module: Readonly<Record<string, unknown>> = await import(join(import.meta.dirname, path))
    const messages = Object.values(module).filter(isPublic)
    const missing = messages.filter((message) => catalogue.get(message._tag) !== message)
    forgotten.push(...missing.map(({ _tag }) => `protocols/catalogue.ts does not have ${_tag} of ${path}`))
  }
  t.deepEqual(forgotten, [])
})

test("no two messages have the same tag", (t) => {
  const tags = catalogueEntries().map(({ tag }) => tag)
  t.deepEqual(
    tags.filter((tag, index) => tags.indexOf(tag) !== index),
    []
  )
  t.is(catalogue.size, tags.length)
})

test("every message says in a sentence or two what it does", (t) => {
  for (const { description, tag } of catalogueEntries()) t.regex(description, /^[A-Z].*\.$/, tag)
})

test("an entry holds what its message says about itself", (t) => {
  t.like(entryOf("kitchen", Brew), {
    component: "kitchen",
    tag: "Brew",
    direction: "ask",
    permission: "admin",
    description: "Makes tea.",
    repeatable: true,
    attached: ["by"]
  })
  t.like(entryOf("kitchen", Stir), { direction: "tell", permission: "operate", success: null, failures: [] })
  t.like(entryOf("kitchen", Brewed), { direction: "event", permission: "observe", success: null })
})

test("failures are listed one by one, with what they mean and what they carry", (t) => {
  t.deepEqual(
    entryOf("kitchen", Brew).failures.map(({ description, fields, tag }) => [
      tag,
      description,
      Object.keys(Object(fields["properties"]))
    ]),
    [
      ["NoWater", "The kettle is empty.", ["missing", "_tag"]],
      ["NoTea", "There is no such tea.", ["_tag"]],
      ["NoCup", "", ["_tag"]]
    ]
  )
})

test("what the receiving node fills in need not be sent", (t) => {
  const { payload } = entryOf("kitchen", Brew)
  t.true(accepts(payload, { _tag: "Brew", kind: "green" }))
  t.true(accepts(payload, { _tag: "Brew", kind: "green", by: "HUMAN::ann" }))
  t.false(accepts(payload, { _tag: "Brew", by: "HUMAN::ann" }))
})

test("each JSON Schema accepts whatever its schema encodes", (t) => {
  const entries = new Map(catalogueEntries().map((entry) => [entry.tag, entry]))
  for (const [tag, message] of catalogue) {
    const { payload, success } = entries.get(tag)!
    for (const encoded of samples(message)) {
      t.true(accepts(payload, encoded), `${tag} ${JSON.stringify(encoded)}`)
      t.false(accepts(payload, { ...Object(encoded), _tag: "Other" }), `${tag} is told from others`)
      t.false(accepts(payload, { ...Object(encoded), surprise: 1 }), `${tag} takes no field it does not know`)
    }
    if (success === null || !("success" in message) || !isSchema(message.success)) continue
    for (const encoded of samples(message.success)) {
      t.true(accepts(success, encoded), `the answer to ${tag}: ${JSON.stringify(encoded)}`)
    }
  }
})

test("each failure is accepted by its own JSON Schema and by no other of its message", (t) => {
  const entries = new Map(catalogueEntries().map((entry) => [entry.tag, entry]))
  for (const [tag, message] of catalogue) {
    const { failures } = entries.get(tag)!
    if (failures.length === 0 || !("failure" in message) || !isSchema(message.failure)) continue
    for (const encoded of samples(message.failure)) {
      const fitting = failures.filter(({ fields }) => accepts(fields, encoded))
      t.deepEqual(
        fitting.map((failure) => failure.tag),
        [Object(encoded)["_tag"]],
        `a failure of ${tag}`
      )
    }
  }
})

test("no message needs the JSON Schema that stands for one which could not be made", (t) => {
  const missing = catalogueEntries().filter((entry) => JSON.stringify(entry).includes(noJsonSchema))
  t.deepEqual(
    missing.map(({ tag }) => `${tag}: give the schema inside of it a jsonSchema annotation`),
    []
  )
})

test("a message for which no JSON Schema can be made is listed all the same, and says why", (t) => {
  const { payload } = entryOf("kitchen", Spill)
  t.deepEqual(Object.keys(payload), ["$comment"])
  t.regex(String(payload["$comment"]), /^no JSON Schema is known: .*at path: \["of"\]/)
  t.true(accepts(payload, { _tag: "Spill", of: "anything" }))
})

test("entries are made once, and can be sent", (t) => {
  t.is(catalogueEntries(), catalogueEntries())
  const encoded = Schema.encodeSync(Schema.Array(CatalogueEntry))(catalogueEntries())
  t.deepEqual(JSON.parse(JSON.stringify(encoded)), catalogueEntries())
})

const isTest = (path: string): boolean => path.endsWith(".test.ts")

const isSchema = (value: unknown): value is Schema.Schema.AnyNoContext => Schema.isSchema(value)

const isTaggedClass = (value: unknown): value is PublicMessage =>
  typeof value === "function" && isSchema(value) && "_tag" in value && typeof value._tag === "string"

const isPublic = (value: unknown): value is PublicMessage =>
  isTaggedClass(value) && about(value).permission !== undefined

/** Values in the form in which they are sent. */
const samples = (schema: Schema.Schema.AnyNoContext): ReadonlyArray<unknown> =>
  fc
    .sample(Arbitrary.make(schema), { seed: 11, numRuns: 20 })
    .map((value) => Schema.encodeSync(schema)(value))

/** As much of JSON Schema as is in the catalogue, and a complaint about the rest. */
const accepts = (schema: JsonSchema, value: unknown, root: JsonSchema = schema): boolean =>
  Object.keys(schema).every((keyword) => holds(keyword, schema, value, root))

const holds = (keyword: string, schema: JsonSchema, value: unknown, root: JsonSchema): boolean => {
  const operand = schema[keyword]
  const fits = (inner: unknown, at: unknown) => (isRecord(inner) ? accepts(inner, at, root) : inner !== false)
  const [fields, items] = [isRecord(value) ? value : {}, list(value)]
  switch (keyword) {
    case "$id":
    case "$comment":
    case "$defs":
    case "title":
    case "description":
      return true
    case "$ref":
      return fits(record(root["$defs"])[String(operand).replace("#/$defs/", "")], value)
    case "type":
      return typesOf(value).includes(String(operand))
    case "enum":
      return list(operand).includes(value)
    case "anyOf":
      return list(operand).some((member) => fits(member, value))
    case "allOf":
      return list(operand).every((member) => fits(member, value))
    case "not":
      return !fits(operand, value)
    case "minimum":
      return typeof value !== "number" || value >= Number(operand)
    case "maximum":
      return typeof value !== "number" || value <= Number(operand)
    case "minLength":
      return typeof value !== "string" || [...value].length >= Number(operand)
    case "maxLength":
      return typeof value !== "string" || [...value].length <= Number(operand)
    case "pattern":
      return typeof value !== "string" || new RegExp(String(operand)).test(value)
    case "minItems":
      return !Array.isArray(value) || items.length >= Number(operand)
    case "maxItems":
      return items.length <= Number(operand)
    case "items":
      return items.every((item) => fits(operand, item))
    case "required":
      return !isRecord(value) || list(operand).every((name) => fields[String(name)] !== undefined)
    case "properties":
      return Object.entries(record(operand)).every(
        ([name, field]) => fields[name] === undefined || fits(field, fields[name])
      )
    case "additionalProperties":
      return Object.entries(fields).every(
        ([name, field]) => Object.hasOwn(record(schema["properties"]), name) || fits(operand, field)
      )
    case "patternProperties":
      return Object.entries(record(operand)).every(([pattern, inner]) =>
        Object.entries(fields).every(([name, field]) => !new RegExp(pattern).test(name) || fits(inner, field))
      )
    case "propertyNames":
      return Object.keys(fields).every((name) => fits(operand, name))
    default:
      throw new Error(`this test does not know the JSON Schema keyword ${keyword}`)
  }
}

const typesOf = (value: unknown): ReadonlyArray<string> => {
  if (value === null) return ["null"]
  if (Array.isArray(value)) return ["array"]
  return Number.isInteger(value) ? ["integer", "number"] : [typeof value]
}

const isRecord = (value: unknown): value is JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const record = (value: unknown): JsonSchema => (isRecord(value) ? value : {})

const list = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

class NoWater extends Schema.TaggedError<NoWater>()(
  "NoWater",
  { missing: Schema.Number },
  { description: "The kettle is empty." }
) {}
class NoTea extends Schema.TaggedError<NoTea>()("NoTea", {}, { description: "There is no such tea." }) {}
class NoCup extends Schema.TaggedError<NoCup>()("NoCup", {}) {}

class Brew extends Schema.TaggedRequest<Brew>()(
  "Brew",
  {
    payload: { by: ActorId, kind: Schema.String },
    success: Schema.Void,
    failure: Schema.Union(NoWater, Schema.Union(NoTea, NoCup))
  },
  admin("Makes tea.", { repeatable: true })
) {}

class Stir extends Schema.TaggedClass<Stir>()("Stir", { times: Schema.Int }, operate("Stirs.")) {}

class Brewed extends Schema.TaggedClass<Brewed>()("Brewed", {}, event("There is tea.")) {}

class Spill extends Schema.TaggedClass<Spill>()(
  "Spill",
  { of: Schema.CauseFromSelf({ error: Schema.Never, defect: Schema.Unknown }) },
  observe("Spills.")
) {}
