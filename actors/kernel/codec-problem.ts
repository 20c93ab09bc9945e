/**
 * What is wrong with a message that did not decode, in one line for whoever sent it.
 *
 *   member.ports.http: expected a number between 0 and 65535, found "http"
 *
 * The line ends up in faults and logs, so of the value it shows no more than a few characters: it may be
 * long, and it may be a secret.
 */
import type { SchemaAST as AST, ParseResult } from "effect"

const charactersMax = 300
const expectedMax = 120
const pathMax = 120
const shownMax = 12

export const problemOf = (issue: ParseResult.ParseIssue): string => {
  const path: Array<PropertyKey> = []
  let reason: ParseResult.ParseIssue | undefined = issue
  let leaf = issue
  while (reason !== undefined) {
    leaf = reason
    if (reason._tag === "Pointer") path.push(...keysOf(reason.path))
    reason = within(reason)
  }
  const where = path.length === 0 ? "" : `${cut(path.map(named).join(""), pathMax)}: `
  return cut(`${where}${whatIsWrong(leaf)}`, charactersMax)
}

/** The one reason behind an issue; none where there are several, or where the reason is the author's text. */
const within = (issue: ParseResult.ParseIssue): ParseResult.ParseIssue | undefined => {
  switch (issue._tag) {
    case "Pointer":
      return issue.issue
    case "Composite": {
      const { issues } = issue
      return "_tag" in issues ? issues : issues.length === 1 ? issues[0] : undefined
    }
    case "Refinement":
      return issue.kind === "From" || issue.issue._tag !== "Type" ? issue.issue : undefined
    case "Transformation":
      return issue.kind === "Transformation" ? undefined : issue.issue
    default:
      return undefined
  }
}

const whatIsWrong = (issue: ParseResult.ParseIssue): string => {
  switch (issue._tag) {
    case "Missing":
      return "is missing"
    case "Unexpected":
      return "is not expected"
    case "Forbidden":
      return "cannot be decoded at once"
    case "Pointer":
      return "does not fit"
    case "Refinement": {
      const { issue: reason } = issue
      const said = reason._tag === "Type" ? reason.message : undefined
      return said === undefined ? unlike(issue.ast, issue.actual) : oneLine(said)
    }
    case "Transformation":
      return unlike(issue.ast.to, issue.actual)
    default:
      return unlike(issue.ast, issue.actual)
  }
}

const unlike = (expected: AST.AST, found: unknown): string =>
  `expected ${oneLine(String(expected))}, found ${shown(found)}`

const shown = (value: unknown): string => {
  switch (typeof value) {
    case "string": {
      const more = value.length > shownMax ? `... of ${value.length} characters` : ""
      return `${JSON.stringify(value.slice(0, shownMax))}${more}`
    }
    case "object":
      if (value === null) return "null"
      if (Array.isArray(value)) return `an array of ${value.length}`
      return value instanceof Uint8Array ? `${value.length} bytes` : "an object"
    case "function":
    case "symbol":
      return `a ${typeof value}`
    default:
      return cut(String(value), 24)
  }
}

const named = (key: PropertyKey, index: number): string => {
  if (typeof key === "number") return `[${key}]`
  if (typeof key === "string" && /^\w{1,64}$/.test(key)) return index === 0 ? key : `.${key}`
  return `[${JSON.stringify(cut(String(key), 32))}]`
}

const keysOf = (path: ParseResult.Path): ReadonlyArray<PropertyKey> =>
  typeof path === "object" ? path : [path]

const oneLine = (text: string): string =>
  cut(text.slice(0, 4 * expectedMax).replaceAll(/\s+/g, " "), expectedMax)

const cut = (text: string, max: number): string =>
  text.length <= max ? text : `${text.slice(0, max - 3)}...`
