/**
 * A text as YAML or JSON, with the place of everything in it. JSON is read by the parser of YAML, of which it is a
 * part, so that its problems have places as well; a file that is called `.json` must be JSON besides.
 *
 * Whatever the text is, the outcome is a value or problems, and the work is bounded: by the length of the text, and
 * by how often what was written once may be referred to.
 */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseDocument
} from "yaml"

/** Where something is, counted from 1. */
export interface Place {
  readonly line: number
  readonly column: number
}

export interface TextProblem extends Place {
  readonly message: string
}

export interface Placed {
  readonly value: unknown
  /** Of the value there, or of its key; of what is around it where there is none. */
  readonly placeOf: (path: ReadonlyArray<PropertyKey>, at: "key" | "value") => Place
}

export type Read =
  | { readonly _tag: "Placed"; readonly placed: Placed }
  | { readonly _tag: "Problems"; readonly problems: ReadonlyArray<TextProblem> }

export const charactersMax = 1024 * 1024
const aliasesMax = 100

export const readDocument = (text: string, language: "json" | "yaml"): Read => {
  const start: Place = { line: 1, column: 1 }
  const refused = (message: string, place: Place = start): Read => ({
    _tag: "Problems",
    problems: [{ ...place, message }]
  })
  if (text.length > charactersMax)
    return refused(`expected up to ${charactersMax} characters, got ${text.length}`)
  const counter = new LineCounter()
  const document = parseDocument<ParsedNode>(text, {
    lineCounter: counter,
    prettyErrors: false,
    stringKeys: true
  })
  const placeAt = (offset: number): Place => {
    const { col, line } = counter.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }
  const said = [...document.errors, ...document.warnings]
  if (said.length > 0) {
    const deep = said.find(({ code }) => code === "RESOURCE_EXHAUSTION")
    // What follows a list that is too deep comes of leaving it.
    if (deep !== undefined) return refused("is nested too deeply", placeAt(deep.pos[0]))
    const problems = said.map(({ code, message, pos }) => ({
      ...placeAt(pos[0]),
      message: plainly[code] ?? firstLine(message)
    }))
    return { _tag: "Problems", problems }
  }
  // Merges keys and takes "no" for false: what is meant by a file should not depend on its first line.
  const { version } = document.directives?.yaml ?? {}
  if (version !== undefined && version !== "1.2") return refused(`is YAML ${version}: write YAML 1.2`)
  if (language === "json") {
    const problem = notJson(text)
    if (problem !== undefined)
      return refused(
        `is YAML and no JSON (${problem}): correct it, or call the file .yaml`,
        placeAt(offsetIn(problem))
      )
  }
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: aliasesMax })
  } catch (problem) {
    // An alias of nothing, or aliases of aliases without end.
    if (!(problem instanceof ReferenceError)) throw problem
    return refused(firstLine(problem.message))
  }
  const placeOf: Placed["placeOf"] = (path, at) => placeAt(offsetOf(document, path, at))
  return { _tag: "Placed", placed: { value, placeOf } }
}

/** What the parser says in words of its own. */
const plainly: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: "is there twice: a key is said once",
  TAB_AS_INDENT: "is indented with a tab: YAML takes spaces",
  MULTIPLE_DOCS: "begins a second document: a file describes one cluster",
  NON_STRING_KEY: "is no key: keys are names"
}

const firstLine = (message: string): string => (message.split("\n")[0] ?? "").slice(0, 200)

const notJson = (text: string): string | undefined => {
  try {
    // A mark of the order of bytes is none of its business.
    JSON.parse(text.replace(/^\uFEFF/, ""))
    return undefined
  } catch (problem) {
    if (!(problem instanceof SyntaxError)) throw problem
    return firstLine(problem.message)
  }
}

const offsetIn = (said: string): number => Number(/at position (\d+)/.exec(said)?.[1] ?? 0)

const offsetOf = (
  document: Document<ParsedNode>,
  path: ReadonlyArray<PropertyKey>,
  at: "key" | "value"
): number => {
  let node: unknown = document.contents
  let offset = startOf(node, 0)
  for (const [index, step] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document)
    if (isSeq(node) && typeof step === "number") node = node.items[step]
    else if (isMap(node)) {
      const pair = node.items.find(({ key }) => (isScalar(key) ? key.value : key) === step)
      if (pair === undefined) return offset
      if (at === "key" && index === path.length - 1) return startOf(pair.key, offset)
      node = pair.value
    } else return offset
    offset = startOf(node, offset)
  }
  return offset
}

const startOf = (node: unknown, otherwise: number): number =>
  isNode(node) ? (node.range?.[0] ?? otherwise) : otherwise
