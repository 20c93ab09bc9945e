/**
 * Tidy: the rules of this repository that a program can check. Each has an example in tidy.test.ts that
 * must fail.
 *
 * Rules look at text, not at a syntax tree. That limits what they can see and keeps each one short
 * enough to be read, and changed, by whoever is annoyed by it.
 */
import { dirname, join } from "node:path"
import type { Layer } from "./layers.ts"
import { fixture, layers, leaf, pureEffectModules } from "./layers.ts"

export interface Source {
  readonly path: string
  readonly text: string
}

const fileLinesMax = 600
/** Longer on purpose: one state machine, in one place. */
const longOnPurpose = new Map([["actors/kernel/instance.ts", 850]])

const entry =
  /(^|[/-])main\.ts$|-bootstrap\.ts$|\/fixtures\/|\.d\.ts$|^supervisors\/node\.ts$|^chaos\/scenarios\//
const badName =
  /(^|\/)(utils?|helpers?|common|managers?|index|types?|constants?|shared|lib|misc|services?)(\/|\.)/

/** A text, what to use instead, and where it is allowed after all. */
type Ban = readonly [text: RegExp, instead: string, allowed: RegExp]

const nowhere = /^$/
const outside = new RegExp(
  `${leaf.source}|${fixture.source}|^actors/platform/|^supervisors/(main|node)\\.ts$|^supervisors/console/page/|^chaos/harness/|^protocols/client/client-world\\.ts$`
)
const printing = /(^|[/-])main\.ts$|\.bench\.ts$|^chaos\/harness\//
const tidyItself = /^docs\/tidy\/tidy\./

const bansInCode: ReadonlyArray<Ban> = [
  [/\bDate\.now\(/g, "the WorldClock port, or Clock in an Effect", outside],
  [/\bDateTime\.unsafeNow\(/g, "the WorldClock port, or Clock in an Effect", outside],
  [/\bperformance\.now\(/g, "the WorldClock port, or Clock in an Effect", outside],
  [/\bnew Date\(/g, "the WorldClock port, or DateTime.unsafeMake for an instant that is known", outside],
  [/\bsetTimeout\(/g, "an alarm of the WorldClock port, or Effect.sleep", outside],
  [/\bsetInterval\(/g, "an alarm of the WorldClock port, or Effect.repeat with a Schedule", outside],
  [/\bsetImmediate\(/g, "the Scheduling port", outside],
  [/\bqueueMicrotask\(/g, "the Scheduling port", outside],
  [/\bMath\.random\(/g, "the Randomness port, or Random in an Effect", outside],
  [/\bEffect\.ignore\w*/g, "Effect.catchTag for each fault by its name", nowhere],
  [/\bEffect\.orDie\w*/g, "Effect.catchTag for each fault by its name", nowhere],
  [/\bas any\b/g, "a type that is true", nowhere],
  [/\bas unknown as\b/g, "a type that is true", nowhere],
  [/\bconsole\.\w+/g, "Effect.log, or an event", printing],
  [/^export \*/gm, "an import from the file that defines it", nowhere]
]

const bansInComments: ReadonlyArray<Ban> = [
  [/@ts-[\w-]+/g, "a type that is true", tidyItself],
  [/\b(FIXME|TODO)\b/g, "the finished thing, or a fault that says it is not supported", tidyItself]
]

export const tidy = (sources: ReadonlyArray<Source>): ReadonlyArray<string> =>
  [...sources.flatMap(tidyFile), ...unreached(sources), ...untestedCores(sources)].toSorted(byPathAndLine)

const byPathAndLine = new Intl.Collator("en", { numeric: true }).compare

const tidyFile = (source: Source): ReadonlyArray<string> => [
  ...tidyName(source),
  ...tidyHeader(source),
  ...tidyLength(source),
  ...tidyBans(source),
  ...tidyImports(source)
]

const tidyName = ({ path }: Source) =>
  badName.test(path) ? [`${path}: is a name for anything, name it after what it holds`] : []

const tidyHeader = ({ path, text }: Source) => {
  const needed = !leaf.test(path) || path.endsWith(".bench.ts")
  return !needed || /^(#!.*\n)?\/\*\*/.test(text)
    ? []
    : [`${path}:1: has no header, say in a doc comment why this file exists`]
}

const tidyLength = ({ path, text }: Source) => {
  const lineCount = text.trimEnd().split("\n").length
  const linesMax = longOnPurpose.get(path) ?? fileLinesMax
  return lineCount > linesMax
    ? [`${path}: has ${lineCount} lines, at most ${linesMax}: split it by what it holds`]
    : []
}

const tidyBans = ({ path, text }: Source) => {
  const code = withoutQuotes(text)
  return [
    ...bansInCode.flatMap((ban) => occurrences(path, code, ban)),
    ...bansInComments.flatMap((ban) => occurrences(path, text, ban))
  ]
}

const occurrences = (path: string, text: string, [what, instead, allowed]: Ban) =>
  allowed.test(path)
    ? []
    : [...text.matchAll(what)].map(
        ({ 0: found, index }) => `${path}:${lineAt(text, index)}: ${found} is banned, use ${instead}`
      )

const tidyImports = (source: Source): ReadonlyArray<string> => {
  const layer = layerOf(source.path)
  if (layer === undefined) return [`${source.path}: belongs to no room of docs/tidy/layers.ts`]
  return importsOf(source).flatMap((imported) => {
    const objections =
      imported.target === undefined
        ? packageObjections(layer, imported)
        : roomObjections(layer, `${dirname(source.path)}/`, imported.target, imported)
    return objections.map((objection) => `${source.path}:${imported.line}: ${objection}`)
  })
}

const layerOf = (path: string): Layer | undefined => layers.find(({ files }) => files.test(path))

const roomObjections = ({ imports, pure }: Layer, own: string, target: string, { names }: Import) => {
  if (leaf.test(target)) return [`may not import ${target}: move what others need out of it`]
  const rooms = imports.map((room) => room.replace("{own}", own))
  if (!rooms.some((room) => target.startsWith(room))) {
    return [
      `may not import ${target}. Allowed here: ${rooms.join(", ")}. Ask others by message, or take a port`
    ]
  }
  // Of the kernel a pure file takes values to return. What the kernel does with them takes its dispatcher.
  const targetPure = layerOf(target)?.pure === true || target.startsWith("actors/kernel/")
  return pure && names.length > 0 && !targetPure
    ? [`is pure and may not import ${target}: move what both need into a pure file`]
    : []
}

const packageObjections = ({ packages, pure }: Layer, { from, names }: Import) => {
  if (!packages.some((name) => belongsTo(from, name))) {
    return [`may not import ${from}. Allowed here: ${packages.join(", ")}. Reach the outside through a port`]
  }
  if (!pure || names.length === 0) return []
  const modules = from === "effect" ? names : [from.replace("effect/", "")]
  const impure = modules.filter((name) => !pureEffectModules.has(name))
  return impure.length === 0
    ? []
    : [`is pure and may not use ${impure.join(", ")} of effect: leave the doing to an actor`]
}

const belongsTo = (from: string, name: string) =>
  name === "" || from === name || from.startsWith(name.endsWith(":") ? name : `${name}/`)

/** Files nothing imports and nobody runs. */
const unreached = (sources: ReadonlyArray<Source>) => {
  const reached = new Set(sources.flatMap((source) => importsOf(source).map(({ target }) => target)))
  return sources.flatMap(({ path }) =>
    leaf.test(path) || entry.test(path) || reached.has(path)
      ? []
      : [`${path}: is never imported, import it or delete it`]
  )
}

/** A pure core costs nothing to test, so an untested one is only forgotten. */
const untestedCores = (sources: ReadonlyArray<Source>) => {
  const paths = new Set(sources.map(({ path }) => path))
  return sources.flatMap(({ path }) => {
    const core = layerOf(path)?.pure === true && !path.startsWith("protocols/")
    const testPath = path.replace(/\.ts$/, ".test.ts")
    return core && !paths.has(testPath) ? [`${path}: is a pure core without a test, write ${testPath}`] : []
  })
}

interface Import {
  readonly from: string
  /** The path from the root of a file of ours; a package has none. */
  readonly target: string | undefined
  /** What is there at run time: `*` is everything, and a type is nothing. */
  readonly names: ReadonlyArray<string>
  readonly line: number
}

const namedImport =
  /^(?:import|export)\s+(type\s)?([\w$]*[\s,]*(?:\{[^}]*\}|\*[\s\w$]*)?)\s*from\s*["'](.+?)["']/gm
const wholeImport = /(?:^import\s*|\bimport\(\s*)["'](.+?)["']/gm

const importsOf = ({ path, text }: Source): ReadonlyArray<Import> => {
  const code = withoutComments(text)
  const importOf = (index: number, from: string, names: ReadonlyArray<string>): Import => ({
    from,
    target: targetOf(path, from),
    names,
    line: lineAt(code, index)
  })
  return [
    ...[...code.matchAll(namedImport)].map(({ index, 1: type, 2: clause, 3: from }) =>
      importOf(index, from!, type === undefined ? namesOf(clause!) : [])
    ),
    ...[...code.matchAll(wholeImport)].map(({ index, 1: from }) => importOf(index, from!, ["*"]))
  ]
}

/** Of `{ A as B, type C }` there is A at run time. */
const namesOf = (clause: string): ReadonlyArray<string> =>
  clause
    .replaceAll(/[{}]/g, "")
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "" && !part.startsWith("type "))
    .map((part) => part.split(/\s/)[0]!)

const targetOf = (path: string, from: string): string | undefined => {
  if (from.startsWith(".")) return join(dirname(path), from)
  return /^#(protocols|actors|supervisors|chaos)\//.test(from) ? from.slice(1) : undefined
}

const lineAt = (text: string, index: number) => text.slice(0, index).split("\n").length

/** Quoted text comes first, so that no comment begins inside of it. */
const quoteOrComment =
  /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|(?<![:\\])\/\/.*|(?<!\\)\/\*[\s\S]*?\*\//g

const blank = (text: string) => text.replaceAll(/[^\n]/g, " ")

const withoutComments = (text: string) =>
  text.replaceAll(quoteOrComment, (match) => (match.startsWith("/") ? blank(match) : match))

/** Neither comments nor quotes. Templates stay, there is code inside. */
const withoutQuotes = (text: string) =>
  text.replaceAll(quoteOrComment, (match) => (match.startsWith("`") ? match : blank(match)))
