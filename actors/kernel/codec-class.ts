/**
 * How instances of a schema's class come about, and whether it takes the class's constructor.
 *
 * A constructor made by Effect deletes the tag from its argument and puts it back, which turns the object
 * into a dictionary and costs two microseconds; else it copies the fields. So where nothing but Effect's
 * own constructors would run, none has to; and where fields or private methods of a class written by hand
 * need it to run, it is spared the tag.
 *
 * JavaScript does not tell whether a class has a constructor or fields, but it does tell its text.
 */
import { SchemaAST as AST, Data, Request, Schema } from "effect"

export interface Class {
  readonly ast: AST.AST
  readonly fields: Schema.Struct.Fields
  readonly prototype: object
  new (fields: object, unvalidated: true): object
}

/** The class that a value is an instance of and that this node was made for. */
export const classOf = (value: unknown, ast: AST.Transformation): Class | undefined => {
  if (typeof value !== "object" || value === null) return undefined
  for (let level = Object.getPrototypeOf(value); level !== null; level = Object.getPrototypeOf(level)) {
    const made: unknown = level.constructor
    if (isClass(made) && AST.isTransformation(made.ast) && made.ast.transformation === ast.transformation) {
      return made
    }
  }
  return undefined
}

const isClass = (value: unknown): value is Class =>
  typeof value === "function" && Schema.isSchema(value) && "fields" in value

/**
 * `copy`: its fields as they are, and its prototype, make an instance.
 * `construct without tag`: the constructor is to run, and adds the tag itself.
 */
export type Construction = "copy" | "construct without tag" | "construct"

export const constructionOf = (made: Pick<Class, "fields">): Construction => {
  const written: Array<object> = []
  for (let level: unknown = made; typeof level === "function"; level = Object.getPrototypeOf(level)) {
    const kind = kindOf(level)
    if (kind === undefined) {
      written.push(level)
      continue
    }
    const tagged = kind !== "Class"
    // Between a class with a tag and the one that Effect made for it stands another of Effect's.
    if (tagged) written.pop()
    const base: unknown = Object.getPrototypeOf(level)
    const copies = base === Data.Class || base === Request.Class
    const defaults = Object.keys(made.fields).filter((name) => hasDefault(made.fields[name]))
    if (copies && written.every(hasNoBody) && defaults.every((name) => tagged && name === "_tag"))
      return "copy"
    return tagged && (copies || isError(base)) && !written.some(hasConstructor)
      ? "construct without tag"
      : "construct"
  }
  return "construct"
}

/** An error is made without a stack trace: it would lead to the decoder, and costs five microseconds. */
export const construct = (made: Class, fields: object): object => {
  if (!(made.prototype instanceof Error)) return new made(fields, true)
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return new made(fields, true)
  } finally {
    Error.stackTraceLimit = limit
  }
}

const kinds = ["Class", "TaggedClass", "TaggedRequest", "TaggedError"] as const

/** Of a class made by Effect, which leaves this mark; none of one written by hand. */
const kindOf = (level: { readonly prototype: object }) => {
  const identifier: unknown = Reflect.get(level, "identifier")
  return kinds.find((kind) =>
    Object.hasOwn(level.prototype, Symbol.for(`effect/Schema/${kind}/${identifier}`))
  )
}

const isError = (base: unknown): boolean =>
  typeof base === "function" && Object.getPrototypeOf(base) === Data.Error

const hasDefault = (field: unknown): boolean => {
  if (!Schema.isPropertySignature(field)) return false
  const { ast } = field
  return (ast._tag === "PropertySignatureDeclaration" ? ast : ast.to).defaultValue !== undefined
}

/** A class that ends in `{}` on one line has no constructor, no fields and no private methods. */
const hasNoBody = (made: object): boolean => /\{[ \t]*\}$/.test(Function.prototype.toString.call(made))

const hasConstructor = (made: object): boolean =>
  /\bconstructor\b/.test(Function.prototype.toString.call(made))
