/**
 * Completing a line at its end: commands, options, and from the running cluster paths, messages and their fields.
 * Pure: what is known of the cluster is given.
 */
import { Either } from "effect"
import { quoted, type Word, wordsOf } from "./command-line.ts"
import { type CommandSpec, commandAt, everyOption, isOption, type Kind } from "./command-spec.ts"

/** What is known of the cluster at the moment. It may be old, or nothing. */
export interface Knowledge {
  readonly nodes: ReadonlyArray<string>
  readonly paths: ReadonlyArray<string>
  readonly breakers: ReadonlyArray<string>
  readonly roles: ReadonlyArray<string>
  readonly events: ReadonlyArray<string>
  /** That an actor takes; of one that is not known all there are. */
  readonly messagesOf: (path: string) => ReadonlyArray<string>
  readonly fieldsOf: (message: string) => ReadonlyArray<string>
}

export interface Completion {
  /** What is to be completed, the end of the line. */
  readonly partial: string
  /** What may stand in its place. */
  readonly candidates: ReadonlyArray<string>
}

export const complete = (
  commands: ReadonlyArray<CommandSpec>,
  knowledge: Knowledge,
  line: string
): Completion => {
  const { partial, words } = split(line)
  const found = commandAt(commands, words)
  // While only the first word of two is there, the second is one that may follow, even if the first is enough.
  const follow = words.length === 1 ? secondWords(commands, words[0]?.text ?? "") : []
  if (found === undefined || words.length === 0) {
    const firsts = words.length === 0 ? commands.map(({ name }) => name.split(" ", 1).join()) : follow
    return fitting(partial, firsts)
  }
  const { command, length } = found
  const given = words.slice(length)
  const previous = given.at(-1)?.text ?? ""
  const options = { ...command.options, ...everyOption }
  const awaited = isOption(previous) ? options[previous.slice(2)]?.kind : undefined
  if (awaited !== undefined) return fitting(partial, valuesOf(awaited, knowledge, []))
  if (partial.startsWith("-"))
    return fitting(
      partial,
      Object.keys(options).map((name) => `--${name}`)
    )
  const values = plainValues(given, options)
  const parameter = command.parameters[values.length]
  if (parameter === undefined) return fitting(partial, follow)
  if (parameter.kind === "json") return fieldCompletion(partial, knowledge.fieldsOf(values.at(-1) ?? ""))
  return fitting(partial, [...follow, ...valuesOf(parameter.kind, knowledge, values)])
}

/** The words that are done, and what is being typed. */
const split = (line: string): { readonly words: ReadonlyArray<Word>; readonly partial: string } => {
  const words = Either.match(wordsOf(line), { onLeft: (problem) => problem.words, onRight: (all) => all })
  const last = words.at(-1)
  return last === undefined || last.end < line.length
    ? { words, partial: "" }
    : { words: words.slice(0, -1), partial: line.slice(last.start) }
}

const secondWords = (commands: ReadonlyArray<CommandSpec>, first: string): ReadonlyArray<string> =>
  commands.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) => name.slice(first.length + 1))

const plainValues = (
  words: ReadonlyArray<Word>,
  options: CommandSpec["options"] = {}
): ReadonlyArray<string> => {
  const values: Array<string> = []
  for (let index = 0; index < words.length; index++) {
    const text = words[index]?.text ?? ""
    if (!isOption(text)) values.push(text)
    else if (!text.includes("=") && options[text.slice(2)]?.kind !== undefined) index++
  }
  return values
}

const valuesOf = (kind: Kind, knowledge: Knowledge, before: ReadonlyArray<string>): ReadonlyArray<string> => {
  if (typeof kind === "object") return kind.oneOf
  switch (kind) {
    case "path":
      return knowledge.paths
    case "node":
      return knowledge.nodes
    case "message":
      return knowledge.messagesOf(before.at(-1) ?? "")
    case "breaker":
      return knowledge.breakers
    case "event":
      return knowledge.events
    case "role":
      return knowledge.roles
    default:
      return []
  }
}

const candidatesMax = 500

const fitting = (partial: string, values: ReadonlyArray<string>): Completion => {
  const candidates = [...new Set(values)]
    .map((value) => quoted(value))
    .filter((value) => value.startsWith(partial))
    .toSorted()
  return { partial, candidates: candidates.slice(0, candidatesMax) }
}

/** Of the object at the end of the line, fields that are not there yet. */
const fieldCompletion = (partial: string, fields: ReadonlyArray<string>): Completion => {
  if (partial === "") return { partial, candidates: fields.length === 0 ? ["{}"] : ["{"] }
  const [, head = "", typed] = /^(\{(?:.*,)?\s*)("?\w*)$/s.exec(partial) ?? []
  if (typed === undefined) return { partial, candidates: [] }
  const name = typed.replace('"', "")
  const candidates = fields
    .filter((field) => field.startsWith(name) && !head.includes(`"${field}"`))
    .map((field) => `${head}"${field}": `)
  return { partial, candidates }
}
