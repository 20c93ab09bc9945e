/**
 * Compiled codecs: a schema's tree walked once, into one closure a node.
 *
 *   value ──encode──► JSON-like value ──decode──► the same value, or one line that says what is wrong
 *
 * Effect's own interpreter is the specification. It allocates an `Either` and an option bag per node, and
 * builds an instance of a class by way of a deleted property, which costs more than all the rest. The
 * closures here return a value, or `refused`, and nothing else. They only ever say yes or no: a no is
 * explained by running Effect's interpreter on the same value, so the unhappy path is as slow as it was.
 *
 * Whatever is not known to mean the same here (declarations, template literals, annotations that change
 * parsing, effects) is left to Effect, node by node. Four things differ, on purpose: a record never takes
 * the key `__proto__`, with which Effect lets the sender choose the prototype of what we decode; decoding
 * never throws, not even when a constructor does; nesting that exhausts the stack is refused; and an error
 * comes without a stack trace, which would show this file.
 *
 * Both directions check everything: an instance built without validation is not encoded if it is wrong.
 */
import { SchemaAST as AST, Either, Option, ParseResult, Schema } from "effect"
import { type Class, classOf, construct, constructionOf } from "./codec-class.ts"
import { problemOf } from "./codec-problem.ts"

export interface Codec {
  /** Throws a `ParseError` for a value that is not of the schema's type. */
  readonly encode: (value: unknown) => unknown
  /** Left: one line that names the field, what was expected there and what was found. */
  readonly decode: (encoded: unknown) => Either.Either<unknown, string>
}

export interface TypedCodec<A, I> {
  readonly encode: (value: A) => I
  readonly decode: (encoded: unknown) => Either.Either<A, string>
}

const codecs = new WeakMap<Schema.Schema.AnyNoContext, Codec>()

export const compile = (schema: Schema.Schema.AnyNoContext): Codec => {
  let codec = codecs.get(schema)
  if (codec === undefined) {
    codec = newCodec(schema)
    codecs.set(schema, codec)
  }
  return codec
}

/** The same with the types that its schema states: this is the one place that knows they are right. */
export const compileTyped = <A, I>(schema: Schema.Schema<A, I>): TypedCodec<A, I> =>
  compile(schema) as TypedCodec<A, I>

const newCodec = (schema: Schema.Schema.AnyNoContext): Codec => {
  const encode = parser(schema.ast, "encode")
  const decode = parser(schema.ast, "decode")
  return {
    encode: (value) => {
      const encoded = encode(value)
      return encoded === refused ? ParseResult.encodeUnknownSync(schema)(value) : encoded
    },
    decode: (encoded) => {
      try {
        const value = decode(encoded)
        return value === refused
          ? Either.mapLeft(ParseResult.decodeUnknownEither(schema)(encoded), problemOf)
          : Either.right(value)
      } catch (thrown) {
        return Either.left(
          thrown instanceof RangeError ? "it is nested too deeply" : "its decoding threw an exception"
        )
      }
    }
  }
}

// The walk over a schema's tree

const refused = Symbol("refused")

/** The value in its other form, or `refused`. */
type Parser = (input: unknown) => unknown
type Direction = "encode" | "decode"
type Fields = Record<PropertyKey, unknown>

const parsers = { encode: new WeakMap<AST.AST, Parser>(), decode: new WeakMap<AST.AST, Parser>() }

const parser = (ast: AST.AST, direction: Direction): Parser => {
  let known = parsers[direction].get(ast)
  if (known === undefined) {
    known = build(ast, direction)
    parsers[direction].set(ast, known)
  }
  return known
}

const build = (ast: AST.AST, direction: Direction): Parser => {
  if (isSpecial(ast)) return byEffect(ast, direction)
  if (direction === "encode" && isPlain(ast)) return parser(ast, "decode")
  switch (ast._tag) {
    case "StringKeyword":
      return (input) => (typeof input === "string" ? input : refused)
    case "NumberKeyword":
      return (input) => (typeof input === "number" ? input : refused)
    case "BooleanKeyword":
      return (input) => (typeof input === "boolean" ? input : refused)
    case "BigIntKeyword":
      return (input) => (typeof input === "bigint" ? input : refused)
    case "SymbolKeyword":
      return (input) => (typeof input === "symbol" ? input : refused)
    case "UndefinedKeyword":
      return (input) => (input === undefined ? input : refused)
    case "UnknownKeyword":
    case "AnyKeyword":
    case "VoidKeyword":
      return (input) => input
    case "NeverKeyword":
      return () => refused
    case "ObjectKeyword":
      return (input) => (isObject(input) || typeof input === "function" ? input : refused)
    case "Literal":
      return oneOf([ast.literal])
    case "UniqueSymbol":
      return oneOf([ast.symbol])
    case "Enums":
      return oneOf(ast.enums.map(([_, value]) => value))
    case "TypeLiteral":
      return ast.propertySignatures.some(({ name }) => name === "__proto__")
        ? byEffect(ast, direction)
        : structure(ast, direction)
    case "TupleType":
      return tuple(ast, direction)
    case "Union":
      return union(ast, direction)
    case "Refinement":
      return refinement(ast, direction)
    case "Transformation":
      return isOfClass(ast) ? instance(ast, direction) : transformation(ast, direction)
    case "Suspend": {
      let inner: Parser | undefined
      return (input) => {
        inner ??= parser(ast.f(), direction)
        return inner(input)
      }
    }
    case "Declaration":
      return declaration(ast, direction)
    case "TemplateLiteral":
      return byEffect(ast, direction)
  }
}

/** Annotations that change how a node parses. */
const isSpecial = (ast: AST.AST): boolean =>
  Option.isSome(AST.getParseOptionsAnnotation(ast)) || Option.isSome(AST.getDecodingFallbackAnnotation(ast))

const byEffect = (ast: AST.AST, direction: Direction): Parser => {
  const schema = Schema.make<unknown, unknown>(ast)
  let parse: ((input: unknown) => Either.Either<unknown, ParseResult.ParseIssue>) | undefined
  return (input) => {
    parse ??=
      direction === "encode"
        ? ParseResult.encodeUnknownEither(schema)
        : ParseResult.decodeUnknownEither(schema)
    const result = parse(input)
    return Either.isRight(result) ? result.right : refused
  }
}

/** Bytes come with most messages that come often. What is annotated has the parser of the original. */
const { ast: bytes } = Schema.Uint8ArrayFromSelf
const bytesDeclaration = AST.isDeclaration(bytes) ? bytes.decodeUnknown : undefined

/** Effect's parser of a declaration, such as of a set, around compiled ones of what it holds. */
const declaration = (ast: AST.Declaration, direction: Direction): Parser => {
  const { annotations, decodeUnknown, encodeUnknown, typeParameters } = ast
  if (decodeUnknown === bytesDeclaration) return (input) => (input instanceof Uint8Array ? input : refused)
  if (typeParameters.length === 0 || isSurrogate(ast)) return byEffect(ast, direction)
  const inside = typeParameters.map(
    (type) => new AST.Declaration([], parameter(type, "decode"), parameter(type, "encode"))
  )
  return byEffect(new AST.Declaration(inside, decodeUnknown, encodeUnknown, annotations), direction)
}

const parameter = (ast: AST.AST, direction: Direction): AST.Declaration["decodeUnknown"] => {
  const schema = Schema.make<unknown, unknown>(ast)
  const byEffect =
    direction === "encode" ? ParseResult.encodeUnknown(schema) : ParseResult.decodeUnknown(schema)
  return () => (input, options, self) => {
    if (hasOptions(options)) return byEffect(input, options)
    const value = parser(ast, direction)(input)
    return value === refused ? Either.left(new ParseResult.Type(self, input)) : Either.right(value)
  }
}

const hasOptions = ({ errors, exact, onExcessProperty, propertyOrder }: AST.ParseOptions): boolean =>
  errors !== undefined || exact !== undefined || onExcessProperty !== undefined || propertyOrder !== undefined

/**
 * Nodes that copy what they accept, so both directions are the same and twice is as good as once. A union
 * of structs is none: the copy, without its excess properties, may fit an earlier member than the original.
 */
const isPlain = (ast: AST.AST): boolean => {
  if (isSpecial(ast)) return false
  switch (ast._tag) {
    case "Refinement":
      return isPlain(ast.from)
    case "TypeLiteral":
      return (
        ast.propertySignatures.every(({ type }) => isPlain(type)) &&
        ast.indexSignatures.every(({ parameter, type }) => isPlain(parameter) && isPlain(type))
      )
    case "TupleType":
      return [...ast.elements, ...ast.rest].every(({ type }) => isPlain(type))
    case "Union":
      return ast.types.every((type) => isLeaf(type) && isPlain(type))
    default:
      return isLeaf(ast)
  }
}

const branches: ReadonlySet<AST.AST["_tag"]> = new Set([
  "Declaration",
  "Refinement",
  "TupleType",
  "TypeLiteral",
  "Union",
  "Suspend",
  "Transformation"
])

const isLeaf = (ast: AST.AST): boolean => !branches.has(ast._tag)

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null

const isRecord = (value: unknown): value is Fields => isObject(value) && !Array.isArray(value)

/** By `===`, so NaN is never one of them. */
const oneOf = (values: ReadonlyArray<unknown>): Parser => {
  const [only] = values
  return values.length === 1
    ? (input) => (input === only ? input : refused)
    : (input) => (values.indexOf(input) >= 0 ? input : refused)
}

interface Field {
  readonly name: PropertyKey
  readonly optional: boolean
  readonly dropped: boolean
  readonly parse: Parser
}

/** What the properties are put into, unless that is a plain object, and the one that is checked and left out. */
interface Target {
  readonly prototype?: object
  readonly without?: string
}

const structure = (
  { indexSignatures, propertySignatures }: AST.TypeLiteral,
  direction: Direction,
  { prototype, without }: Target = {}
): Parser => {
  const records = indexSignatures.map(({ parameter, type }) =>
    record(parameter, type, new Set(propertySignatures.map(({ name }) => name)), direction)
  )
  const fields = propertySignatures.map(
    ({ isOptional, name, type }): Field => ({
      name,
      optional: isOptional,
      dropped: name === without,
      parse: parser(type, direction)
    })
  )
  if (fields.length === 0 && records.length === 0) {
    return (input) => (input === undefined || input === null ? refused : input)
  }
  return (input) => {
    if (!isRecord(input)) return refused
    const output: Fields = prototype === undefined ? {} : Object.create(prototype)
    for (let index = 0; index < fields.length; index++) {
      const { dropped, name, optional, parse } = fields[index]!
      if (optional && !Object.hasOwn(input, name)) continue
      const value = parse(input[name])
      if (value === refused) return refused
      if (!dropped) output[name] = value
    }
    for (let index = 0; index < records.length; index++) if (!records[index]!(input, output)) return refused
    return output
  }
}

/** Whether all of the input's keys that fit the parameter have values that fit; they are put into the output. */
const record = (
  parameter: AST.Parameter,
  type: AST.AST,
  named: ReadonlySet<PropertyKey>,
  direction: Direction
): ((input: Fields, output: Fields) => boolean) => {
  const parseKey = parser(parameter, direction)
  const parse = parser(type, direction)
  const ofSymbols = isOfSymbols(parameter)
  return (input, output) => {
    for (const key of ofSymbols ? Object.getOwnPropertySymbols(input) : Object.keys(input)) {
      if (parseKey(key) === refused) continue
      const value = parse(input[key])
      if (value === refused) return false
      if (key !== "__proto__" && !named.has(key)) output[key] = value
    }
    return true
  }
}

const isOfSymbols = (parameter: AST.Parameter): boolean =>
  AST.isRefinement(parameter) ? isOfSymbols(parameter.from) : AST.isSymbolKeyword(parameter)

const tuple = (ast: AST.TupleType, direction: Direction): Parser => {
  const elements = ast.elements.map(({ type }) => parser(type, direction))
  const [rest, ...last] = ast.rest.map(({ type }) => parser(type, direction))
  const required = ast.elements.filter(({ isOptional }) => !isOptional).length + last.length
  return (input) => {
    if (!Array.isArray(input)) return refused
    const { length } = input
    if (length < required) return refused
    const output: Array<unknown> = []
    const restEnd = length - last.length
    for (let index = 0; index < length; index++) {
      const parse = index < elements.length ? elements[index] : index < restEnd ? rest : last[index - restEnd]
      const value = parse === undefined ? refused : parse(input[index])
      if (value === refused) return refused
      output.push(value)
    }
    return output
  }
}

const refinement = (ast: AST.Refinement, direction: Direction): Parser => {
  if (direction === "decode") {
    const from = parser(ast.from, "decode")
    return (input) => {
      const value = from(input)
      if (value === refused) return refused
      return Option.isNone(ast.filter(value, AST.defaultParseOption, ast)) ? value : refused
    }
  }
  // The type's side of a recursive schema is a new tree at each level, which would be compiled at each level.
  if (hasSuspend(ast)) return byEffect(ast, direction)
  const check = parser(AST.typeAST(ast), "decode")
  const encode = parser(unrefined(ast), "encode")
  return (input) => {
    const value = check(input)
    return value === refused ? refused : encode(value)
  }
}

const unrefined = (ast: AST.AST): AST.AST => (AST.isRefinement(ast) ? unrefined(ast.from) : ast)

const hasSuspend = (ast: AST.AST): boolean => {
  switch (ast._tag) {
    case "Suspend":
      return true
    case "Refinement":
      return hasSuspend(ast.from)
    case "Transformation":
      return hasSuspend(ast.from) || hasSuspend(ast.to)
    case "Declaration":
      return ast.typeParameters.some(hasSuspend)
    case "Union":
      return ast.types.some(hasSuspend)
    case "TupleType":
      return [...ast.elements, ...ast.rest].some(({ type }) => hasSuspend(type))
    case "TypeLiteral":
      return [...ast.propertySignatures, ...ast.indexSignatures].some(({ type }) => hasSuspend(type))
    default:
      return false
  }
}

// Unions: which members are tried, and in which order, is decided by their literals, as Effect does it

type Buckets = Map<string, Array<AST.AST>>

const union = (ast: AST.Union, direction: Direction): Parser => {
  const literals = ast.types.filter(AST.isLiteral)
  if (literals.length === ast.types.length && !literals.some(isSpecial)) {
    return oneOf(literals.map(({ literal }) => literal))
  }
  const { keys, others } = sorted(ast.types, direction)
  if (keys.some(([key, buckets]) => key === "__proto__" || buckets.has("__proto__"))) {
    return byEffect(ast, direction)
  }
  const compiled = (types: ReadonlyArray<AST.AST>) => types.map((type) => parser(type, direction))
  const rest = compiled(others)
  const tagged = keys.map(([key, buckets]) => ({
    key,
    members: new Map([...buckets].map(([literal, types]) => [literal, compiled(types)]))
  }))
  return (input) => {
    if (tagged.length > 0 && isObject(input)) {
      for (const { key, members } of tagged) {
        if (!Object.hasOwn(input, key)) continue
        const literal: unknown = Reflect.get(input, key)
        const found = first(members.get(typeof literal === "string" ? literal : String(literal)), input)
        if (found !== refused) return found
      }
    }
    return first(rest, input)
  }
}

const first = (members: ReadonlyArray<Parser> | undefined, input: unknown): unknown => {
  if (members === undefined) return refused
  for (let index = 0; index < members.length; index++) {
    const value = members[index]!(input)
    if (value !== refused) return value
  }
  return refused
}

/** Each member with literals goes under the first of them that no other member has, or else its last. */
const sorted = (types: ReadonlyArray<AST.AST>, direction: Direction) => {
  const keys: Record<PropertyKey, Buckets> = Object.create(null)
  const others: Array<AST.AST> = []
  for (const type of types) {
    const literals = literalsOf(type, direction)
    if (literals.length === 0) others.push(type)
    for (const [index, [key, literal]] of literals.entries()) {
      keys[key] ??= new Map()
      const bucket = keys[key].get(literal)
      if (bucket === undefined) keys[key].set(literal, [type])
      else if (index === literals.length - 1) bucket.push(type)
      else continue
      break
    }
  }
  return { keys: Reflect.ownKeys(keys).map((key) => [key, keys[key]!] as const), others }
}

/** The properties that hold a literal in what the parser of this direction is given. */
const literalsOf = (ast: AST.AST, direction: Direction): ReadonlyArray<readonly [PropertyKey, string]> => {
  const literal = (key: PropertyKey, { isOptional, type }: AST.OptionalType) => {
    const side = direction === "decode" ? AST.encodedAST(type) : AST.typeAST(type)
    return AST.isLiteral(side) && !isOptional ? [[key, String(side.literal)] as const] : []
  }
  switch (ast._tag) {
    case "Declaration":
      return Option.match(AST.getSurrogateAnnotation(ast), {
        onNone: () => [],
        onSome: (surrogate) => literalsOf(surrogate, direction)
      })
    case "TypeLiteral":
      return ast.propertySignatures.flatMap((signature) => literal(signature.name, signature))
    case "TupleType":
      return ast.elements.flatMap((element, index) => literal(index, element))
    case "Refinement":
      return literalsOf(ast.from, direction)
    case "Suspend":
      return literalsOf(ast.f(), direction)
    case "Transformation":
      return literalsOf(direction === "decode" ? ast.from : ast.to, direction)
    default:
      return []
  }
}

// Transformations

const transformation = (ast: AST.Transformation, direction: Direction): Parser => {
  const decoding = direction === "decode"
  const from = parser(decoding ? ast.from : ast.to, direction)
  const to = parser(decoding ? ast.to : ast.from, direction)
  const { transformation } = ast
  if (transformation._tag === "ComposeTransformation") {
    return (input) => {
      const value = from(input)
      return value === refused ? refused : to(value)
    }
  }
  const effect = byEffect(ast, direction)
  if (transformation._tag === "TypeLiteralTransformation") {
    const move = moves(transformation.propertySignatureTransformations, direction)
    return (input) => {
      const value = from(input)
      if (value === refused) return refused
      return isRecord(value) ? to(move(value)) : effect(input)
    }
  }
  const change = decoding ? transformation.decode : transformation.encode
  return (input) => {
    const value = from(input)
    if (value === refused) return refused
    const changed = change(value, AST.defaultParseOption, ast, input)
    if (!Either.isEither(changed)) return effect(input)
    return Either.isRight(changed) ? to(changed.right) : refused
  }
}

/** Renames properties and gives them their defaults, one after the other, in place. */
const moves = (steps: ReadonlyArray<AST.PropertySignatureTransformation>, direction: Direction) => {
  const moves = steps.map((step) =>
    direction === "decode"
      ? { from: step.from, to: step.to, change: step.decode }
      : { from: step.to, to: step.from, change: step.encode }
  )
  return (fields: Fields): Fields => {
    for (const { change, from, to } of moves) {
      const value = change(Object.hasOwn(fields, from) ? Option.some(fields[from]) : Option.none())
      if (from !== to || Option.isNone(value)) delete fields[from]
      if (Option.isSome(value)) fields[to] = value.value
    }
    return fields
  }
}

// Classes: a transformation from a struct to a declaration, which knows the class and does not tell

const isOfClass = ({ to, transformation }: AST.Transformation): boolean =>
  transformation._tag === "FinalTransformation" && AST.isDeclaration(to) && !isSpecial(to) && isSurrogate(to)

const isSurrogate = (ast: AST.Declaration): boolean => Option.isSome(AST.getSurrogateAnnotation(ast))

/** The class is found by the first instance of it that comes along; until then, and for others, Effect does it. */
const instance = (ast: AST.Transformation, direction: Direction): Parser => {
  const effect = transformation(ast, direction)
  if (direction === "decode") {
    let faster: Parser | undefined
    return (input) => {
      if (faster !== undefined) return faster(input)
      const value = effect(input)
      if (value === refused) return refused
      const made = classOf(value, ast)
      faster = (made && constructor(ast, made)) ?? effect
      return value
    }
  }
  const fields = parser(ast.from, "encode")
  let prototype: object | undefined
  return (value) => {
    prototype ??= classOf(value, ast)?.prototype
    const fits = prototype !== undefined && isObject(value) && Object.getPrototypeOf(value) === prototype
    return fits ? fields(value) : effect(value)
  }
}

/** A faster way to the instances that the constructor would make of decoded fields, if there is one. */
const constructor = (ast: AST.Transformation, made: Class): Parser | undefined => {
  const struct =
    AST.isTypeLiteral(ast.from) && !isSpecial(ast.from) && isNamed(ast.from) ? ast.from : undefined
  switch (constructionOf(made)) {
    case "copy": {
      const { prototype } = made
      if (struct !== undefined) return structure(struct, "decode", { prototype })
      const fields = parser(ast.from, "decode")
      return (input) => {
        const value = fields(input)
        return value === refused ? refused : Object.assign(Object.create(prototype), value)
      }
    }
    case "construct without tag": {
      if (struct === undefined) return undefined
      const fields = structure(struct, "decode", { without: "_tag" })
      return (input) => {
        const value = fields(input)
        return isRecord(value) ? construct(made, value) : refused
      }
    }
    case "construct":
      return undefined
  }
}

const isNamed = ({ indexSignatures, propertySignatures }: AST.TypeLiteral): boolean =>
  indexSignatures.length === 0 &&
  propertySignatures.length > 0 &&
  propertySignatures.every(({ name }) => typeof name === "string" && name !== "__proto__")
