/**
 * What a run comes to in numbers: how much was answered and how fast, who led when, which faults were in force from
 * when to when. Pure: from evidence to values that a page draws and `result.json` lists.
 */
import { Order } from "effect"
import type { Evidence, Sight, Struck } from "#chaos/checkers/evidence.ts"
import type { History, Operation } from "#chaos/checkers/history.ts"

type AnyHistory = History<unknown, unknown>
type AnyOperation = Operation<unknown, unknown>

/** By nearest rank: a value that was measured, and none between two of them. */
export const percentile = (ascending: ReadonlyArray<number>, share: number): number | undefined =>
  ascending[Math.max(0, Math.ceil(ascending.length * share) - 1)]

/** From invocation to answer; undefined where none came. */
export const latencyMillis = ({ ending, invoked }: AnyOperation): number | undefined =>
  ending._tag === "Unknown" ? undefined : ending.at.millis - invoked.millis

export interface Measures {
  readonly answered: number
  readonly failed: number
  readonly unknown: number
  readonly answeredPerSecond: number
  /** Of what was answered; undefined: nothing was. */
  readonly latency: Latency | undefined
  /** The longest time in which no client got any answer. */
  readonly silenceMillisMax: number
  /** How often another node led than before. */
  readonly leaderChanges: number
}

export interface Latency {
  readonly p50Millis: number
  readonly p95Millis: number
  readonly p99Millis: number
  readonly maxMillis: number
}

export const measure = ({
  endedMillis,
  history,
  sights
}: Pick<Evidence, "endedMillis" | "sights"> & { readonly history: AnyHistory }): Measures => {
  const answeredAt: Array<number> = []
  const latencies: Array<number> = []
  const counts = { Ok: 0, Failed: 0, Unknown: 0 }
  for (const operation of history) {
    counts[operation.ending._tag]++
    if (operation.ending._tag !== "Ok") continue
    answeredAt.push(operation.ending.at.millis)
    latencies.push(operation.ending.at.millis - operation.invoked.millis)
  }
  latencies.sort(Order.number)
  return {
    answered: counts.Ok,
    failed: counts.Failed,
    unknown: counts.Unknown,
    answeredPerSecond: endedMillis > 0 ? (counts.Ok * 1000) / endedMillis : 0,
    latency: latencyOf(latencies),
    silenceMillisMax: longestGap(answeredAt.sort(Order.number), lastInvocation(history)),
    leaderChanges: Math.max(0, leadersOf(sights).length - 1)
  }
}

const latencyOf = (sorted: ReadonlyArray<number>): Latency | undefined => {
  const [p50Millis, p95Millis, p99Millis, maxMillis] = [0.5, 0.95, 0.99, 1].map((share) =>
    percentile(sorted, share)
  )
  return p50Millis === undefined ||
    p95Millis === undefined ||
    p99Millis === undefined ||
    maxMillis === undefined
    ? undefined
    : { p50Millis, p95Millis, p99Millis, maxMillis }
}

/** Nobody waits for an answer before the first question and after the last. */
const lastInvocation = (history: AnyHistory): number =>
  history.reduce((last, { invoked }) => Math.max(last, invoked.millis), 0)

const longestGap = (sorted: ReadonlyArray<number>, untilMillis: number): number => {
  let before = 0
  let longest = 0
  for (const millis of [...sorted, untilMillis]) {
    longest = Math.max(longest, millis - before)
    before = Math.max(before, millis)
  }
  return longest
}

/** One after the other; somebody who leads again after another did is there twice. */
const leadersOf = (sights: ReadonlyArray<Sight>): ReadonlyArray<string> => {
  const leaders: Array<string> = []
  let term = -1
  for (const { node, status } of sights) {
    // An old leader that was cut off goes on to think so: only those of a newer term count.
    if (status === undefined || status.leader !== node || status.term < term) continue
    term = status.term
    if (leaders.at(-1) !== node) leaders.push(node)
  }
  return leaders
}

// Over time

export interface Bucket {
  readonly fromMillis: number
  readonly answered: number
  readonly failed: number
  readonly unknown: number
}

/** Answers by when they came; what has none, by when it was asked. */
export const throughput = (
  history: AnyHistory,
  endedMillis: number,
  count: number
): { readonly millis: number; readonly buckets: ReadonlyArray<Bucket> } => {
  const millis = Math.max(1, endedMillis / count)
  const buckets = Array.from({ length: count }, (_, index) => ({
    fromMillis: index * millis,
    answered: 0,
    failed: 0,
    unknown: 0
  }))
  for (const { ending, invoked } of history) {
    const at = ending._tag === "Unknown" ? invoked.millis : ending.at.millis
    const bucket = buckets[Math.min(count - 1, Math.max(0, Math.floor(at / millis)))]
    if (bucket === undefined) continue
    if (ending._tag === "Ok") bucket.answered++
    else if (ending._tag === "Failed") bucket.failed++
    else bucket.unknown++
  }
  return { millis, buckets }
}

export interface Span {
  readonly fromMillis: number
  readonly untilMillis: number
}

export interface NodeSpan extends Span {
  readonly state: "leads" | "follows" | "silent"
  readonly term: number | undefined
}

/** Of each node, from one look at which something was different to the next. */
export const nodeSpans = (
  sights: ReadonlyArray<Sight>,
  endedMillis: number
): ReadonlyMap<string, ReadonlyArray<NodeSpan>> => {
  const spans = new Map<string, Array<NodeSpan>>()
  for (const { atMillis, node, status } of sights) {
    const state = status === undefined ? "silent" : status.leader === node ? "leads" : "follows"
    const term = state === "leads" ? status?.term : undefined
    const own = spans.get(node) ?? []
    spans.set(node, own)
    const before = own.at(-1)
    if (before !== undefined && before.state === state && before.term === term) continue
    if (before !== undefined) own[own.length - 1] = { ...before, untilMillis: atMillis }
    own.push({ state, term, fromMillis: atMillis, untilMillis: endedMillis })
  }
  return new Map([...spans].toSorted(([one], [other]) => (one < other ? -1 : 1)))
}

export interface Force extends Span {
  readonly fault: string
  readonly nodes: ReadonlyArray<string>
  readonly what: string
  /** Nothing ended it: it was over at once, or lasted. */
  readonly isMoment: boolean
}

/** Each beginning with the end that belongs to it. */
export const forces = (timeline: ReadonlyArray<Struck>): ReadonlyArray<Force> => {
  const all: Array<Force> = []
  const open = new Map<string, Array<number>>()
  for (const { atMillis, ends, fault, nodes, what } of timeline) {
    const key = JSON.stringify([fault, nodes.toSorted()])
    const waiting = open.get(key) ?? []
    open.set(key, waiting)
    if (!ends) {
      waiting.push(all.length)
      all.push({ fault, nodes, what, fromMillis: atMillis, untilMillis: atMillis, isMoment: true })
      continue
    }
    const index = waiting.shift()
    const begun = index === undefined ? undefined : all[index]
    if (index !== undefined && begun !== undefined)
      all[index] = { ...begun, untilMillis: atMillis, isMoment: false }
  }
  return all
}

/** Operations for a picture of bounded size: those that must be seen, the slowest, and of the others every so many. */
export const sample = <Op extends AnyOperation>(
  history: ReadonlyArray<Op>,
  mustSee: ReadonlySet<number>,
  countMax: number
): ReadonlyArray<Op> => {
  if (history.length <= countMax) return history
  const chosen = new Set<number>()
  for (const { id } of history) if (mustSee.has(id) && chosen.size < countMax) chosen.add(id)
  // What has no answer is slower than all that has one.
  const slowness = (operation: Op): number => latencyMillis(operation) ?? Number.POSITIVE_INFINITY
  const others = history.filter(({ id }) => !chosen.has(id))
  const slowMax = Math.floor((countMax - chosen.size) / 4)
  const slowestFirst = Order.reverse(Order.mapInput(Order.number, slowness))
  const slow = others.toSorted(slowestFirst).slice(0, slowMax)
  for (const { id } of slow) chosen.add(id)
  const rest = others.filter(({ id }) => !chosen.has(id))
  const room = countMax - chosen.size
  for (let index = 0; index < room; index++) {
    const operation = rest[Math.floor((index * rest.length) / room)]
    if (operation !== undefined) chosen.add(operation.id)
  }
  return history.filter(({ id }) => chosen.has(id))
}
