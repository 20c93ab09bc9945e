/**
 * The keys of the cluster file as its schema declares them, for all who tell others about them: the JSON Schema for
 * editors, the options of NixOS, the page of the docs. What a key is like has here no more than these can say.
 */
import { SchemaAST as AST, Option, type Schema } from "effect"

export type Kind =
  | { readonly _tag: "Whole" | "Number"; readonly min: number; readonly max: number }
  | {
      readonly _tag: "Text"
      readonly pattern?: string
      readonly lengthMin: number
      readonly lengthMax?: number
    }
  | { readonly _tag: "Flag" }
  | { readonly _tag: "Word"; readonly words: ReadonlyArray<string> }
  | { readonly _tag: "List"; readonly of: Kind; readonly lengthMin: number; readonly lengthMax?: number }
  | { readonly _tag: "Section"; readonly keys: ReadonlyArray<DocumentedKey> }

export interface DocumentedKey {
  readonly name: string
  readonly description: string
  /** What is expected there. */
  readonly expected: string
  readonly kind: Kind
  readonly isNeeded: boolean
  /** None for sections, of which each key has its own, and for what may be left out. */
  readonly default: Option.Option<unknown>
}

export const documentedKeys = (schema: Schema.Schema.All): ReadonlyArray<DocumentedKey> => keysOf(schema.ast)

const keysOf = (ast: AST.AST): ReadonlyArray<DocumentedKey> => {
  const written = writtenSide(ast)
  if (!AST.isTypeLiteral(written)) throw new TypeError(`${ast} has no keys that could be documented`)
  return written.propertySignatures.map(({ isOptional, name, type }) => ({
    name: String(name),
    description: annotated(AST.getDescriptionAnnotation(type), "description", name),
    expected: annotated(AST.getTitleAnnotation(type), "title", name),
    kind: kindOf(type),
    isNeeded: !isOptional,
    default: AST.getDefaultAnnotation(type)
  }))
}

/** What nobody has described would be a key that nobody knows. */
const annotated = (text: Option.Option<string>, what: string, name: PropertyKey): string =>
  Option.getOrThrowWith(
    text,
    () => new TypeError(`the key ${String(name)} of the cluster file has no ${what}`)
  )

/** As it stands in the file, without what is checked or filled in. */
const writtenSide = (ast: AST.AST): AST.AST =>
  AST.isTransformation(ast) || AST.isRefinement(ast) ? writtenSide(ast.from) : ast

const kindOf = (ast: AST.AST): Kind => {
  const written = writtenSide(ast)
  const bounds = boundsOf(ast)
  switch (written._tag) {
    case "NumberKeyword":
      return {
        _tag: bounds["type"] === "integer" ? "Whole" : "Number",
        min: numberIn(bounds, "minimum") ?? 0,
        max: numberIn(bounds, "maximum") ?? 0
      }
    case "StringKeyword": {
      const pattern = bounds["pattern"]
      const lengthMax = numberIn(bounds, "maxLength")
      return {
        _tag: "Text",
        lengthMin: numberIn(bounds, "minLength") ?? 0,
        ...(lengthMax !== undefined && { lengthMax }),
        ...(typeof pattern === "string" && { pattern })
      }
    }
    case "BooleanKeyword":
      return { _tag: "Flag" }
    case "Union":
      return { _tag: "Word", words: written.types.map(wordOf) }
    case "TupleType": {
      const [item] = written.rest
      if (item === undefined) throw new TypeError(`${ast} is no list`)
      const lengthMax = numberIn(bounds, "maxItems")
      return {
        _tag: "List",
        of: kindOf(item.type),
        lengthMin: written.elements.length,
        ...(lengthMax !== undefined && { lengthMax })
      }
    }
    case "TypeLiteral":
      return { _tag: "Section", keys: keysOf(ast) }
    default:
      throw new TypeError(`${ast} is of a kind that cannot be documented`)
  }
}

const wordOf = (ast: AST.AST): string => {
  if (AST.isLiteral(ast) && typeof ast.literal === "string") return ast.literal
  throw new TypeError(`${ast} is no word`)
}

type Bounds = Readonly<Record<string, unknown>>

/** What all refinements on the way say as JSON Schema. */
const boundsOf = (ast: AST.AST): Bounds => {
  const own = { ...Option.getOrUndefined(AST.getJSONSchemaAnnotation(ast)) }
  return AST.isRefinement(ast) || AST.isTransformation(ast) ? { ...boundsOf(ast.from), ...own } : own
}

const numberIn = (bounds: Bounds, name: string): number | undefined => {
  const value = bounds[name]
  return typeof value === "number" ? value : undefined
}
