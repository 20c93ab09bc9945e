import test from "ava"
import { Duration, Schedule } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import { dynamic, make } from "./supervisor.ts"
import { child, draw } from "./tree.ts"

const worker = (name: string) => Actor.make(name, { messages: [], init: () => null, handlers: {} })

const cloud = make("cloud", {
  strategy: "rest-for-one",
  intensity: { restarts: 5, within: "10 seconds" },
  children: [
    child(worker("clock")),
    child(
      make("storage", {
        strategy: "one-for-all",
        children: [
          child(worker("disk"), { backoff: Schedule.spaced("1 second") }),
          child(worker("cache"), { restart: "transient" })
        ]
      })
    ),
    child(dynamic("machines", { child: worker("machine"), restart: "temporary" }), { name: "pool" }),
    child(
      make("job", {
        strategy: "one-for-one",
        autoShutdown: "all-significant",
        children: [child(worker("step"), { restart: "transient", significant: true })]
      }),
      { restart: "temporary" }
    )
  ]
})

test("a tree is drawn with its strategies, its limits, and how each child is treated", (t) => {
  t.is(
    draw(cloud),
    `
cloud [rest-for-one, 5 restarts in 10000 ms]
  clock (permanent)
  storage [one-for-all, 1 restarts in 5000 ms] (permanent)
    disk (permanent, backoff)
    cache (transient)
  pool [dynamic, 1 restarts in 5000 ms] (permanent)
    machine (temporary)
  job [one-for-one, 1 restarts in 5000 ms, ends with all significant] (temporary)
    step (transient, significant)
    `.trim()
  )
})

test("a worker has 5 seconds to stop and 30 to start, a supervisor what its children need", (t) => {
  t.like(child(worker("a")), { shutdown: "5 seconds", startDeadline: "30 seconds" })
  const unlimited = { shutdown: Duration.infinity, startDeadline: Duration.infinity }
  t.like(child(cloud), unlimited)
  t.like(dynamic("clouds", { child: cloud }).tree.children[0], unlimited)
})

test("one restart in 5 seconds is fine unless stated otherwise, as in OTP", (t) => {
  t.like(make("top", { strategy: "one-for-one", children: [] }).tree, { restarts: 1, withinMillis: 5_000 })
})

const contradictions: ReadonlyArray<readonly [title: string, message: string, declare: () => unknown]> = [
  [
    "a child that is significant and permanent",
    "the child a cannot be both significant and permanent, since a permanent child never ends for good; make it transient or temporary",
    () => child(worker("a"), { significant: true })
  ],
  [
    "two children of one name",
    "the supervisor top declares two children named a; give one of them another name",
    () =>
      make("top", {
        strategy: "one-for-one",
        children: [child(worker("a")), child(worker("b"), { name: "a" })]
      })
  ],
  [
    "a significant child where none ends the supervisor",
    "the supervisor top cannot take a: it is significant, and the supervisor never shuts down for a child; set the supervisor's autoShutdown, or declare the child not significant",
    () =>
      make("top", {
        strategy: "one-for-one",
        children: [child(worker("a"), { restart: "temporary", significant: true })]
      })
  ],
  [
    "less than no restarts",
    "the supervisor top allows -1 restarts in 5000 ms; allow a whole number, 0 or more, within a time",
    () =>
      make("top", { strategy: "one-for-one", intensity: { restarts: -1, within: "5 seconds" }, children: [] })
  ],
  [
    "restarts within no time",
    "the supervisor pool allows 3 restarts in 0 ms; allow a whole number, 0 or more, within a time",
    () => dynamic("pool", { child: worker("a"), intensity: { restarts: 3, within: 0 } })
  ]
]

for (const [title, message, declare] of contradictions) {
  test(`a declaration of ${title} is refused in one line`, (t) => {
    t.throws(declare, { message })
  })
}
