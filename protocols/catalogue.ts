/**
 * The catalogue: every message that clients may send or see, read off the message classes themselves.
 *
 *   class with observe, operate, admin or event ──► catalogue ──► entries ──► GetCatalogue, docs/messages.md
 *                                                       └───────► the gate
 *
 * Nothing is written down twice: direction, fields, answer and failures come from the schemas, the rest
 * from their annotations. A new protocol is one import and one line in `components`.
 *
 * Where a schema has no JSON Schema (bytes, causes, what else is declared and not built from parts) it
 * gets one by a `jsonSchema` annotation. If that was forgotten, the whole schema that contains it is
 * shown as one that accepts anything and says why, and a test complains.
 */
import { Either, JSONSchema, Option, Schema, SchemaAST } from "effect"
import * as breakers from "./breakers.ts"
import type { CatalogueEntry, JsonSchema } from "./catalogue-requests.ts"
import * as requests from "./catalogue-requests.ts"
import * as chainfire from "./chainfire.ts"
import * as chainfireKeys from "./chainfire-keys.ts"
import * as chainfireOperations from "./chainfire-operations.ts"
import * as demonstration from "./demonstration.ts"
import * as failover from "./failover.ts"
import * as links from "./links.ts"
import * as membership from "./membership.ts"
import { about, type MessageSchema } from "./message.ts"
import * as operations from "./operations.ts"
import * as registry from "./registry.ts"
import * as runtime from "./runtime.ts"
import * as supervision from "./supervision.ts"

/** In the order in which the catalogue is read. */
const components: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  runtime,
  operations,
  supervision,
  catalogue: requests,
  membership,
  links,
  registry,
  breakers,
  failover,
  chainfire,
  "chainfire-keys": chainfireKeys,
  "chainfire-operations": chainfireOperations,
  demonstration
}

/** A message class that says who may send or see it. */
export type PublicMessage = MessageSchema & Schema.Schema.AnyNoContext

const isTaggedClass = (value: unknown): value is PublicMessage =>
  typeof value === "function" && Schema.isSchema(value) && "_tag" in value && typeof value._tag === "string"

const isPublic = (value: unknown): value is PublicMessage =>
  isTaggedClass(value) && about(value).permission !== undefined

const listed: ReadonlyArray<readonly [component: string, message: PublicMessage]> = Object.entries(
  components
).flatMap(([component, exported]) =>
  Object.values(exported)
    .filter(isPublic)
    .map((message) => [component, message] as const)
)

/** By their tags. */
export const catalogue: ReadonlyMap<string, PublicMessage> = new Map(
  listed.map(([, message]) => [message._tag, message])
)

let entries: ReadonlyArray<CatalogueEntry> | undefined

/** All of it, or of one component. It is worked out once, when somebody first asks. */
export const catalogueEntries = (component?: string): ReadonlyArray<CatalogueEntry> => {
  entries ??= listed.map(([owner, message]) => entryOf(owner, message))
  return component === undefined ? entries : entries.filter((entry) => entry.component === component)
}

/** What says nothing about who may send it takes all there is. */
export const entryOf = (component: string, message: PublicMessage): CatalogueEntry => {
  const { attached, description, event, permission = "admin", repeatable } = about(message)
  const answer = answerOf(message)
  return {
    component,
    tag: message._tag,
    direction: event ? "event" : answer === undefined ? "tell" : "ask",
    permission,
    description,
    repeatable,
    attached,
    payload: withoutRequired(jsonSchemaOf(message.ast), attached),
    success: answer === undefined ? null : jsonSchemaOf(answer.success.ast),
    failures: answer === undefined ? [] : membersOf(answer.failure.ast).map(failureOf)
  }
}

const answerOf = (message: PublicMessage) =>
  "success" in message &&
  "failure" in message &&
  Schema.isSchema(message.success) &&
  Schema.isSchema(message.failure)
    ? { success: message.success, failure: message.failure }
    : undefined

const membersOf = (ast: SchemaAST.AST): ReadonlyArray<SchemaAST.AST> => {
  if (SchemaAST.isNeverKeyword(ast)) return []
  return SchemaAST.isUnion(ast) ? ast.types.flatMap(membersOf) : [ast]
}

const failureOf = (ast: SchemaAST.AST): CatalogueEntry["failures"][number] => ({
  tag: tagOf(ast),
  description: Option.getOrElse(SchemaAST.getDescriptionAnnotation(SchemaAST.typeAST(ast)), () => ""),
  fields: jsonSchemaOf(ast)
})

/** A failure that is no class has no tag and is named after its schema. */
const tagOf = (ast: SchemaAST.AST): string => {
  const tag = SchemaAST.getPropertySignatures(SchemaAST.encodedAST(ast)).find(({ name }) => name === "_tag")
  return tag !== undefined && SchemaAST.isLiteral(tag.type) ? String(tag.type.literal) : String(ast)
}

/** Of the encoded form. What is named stays in place, except where it contains itself. */
const jsonSchemaOf = (ast: SchemaAST.AST): JsonSchema => {
  const $defs: Record<string, JSONSchema.JsonSchema7> = {}
  const made = Either.try(() =>
    JSONSchema.fromAST(ast, {
      definitions: $defs,
      target: "jsonSchema2020-12",
      topLevelReferenceStrategy: "skip"
    })
  )
  if (Either.isLeft(made))
    return { $comment: `${noJsonSchema}: ${String(made.left).replaceAll(/\s+/g, " ")}` }
  return Object.keys($defs).length === 0 ? { ...made.right } : { ...made.right, $defs }
}

/** How the comment begins of a JSON Schema that stands for one that could not be made. */
export const noJsonSchema = "no JSON Schema is known"

/** A client need not send what the receiver overwrites. */
const withoutRequired = (schema: JsonSchema, fields: ReadonlyArray<string>): JsonSchema =>
  Array.isArray(schema["required"])
    ? { ...schema, required: schema["required"].filter((field) => !fields.includes(field)) }
    : schema
