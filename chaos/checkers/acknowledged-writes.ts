/**
 * Is everything there in the end that a client was told is written? For writes of which each has a value that no
 * other one has: cheap, and says more than a failed search for an order.
 *
 *   lost         acknowledged, and not there
 *   doubled      there more than once
 *   impossible   there, although it certainly failed or nobody ever wrote it
 */
import type { History } from "./history.ts"

export interface WritesFound {
  readonly lost: ReadonlyArray<string>
  readonly doubled: ReadonlyArray<string>
  readonly impossible: ReadonlyArray<string>
  /** Nobody was told about these, and they are there. */
  readonly recovered: number
  readonly acknowledged: number
}

/**
 * `valueOf` names what an operation writes; undefined when it writes nothing, or its answer says that it has not.
 * `found` is all that was ever written, as the system remembers it in the end: its log, its history, or its
 * contents where nothing is overwritten.
 */
export const checkAcknowledgedWrites = <Input, Output>(
  history: History<Input, Output>,
  valueOf: (input: Input, output: Output | undefined) => string | undefined,
  found: Iterable<string>
): WritesFound => {
  const counts = new Map<string, number>()
  for (const value of found) counts.set(value, (counts.get(value) ?? 0) + 1)
  const attempts = new Map<string, string>()
  for (const { ending, id, input } of history) {
    const value = valueOf(input, ending._tag === "Ok" ? ending.output : undefined)
    if (value === undefined) continue
    if (attempts.has(value))
      throw new Error(`operation ${id} writes ${value} a second time; give each its own`)
    attempts.set(value, ending._tag)
  }
  const withEnding = (tag: string) =>
    [...attempts].flatMap(([value, ending]) => (ending === tag ? value : []))
  const isThere = (value: string) => counts.has(value)
  const acknowledged = withEnding("Ok")
  return {
    lost: acknowledged.filter((value) => !isThere(value)),
    doubled: [...counts].flatMap(([value, count]) => (count > 1 ? value : [])),
    impossible: [...counts.keys()].filter((value) => {
      const ending = attempts.get(value)
      return ending === undefined || ending === "Failed"
    }),
    recovered: withEnding("Unknown").filter(isThere).length,
    acknowledged: acknowledged.length
  }
}

/** A line for each kind of problem; none is none. */
export const renderWrites = ({
  acknowledged,
  doubled,
  impossible,
  lost
}: WritesFound): ReadonlyArray<string> => [
  ...line(lost, `of ${acknowledged} acknowledged writes are lost`),
  ...line(doubled, "writes were carried out more than once"),
  ...line(impossible, "writes are there that failed for certain, or that nobody made")
]

const shownMax = 10

const line = (values: ReadonlyArray<string>, what: string): ReadonlyArray<string> => {
  if (values.length === 0) return []
  const more = values.length > shownMax ? ` and ${values.length - shownMax} more` : ""
  return [`${values.length} ${what}: ${values.slice(0, shownMax).join(", ")}${more}`]
}
