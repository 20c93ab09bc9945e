/**
 * Prometheus text exposition, version 0.0.4: what /metrics answers and a scrape reads
 * (prometheus/docs, "Exposition formats"). A family is its help, its type, and its samples behind it.
 */

export const expositionType = "text/plain; version=0.0.4; charset=utf-8"

export type MetricType = "counter" | "gauge" | "histogram"

/** By name. */
export type Labels = Readonly<Record<string, string>>

export interface MetricSample {
  /** Behind the name of the family: `_bucket`, `_sum`, `_count`, or nothing. */
  readonly suffix: string
  readonly labels: Labels
  readonly value: number
}

export interface MetricFamily {
  readonly name: string
  readonly help: string
  readonly type: MetricType
  readonly samples: ReadonlyArray<MetricSample>
}

/** Families without a sample are left out: there is nothing to say about them. */
export const exposition = (families: ReadonlyArray<MetricFamily>): string =>
  families
    .filter(({ samples }) => samples.length > 0)
    .map(({ help, name, samples, type }) => {
      const head = `# HELP ${name} ${escaped(help, /[\\\n]/g)}\n# TYPE ${name} ${type}\n`
      return head + samples.map((sample) => line(name, sample)).join("")
    })
    .join("")

const line = (name: string, { labels, suffix, value }: MetricSample): string => {
  const pairs = Object.entries(labels).map(([label, given]) => `${label}="${escaped(given, /[\\\n"]/g)}"`)
  return `${name}${suffix}${pairs.length === 0 ? "" : `{${pairs.join()}}`} ${numberText(value)}\n`
}

const escaped = (text: string, special: RegExp): string =>
  text.replaceAll(special, (character) => (character === "\n" ? "\\n" : `\\${character}`))

export const numberText = (value: number): string =>
  Number.isFinite(value) ? String(value) : Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf"
