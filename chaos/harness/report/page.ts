/**
 * `report.html`: a run on one page, which opens without a network and without anything beside it. Pure: from a run to
 * a text.
 *
 * What strangers had a part in (keys, values, errors, names of nodes) is escaped by how markup is made, and the page
 * forbids itself to load anything.
 */
import type { Finding } from "#chaos/checkers/evidence.ts"
import { describeTimed } from "#chaos/faults/schedule.ts"
import type { Run } from "../run.ts"
import { charts, describeOperation, shortened } from "./charts.ts"
import { html, Markup, nothing } from "./markup.ts"
import { latencyMillis } from "./measures.ts"
import { script, style } from "./page-style.ts"
import { fileNames, type Result } from "./result.ts"

export interface PageOptions {
  readonly run: Run
  readonly result: Result
  readonly replayCommand: string
}

const operationsMax = 200
const rowsMax = 500
const linesMax = 50

export const page = ({ replayCommand, result, run }: PageOptions): string => {
  const title = `${run.scenario.name}, ${run.world}, seed ${run.options.seed}: ${run.outcome}`
  const { text } = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<style>${new Markup(style)}</style></head><body><main>
<header><h1>${run.scenario.name}</h1><span class="badge ${run.outcome}">${run.outcome}</span></header>
<p class="says">${run.scenario.says}</p>
${run.reason === undefined ? nothing : html`<p class="reason">${shortened(run.reason)}</p>`}
${summary(result)}
${checks(run)}
${pictures(run)}
${operations(run)}
${timeline(run)}
${complaints(run)}
${facts("This world and this machine", { ...run.facts, cpu: result.environment.cpu, node: result.environment.node, git: result.git })}
<h2>Play it again</h2><code class="command">${replayCommand}</code>
<footer>Beside this page: ${Object.values(fileNames).join(", ")}. ${result.plan?.from == null ? "" : `It repeats ${result.plan.from}.`}</footer>
</main><script>${new Markup(script)}</script></body></html>
`
  return text
}

const summary = ({ environment, finished_at, metrics, plan, seed, started_at }: Result): Markup => {
  const number = (name: string, unit = ""): string => {
    const value = metrics[name]
    return value === undefined ? "none" : `${value.toLocaleString("en", { maximumFractionDigits: 1 })}${unit}`
  }
  return facts(undefined, {
    world: `${plan?.world ?? ""} (accelerator: ${environment.accel})`,
    seed: `${seed}`,
    began: started_at.slice(0, 19).replace("T", " "),
    ended: finished_at.slice(0, 19).replace("T", " "),
    "ran for": `${((metrics["ran_ms"] ?? 0) / 1000).toFixed(1)} s, ${number("times_real_time")} times real time`,
    operations: `${number("operations_answered")} answered, ${number("operations_failed")} failed, ${number("operations_unknown")} unknown`,
    "answered a second": number("answered_per_second"),
    latency: `median ${number("latency_p50_ms", " ms")}, p99 ${number("latency_p99_ms", " ms")}, most ${number("latency_max_ms", " ms")}`,
    "longest silence": number("silence_max_ms", " ms"),
    "leader changes": number("leader_changes")
  })
}

const facts = (title: string | undefined, entries: Readonly<Record<string, string>>): Markup =>
  html`${title === undefined ? nothing : html`<h2>${title}</h2>`}<div class="card"><dl class="facts">${Object.entries(
    entries
  ).map(
    ([name, value]) => html`<div><dt>${shortened(name)}</dt><dd>${shortened(value)}</dd></div>`
  )}</dl></div>`

// Findings

const checks = ({ findings, scenario }: Run): Markup =>
  findings.length === 0
    ? nothing
    : html`<h2>What must hold</h2><div class="card">${worstFirst(findings).map((finding) => {
        const check = scenario.checks.find(({ name }) => name === finding.check)
        const isOpen = finding.verdict === "passed" ? nothing : html` open`
        return html`<details class="check"${isOpen}><summary><span class="word ${finding.verdict}">${finding.verdict}</span> <b>${finding.check}</b> <span class="holds">${check?.holds ?? ""}</span></summary>${findingText(finding)}</details>`
      })}</div>`

const badness = { failed: 0, unknown: 1, skipped: 2, passed: 3 }

const worstFirst = (findings: ReadonlyArray<Finding>): ReadonlyArray<Finding> =>
  findings.toSorted((one, other) => badness[one.verdict] - badness[other.verdict])

const findingText = ({ lines, operations }: Finding): Markup => {
  const text = lines.slice(0, linesMax).map(shortened).join("\n")
  const shown = operations.slice(0, linesMax)
  const links = shown.map((id) => html`<a href="#op-${id}">#${id}</a> `)
  return html`<pre>${text}${more(lines.length - linesMax, "\nand ", " more")}</pre>${
    shown.length === 0
      ? nothing
      : html`<p>operations ${links}${more(operations.length - shown.length, "and ", " more")}</p>`
  }`
}

const more = (count: number, before: string, after: string): string =>
  count > 0 ? `${before}${count}${after}` : ""

const violatingOf = (findings: ReadonlyArray<Finding>): ReadonlySet<number> =>
  new Set(findings.flatMap(({ operations, verdict }) => (verdict === "failed" ? operations : [])))

/** Of findings that are no success; those that have a row of their own. */
const toldOf = ({ findings }: Run): ReadonlySet<number> => {
  const all = findings.flatMap(({ operations, verdict }) => (verdict === "passed" ? [] : operations))
  return new Set([...new Set(all)].slice(0, operationsMax))
}

const operations = (run: Run): Markup => {
  const told = toldOf(run)
  const rows = (run.evidence?.history ?? []).filter(({ id }) => told.has(id))
  return rows.length === 0
    ? nothing
    : html`<h2>Operations that show it</h2><div class="card scroll"><table><tr><th>#<th>client<th class="number">asked<th class="number">took<th>what</tr>${rows.map(
        (operation) => {
          const { client, id, invoked } = operation
          const took = latencyMillis(operation)
          return html`<tr id="op-${id}"><td><a href="#bar-${id}" data-at="${invoked.millis}" data-took="${took ?? 1000}">${id}</a><td>${shortened(client)}<td class="number">${(invoked.millis / 1000).toFixed(3)} s<td class="number">${took === undefined ? "no answer" : `${took.toFixed(1)} ms`}<td class="text"><code>${shortened(describeOperation(operation))}</code></tr>`
        }
      )}</table></div>`
}

// Pictures and lists

const key = html`<div class="key">${[
  ["--ok", "answered"],
  ["--failed", "failed for certain"],
  ["--unknown", "outcome unknown"],
  ["--bad", "violates, or crashed"],
  ["--leads", "leads"],
  ["--follows", "follows"],
  ["--shade", "a fault is in force"],
  ["--peace", "all is healed"]
].map(([colour, word]) => html`<span style="--k:var(${colour ?? ""})">${word ?? ""}</span>`)}</div>`

const pictures = (run: Run): Markup =>
  run.evidence === undefined
    ? nothing
    : html`<h2>What happened</h2><div class="card">${key}${charts({
        evidence: run.evidence,
        violating: violatingOf(run.findings),
        told: toldOf(run)
      })}</div>`

/** By the clock of the pictures, where there are some. */
const timeline = ({ actions, evidence }: Run): Markup => {
  const lines =
    evidence?.timeline.map(({ atMillis, what }) => lineOf(atMillis, what)) ?? actions.map(describeTimed)
  return lines.length === 0
    ? nothing
    : html`<h2>What was done to it</h2><div class="card scroll"><pre>${lines.slice(0, rowsMax).map(shortened).join("\n")}${more(lines.length - rowsMax, "\nand ", ` more in ${fileNames.timeline}`)}</pre></div>`
}

const lineOf = (atMillis: number, what: string): string =>
  `${(atMillis / 1000).toFixed(3).padStart(9)} s  ${what}`

const complaints = ({ evidence }: Run): Markup => {
  const all = [
    ...(evidence?.complaints ?? []).map(({ atMillis, node, what }) => lineOf(atMillis, `${node}: ${what}`)),
    ...(evidence?.problems ?? [])
  ]
  return all.length === 0
    ? nothing
    : html`<h2>Crashes and complaints</h2><div class="card scroll"><pre>${all.slice(0, rowsMax).map(shortened).join("\n")}${more(all.length - rowsMax, "\nand ", " more")}</pre></div>`
}
