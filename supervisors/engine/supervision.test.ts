import test from "ava"
import { Rehearsal, rehearsed } from "#chaos/harness/rehearsal.ts"

// Boot

test("children start in order, each once the one before has started, and then all is ready", (t) => {
  const machine = new Rehearsal({}, ["a", "b"])
  t.deepEqual(machine.take({ _tag: "Boot" }), ["start a"])
  t.deepEqual(machine.started("a"), ["start b"])
  t.deepEqual(machine.started("b"), ["ready"])
})

test("a supervisor without children is ready at once", (t) => {
  t.deepEqual(new Rehearsal({}, []).take({ _tag: "Boot" }), ["ready"])
})

test("a child that does not start at boot ends the boot, whatever its restart is", (t) => {
  for (const restart of ["permanent", "transient", "temporary"] as const) {
    const machine = new Rehearsal({}, [["a", { restart }], "b"])
    machine.take({ _tag: "Boot" })
    t.deepEqual(machine.crashed("a"), ["boot failed at a: boom"])
    t.deepEqual(machine.started("a"), [], "it is over")
  }
})

test("a start that is ignored leaves a stopped child, and nothing of a temporary one", (t) => {
  const machine = new Rehearsal({}, ["a", ["b", { restart: "temporary" }], "c"])
  machine.take({ _tag: "Boot" })
  t.deepEqual(machine.ignored("a"), ["start b"])
  t.deepEqual(machine.ignored("b"), ["remove b", "start c"])
  t.deepEqual(machine.started("c"), ["ready"])
  t.is(machine.drawn, "a stopped, c running")
})

test("a child that crashes while others still boot is restarted once all have", (t) => {
  const machine = new Rehearsal({}, ["a", "b"])
  machine.take({ _tag: "Boot" })
  machine.started("a")
  t.deepEqual(machine.crashed("a"), [])
  t.deepEqual(machine.started("b"), ["ready", "start a"])
})

// Restarts

test("one-for-one starts again whoever crashed", (t) => {
  const machine = rehearsed({}, ["a", "b", "c"])
  t.deepEqual(machine.crashed("b"), ["start b"])
  t.deepEqual(machine.started("b"), [])
})

test("one-for-one does not wait for one child's start to restart another", (t) => {
  const machine = rehearsed({}, ["a", "b"])
  machine.crashed("a")
  t.deepEqual(machine.crashed("b"), ["start b"])
})

test("one-for-all stops the others from the end, then starts all from the beginning", (t) => {
  const machine = rehearsed({ strategy: "one-for-all" }, ["a", "b", "c"])
  t.deepEqual(machine.crashed("b"), ["stop c"])
  t.deepEqual(machine.ended("c"), ["stop a"])
  t.deepEqual(machine.ended("a"), ["start a"])
  t.deepEqual(machine.started("a"), ["start b"])
  t.deepEqual(machine.started("b"), ["start c"])
  t.deepEqual(machine.started("c"), [])
})

test("rest-for-one leaves alone whoever started before", (t) => {
  const machine = rehearsed({ strategy: "rest-for-one" }, ["a", "b", "c"])
  t.deepEqual(machine.crashed("b"), ["stop c"])
  t.deepEqual(machine.ended("c"), ["start b"])
  t.deepEqual(machine.started("b"), ["start c"])
})

test("a group takes along who was stopped by request, and forgets who is temporary", (t) => {
  const machine = rehearsed({ strategy: "one-for-all" }, ["a", ["b", { restart: "temporary" }], "c"])
  machine.request("Terminate", "c")
  machine.ended("c")
  t.deepEqual(machine.crashed("a"), ["stop b"])
  t.deepEqual(machine.ended("b"), ["remove b", "start a"])
  t.deepEqual(machine.started("a"), ["start c"])
})

test("a child that ends while its group stops is restarted with the group, once", (t) => {
  const machine = rehearsed({ strategy: "one-for-all" }, ["a", "b", "c"])
  machine.crashed("a")
  t.deepEqual(machine.crashed("b"), [], "while c stops")
  t.deepEqual(machine.ended("c"), ["start a"])
  machine.started("a")
  machine.started("b")
  t.deepEqual(machine.started("c"), [])
})

test("a child that ends while a group after it restarts has its own restart afterwards", (t) => {
  const machine = rehearsed({ strategy: "rest-for-one" }, ["a", "b"])
  machine.crashed("b")
  t.deepEqual(machine.crashed("a"), [])
  t.deepEqual(machine.started("b"), ["stop b"])
  t.deepEqual(machine.ended("b"), ["start a"])
  t.deepEqual(machine.started("a"), ["start b"])
})

test("a start that fails at a restart is tried again, and each try counts", (t) => {
  const machine = rehearsed({ intensity: { restarts: 2, withinMillis: 1_000 } }, ["a"])
  t.deepEqual(machine.crashed("a"), ["start a"])
  t.deepEqual(machine.crashed("a"), ["start a"])
  t.deepEqual(machine.crashed("a"), ["give up, a: boom, intensity"])
})

test("a start that ends as planned has failed too: only running was planned", (t) => {
  const machine = rehearsed({}, [["a", { restart: "transient" }]])
  machine.crashed("a")
  t.deepEqual(machine.ended("a"), ["start a"])
})

test("rest-for-one tries a failed start again from there; one-for-all stops and starts all", (t) => {
  const rest = rehearsed({ strategy: "rest-for-one" }, ["a", "b", "c"])
  rest.crashed("a")
  rest.ended("c")
  rest.ended("b")
  rest.started("a")
  t.deepEqual(rest.crashed("b"), ["start b"])
  t.deepEqual(rest.started("b"), ["start c"])

  const all = rehearsed({ strategy: "one-for-all" }, ["a", "b", "c"])
  all.crashed("c")
  all.ended("b")
  all.ended("a")
  all.started("a")
  t.deepEqual(all.crashed("b"), ["stop a"])
  t.deepEqual(all.ended("a"), ["start a"])
})

test("whoever gives up says whose restart was one too many, and nothing else afterwards", (t) => {
  const machine = rehearsed({ intensity: { restarts: 1, withinMillis: 1_000 } }, ["a", "b"])
  machine.crashed("a")
  machine.started("a")
  t.deepEqual(machine.crashed("b"), ["give up, b: boom, intensity"])
  t.deepEqual(machine.crashed("a"), [])
  t.deepEqual(machine.request("Terminate", "a"), [])
  t.deepEqual(machine.request("Add", "c"), [])
})

test("restarts are counted over all children, and forgotten after the period", (t) => {
  const machine = rehearsed({ intensity: { restarts: 1, withinMillis: 1_000 } }, ["a", "b"])
  machine.crashed("a")
  machine.started("a")
  machine.nowMillis = 1_001
  t.deepEqual(machine.crashed("b"), ["start b"])
  machine.started("b")
  machine.nowMillis = 2_001
  t.deepEqual(machine.crashed("b"), ["give up, b: boom, intensity"])
})

test("a group's restart counts as one", (t) => {
  const policy = { strategy: "one-for-all", intensity: { restarts: 1, withinMillis: 1_000 } } as const
  const machine = rehearsed(policy, ["a", "b", "c"])
  machine.crashed("c")
  machine.ended("b")
  machine.ended("a")
  machine.started("a")
  machine.started("b")
  t.deepEqual(machine.started("c"), [])
})

// Ends for good

test("a transient child that ends as planned keeps its place, a temporary one loses it", (t) => {
  const machine = rehearsed({}, [
    ["a", { restart: "transient" }],
    ["b", { restart: "temporary" }]
  ])
  t.deepEqual(machine.ended("a"), [])
  t.deepEqual(machine.crashed("b"), ["remove b"])
  t.is(machine.drawn, "a stopped")
})

const transient = { restart: "transient", significant: true } as const

test("the end of any significant child shuts down, a crash that is restarted does not", (t) => {
  const machine = rehearsed({ autoShutdown: "any-significant" }, ["a", ["b", transient], ["c", transient]])
  t.deepEqual(machine.crashed("b"), ["start b"])
  machine.started("b")
  t.deepEqual(machine.ended("b"), ["shutdown"])
  t.deepEqual(machine.crashed("a"), [])
})

test("where all significant children count, those that wait for a restart are not done", (t) => {
  const backoff = { ...transient, backoff: "some" }
  const machine = rehearsed({ autoShutdown: "all-significant" }, [["a", transient], ["b", backoff], "c"])
  t.deepEqual(machine.crashed("b"), ["delay b"])
  t.deepEqual(machine.ended("a"), [])
  t.deepEqual(machine.elapsed("b"), ["start b"])
  machine.started("b")
  t.deepEqual(machine.ended("b"), ["shutdown"])
})

test("a significant child that is terminated, or ignores its start, shuts nothing down", (t) => {
  const machine = rehearsed({ autoShutdown: "any-significant" }, [
    ["a", transient],
    ["b", transient]
  ])
  machine.request("Terminate", "a")
  t.deepEqual(machine.ended("a"), ["answer 1: done"])
  machine.crashed("b")
  t.deepEqual(machine.ignored("b"), [])
})

// Requests

test("a terminated child is stopped, keeps its place, and starts again by request", (t) => {
  const machine = rehearsed({}, ["a", "b"])
  t.deepEqual(machine.request("Terminate", "a"), ["stop a"])
  t.deepEqual(machine.ended("a"), ["answer 1: done"])
  t.is(machine.drawn, "a stopped, b running")
  t.deepEqual(machine.request("Restart", "a"), ["start a"])
  t.deepEqual(machine.started("a"), ["answer 2: running"])
})

test("terminating twice is answered twice, both once it is down", (t) => {
  const machine = rehearsed({}, ["a"])
  machine.request("Terminate", "a")
  t.deepEqual(machine.request("Terminate", "a"), [])
  t.deepEqual(machine.ended("a"), ["answer 1: done", "answer 2: done"])
  t.deepEqual(machine.request("Terminate", "a"), ["answer 3: done"])
})

test("a terminated temporary or dynamic child is gone", (t) => {
  const machine = rehearsed({}, [["a", { restart: "temporary" }]])
  machine.request("Terminate", "a")
  t.deepEqual(machine.ended("a"), ["answer 1: done", "remove a"])
  t.deepEqual(machine.request("Terminate", "a"), ["answer 2: not found"])

  const dynamic = rehearsed({ strategy: "dynamic" }, [])
  dynamic.request("Add", "x")
  dynamic.started("x")
  dynamic.request("Terminate", "x")
  t.deepEqual(dynamic.ended("x"), ["answer 2: done", "remove x"])
})

test("restart and delete want a child that is stopped", (t) => {
  const machine = rehearsed({}, [["a", { backoff: "some" }]])
  t.deepEqual(machine.request("Restart", "a"), ["answer 1: already running"])
  t.deepEqual(machine.request("Delete", "a"), ["answer 2: already running"])
  machine.crashed("a")
  t.deepEqual(machine.request("Restart", "a"), ["answer 3: restarting"])
  t.deepEqual(machine.request("Delete", "a"), ["answer 4: restarting"])
  machine.request("Terminate", "a")
  t.deepEqual(machine.request("Delete", "a"), ["remove a", "answer 6: done"])
  t.deepEqual(machine.request("Delete", "a"), ["answer 7: not found"])
  t.deepEqual(machine.request("Restart", "a"), ["answer 8: not found"])
})

test("dynamic children are not restarted or deleted by request", (t) => {
  const machine = rehearsed({ strategy: "dynamic" }, [])
  t.deepEqual(machine.request("Restart", "x"), ["answer 1: dynamic"])
  t.deepEqual(machine.request("Delete", "x"), ["answer 2: dynamic"])
})

test("a restart by request that fails is answered, and is no restart that counts", (t) => {
  const machine = rehearsed({ intensity: { restarts: 0, withinMillis: 1_000 } }, ["a"])
  machine.request("Terminate", "a")
  machine.ended("a")
  machine.request("Restart", "a")
  t.deepEqual(machine.crashed("a"), ["answer 2: start failed: boom"])
  t.is(machine.drawn, "a stopped")
})

test("a child is added at the end, once, and kept only if it starts", (t) => {
  const machine = rehearsed({}, ["a"])
  t.deepEqual(machine.request("Add", "b"), ["start b"])
  t.deepEqual(machine.request("Add", "b"), ["answer 2: already running"])
  t.deepEqual(machine.crashed("b"), ["answer 1: start failed: boom", "remove b"])
  machine.request("Add", "b")
  t.deepEqual(machine.ignored("b"), ["answer 3: ignored"])
  t.deepEqual(machine.request("Add", "b"), ["answer 4: already present"])
  t.is(machine.drawn, "a running, b stopped")
})

test("an added child that ignored its start keeps its place when a later start fails", (t) => {
  const machine = rehearsed({}, [])
  machine.request("Add", "a")
  machine.ignored("a")
  machine.request("Restart", "a")
  t.deepEqual(machine.crashed("a"), ["answer 2: start failed: boom"])
  t.is(machine.drawn, "a stopped")
})

test("a child that is terminated while it is added was never there", (t) => {
  const machine = rehearsed({}, [])
  machine.request("Add", "a")
  t.deepEqual(machine.request("Terminate", "a"), [
    "answer 1: start failed: it was terminated before it had started",
    "stop a"
  ])
  t.deepEqual(machine.ended("a"), ["answer 2: done", "remove a"])
})

test("a replacement starts in the place of the old child once that has stopped", (t) => {
  const machine = rehearsed({}, ["a", "b"])
  t.deepEqual(machine.request("Replace", "a"), ["stop a"])
  t.deepEqual(machine.ended("a"), ["redeclare a", "start a"])
  t.deepEqual(machine.started("a"), ["answer 1: running"])
  t.is(machine.drawn, "a running, b running")
})

test("a replacement does not wait for the old child to start", (t) => {
  const machine = rehearsed({}, ["a"])
  machine.crashed("a")
  t.deepEqual(machine.request("Replace", "a"), ["stop a"])
  t.deepEqual(machine.ended("a"), ["redeclare a", "start a"])
})

test("a replacement that does not start leaves the new declaration, stopped", (t) => {
  const machine = rehearsed({}, ["a"])
  machine.request("Replace", "a")
  machine.ended("a")
  t.deepEqual(machine.crashed("a"), ["answer 1: start failed: boom"])
  t.is(machine.drawn, "a stopped")
})

test("of two replacements the later one starts", (t) => {
  const machine = rehearsed({}, ["a"])
  machine.request("Replace", "a")
  t.deepEqual(machine.request("Replace", "a", { restart: "transient" }), [
    "answer 1: start failed: it was replaced before it had started"
  ])
  machine.ended("a")
  t.deepEqual(machine.started("a"), ["answer 2: running"])
  t.deepEqual(machine.ended("a"), [], "it is transient")
})

test("a replacement that is terminated before it starts holds the place, stopped", (t) => {
  const machine = rehearsed({}, ["a"])
  machine.request("Replace", "a")
  t.deepEqual(machine.request("Terminate", "a"), [
    "answer 1: start failed: it was terminated before it had started"
  ])
  t.deepEqual(machine.ended("a"), ["answer 2: done", "redeclare a"])
  t.is(machine.drawn, "a stopped")
})

test("a replacement is no restart of those who would restart along", (t) => {
  const machine = rehearsed({ strategy: "one-for-all" }, ["a", "b"])
  t.deepEqual(machine.request("Replace", "a"), ["stop a"])
  t.deepEqual(machine.ended("a"), ["redeclare a", "start a"])
  t.deepEqual(machine.started("a"), ["answer 1: running"])
})

test("only a child that is there can be replaced", (t) => {
  t.deepEqual(rehearsed({}, []).request("Replace", "a"), ["answer 1: not found"])
})

test("a request waits while a group restarts", (t) => {
  const machine = rehearsed({ strategy: "one-for-all" }, ["a", "b"])
  machine.crashed("a")
  t.deepEqual(machine.request("Terminate", "b"), [])
  t.deepEqual(machine.ended("b"), ["start a"])
  machine.started("a")
  t.deepEqual(machine.started("b"), ["stop b"])
  t.deepEqual(machine.ended("b"), ["answer 1: done"])
})

test("where children build on each other requests are served one at a time", (t) => {
  const machine = rehearsed({ strategy: "rest-for-one" }, ["a", "b"])
  machine.request("Terminate", "b")
  t.deepEqual(machine.request("Add", "c"), [])
  t.deepEqual(machine.ended("b"), ["answer 1: done", "start c"])
})

test("a request that came first gets through before a failed start is tried again", (t) => {
  const machine = rehearsed({ strategy: "rest-for-one" }, ["a", "b"])
  machine.crashed("a")
  machine.ended("b")
  machine.request("Terminate", "a")
  t.deepEqual(machine.crashed("a"), ["answer 1: done", "start b"], "b comes back without a")
  machine.started("b")
  t.is(machine.drawn, "a stopped, b running")
})

test("whoever is replaced before its failed start is tried again starts at once, with those after it", (t) => {
  const machine = rehearsed({ strategy: "rest-for-one" }, ["a", "b"])
  machine.crashed("a")
  machine.ended("b")
  machine.request("Replace", "a")
  t.deepEqual(machine.crashed("a"), ["redeclare a", "start a"])
  t.deepEqual(machine.started("a"), ["answer 1: running", "start b"])
})
