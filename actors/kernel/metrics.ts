/**
 * Numbers about a component, as Prometheus scrapes them: counters that only grow, gauges that are read when
 * somebody looks, histograms. Counting is an addition, so it may stand on a hot path.
 *
 * Series are bounded by what their component counts: labels have few values that are known beforehand, such as
 * methods and codes, and never what a client sent.
 */
import {
  exposition,
  type Labels,
  type MetricFamily,
  type MetricSample,
  numberText
} from "#protocols/wire/prometheus-text.ts"

export class Counter {
  #value = 0

  get value(): number {
    return this.#value
  }

  add(by = 1): void {
    this.#value += by
  }
}

export class Histogram {
  /** What falls in between two bounds, and last what is above all of them. */
  readonly #counts: Array<number>
  readonly #bounds: ReadonlyArray<number>
  #sum = 0

  constructor(bounds: ReadonlyArray<number>) {
    this.#bounds = bounds
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0)
  }

  observe(value: number): void {
    let bucket = 0
    while (bucket < this.#bounds.length && value > this.#bounds[bucket]!) bucket++
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1
    this.#sum += value
  }

  samples(): ReadonlyArray<MetricSample> {
    let count = 0
    const buckets = this.#counts.map((within, bucket): MetricSample => {
      count += within
      const le = numberText(this.#bounds[bucket] ?? Number.POSITIVE_INFINITY)
      return { suffix: "_bucket", labels: { le }, value: count }
    })
    return [
      ...buckets,
      { suffix: "_sum", labels: {}, value: this.#sum },
      { suffix: "_count", labels: {}, value: count }
    ]
  }
}

/** Bounds that grow by a factor. */
export const exponential = (start: number, factor: number, count: number): ReadonlyArray<number> =>
  Array.from({ length: count }, (_, index) => start * factor ** index)

/** Counters of one name, told apart by labels. There is no series before it is asked for. */
export class Counters {
  readonly #labels: ReadonlyArray<string>
  readonly #counters = new Map<string, { readonly labels: Labels; readonly counter: Counter }>()

  constructor(labels: ReadonlyArray<string>) {
    this.#labels = labels
  }

  of(...values: ReadonlyArray<string>): Counter {
    const key = values.join("\0")
    const known = this.#counters.get(key)
    if (known !== undefined) return known.counter
    const labels = Object.fromEntries(this.#labels.map((label, index) => [label, values[index] ?? ""]))
    const counter = new Counter()
    this.#counters.set(key, { labels, counter })
    return counter
  }

  samples(): ReadonlyArray<MetricSample> {
    return [...this.#counters.values()].map(({ counter, labels }) => ({
      suffix: "",
      labels,
      value: counter.value
    }))
  }
}

interface Described extends Omit<MetricFamily, "samples"> {
  readonly read: () => ReadonlyArray<MetricSample>
}

/** All that a component shows. */
export class Metrics {
  readonly #families = new Map<string, Described>()

  counter(name: string, help: string, counter = new Counter()): Counter {
    this.#add({ name, help, type: "counter", read: () => alone(counter.value) })
    return counter
  }

  counters(name: string, help: string, counters: Counters): Counters {
    this.#add({ name, help, type: "counter", read: () => counters.samples() })
    return counters
  }

  /** `read` is called at each scrape; undefined: there is no such number now. */
  gauge(name: string, help: string, read: () => number | boolean | undefined): void {
    this.#add({
      name,
      help,
      type: "gauge",
      read: () => {
        const value = read()
        return value === undefined ? [] : alone(Number(value))
      }
    })
  }

  histogram(name: string, help: string, histogram: Histogram): void {
    this.#add({ name, help, type: "histogram", read: () => histogram.samples() })
  }

  /** As a scrape reads it, in order of names. */
  text(): string {
    const sorted = [...this.#families.values()].sort((one, other) => (one.name < other.name ? -1 : 1))
    return exposition(sorted.map(({ read, ...described }) => ({ ...described, samples: read() })))
  }

  #add(family: Described): void {
    if (this.#families.has(family.name)) throw new Error(`there is a metric ${family.name} already`)
    this.#families.set(family.name, family)
  }
}

const alone = (value: number): ReadonlyArray<MetricSample> => [{ suffix: "", labels: {}, value }]
