/**
 * Evidence on disk, so that a run can be judged again, by checks that did not exist when it was played. JSON Lines:
 * one that says what this is and how much of it there is, and then a line for each thing that was seen.
 *
 * The history of operations is a file of its own, see history.ts. What a node told of itself seldom changes from one
 * look to the next, so that is only written where it did.
 */
import { Data, Either, ParseResult, Schema } from "effect"
import { Action } from "#chaos/faults/action.ts"
import type { EtcdInput, EtcdOutput } from "#chaos/models/etcd-model.ts"
import { MemberStatus } from "#protocols/membership.ts"
import type { Evidence, NodeStatus, Sight } from "./evidence.ts"
import type { History } from "./history.ts"

const format = 1

const Change = Schema.Struct({
  revision: Schema.Int,
  key: Schema.String,
  value: Schema.NullOr(Schema.String)
})

const Struck = Schema.TaggedStruct("Struck", {
  atMillis: Schema.Number,
  action: Schema.UndefinedOr(Action),
  what: Schema.String,
  fault: Schema.String,
  ends: Schema.Boolean,
  nodes: Schema.Array(Schema.String)
})

const Watch = Schema.TaggedStruct("Watch", {
  name: Schema.String,
  first: Schema.String,
  last: Schema.String,
  fromRevision: Schema.Int,
  events: Schema.Array(Change),
  throughRevision: Schema.optionalWith(Schema.Int, { exact: true })
})

const Holding = Schema.TaggedStruct("Holding", {
  what: Schema.String,
  holder: Schema.String,
  fence: Schema.Number,
  notBeforeMillis: Schema.Number,
  fromMillis: Schema.Number,
  untilMillis: Schema.UndefinedOr(Schema.Number),
  lostMillis: Schema.UndefinedOr(Schema.Number),
  leaseMillis: Schema.UndefinedOr(Schema.Number),
  fenced: Schema.Boolean
})

/** What is left out is as it was when the node was seen last. */
const Slow = Schema.Struct({
  restartsByPath: Schema.Record({ key: Schema.String, value: Schema.Number }),
  members: Schema.Record({ key: Schema.String, value: MemberStatus }),
  fleetBreaker: Schema.UndefinedOr(Schema.Literal("open", "closed"))
})
type Slow = typeof Slow.Type

const Seen = Schema.TaggedStruct("Sight", {
  atMillis: Schema.Number,
  node: Schema.String,
  status: Schema.NullOr(
    Schema.Struct({
      leader: Schema.UndefinedOr(Schema.String),
      term: Schema.Number,
      appliedIndex: Schema.Number,
      residentBytes: Schema.UndefinedOr(Schema.Number),
      slow: Schema.UndefinedOr(Slow)
    })
  )
})

const Final = Schema.TaggedStruct("Final", {
  node: Schema.String,
  revision: Schema.Int,
  hash: Schema.Number,
  voter: Schema.Boolean
})

const Complained = Schema.TaggedStruct("Complaint", {
  atMillis: Schema.Number,
  node: Schema.String,
  what: Schema.String
})

const Line = Schema.Union(
  Struck,
  Watch,
  Holding,
  Seen,
  Final,
  Complained,
  Schema.TaggedStruct("Problem", { what: Schema.String }),
  Schema.TaggedStruct("Change", { change: Change })
)
type Line = typeof Line.Type

const Heading = Schema.Struct({
  evidence: Schema.Literal(format),
  lines: Schema.NonNegativeInt,
  slowness: Schema.Number,
  peaceMillis: Schema.Number,
  endedMillis: Schema.Number,
  /** Whether anybody could tell in the end what was changed. */
  areChangesKnown: Schema.Boolean
})

const HeadingJson = Schema.parseJson(Heading)
const LineJson = Schema.parseJson(Line)

export class EvidenceUnreadable extends Data.TaggedError("EvidenceUnreadable")<{
  readonly line: number
  readonly reason: string
}> {
  override get message() {
    return `line ${this.line} of the evidence cannot be read: ${this.reason}; take the file as a report has it, with a release that writes evidence of format ${format}, or play the run again`
  }
}

/** All of it but the history. */
export const encodeEvidence = (evidence: Evidence): string => {
  const { changes, complaints, endedMillis, final, holdings, peaceMillis, problems, slowness } = evidence
  const slow = new Map<string, string>()
  const lines: ReadonlyArray<Line> = [
    ...evidence.timeline.map((struck): Line => ({ _tag: "Struck", ...struck })),
    ...evidence.watches.map((watch): Line => ({ _tag: "Watch", ...watch })),
    ...problems.map((what): Line => ({ _tag: "Problem", what })),
    ...(changes ?? []).map((change): Line => ({ _tag: "Change", change })),
    ...holdings.map((holding): Line => ({ _tag: "Holding", ...holding })),
    ...evidence.sights.map((sight) => seenLine(sight, slow)),
    ...final.map((state): Line => ({ _tag: "Final", ...state })),
    ...complaints.map((complaint): Line => ({ _tag: "Complaint", ...complaint }))
  ]
  const areChangesKnown = changes !== undefined
  const heading: typeof Heading.Type = {
    evidence: format,
    lines: lines.length,
    slowness,
    peaceMillis,
    endedMillis,
    areChangesKnown
  }
  const encode = Schema.encodeSync(LineJson)
  return [Schema.encodeSync(HeadingJson)(heading), ...lines.map((line) => encode(line)), ""].join("\n")
}

const seenLine = ({ atMillis, node, status }: Sight, slow: Map<string, string>): Line => {
  if (status === undefined) return { _tag: "Sight", atMillis, node, status: null }
  const { appliedIndex, leader, residentBytes, term } = status
  const now = slowOf(status)
  const json = JSON.stringify(now)
  const isNews = slow.get(node) !== json
  slow.set(node, json)
  return {
    _tag: "Sight",
    atMillis,
    node,
    status: { leader, term, appliedIndex, residentBytes, slow: isNews ? now : undefined }
  }
}

const slowOf = ({ fleetBreaker, members, restartsByPath }: NodeStatus): Slow => ({
  restartsByPath,
  members,
  fleetBreaker
})

const nothing: Slow = { restartsByPath: {}, members: {}, fleetBreaker: undefined }

export const decodeEvidence = (
  text: string,
  history: History<EtcdInput, EtcdOutput>
): Either.Either<Evidence, EvidenceUnreadable> => {
  const [first = "", ...rest] = text.trimEnd().split("\n")
  const heading = read(HeadingJson, first, 1)
  if (Either.isLeft(heading)) return Either.left(heading.left)
  const { areChangesKnown, endedMillis, peaceMillis, slowness } = heading.right
  if (rest.length !== heading.right.lines) {
    const reason = `it ends here with ${rest.length} lines, and its first line promises ${heading.right.lines}`
    return Either.left(new EvidenceUnreadable({ line: rest.length + 1, reason }))
  }
  const lines: Array<Line> = []
  for (const [index, text] of rest.entries()) {
    const line = read(LineJson, text, index + 2)
    if (Either.isLeft(line)) return Either.left(line.left)
    lines.push(line.right)
  }
  const changes = select(lines, "Change").map(({ change }) => change)
  return Either.right({
    slowness,
    peaceMillis,
    endedMillis,
    timeline: select(lines, "Struck").map(untagged),
    history,
    watches: select(lines, "Watch").map(untagged),
    problems: select(lines, "Problem").map(({ what }) => what),
    changes: areChangesKnown ? changes : undefined,
    holdings: select(lines, "Holding").map(untagged),
    sights: sightsOf(select(lines, "Sight")),
    final: select(lines, "Final").map(untagged),
    complaints: select(lines, "Complaint").map(untagged)
  })
}

const select = <Tag extends Line["_tag"]>(
  lines: ReadonlyArray<Line>,
  tag: Tag
): ReadonlyArray<Extract<Line, { readonly _tag: Tag }>> =>
  lines.filter((line): line is Extract<Line, { readonly _tag: Tag }> => line._tag === tag)

const untagged = <Tagged extends { readonly _tag: string }>({
  _tag,
  ...rest
}: Tagged): Omit<Tagged, "_tag"> => rest

const sightsOf = (seen: ReadonlyArray<typeof Seen.Type>): ReadonlyArray<Sight> => {
  const latest = new Map<string, Slow>()
  return seen.map(({ atMillis, node, status }) => {
    if (status === null) return { atMillis, node, status: undefined }
    const { slow = latest.get(node) ?? nothing, ...fast } = status
    latest.set(node, slow)
    return { atMillis, node, status: { ...fast, ...slow } }
  })
}

const read = <Value, Json>(
  schema: Schema.Schema<Value, Json>,
  text: string,
  line: number
): Either.Either<Value, EvidenceUnreadable> =>
  Either.mapLeft(Schema.decodeUnknownEither(schema)(text), (error) => {
    const reason = ParseResult.TreeFormatter.formatErrorSync(error).replaceAll(/\s+/g, " ")
    return new EvidenceUnreadable({ line, reason })
  })
