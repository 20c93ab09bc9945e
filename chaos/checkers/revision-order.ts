/**
 * Revisions and time go the same way: whoever asks after an answer has come sees at least the revision that it
 * told, and whoever changes something then gets a larger one; no two changes share one.
 *
 * That holds over all keys together, and costs no search. It says nothing about values.
 */
import type { History, Operation } from "./history.ts"

export interface Stamp {
  readonly revision: number
  /** It made that revision. */
  readonly changed: boolean
}

/** In words, and the ids of the operations that show it. */
export interface OutOfOrder {
  readonly line: string
  readonly operations: ReadonlyArray<number>
}

export const checkRevisionOrder = <Input, Output>(
  history: History<Input, Output>,
  stampOf: (input: Input, output: Output) => Stamp | undefined
): ReadonlyArray<OutOfOrder> => {
  const stamped = history.flatMap((operation) => {
    const { ending, input } = operation
    const stamp = ending._tag === "Ok" ? stampOf(input, ending.output) : undefined
    return ending._tag === "Ok" && stamp !== undefined ? [{ operation, stamp, until: ending.at.order }] : []
  })
  const problems: Array<OutOfOrder> = []
  const makers = new Map<number, Operation<Input, Output>>()
  for (const { operation, stamp } of stamped) {
    if (!stamp.changed) continue
    const maker = makers.get(stamp.revision)
    if (maker !== undefined)
      problems.push({
        line: `${named(maker)} and ${named(operation)} have both made revision ${stamp.revision}`,
        operations: [maker.id, operation.id]
      })
    makers.set(stamp.revision, operation)
  }
  const byEnd = stamped.toSorted((one, other) => one.until - other.until)
  const byCall = stamped.toSorted((one, other) => one.operation.invoked.order - other.operation.invoked.order)
  let ended = 0
  let newest: (typeof stamped)[number] | undefined
  for (const { operation, stamp } of byCall) {
    for (let next = byEnd[ended]; next !== undefined; next = byEnd[++ended]) {
      if (next.until >= operation.invoked.order) break
      if (newest === undefined || next.stamp.revision > newest.stamp.revision) newest = next
    }
    if (newest === undefined) continue
    const { revision } = newest.stamp
    const operations = [newest.operation.id, operation.id]
    if (stamp.revision < revision)
      problems.push({
        line: `${named(operation)} was answered at revision ${stamp.revision}, and ${named(newest.operation)} had seen ${revision} before`,
        operations
      })
    else if (stamp.changed && stamp.revision === revision)
      problems.push({
        line: `${named(operation)} made revision ${revision}, which ${named(newest.operation)} had seen before`,
        operations
      })
  }
  return problems
}

const named = <Input, Output>({ client, id, invoked }: Operation<Input, Output>): string =>
  `operation ${id} of ${client} at ${invoked.millis} ms`
