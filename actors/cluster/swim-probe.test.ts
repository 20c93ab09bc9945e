import test from "ava"
import { defaultConfig } from "./swim-config.ts"
import { SwimProbe } from "./swim-probe.ts"

const timeout = defaultConfig.probeTimeoutMillis
const interval = defaultConfig.probeIntervalMillis

test("an unanswered probe pings, asks relays three times, and fails at the end of its interval", (t) => {
  const probe = new SwimProbe("t", 1, defaultConfig, 0, 5_000)
  const steps: Array<string> = []
  for (let atMillis = 0; atMillis <= interval; atMillis += 10) {
    const step = probe.advance(5_000 + atMillis)
    if (step !== undefined) steps.push(`${atMillis} ${step}`)
  }
  t.deepEqual(steps, [
    "0 ping",
    `${timeout} ask relays`,
    `${2 * timeout} ask relays`,
    `${3 * timeout} ask relays`,
    `${interval} failed`
  ])
})

test("a node that doubts itself takes as much longer", (t) => {
  const probe = new SwimProbe("t", 1, defaultConfig, 2, 0)
  probe.advance(0)
  t.is(probe.nextMillis, 3 * timeout)
  for (const attempt of [1, 2, 3]) t.is(probe.advance(attempt * 3 * timeout), "ask relays")
  t.is(probe.nextMillis, 3 * interval)
})

test("the first ack with its number ends a probe", (t) => {
  const probe = new SwimProbe("t", 1, defaultConfig, 0, 0)
  probe.advance(0)
  t.false(probe.ack(2))
  t.true(probe.ack(1))
  t.false(probe.ack(1))
  t.is(probe.advance(interval), undefined)
  t.is(probe.nextMillis, Number.POSITIVE_INFINITY)
})

test("a failed probe speaks against the prober when most relays were silent", (t) => {
  const probe = new SwimProbe("t", 1, defaultConfig, 0, 0)
  t.true(probe.blamesItself, "without a relay")
  probe.askedRelays(3)
  t.true(probe.blamesItself)
  probe.nack(2)
  probe.nack(1)
  t.true(probe.blamesItself, "one of three spoke")
  probe.nack(1)
  t.false(probe.blamesItself, "two of three spoke")
})

test("time that was slept through does not count", (t) => {
  const probe = new SwimProbe("t", 1, defaultConfig, 0, 0)
  probe.advance(0)
  probe.delay(60_000)
  t.is(probe.advance(60_000 + timeout - 1), undefined)
  t.is(probe.advance(60_000 + timeout), "ask relays")
})
