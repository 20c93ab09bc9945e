/**
 * One line of a log, for programs or for people:
 *
 *   {"time":"2026-11-21T12:06:07.164Z","level":"warn","node":"node01","path":"/node01/shop","message":"…","fields":{…}}
 *   12:06:07.164 warn  /node01/shop  …  component=shop
 *
 * A line is short whatever was said, and what looks like a secret is not in it: a field whose name says so, a token, a
 * key in PEM.
 */
import type { LogLevel } from "#protocols/operations.ts"

export interface LogEntry {
  /** ISO 8601, of UTC. */
  readonly time: string
  readonly level: LogLevel
  readonly node: string
  /** Of the actor that says it; empty where it is the node. */
  readonly path: string
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

export type LogFormat = "pretty" | "json"

const messageCharactersMax = 8_000
const fieldCharactersMax = 2_000
const fieldsMax = 50

export const logLine = (entry: LogEntry, format: LogFormat, colour = false): string =>
  format === "json" ? jsonLine(entry) : prettyLine(entry, colour)

const jsonLine = ({ fields, level, message, node, path, time }: LogEntry): string => {
  const shown = fieldsOf(fields)
  return JSON.stringify({
    ...{ time, level, node },
    ...(path !== "" && { path }),
    message: told(message, messageCharactersMax),
    ...(shown.length > 0 && { fields: Object.fromEntries(shown) })
  })
}

const colours: Readonly<Record<LogLevel, string>> = {
  debug: "\u001b[2m",
  info: "\u001b[36m",
  warn: "\u001b[33m",
  error: "\u001b[31m"
}

const prettyLine = ({ fields, level, message, path, time }: LogEntry, colour: boolean): string => {
  const tint = (text: string) => (colour ? `${colours[level]}${text}\u001b[0m` : text)
  const rest = fieldsOf(fields).map(([name, value]) => `${name}=${plain(value)}`)
  const said = oneLine(told(message, messageCharactersMax))
  const parts = [
    `${time.slice(11, 23)} ${tint(level.padEnd(5))}`,
    ...(path === "" || said.includes(path) ? [] : [path]),
    said,
    ...(rest.length === 0 ? [] : [colour ? `\u001b[2m${rest.join(" ")}\u001b[0m` : rest.join(" ")])
  ]
  return parts.join("  ")
}

/** What is typed by others may hold what moves a cursor. */
const oneLine = (text: string): string =>
  text
    .trimEnd()
    .replaceAll(/\s*\n\s*/g, " | ")
    .replaceAll(/\p{Cc}/gu, " ")

const plain = (value: unknown): string => {
  const text = typeof value === "string" ? value : JSON.stringify(value)
  return oneLine(/[\s"=]/.test(text) ? JSON.stringify(text) : text)
}

const fieldsOf = (fields: LogEntry["fields"]): ReadonlyArray<readonly [string, unknown]> =>
  Object.entries(fields)
    .slice(0, fieldsMax)
    .map(([name, value]) => [name, secretName.test(name) ? redacted : shown(value)] as const)

const shown = (value: unknown): unknown => {
  if (typeof value === "number" || typeof value === "boolean" || value === null) return value
  if (typeof value === "string") return told(value, fieldCharactersMax)
  return told(textOf(value), fieldCharactersMax)
}

/** Of whatever somebody has annotated. */
const textOf = (value: unknown): string => {
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    // A bigint, or something that contains itself.
    return String(value)
  }
}

// Secrets

const redacted = "<redacted>"
const secretName = /token|secret|passw|authorization|cookie|credential|private|api_?key/i
const secrets: ReadonlyArray<RegExp> = [
  /** A JSON web token. */
  /\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+/g,
  /\bBearer\s+[\w.~+/-]{8,}=*/gi,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g
]

/** For whatever others read. */
export const withoutSecrets = (text: string): string =>
  secrets.reduce((left, secret) => left.replaceAll(secret, redacted), text)

const told = (text: string, charactersMax: number): string => {
  const safe = withoutSecrets(text)
  return safe.length > charactersMax ? `${safe.slice(0, charactersMax)}… (${safe.length} characters)` : safe
}
