import test from "ava"
import { checkConfig, defaultConfig, leaseMillis } from "./raft-config.ts"

test("the defaults are allowed, and groups without leases have none", (t) => {
  t.notThrows(() => checkConfig(defaultConfig))
  t.is(leaseMillis(defaultConfig), 0)
})

test("a lease is shorter than T by what two clocks may run apart", (t) => {
  const millis = leaseMillis({ ...defaultConfig, clockDriftMax: 0.1 })
  t.true(millis < 1_000 * 0.9 && millis > 1_000 * 0.8)
})

test("numbers that promise nothing are refused", (t) => {
  t.throws(() => checkConfig({ ...defaultConfig, chunkBytes: 0 }), { message: /chunkBytes .* more than 0/ })
  t.throws(() => checkConfig({ ...defaultConfig, heartbeatMillis: 400 }), { message: /gives up/ })
  t.throws(() => checkConfig({ ...defaultConfig, clockDriftMax: 1 }), { message: /share/ })
})
