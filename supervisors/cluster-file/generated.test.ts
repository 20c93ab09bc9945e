/** What is made of the schema is what the schema says, and what it is said to be good for. */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { Either, Predicate } from "effect"
import { parse } from "yaml"
import { clusterOf } from "./cluster-file.ts"
import { Cluster } from "./cluster-schema.ts"
import { documentedKeys } from "./documented-keys.ts"
import { generated } from "./generated.ts"
import { clusterJsonSchema } from "./json-schema.ts"
import { profileNames } from "./profiles.ts"
import { profileText } from "./rendered.ts"

for (const { content, path } of generated()) {
  test(`${path} is what the schema says`, (t) => {
    const file = join(import.meta.dirname, "../..", path)
    const written = existsSync(file) ? readFileSync(file, "utf8") : ""
    if (written === content) t.pass()
    else t.fail(`${path} is not what the schema of the cluster file says: run npm run docs`)
  })
}

test("each key says what it is for, in sentences", (t) => {
  const look = (keys: ReturnType<typeof documentedKeys>): void => {
    for (const { description, expected, kind, name } of keys) {
      t.regex(description, /^[A-Z`].*\.$/, name)
      t.true(expected.length > 3, name)
      const inner = kind._tag === "List" ? kind.of : kind
      if (inner._tag === "Section") look(inner.keys)
    }
  }
  look(documentedKeys(Cluster))
})

const page = readFileSync(join(import.meta.dirname, "../../docs/cluster-file.md"), "utf8")
const ofPage = /```yaml\n([^`]*)```/.exec(page)?.[1] ?? ""

const node = { name: "node01", host: "127.0.0.1" }
const good: ReadonlyArray<unknown> = [
  ...profileNames.map((name) => parse(profileText(name, "yaml"))),
  parse(ofPage),
  { profile: "single-node-dev" },
  { cluster: "west", nodes: [node], roles: ["dns"] },
  { cluster: "west", nodes: [{ ...node, health: { port: 0 } }], telemetry: { ratio: 0.5 }, stopMillis: 1_000 }
]
const bad: ReadonlyArray<unknown> = [
  { cluster: "west" },
  { cluster: "West", nodes: [node] },
  { cluster: "west", nodes: [] },
  { cluster: "west", nodes: [{ host: "127.0.0.1" }] },
  { cluster: "west", nodes: [{ ...node, etdc: 1 }] },
  { cluster: "west", nodes: [{ ...node, etcd: 70_000 }] },
  { cluster: "west", nodes: [{ ...node, etcd: "2379" }] },
  { cluster: "west", nodes: [{ ...node, tls: { key: "k" } }] },
  { cluster: "west", nodes: [node], profile: "two-nodes" },
  { cluster: "west", nodes: [node], telemetry: { ratio: 1.5 } },
  { cluster: "west", nodes: [node], log: { format: "xml" } },
  { cluster: "west", nodes: [node], stopMillis: 0.5 },
  { cluster: "west", nodes: [node], components: { chainfire: { origins: [""] } } },
  "west"
]

test("what editors are told is right is taken, and what they mark is refused", (t) => {
  const schema = clusterJsonSchema()
  const isTaken = (value: unknown) => Either.isRight(clusterOf(JSON.stringify(value), "c.json"))
  for (const value of good)
    t.deepEqual([fits(schema, value), isTaken(value)], [true, true], JSON.stringify(value))
  for (const value of bad)
    t.deepEqual([fits(schema, value), isTaken(value)], [false, false], JSON.stringify(value))
})

/** As much of JSON Schema as is used here. A keyword that it does not know is a mistake of this test. */
const fits = (schema: unknown, value: unknown): boolean => {
  if (!Predicate.isRecord(schema)) throw new TypeError("a schema is an object")
  const list = (given: unknown): ReadonlyArray<unknown> => (Array.isArray(given) ? given : [])
  const isSection = Predicate.isRecord(value) && !Array.isArray(value)
  return Object.entries(schema).every(([keyword, is]) => {
    switch (keyword) {
      case "$schema":
      case "title":
      case "description":
      case "default":
        return true
      case "type":
        if (is === "object") return isSection
        if (is === "array") return Array.isArray(value)
        return is === "integer" ? Number.isInteger(value) : typeof value === is
      case "enum":
        return list(is).includes(value)
      case "const":
        return value === is
      case "anyOf":
        return list(is).some((one) => fits(one, value))
      case "required":
        return isSection && list(is).every((key) => String(key) in value)
      case "properties":
        return (
          isSection &&
          Object.entries(Object(is)).every(([key, one]) => !(key in value) || fits(one, value[key]))
        )
      case "additionalProperties":
        return isSection && Object.keys(value).every((key) => key in Object(schema["properties"]))
      case "items":
        return list(value).every((one) => fits(is, one))
      case "minItems":
        return list(value).length >= Number(is)
      case "maxItems":
        return list(value).length <= Number(is)
      case "minLength":
        return typeof value !== "string" || value.length >= Number(is)
      case "maxLength":
        return typeof value !== "string" || value.length <= Number(is)
      case "minimum":
        return typeof value !== "number" || value >= Number(is)
      case "maximum":
        return typeof value !== "number" || value <= Number(is)
      case "pattern":
        return typeof value !== "string" || new RegExp(String(is)).test(value)
      default:
        throw new TypeError(`this test does not know the keyword ${keyword}`)
    }
  })
}
