/**
 * What is wrong with what a file says, each in a line of its own for whoever wrote it:
 *
 *   at nodes.1.links: expected a port, 0 to 65535, got 70000
 *   at nodes.1.etdc: is no key that is known; did you mean etcd?
 *
 * What is expected is in the annotations of the schema, see key.ts. Of what the file has no more is shown than a
 * few characters.
 */
import { SchemaAST as AST, Option, type ParseResult, Predicate } from "effect"

type Path = ReadonlyArray<PropertyKey>

export interface Problem {
  readonly path: Path
  readonly message: string
  /** Where in the file it shows. */
  readonly at: "key" | "value"
}

export const problemsOf = (issue: ParseResult.ParseIssue, path: Path = []): ReadonlyArray<Problem> => {
  switch (issue._tag) {
    case "Pointer":
      return problemsOf(
        issue.issue,
        [...path, ...(Array.isArray(issue.path) ? issue.path : [issue.path])].flat()
      )
    case "Composite":
      if (AST.isUnion(issue.ast)) return [unlike(issue.ast, issue.actual, path)]
      return ("_tag" in issue.issues ? [issue.issues] : issue.issues).flatMap((one) =>
        isUnknownKey(one) ? [unknownKey(one, issue.ast, path)] : problemsOf(one, path)
      )
    case "Refinement":
    case "Transformation":
      return isPlain(issue.issue) ? [unlike(issue.ast, issue.actual, path)] : problemsOf(issue.issue, path)
    case "Type":
      return [
        issue.message === undefined
          ? unlike(issue.ast, issue.actual, path)
          : { path, message: issue.message, at: "value" }
      ]
    case "Missing":
      return [{ path, message: `expected ${expectedOf(issue.ast.type)}, got nothing`, at: "value" }]
    case "Unexpected":
    case "Forbidden":
      return [{ path, message: "is not expected here", at: "value" }]
  }
}

/** Nothing but that a value is not of the right kind: the schema around it says better what is expected. */
const isPlain = (issue: ParseResult.ParseIssue): boolean => {
  if (issue._tag === "Refinement" || issue._tag === "Transformation") return isPlain(issue.issue)
  return issue._tag === "Type" && issue.message === undefined
}

const unlike = (ast: AST.AST, actual: unknown, path: Path): Problem => ({
  path,
  message: `expected ${expectedOf(ast)}, got ${shown(actual)}`,
  at: "value"
})

const expectedOf = (ast: AST.AST): string =>
  Option.getOrElse(AST.getTitleAnnotation(ast), () => String(ast).slice(0, 200))

const shownMax = 40

const shown = (value: unknown): string => {
  if (Predicate.isString(value))
    return JSON.stringify(value.length > shownMax ? `${value.slice(0, shownMax)}…` : value)
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (value === null || value === undefined) return "nothing"
  return Predicate.isObject(value) ? "a section" : String(value).slice(0, shownMax)
}

// Keys that nobody knows

type UnknownKey = ParseResult.Pointer & { readonly issue: ParseResult.Unexpected }

const isUnknownKey = (issue: ParseResult.ParseIssue): issue is UnknownKey =>
  issue._tag === "Pointer" && issue.issue._tag === "Unexpected"

const unknownKey = ({ path: inner }: UnknownKey, ast: AST.AST, path: Path): Problem => {
  const key = String(Array.isArray(inner) ? inner.at(-1) : inner)
  const known = AST.isTypeLiteral(ast) ? ast.propertySignatures.map(({ name }) => String(name)) : []
  const like = closest(key, known)
  const instead = like === undefined ? `the keys here are ${known.join(", ")}` : `did you mean ${like}?`
  return { path: [...path, key], message: `is no key that is known; ${instead}`, at: "key" }
}

/** As far as it may be a slip: a third of the letters. */
const closest = (key: string, known: ReadonlyArray<string>): string | undefined => {
  if (key.length > 64) return undefined
  const ranked = known
    .map((one) => ({ one, distance: editsBetween(key.toLowerCase(), one.toLowerCase()) }))
    .filter(
      ({ distance, one }) => distance <= Math.max(2, Math.ceil(one.length / 3)) && distance < one.length
    )
    .toSorted((left, right) => left.distance - right.distance)
  return ranked[0]?.one
}

/** Letters to add, take away or change. */
const editsBetween = (left: string, right: string): number => {
  let above = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (const [row, letter] of [...left].entries()) {
    const current = [row + 1]
    for (const [column, other] of [...right].entries()) {
      const changed = (above[column] ?? 0) + (letter === other ? 0 : 1)
      current.push(Math.min(changed, (above[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1))
    }
    above = current
  }
  return above.at(-1) ?? 0
}
