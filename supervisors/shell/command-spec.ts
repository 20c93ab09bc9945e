/**
 * What a command of the shell looks like: its words, what follows them, its options. Reading a line against it, and
 * the help about it, are here; what it does is with the command. Pure.
 */
import { Either } from "effect"
import type { Word } from "./command-line.ts"

export type Kind =
  | "path"
  | "node"
  | "text"
  | "count"
  | "duration"
  | "message"
  | "json"
  | "breaker"
  | "event"
  | "role"
  | "file"
  | { readonly oneOf: ReadonlyArray<string> }

export interface Parameter {
  readonly name: string
  readonly kind: Kind
  readonly optional?: true
}

export interface Option {
  /** Without one it is said or not, and has no value. */
  readonly kind?: Kind
  readonly about: string
}

export interface CommandSpec {
  /** One word or two, such as `breaker trip`. */
  readonly name: string
  readonly about: string
  readonly parameters: ReadonlyArray<Parameter>
  readonly options?: Readonly<Record<string, Option>>
  /** Whole lines. */
  readonly examples: readonly [string, ...Array<string>]
  /** What it will do that cannot be undone or is felt by others; it then asks first. */
  readonly danger?: (given: Given) => string
}

/** What a line says to its command. */
export class Given {
  readonly #values: ReadonlyMap<string, string>
  readonly #options: ReadonlyMap<string, string>

  constructor(values: ReadonlyMap<string, string>, options: ReadonlyMap<string, string>) {
    this.#values = values
    this.#options = options
  }

  /** Empty for an optional one that was not given. */
  text(name: string): string {
    return this.#values.get(name) ?? ""
  }

  option(name: string): string | undefined {
    return this.#options.get(name)
  }

  flag(name: string): boolean {
    return this.#options.has(name)
  }

  count(name: string, otherwise: number): number {
    const given = this.#options.get(name) ?? this.#values.get(name)
    return given === undefined ? otherwise : Number(given)
  }

  millis(name: string): number | undefined {
    const given = this.#options.get(name)
    return given === undefined ? undefined : millisOf(given)
  }
}

export interface UsageProblem {
  readonly problem: string
  /** Where in the line. */
  readonly at: number
}

export interface Matched<Spec extends CommandSpec> {
  readonly command: Spec
  readonly given: Given
}

/** All commands that act may be told so. */
export const everyOption: Readonly<Record<string, Option>> = {
  yes: { about: "does what is dangerous without asking" },
  json: { about: "one JSON value instead of text, or one a line" }
}

/** The command that the first words of a line name, and how many words that took. */
export const commandAt = <Spec extends CommandSpec>(
  commands: ReadonlyArray<Spec>,
  words: ReadonlyArray<Word>
): { readonly command: Spec; readonly length: number } | undefined => {
  const [first = "", second = ""] = words.map(({ text }) => text)
  const long = commands.find(({ name }) => name === `${first} ${second}`)
  if (long !== undefined) return { command: long, length: 2 }
  const short = commands.find(({ name }) => name === first)
  return short && { command: short, length: 1 }
}

export const match = <Spec extends CommandSpec>(
  commands: ReadonlyArray<Spec>,
  words: ReadonlyArray<Word>
): Either.Either<Matched<Spec>, UsageProblem> => {
  const found = commandAt(commands, words)
  if (found === undefined) return Either.left(unknownCommand(commands, words))
  const { command, length } = found
  const known = { ...command.options, ...everyOption }
  const values = new Map<string, string>()
  const options = new Map<string, string>()
  const free = [...command.parameters]
  for (let index = length; index < words.length; index++) {
    const word = words[index]
    if (word === undefined) break
    const { end, start: at, text } = word
    if (isOption(text)) {
      const [name, inside] = splitOption(text)
      const option = Object.hasOwn(known, name) ? known[name] : undefined
      if (option === undefined) return Either.left({ problem: `${command.name} has no option --${name}`, at })
      if (option.kind === undefined) {
        if (inside !== undefined) return Either.left({ problem: `--${name} takes no value`, at })
        options.set(name, "")
        continue
      }
      const value = inside ?? words[++index]?.text
      if (value === undefined) return Either.left({ problem: `--${name} needs a value`, at: end })
      const objection = objectionTo(option.kind, value)
      if (objection !== undefined) return Either.left({ problem: `--${name} ${objection}`, at })
      options.set(name, value)
      continue
    }
    const parameter = free.shift()
    if (parameter === undefined)
      return Either.left({ problem: `${command.name} takes no more than ${usageOf(command)}`, at })
    const objection = objectionTo(parameter.kind, text)
    if (objection !== undefined) return Either.left({ problem: `<${parameter.name}> ${objection}`, at })
    values.set(parameter.name, text)
  }
  const missing = free.find(({ optional }) => optional !== true)
  if (missing !== undefined) {
    const problem = `<${missing.name}> is missing: ${usageOf(command)}`
    return Either.left({ problem, at: words.at(-1)?.end ?? 0 })
  }
  return Either.right({ command, given: new Given(values, options) })
}

export interface FieldObjection {
  readonly field: string
  readonly problem: string
}

/** The same for values that come by their names, as a form has them; a flag has any value. */
export const givenBy = (
  command: CommandSpec,
  fields: Readonly<Record<string, string>>
): Either.Either<Given, FieldObjection> => {
  const values = new Map<string, string>()
  const options = new Map<string, string>()
  const objected = (field: string, problem: string) => Either.left({ field, problem })
  for (const [field, text] of Object.entries(fields)) {
    const parameter = command.parameters.find(({ name }) => name === field)
    const option = Object.hasOwn(command.options ?? {}, field) ? command.options?.[field] : undefined
    if (parameter === undefined && option === undefined)
      return objected(field, `${command.name} has no field ${field}`)
    const kind = parameter?.kind ?? option?.kind
    const objection = kind === undefined ? undefined : objectionTo(kind, text)
    if (objection !== undefined) return objected(field, `${field} ${objection}`)
    if (parameter !== undefined) values.set(field, text)
    else options.set(field, kind === undefined ? "" : text)
  }
  const missing = command.parameters.find(({ name, optional }) => optional !== true && !values.has(name))
  if (missing !== undefined) return objected(missing.name, `${missing.name} is missing`)
  return Either.right(new Given(values, options))
}

const unknownCommand = (commands: ReadonlyArray<CommandSpec>, words: ReadonlyArray<Word>): UsageProblem => {
  const [first] = words
  if (first === undefined) return { problem: "say a command; help lists them", at: 0 }
  const seconds = commands
    .filter(({ name }) => name.startsWith(`${first.text} `))
    .map(({ name }) => name.slice(first.text.length + 1))
  if (seconds.length > 0) {
    const problem = `${first.text} is followed by ${seconds.join(", ")}`
    return { problem, at: words[1]?.start ?? first.end }
  }
  return { problem: `there is no command ${first.text}; help lists them`, at: first.start }
}

export const isOption = (text: string): boolean => text.startsWith("--") && text.length > 2

const splitOption = (text: string): readonly [string, string | undefined] => {
  const equals = text.indexOf("=")
  return equals < 0 ? [text.slice(2), undefined] : [text.slice(2, equals), text.slice(equals + 1)]
}

const objectionTo = (kind: Kind, text: string): string | undefined => {
  if (typeof kind === "object")
    return kind.oneOf.includes(text) ? undefined : `is one of ${kind.oneOf.join(", ")}, not ${text}`
  switch (kind) {
    case "path":
      return text.startsWith("/") ? undefined : `is a path such as /node01/cluster, not ${text}`
    case "count":
      return /^\d{1,15}$/.test(text) ? undefined : `is a whole number, not ${text}`
    case "duration":
      return millisOf(text) === undefined ? `is a time such as 500ms, 30s, 5m or 1h, not ${text}` : undefined
    default:
      return text === "" ? "is empty" : undefined
  }
}

const unitMillis: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

export const millisOf = (text: string): number | undefined => {
  const [, digits, unit = "s"] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)?$/.exec(text) ?? []
  return digits === undefined ? undefined : Number(digits) * (unitMillis[unit] ?? 1)
}

/** `trace <path> [--for duration] [--max count]` */
export const usageOf = ({ name, options = {}, parameters }: CommandSpec): string =>
  [
    name,
    ...parameters.map((parameter) =>
      parameter.optional === true ? `[${parameter.name}]` : `<${parameter.name}>`
    ),
    ...Object.entries(options).map(([option, { kind }]) =>
      kind === undefined ? `[--${option}]` : `[--${option} ${kindName(kind)}]`
    )
  ].join(" ")

const kindName = (kind: Kind): string => (typeof kind === "object" ? kind.oneOf.join("|") : kind)

export const helpOf = (command: CommandSpec): ReadonlyArray<string> => [
  usageOf(command),
  "",
  `  ${command.about}`,
  ...(command.danger === undefined ? [] : ["  It says what will happen and asks, unless --yes is said."]),
  ...Object.entries(command.options ?? {}).map(([name, { about }]) => `  ${`--${name}`.padEnd(12)} ${about}`),
  "",
  ...command.examples.map((example) => `  ${example}`)
]

export const helpOfAll = (commands: ReadonlyArray<CommandSpec>): ReadonlyArray<string> => {
  const columns = Math.max(...commands.map(({ name }) => name.length)) + 2
  return [
    ...commands.map(({ about, name }) => `  ${name.padEnd(columns)}${about}`),
    "",
    "  help <command> shows its options and examples. Every command takes --json, and --yes where it asks."
  ]
}
