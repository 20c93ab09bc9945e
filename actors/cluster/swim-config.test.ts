import test from "ava"
import { defaultConfig, detectionMillisMax, healMillisMax, syncEveryMillis } from "./swim-config.ts"

test("with the defaults a crash is known within 12 s among 3 members and within 34 s among 100", (t) => {
  const bound = (members: number) => Math.ceil(detectionMillisMax(defaultConfig, { members }) / 1_000)
  t.deepEqual([3, 10, 30, 100].map(bound), [12, 26, 31, 34])
})

test("the bound on detection grows with the logarithm of the cluster", (t) => {
  const bound = (members: number) => detectionMillisMax(defaultConfig, { members })
  t.true(bound(10_000) < 2 * bound(100))
})

test("the bound is longer where too few survive to confirm, and where survivors doubt themselves", (t) => {
  const calm = detectionMillisMax(defaultConfig, { members: 10 })
  t.true(detectionMillisMax(defaultConfig, { members: 10, survivors: 2 }) > calm + 7_000)
  t.true(detectionMillisMax(defaultConfig, { members: 10, survivors: 1 }) > calm + 19_000)
  t.true(detectionMillisMax(defaultConfig, { members: 10, awareness: 1 }) > calm + 18_000)
})

test("healing takes two attempts to reconnect, one sync and one detection at most", (t) => {
  t.is(healMillisMax(defaultConfig, 10), 30_000 + 30_000 + detectionMillisMax(defaultConfig, { members: 10 }))
})

test("full states are exchanged less often in larger clusters", (t) => {
  t.deepEqual(
    [3, 32, 33, 100].map((members) => syncEveryMillis(defaultConfig, members)),
    [30_000, 30_000, 60_000, 90_000]
  )
})
