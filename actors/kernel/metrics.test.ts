import test from "ava"
import fc from "fast-check"
import { readExposition } from "#protocols/wire/fixtures/exposition-reader.ts"
import { Counters, exponential, Histogram, Metrics } from "./metrics.ts"

test("what is scraped is what was counted, read and observed", (t) => {
  const metrics = new Metrics()
  metrics.counter("put_total", "Puts.").add(3)
  metrics
    .counters("calls_total", "Calls\nby method.", new Counters(["method", "code"]))
    .of('a"\\\n', "OK")
    .add()
  metrics.gauge("has_leader", "1 if so.", () => true)
  metrics.gauge("unknown", "Nobody knows.", () => undefined)
  const seconds = new Histogram([0.001, 0.1])
  metrics.histogram("fsync_seconds", "How long.", seconds)
  for (const value of [0.0005, 0.001, 0.05, 7]) seconds.observe(value)
  t.is(
    metrics.text(),
    `# HELP calls_total Calls\\nby method.
# TYPE calls_total counter
calls_total{method="a\\"\\\\\\n",code="OK"} 1
# HELP fsync_seconds How long.
# TYPE fsync_seconds histogram
fsync_seconds_bucket{le="0.001"} 2
fsync_seconds_bucket{le="0.1"} 3
fsync_seconds_bucket{le="+Inf"} 4
fsync_seconds_sum 7.0515
fsync_seconds_count 4
# HELP has_leader 1 if so.
# TYPE has_leader gauge
has_leader 1
# HELP put_total Puts.
# TYPE put_total counter
put_total 3
`
  )
  t.throws(() => metrics.counter("put_total", "Again."), { message: "there is a metric put_total already" })
})

test("a strict reader finds all of it again, whatever the numbers and labels", (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ minLength: 1 }), { maxLength: 5 }),
      fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { maxLength: 20 }),
      fc.double(),
      (labels, observed, read) => {
        const metrics = new Metrics()
        const counters = metrics.counters("c_total", "c", new Counters(["label"]))
        for (const label of labels) counters.of(label).add()
        const histogram = new Histogram(exponential(0.001, 2, 14))
        for (const value of observed) histogram.observe(value)
        metrics.histogram("h", "h", histogram)
        metrics.gauge("g", "g", () => read)
        const families = new Map(
          readExposition(metrics.text()).map((family) => [family.name, family.samples])
        )
        t.deepEqual(
          new Set(families.get("c_total")?.map((sample) => sample.labels["label"])),
          new Set(labels.length === 0 ? undefined : labels)
        )
        t.is(families.get("h")?.at(-1)?.value, observed.length)
        t.is(Object.is(families.get("g")?.[0]?.value, read) || read === 0, true)
      }
    )
  )
})

test("the reader refuses what Prometheus would", (t) => {
  const head = "# HELP a b\n# TYPE a counter\n"
  for (const text of [
    "a 1\n",
    `${head}a 1`,
    `${head}a 1\na 2\n`,
    `${head}a -1\n`,
    `${head}b 1\n`,
    `${head}a one\n`,
    `${head}a{l="x} 1\n`,
    `${head}a{l="x",l="y"} 1\n`,
    `${head}a 1\n${head}a 1\n`,
    "# TYPE a counter\na 1\n",
    '# HELP h h\n# TYPE h histogram\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n',
    '# HELP h h\n# TYPE h histogram\nh_bucket{le="1"} 1\nh_sum 1\nh_count 1\n'
  ]) {
    t.throws(() => readExposition(text), undefined, text)
  }
})
