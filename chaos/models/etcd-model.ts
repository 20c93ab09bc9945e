/**
 * etcd's keys as one client alone would see them: puts, gets, deletes, and transactions that compare values,
 * versions and revisions. The sequential model that histories of etcd's clients are checked against.
 *
 * A revision is one counter for all keys, and keys are checked one by one, so a state knows of the counter only
 * that it is past the last one that an answer told. A write without an answer has a revision that nobody
 * knows until somebody reads it: then it must be one that could have been. What such a write makes of
 * the version of its key is left open as well, so that several of them in a row need not be told apart.
 *
 * Keys that are in one transaction are one partition, and keys that are connected through others too.
 */
import { Schema } from "effect"
import type { Model } from "#chaos/checkers/linearizability.ts"
import type { History, Operation } from "../checkers/history.ts"

// What is recorded

const Revision = Schema.NonNegativeInt

const EtcdOp = Schema.Union(
  Schema.TaggedStruct("Get", { key: Schema.String }),
  Schema.TaggedStruct("Put", { key: Schema.String, value: Schema.String }),
  Schema.TaggedStruct("Delete", { key: Schema.String })
)
export type EtcdOp = typeof EtcdOp.Type

const EtcdCompare = Schema.Struct({
  key: Schema.String,
  /** Of what is not there the numbers are 0, and a value equals nothing. */
  target: Schema.Literal("value", "version", "createRevision", "modRevision"),
  result: Schema.Literal("=", "!=", "<", ">"),
  operand: Schema.Union(Schema.String, Schema.NonNegativeInt)
})
export type EtcdCompare = typeof EtcdCompare.Type

/** A transaction. A single operation is one that compares nothing. */
export const EtcdInput = Schema.Struct({
  compares: Schema.Array(EtcdCompare),
  success: Schema.Array(EtcdOp),
  failure: Schema.Array(EtcdOp)
})
export type EtcdInput = typeof EtcdInput.Type

const exactly = <Type, Json>(schema: Schema.Schema<Type, Json>) =>
  Schema.optionalWith(schema, { exact: true })

/** What is left out is not checked. */
const EtcdKeyValue = Schema.Struct({
  value: Schema.String,
  version: exactly(Revision),
  createRevision: exactly(Revision),
  modRevision: exactly(Revision)
})

const EtcdResult = Schema.Union(
  Schema.TaggedStruct("Got", { kv: Schema.NullOr(EtcdKeyValue) }),
  Schema.TaggedStruct("Wrote", {}),
  Schema.TaggedStruct("Deleted", { count: Schema.NonNegativeInt })
)
export type EtcdResult = typeof EtcdResult.Type

export const EtcdOutput = Schema.Struct({
  succeeded: Schema.Boolean,
  /** One for each operation of the branch that was taken. */
  results: Schema.Array(EtcdResult),
  /** Of the store, with this operation in it. */
  revision: exactly(Revision)
})
export type EtcdOutput = typeof EtcdOutput.Type

export const get = (key: string): EtcdInput => only({ _tag: "Get", key })
export const put = (key: string, value: string): EtcdInput => only({ _tag: "Put", key, value })
export const del = (key: string): EtcdInput => only({ _tag: "Delete", key })
const only = (op: EtcdOp): EtcdInput => ({ compares: [], success: [op], failure: [] })

/** Every key that it reads, writes or compares. */
export const keysOf = ({ compares, failure, success }: EtcdInput): ReadonlySet<string> =>
  new Set([...compares, ...success, ...failure].map(({ key }) => key))

// The state

/** Exactly this, or somewhere above it. */
type Counter = number | { readonly above: number }

interface Kept {
  readonly value: string
  readonly version: Counter
  readonly createRevision: Counter
  readonly modRevision: Counter
}

export interface EtcdState {
  /** The last that an answer told. */
  readonly revision: number
  readonly keys: ReadonlyMap<string, Kept>
}

export const etcdModel: Model<EtcdState, EtcdInput, EtcdOutput> = {
  initial: { revision: 0, keys: new Map() },
  step: (state, input, output) => {
    const branches = output === undefined ? [true, false] : [output.succeeded]
    return branches.flatMap((succeeded) => {
      const assumed = decided(state, input.compares, succeeded)
      const after = assumed && performed(assumed, succeeded ? input.success : input.failure, output)
      return after === undefined ? [] : [after]
    })
  },
  key: ({ keys, revision }) => {
    const kept = [...keys].map(([key, { createRevision, modRevision, value, version }]) => [
      key,
      value,
      version,
      createRevision,
      modRevision
    ])
    return JSON.stringify(kept.length > 1 ? [revision, ...kept.toSorted(byKey)] : [revision, ...kept])
  },
  // Who reads a revision comes after its maker.
  rank: ({ results, revision = 0 }) => revision + (results.every(({ _tag }) => _tag === "Got") ? 0.5 : 0),
  partition: (history) => {
    const roots = connectedKeys(history)
    const names = new Map<string, Array<string>>()
    for (const key of roots.keys()) append(names, rootOf(roots, key), key)
    const parts = new Map<string, Array<Operation<EtcdInput, EtcdOutput>>>()
    for (const operation of history) {
      const [key] = keysOf(operation.input)
      // A transaction without keys has to do with nothing.
      if (key === undefined) continue
      append(parts, names.get(rootOf(roots, key))?.toSorted().join(", ") ?? key, operation)
    }
    return new Map([...parts].map(([name, part]) => [name, simplified(part)]))
  },
  nameOf: (input) => JSON.stringify(input),
  showState: ({ keys }) =>
    keys.size === 0
      ? "no key is there"
      : [...keys]
          .map(
            ([key, { modRevision, value, version }]) =>
              `${key} is ${quoted(value)} (revision ${shown(modRevision)}, version ${shown(version)})`
          )
          .join(", "),
  showOperation: (input, output) => `${shownInput(input)} → ${shownOutput(output)}`
}

// A step

/** The state in which the comparisons turn out so, or undefined when they cannot. */
const decided = (
  state: EtcdState,
  compares: ReadonlyArray<EtcdCompare>,
  succeeded: boolean
): EtcdState | undefined => {
  if (!succeeded) return compares.some((compare) => holds(state, compare) !== true) ? state : undefined
  const keys = new Map(state.keys)
  for (const compare of compares) {
    const { key, operand, result, target } = compare
    const truth = holds({ ...state, keys }, compare)
    if (truth === false) return undefined
    const kept = keys.get(key)
    // It was open, and now it is known.
    if (truth === "open" && result === "=" && kept !== undefined)
      keys.set(key, { ...kept, [target]: Number(operand) })
  }
  return { ...state, keys }
}

const holds = ({ keys }: EtcdState, { key, operand, result, target }: EtcdCompare): boolean | "open" => {
  const kept = keys.get(key)
  if (target === "value") return kept !== undefined && compared(orderOf(kept.value, operand), result)
  const counter = kept?.[target] ?? 0
  const number = Number(operand)
  if (typeof counter === "number") return compared(counter - number, result)
  if (number > counter.above) return "open"
  return result === "!=" || result === ">"
}

const compared = (order: number, result: EtcdCompare["result"]): boolean => {
  switch (result) {
    case "=":
      return order === 0
    case "!=":
      return order !== 0
    case "<":
      return order < 0
    case ">":
      return order > 0
  }
}

const orderOf = (one: string, other: string | number): number =>
  one === other ? 0 : one < `${other}` ? -1 : 1

const performed = (
  state: EtcdState,
  ops: ReadonlyArray<EtcdOp>,
  output: EtcdOutput | undefined
): EtcdState | undefined => {
  if (output !== undefined && output.results.length !== ops.length) return undefined
  const keys = new Map(state.keys)
  const revision: Counter = output?.revision ?? { above: state.revision }
  let changed = false
  for (const [index, op] of ops.entries()) {
    const result = output?.results[index]
    const kept = keys.get(op.key)
    if (op._tag === "Get") {
      if (result === undefined) continue
      const seen = result._tag === "Got" ? seenAs(kept, result.kv) : "refused"
      if (seen === "refused" || isAbove(seen?.modRevision, output?.revision)) return undefined
      if (seen !== undefined) keys.set(op.key, seen)
    } else if (op._tag === "Put") {
      if (result !== undefined && result._tag !== "Wrote") return undefined
      keys.set(op.key, {
        value: op.value,
        version: output === undefined ? { above: 0 } : oneMore(kept?.version ?? 0),
        createRevision: kept?.createRevision ?? revision,
        modRevision: revision
      })
      changed = true
    } else {
      const count = kept === undefined ? 0 : 1
      if (result !== undefined && (result._tag !== "Deleted" || result.count !== count)) return undefined
      const isGone = keys.delete(op.key)
      changed ||= isGone
    }
  }
  if (output?.revision === undefined) return { ...state, keys }
  // Whoever changes something has a revision of his own.
  if (changed ? output.revision <= state.revision : output.revision < state.revision) return undefined
  return { keys, revision: output.revision }
}

/** What is known of a key after somebody has read it. */
const seenAs = (
  kept: Kept | undefined,
  kv: typeof EtcdKeyValue.Type | null
): Kept | undefined | "refused" => {
  if (kept === undefined || kv === null) return kept === undefined && kv === null ? undefined : "refused"
  const { createRevision = kept.createRevision, modRevision = kept.modRevision, version = kept.version } = kv
  const agrees =
    kept.value === kv.value &&
    mayBe(kept.version, version) &&
    mayBe(kept.createRevision, createRevision) &&
    mayBe(kept.modRevision, modRevision)
  return agrees ? { value: kept.value, version, createRevision, modRevision } : "refused"
}

const mayBe = (counter: Counter, seen: Counter): boolean => {
  if (typeof seen !== "number") return true
  return typeof counter === "number" ? counter === seen : seen > counter.above
}

const isAbove = (seen: Counter | undefined, revision: number | undefined): boolean =>
  typeof seen === "number" && revision !== undefined && seen > revision

const oneMore = (counter: Counter): Counter =>
  typeof counter === "number" ? counter + 1 : { above: counter.above + 1 }

// Partitions

/**
 * With less to try out. Of what has an unknown outcome, reads are left out, and all values that no answer shows
 * and no comparison asks for are the same one, unless their order matters.
 */
const simplified = (history: History<EtcdInput, EtcdOutput>): History<EtcdInput, EtcdOutput> => {
  const told = new Set<string | number>()
  let ordered = false
  for (const { ending, input } of history) {
    for (const { operand, result, target } of input.compares) {
      told.add(operand)
      ordered ||= target === "value" && (result === "<" || result === ">")
    }
    if (ending._tag !== "Ok") continue
    for (const result of ending.output.results)
      if (result._tag === "Got" && result.kv !== null) told.add(result.kv.value)
  }
  let standIn = "never seen"
  while (told.has(standIn)) standIn += "!"
  const unseen = (op: EtcdOp): EtcdOp =>
    op._tag === "Put" && !ordered && !told.has(op.value) ? { ...op, value: standIn } : op
  return history.flatMap((operation) => {
    const { compares, failure, success } = operation.input
    if (operation.ending._tag !== "Unknown") return operation
    if ([...success, ...failure].every(({ _tag }) => _tag === "Get")) return []
    return { ...operation, input: { compares, success: success.map(unseen), failure: failure.map(unseen) } }
  })
}

/** Each key with another one of its partition, up to a root that is its own. */
const connectedKeys = (history: History<EtcdInput, EtcdOutput>): Map<string, string> => {
  const roots = new Map<string, string>()
  for (const { input } of history) {
    const [first, ...others] = keysOf(input)
    if (first === undefined) continue
    const root = rootOf(roots, first)
    roots.set(root, root)
    for (const other of others) roots.set(rootOf(roots, other), root)
  }
  return roots
}

const rootOf = (roots: ReadonlyMap<string, string>, key: string): string => {
  let root = key
  for (let above = roots.get(root); above !== undefined && above !== root; above = roots.get(root))
    root = above
  return root
}

const append = <Value>(lists: Map<string, Array<Value>>, name: string, value: Value): void => {
  const list = lists.get(name)
  if (list === undefined) lists.set(name, [value])
  else list.push(value)
}

const byKey = ([one = ""]: ReadonlyArray<unknown>, [other = ""]: ReadonlyArray<unknown>): number =>
  `${one}` < `${other}` ? -1 : 1

// In words

const quoted = (value: string) => JSON.stringify(value)

const shown = (counter: Counter): string =>
  typeof counter === "number" ? `${counter}` : `above ${counter.above}`

const shownInput = ({ compares, failure, success }: EtcdInput): string => {
  const then = success.map(shownOp).join(", ") || "nothing"
  if (compares.length === 0) return then
  const conditions = compares.map(
    ({ key, operand, result, target }) =>
      `${target}(${key}) ${result} ${typeof operand === "string" ? quoted(operand) : operand}`
  )
  const otherwise = failure.length === 0 ? "" : ` else ${failure.map(shownOp).join(", ")}`
  return `if ${conditions.join(" and ")} then ${then}${otherwise}`
}

const shownOp = (op: EtcdOp): string => {
  switch (op._tag) {
    case "Get":
      return `get ${op.key}`
    case "Put":
      return `put ${op.key} = ${quoted(op.value)}`
    case "Delete":
      return `delete ${op.key}`
  }
}

const shownOutput = (output: EtcdOutput | undefined): string => {
  if (output === undefined) return "nobody knows"
  const { results, revision, succeeded } = output
  const at = revision === undefined ? [] : [`at revision ${revision}`]
  return [...(succeeded ? [] : ["condition not met"]), ...results.map(shownResult), ...at].join(", ")
}

const shownResult = (result: EtcdResult): string => {
  if (result._tag === "Wrote") return "written"
  if (result._tag === "Deleted") return `${result.count} deleted`
  if (result.kv === null) return "not there"
  const { modRevision, value } = result.kv
  return `${quoted(value)}${modRevision === undefined ? "" : ` of revision ${modRevision}`}`
}
