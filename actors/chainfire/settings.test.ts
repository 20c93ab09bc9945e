import test from "ava"
import { defaultSettings, settingsOf } from "./settings.ts"

test("what is not set is as in etcd", (t) => {
  t.deepEqual(settingsOf(), defaultSettings)
  t.is(settingsOf({ autoCompactionRetention: "5" }).autoCompactionMode, "periodic")
})

test("a quota of zero is the default, and one below is none", (t) => {
  t.is(settingsOf({ quotaBytes: 0 }).quotaBytes, 2 * 1024 ** 3)
  t.is(settingsOf({ quotaBytes: -1 }).quotaBytes, -1)
})
