/**
 * The folder of a report: written file by file, `result.json` last, so that a folder that has one is whole.
 *
 *   work/chaos/20261121T170112Z-leader-power-loss-sim-7/    latest points to the newest
 *
 * The newest twenty are kept. One without a result may still be written by somebody, and is left alone for a day.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { basename, dirname, join, relative, resolve } from "node:path"
import { Data, Effect, Either, ParseResult, Schema } from "effect"
import { Finding } from "#chaos/checkers/evidence.ts"
import { HistoryFormat } from "#chaos/checkers/history.ts"
import { encodeEvidence } from "#chaos/checkers/recordings.ts"
import { Timed } from "#chaos/faults/schedule.ts"
import { EtcdInput, EtcdOutput } from "#chaos/models/etcd-model.ts"
import type { Run } from "../run.ts"
import { page } from "./page.ts"
import { fileNames, isoTime, type Machine, type Plan, type Result, ResultJson, resultOf } from "./result.ts"

export const reportsRoot = join("work", "chaos")
export const reportsKept = 20
const unfinishedMillis = 24 * 3600 * 1000
const fileBytesMax = 1 << 29

export class ReportUnreadable extends Data.TaggedError("ReportUnreadable")<{
  readonly path: string
  readonly reason: string
}> {
  override get message() {
    return `the report ${this.path} cannot be read: ${this.reason}; name a folder in ${reportsRoot} with a ${fileNames.result}, or ${reportsRoot}/latest`
  }
}

export class ReportUnwritable extends Data.TaggedError("ReportUnwritable")<{
  readonly path: string
  readonly reason: string
}> {
  override get message() {
    return `the report ${this.path} cannot be written: ${this.reason}; make room or give yourself the right to write there`
  }
}

const writing = <A>(path: string, write: () => A): Effect.Effect<A, ReportUnwritable> =>
  Effect.try({ try: write, catch: (cause) => new ReportUnwritable({ path, reason: reasonOf(cause) }) })

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** A new one, with the folder for what nodes leave behind in it. */
export const openFolder = (
  root: string,
  name: string,
  atMillis: number
): Effect.Effect<string, ReportUnwritable> =>
  writing(root, () => {
    mkdirSync(root, { recursive: true })
    const stamp = isoTime(atMillis).slice(0, 19).replaceAll(/[-:]/g, "")
    for (let copy = 1; ; copy++) {
      const folder = join(root, `${stamp}Z-${name}${copy === 1 ? "" : `-${copy}`}`)
      if (existsSync(folder)) continue
      mkdirSync(join(folder, fileNames.nodes), { recursive: true })
      return folder
    }
  })

export const historyFormat = new HistoryFormat(EtcdInput, EtcdOutput)
const timedLine = Schema.parseJson(Timed)
const findingLine = Schema.parseJson(Finding)

const timelineText = (actions: ReadonlyArray<Timed>): string =>
  actions.map((timed) => `${Schema.encodeSync(timedLine)(timed)}\n`).join("")

const findingsText = (findings: ReadonlyArray<Finding>): string =>
  findings.map((finding) => `${Schema.encodeSync(findingLine)(finding)}\n`).join("")

export const replayCommand = (folder: string): string => `npm run chaos -- replay ${folder}`

export const writeReport = (
  folder: string,
  run: Run,
  machine: Machine,
  from: string | undefined
): Effect.Effect<Result, ReportUnwritable> =>
  writing(folder, () => {
    const result = resultOf(run, machine, from)
    const put = (name: string, text: string) => writeFileSync(join(folder, name), text)
    if (run.evidence !== undefined) {
      put(fileNames.history, historyFormat.encode(run.evidence.history))
      put(fileNames.evidence, encodeEvidence(run.evidence))
    }
    put(fileNames.timeline, timelineText(run.actions))
    put(fileNames.findings, findingsText(run.findings))
    put(fileNames.page, page({ run, result, replayCommand: replayCommand(folder) }))
    finish(folder, result)
    return result
  })

/** The result last, in one piece; and then this is the latest. */
export const finish = (folder: string, result: Result): void => {
  const path = join(folder, fileNames.result)
  writeFileSync(`${path}.new`, `${Schema.encodeSync(ResultJson)(result)}\n`)
  renameSync(`${path}.new`, path)
  const root = dirname(folder)
  const link = join(root, "latest")
  const fresh = join(root, `.latest-${process.pid}`)
  rmSync(fresh, { force: true })
  symlinkSync(basename(folder), fresh)
  renameSync(fresh, link)
}

/** Removes those that are too many, and says how many that were. */
export const retainNewest = (root: string, nowMillis: number): Effect.Effect<number, ReportUnwritable> =>
  writing(root, () => {
    const reports = readdirSync(root)
      .filter((name) => /^\d{8}T\d{6}Z-/.test(name))
      .toSorted()
      .toReversed()
    const old = reports.slice(reportsKept).filter((name) => {
      const path = join(root, name)
      const isWhole = existsSync(join(path, fileNames.result))
      return isWhole || nowMillis - statSync(path).mtimeMs > unfinishedMillis
    })
    for (const name of old) rmSync(join(root, name), { recursive: true, force: true })
    return old.length
  })

export const removeFolder = (folder: string): Effect.Effect<void, ReportUnwritable> =>
  writing(folder, () => rmSync(folder, { recursive: true, force: true }))

// Read again

export interface Recorded {
  /** As one names it from here. */
  readonly folder: string
  readonly result: Result
  readonly plan: Plan
  readonly actions: ReadonlyArray<Timed>
  readonly findings: ReadonlyArray<Finding>
  /** As it was written; undefined: the run has none. */
  readonly history: string | undefined
}

/** Of a folder, or of a file in it. */
export const readReport = (path: string): Effect.Effect<Recorded, ReportUnreadable> =>
  Effect.gen(function* () {
    const refuse = (reason: string) => new ReportUnreadable({ path, reason })
    const folder = yield* Effect.try({
      try: () => {
        const real = resolve(statSync(path).isDirectory() ? path : dirname(path))
        return relative(process.cwd(), real) || "."
      },
      catch: (cause) => refuse(reasonOf(cause))
    })
    const read = (name: string) =>
      Effect.try({
        try: () => {
          const file = join(folder, name)
          const { size } = statSync(file)
          if (size > fileBytesMax) throw new Error(`${name} has ${size} bytes, at most ${fileBytesMax}`)
          return readFileSync(file, "utf8")
        },
        catch: (cause) => refuse(reasonOf(cause))
      })
    const decode = <A, I>(schema: Schema.Schema<A, I>, text: string, name: string) =>
      Either.mapLeft(Schema.decodeUnknownEither(schema)(text), (error) =>
        refuse(`${name}: ${ParseResult.TreeFormatter.formatErrorSync(error).replaceAll(/\s+/g, " ")}`)
      )
    const lines = <A, I>(schema: Schema.Schema<A, I>, name: string) =>
      Effect.flatMap(read(name), (text) =>
        Effect.forEach(text.split("\n").filter(Boolean), (line) => decode(schema, line, name))
      )
    const result = yield* decode(ResultJson, yield* read(fileNames.result), fileNames.result)
    if (result.plan === null) return yield* refuse("it is the summary of several runs; name one of theirs")
    const hasHistory = existsSync(join(folder, fileNames.history))
    return {
      folder,
      result,
      plan: result.plan,
      actions: yield* lines(timedLine, fileNames.timeline),
      findings: yield* lines(findingLine, fileNames.findings),
      history: hasHistory ? yield* read(fileNames.history) : undefined
    }
  })
