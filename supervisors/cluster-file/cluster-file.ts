/**
 * Reads the file that describes a cluster, and says what is wrong with it: every problem in one line, with its
 * place, as compilers do and editors understand it.
 *
 *   cluster.yaml:7:12: at nodes.1.host: expected a text that is not empty, got 3
 */
import { readFileSync } from "node:fs"
import { Effect, Either, Schema } from "effect"
import { Cluster } from "./cluster-schema.ts"
import { readDocument } from "./document.ts"
import { problemsOf } from "./problems.ts"
import { profiled } from "./profiles.ts"

/** More are counted, and not listed. */
const problemsMax = 20

export class ClusterFileRefused extends Schema.TaggedError<ClusterFileRefused>()("ClusterFileRefused", {
  file: Schema.String,
  problems: Schema.Array(Schema.String)
}) {
  /** As many lines as there are problems. */
  override get message() {
    const { length } = this.problems
    const more = length > problemsMax ? [`${this.file}: and ${length - problemsMax} more problems`] : []
    return [...this.problems.slice(0, problemsMax), ...more].join("\n")
  }
}

export const readClusterFile = (file: string): Effect.Effect<Cluster, ClusterFileRefused> =>
  Effect.try({
    try: () => readFileSync(file, "utf8"),
    catch: (cause) =>
      new ClusterFileRefused({
        file,
        problems: [`${file}: cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`]
      })
  }).pipe(Effect.flatMap((text) => clusterOf(text, file)))

/** Of the text of a file. */
export const clusterOf = (text: string, file: string): Either.Either<Cluster, ClusterFileRefused> => {
  const refused = (problems: ReadonlyArray<string>) => Either.left(new ClusterFileRefused({ file, problems }))
  const read = readDocument(text, file.endsWith(".json") ? "json" : "yaml")
  if (read._tag === "Problems")
    return refused(read.problems.map(({ column, line, message }) => `${file}:${line}:${column}: ${message}`))
  const { placeOf, value } = read.placed
  return Either.mapLeft(
    decode(profiled(value), { errors: "all", onExcessProperty: "error" }),
    ({ issue }) => {
      const placed = problemsOf(issue).map(({ at, message, path }) => ({
        ...placeOf(path, at),
        message,
        path
      }))
      const inOrder = placed.toSorted((one, other) => one.line - other.line || one.column - other.column)
      return new ClusterFileRefused({
        file,
        problems: inOrder.map(({ column, line, message, path }) => {
          const where = path.length === 0 ? "" : `at ${path.map(step).join(".")}: `
          return `${file}:${line}:${column}: ${where}${message}`
        })
      })
    }
  )
}

const decode = Schema.decodeUnknownEither(Cluster)

/** A key may be anything: it stays on its line. */
const step = (key: PropertyKey): string => {
  const text = String(key)
  return /^[\w-]{1,64}$/.test(text) ? text : JSON.stringify(text.slice(0, 64))
}
