/**
 * The pictures of a report, one below the other over one axis of time: faults, nodes, clients, latency, throughput.
 *
 * Each is as wide in its own units as the run was long in milliseconds, and is stretched to the width of the page.
 * So all of them are zoomed into by giving them another view box, which is all that the script of the page does.
 */
import type { Evidence } from "#chaos/checkers/evidence.ts"
import type { Operation } from "#chaos/checkers/history.ts"
import type { Complaint } from "#chaos/lab/world.ts"
import { type EtcdInput, type EtcdOutput, etcdModel } from "#chaos/models/etcd-model.ts"
import { html, type Markup, nothing } from "./markup.ts"
import {
  type Force,
  forces,
  latencyMillis,
  measure,
  type NodeSpan,
  nodeSpans,
  sample,
  throughput
} from "./measures.ts"

type EtcdOperation = Operation<EtcdInput, EtcdOutput>

/** What a browser still scrolls through smoothly, and a mail server still takes. */
const barsMax = 3000
const lanesMax = 40
const marksMax = 400
const bucketsCount = 120
const textMax = 240

export interface Scene {
  readonly evidence: Evidence
  /** Ids of operations that a finding names. */
  readonly violating: ReadonlySet<number>
  /** Those that are told about further down on the page. */
  readonly told: ReadonlySet<number>
}

export const charts = ({ evidence, told, violating }: Scene): Markup => {
  const endMillis = Math.max(1, evidence.endedMillis)
  const forced = forces(evidence.timeline).slice(0, marksMax)
  const draw = (track: Omit<Track, "backdrop" | "endMillis">): Markup =>
    drawTrack({ ...track, endMillis, backdrop: backdropOf(forced, track.height) })
  const shown = sample(evidence.history, violating, barsMax)
  return html`<div class="plots" data-end="${endMillis}">
${draw(faultTrack(forced, evidence.peaceMillis))}
${[...nodeSpans(evidence.sights, endMillis)].map(([node, spans]) =>
  draw(nodeTrack(node, spans, evidence.complaints))
)}
${lanesOf(shown).map(([client, operations]) =>
  draw(clientTrack(client, withEnds(operations, endMillis), violating, told))
)}
${draw(latencyTrack(evidence, shown, violating))}
${draw(throughputTrack(evidence))}
<div class="track axis"><span class="label">seconds</span><div class="ticks"></div></div>
</div>
<p class="note">${sampleNote(shown.length, evidence.history.length)} Drag over the plots to zoom in, double-click to see everything again; hold the pointer over something to read what it is.</p>`
}

const sampleNote = (shown: number, all: number): string =>
  shown === all
    ? `All ${all} operations are shown.`
    : `${shown} of ${all} operations are shown: all that a finding names, the slowest, and of the others every so many.`

// One track

interface Track {
  readonly label: string
  readonly detail: string
  readonly height: number
  readonly endMillis: number
  readonly backdrop: Markup
  readonly shapes: Markup
  /** Of the vertical axis, from the top as shares of the height. */
  readonly scale?: ReadonlyArray<readonly [share: number, text: string]>
  readonly className?: string
}

const drawTrack = (track: Track): Markup =>
  html`<div class="track ${track.className ?? ""}"><span class="label" title="${track.label}">${track.label}<small>${track.detail}</small></span>
<div class="plot" style="height:${track.height}px"><svg viewBox="0 0 ${track.endMillis} ${track.height}" preserveAspectRatio="none" role="img" aria-label="${track.label}">${track.backdrop}${track.shapes}</svg>${(
    track.scale ?? []
  ).map(
    ([share, text]) => html`<i class="${share > 0.9 ? "low" : ""}" style="top:${share * 100}%">${text}</i>`
  )}</div></div>`

interface Box {
  readonly from: number
  readonly until: number
  readonly top: number
  readonly height: number
}

const rect = ({ from, height, top, until }: Box, className: string, title: string): Markup =>
  html`<rect class="${className}" x="${from}" y="${top}" width="${Math.max(0, until - from)}" height="${height}">${tooltip(title)}</rect>`

const tooltip = (title: string): Markup => (title === "" ? nothing : html`<title>${shortened(title)}</title>`)

export const shortened = (text: string): string =>
  text.length > textMax ? `${text.slice(0, textMax)}… (${text.length} characters)` : text

const line = (atMillis: number, height: number, className: string, title: string): Markup =>
  html`<path class="${className}" d="M${atMillis} 0V${height}">${tooltip(title)}</path>`

const seconds = (millis: number): string => `${(millis / 1000).toFixed(3)} s`

/** So that one sees in all tracks what went on meanwhile. */
const backdropOf = (forced: ReadonlyArray<Force>, height: number): Markup =>
  html`${forced.map(({ fromMillis, isMoment, untilMillis }) =>
    isMoment
      ? line(fromMillis, height, "moment", "")
      : rect({ from: fromMillis, until: untilMillis, top: 0, height }, "shade", "")
  )}`

// Faults and nodes

const rowHeight = 16

const faultTrack = (forced: ReadonlyArray<Force>, peaceMillis: number) => {
  const names = [...new Set(forced.map(({ fault }) => fault))]
  const height = Math.max(1, names.length) * rowHeight + 4
  const bars = forced.map((force) => {
    const row = names.indexOf(force.fault)
    const top = row * rowHeight + 3
    const about = `${force.fault}: ${force.what}, ${seconds(force.fromMillis)}`
    if (force.isMoment) {
      const at = force.fromMillis
      return html`<path class="fault mark hue${row % 6}" d="M${at} ${top}v${rowHeight - 4}">${tooltip(about)}</path>`
    }
    const box = { from: force.fromMillis, until: force.untilMillis, top, height: rowHeight - 4 }
    return rect(box, `fault hue${row % 6}`, `${about} to ${seconds(force.untilMillis)}`)
  })
  const peace = line(peaceMillis, height, "peace", `all is healed, ${seconds(peaceMillis)}`)
  return {
    label: "faults",
    detail: forced.length === 0 ? "none" : `${forced.length} in all`,
    height,
    shapes: html`${bars}${peace}`,
    scale: names.map((name, row) => [(row * rowHeight + 2) / height, name] as const),
    className: "faults"
  }
}

const nodeTrack = (node: string, spans: ReadonlyArray<NodeSpan>, complaints: ReadonlyArray<Complaint>) => {
  const height = 16
  const words = { leads: "leads", follows: "follows", silent: "does not answer" }
  const bars = spans.slice(-marksMax).map(({ fromMillis, state, term, untilMillis }) => {
    const inTerm = term === undefined ? "" : ` in term ${term}`
    const about = `${node} ${words[state]}${inTerm}, ${seconds(fromMillis)} to ${seconds(untilMillis)}`
    return rect({ from: fromMillis, until: untilMillis, top: 3, height: 10 }, state, about)
  })
  const crashes = complaints
    .filter((complaint) => complaint.node === node)
    .slice(0, marksMax)
    .map(({ atMillis, what }) => line(atMillis, height, "crash", `${node}, ${seconds(atMillis)}: ${what}`))
  return {
    label: node,
    detail: crashes.length === 0 ? "" : `${crashes.length} unplanned`,
    height,
    shapes: html`${bars}${crashes}`
  }
}

// Clients

/** One for each client, and the last one for all that are too many. */
const lanesOf = (
  operations: ReadonlyArray<EtcdOperation>
): ReadonlyArray<readonly [string, ReadonlyArray<EtcdOperation>]> => {
  const lanes = new Map<string, Array<EtcdOperation>>()
  for (const operation of operations) {
    const isNew = !lanes.has(operation.client)
    const name = isNew && lanes.size >= lanesMax ? "others" : operation.client
    const lane = lanes.get(name)
    if (lane === undefined) lanes.set(name, [operation])
    else lane.push(operation)
  }
  return [...lanes].toSorted(([one], [other]) => byNumbersInNames(one, other))
}

const { compare: byNumbersInNames } = new Intl.Collator("en", { numeric: true })

interface Bar {
  readonly operation: EtcdOperation
  readonly untilMillis: number
}

/** What has no answer is drawn to where its client went on. */
const withEnds = (operations: ReadonlyArray<EtcdOperation>, endMillis: number): ReadonlyArray<Bar> =>
  operations.map((operation, index) => {
    const { ending, invoked } = operation
    if (ending._tag !== "Unknown") return { operation, untilMillis: ending.at.millis }
    const next = operations[index + 1]?.invoked.millis ?? endMillis
    return { operation, untilMillis: Math.max(invoked.millis, next) }
  })

const clientTrack = (
  client: string,
  bars: ReadonlyArray<Bar>,
  violating: ReadonlySet<number>,
  told: ReadonlySet<number>
) => ({
  label: client,
  detail: "",
  height: 14,
  shapes: html`${bars.map(({ operation, untilMillis }) => {
    const { ending, id, invoked } = operation
    const violates = violating.has(id)
    const className = `op ${ending._tag.toLowerCase()}${violates ? " violating" : ""}`
    const box = { from: invoked.millis, until: untilMillis, top: violates ? 0 : 3, height: violates ? 14 : 8 }
    const bar = rect(box, className, `#${id}, ${seconds(invoked.millis)}: ${describeOperation(operation)}`)
    return told.has(id) ? html`<a href="#op-${id}" id="bar-${id}">${bar}</a>` : bar
  })}`
})

export const describeOperation = ({ ending, input }: EtcdOperation): string => {
  switch (ending._tag) {
    case "Ok":
      return etcdModel.showOperation(input, ending.output)
    case "Failed":
      return `${etcdModel.showOperation(input, undefined).replace(/ → nobody knows$/, "")} → failed: ${ending.reason}`
    case "Unknown":
      return `${etcdModel.showOperation(input, undefined)}: ${ending.reason}`
  }
}

// Latency and throughput

const latencyHeight = 120

const latencyTrack = (
  { history }: Evidence,
  operations: ReadonlyArray<EtcdOperation>,
  violating: ReadonlySet<number>
) => {
  const dots = operations.flatMap((operation) => {
    const millis = latencyMillis(operation)
    if (millis === undefined || operation.ending._tag === "Unknown") return []
    const kind = violating.has(operation.id) ? "violating" : operation.ending._tag.toLowerCase()
    return [{ kind, at: operation.ending.at.millis, millis: Math.max(0.01, millis) }]
  })
  const sorted = dots.map(({ millis }) => millis).toSorted((one, other) => one - other)
  const low = 10 ** Math.floor(Math.log10(sorted[0] ?? 1))
  const high = 10 ** Math.max(Math.log10(low) + 1, Math.ceil(Math.log10(sorted.at(-1) ?? 1)))
  const share = (millis: number): number => Math.log10(high / millis) / Math.log10(high / low)
  const decades = Array.from(
    { length: Math.round(Math.log10(high / low)) + 1 },
    (_, index) => low * 10 ** index
  )
  const paths = ["ok", "failed", "violating"].map((kind) => {
    const points = dots
      .filter((dot) => dot.kind === kind)
      .map(({ at, millis }) => html`M${at} ${share(millis) * latencyHeight}h0`)
    return html`<path class="dot ${kind}" d="${points}"/>`
  })
  const { latency } = measure({ endedMillis: 0, history, sights: [] })
  return {
    label: "latency",
    detail:
      latency === undefined
        ? "no answers"
        : `median ${latency.p50Millis.toFixed(1)} ms, p99 ${latency.p99Millis.toFixed(1)} ms`,
    height: latencyHeight,
    shapes: html`${decades.map((millis) => html`<path class="grid" d="M0 ${share(millis) * latencyHeight}H1e9"/>`)}${paths}`,
    scale: decades.map((millis) => [share(millis), `${Number(millis.toPrecision(1))} ms`] as const),
    className: "tall"
  }
}

const throughputHeight = 90

const throughputTrack = ({ endedMillis, history }: Evidence) => {
  const { buckets, millis } = throughput(history, endedMillis, bucketsCount)
  const most = Math.max(1, ...buckets.map(({ answered, failed, unknown }) => answered + failed + unknown))
  const perSecond = (count: number): number => (count * 1000) / millis
  const bars = buckets.flatMap(({ answered, failed, fromMillis, unknown }) => {
    const about = `${seconds(fromMillis)}, a second: ${perSecond(answered).toFixed(0)} answered, ${perSecond(failed).toFixed(0)} failed, ${perSecond(unknown).toFixed(0)} unknown`
    const parts = [
      ["ok", answered],
      ["failed", failed],
      ["unknown", unknown]
    ] as const
    let bottom = throughputHeight
    return parts.flatMap(([kind, count]) => {
      if (count === 0) return []
      const height = (count / most) * throughputHeight
      bottom -= height
      return [
        rect({ from: fromMillis, until: fromMillis + millis, top: bottom, height }, `heap ${kind}`, about)
      ]
    })
  })
  return {
    label: "throughput",
    detail: `operations a second`,
    height: throughputHeight,
    shapes: html`${bars}`,
    scale: [[0, `${perSecond(most).toFixed(0)}/s`] as const],
    className: "tall"
  }
}
