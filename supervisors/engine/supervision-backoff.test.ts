import test from "ava"
import { rehearsed } from "#chaos/harness/rehearsal.ts"

const backoff = { backoff: "some" }

test("a child with backoff waits for its delay before it is started again", (t) => {
  const machine = rehearsed({}, [["a", backoff]])
  t.deepEqual(machine.crashed("a"), ["delay a"])
  t.is(machine.drawn, "a waiting")
  t.deepEqual(machine.elapsed("a"), ["start a"])
  t.deepEqual(machine.crashed("a"), ["delay a"], "a start that fails waits too")
})

test("a delay counts for the end that it came from, and for no other", (t) => {
  const machine = rehearsed({}, [["a", backoff]])
  machine.crashed("a")
  const { starts } = machine
  machine.request("Terminate", "a")
  machine.request("Restart", "a")
  machine.started("a")
  machine.crashed("a")
  t.deepEqual(machine.take({ _tag: "DelayElapsed", name: "a", starts }), [])
  t.deepEqual(machine.elapsed("a"), ["start a"])
})

test("a backoff without a next delay is the supervisor's end", (t) => {
  const machine = rehearsed({}, [["a", backoff]])
  machine.crashed("a")
  t.deepEqual(machine.exhausted("a"), ["give up, a: boom, backoff"])
})

test("a backoff whose child was terminated meanwhile ends nothing", (t) => {
  const machine = rehearsed({}, [["a", backoff]])
  machine.crashed("a")
  machine.request("Terminate", "a")
  t.deepEqual(machine.exhausted("a"), [])
})

test("a group goes down at once, and comes back after the delay of whoever crashed", (t) => {
  const machine = rehearsed({ strategy: "one-for-all" }, ["a", ["b", backoff], "c"])
  t.deepEqual(machine.crashed("b"), ["stop c"])
  machine.ended("c")
  t.deepEqual(machine.ended("a"), ["delay b"])
  t.is(machine.drawn, "a stopped, b waiting, c stopped")
  t.deepEqual(machine.elapsed("b"), ["start a"])
})

test("during a group's delay requests are served", (t) => {
  const machine = rehearsed({ strategy: "rest-for-one" }, ["a", ["b", backoff], "c"])
  machine.crashed("b")
  machine.ended("c")
  t.deepEqual(machine.request("Restart", "c"), ["start c"])
  machine.started("c")
  t.deepEqual(machine.elapsed("b"), ["stop c"], "it started before what it builds on")
  t.deepEqual(machine.ended("c"), ["start b"])
})

test("whoever is terminated during its delay keeps nobody else down", (t) => {
  const machine = rehearsed({ strategy: "one-for-all" }, ["a", ["b", backoff], "c"])
  machine.crashed("b")
  machine.ended("c")
  machine.ended("a")
  t.deepEqual(machine.request("Terminate", "b"), ["answer 1: done", "start a"])
  t.deepEqual(machine.started("a"), ["start c"])
  machine.started("c")
  t.deepEqual(machine.elapsed("b"), [])
  t.is(machine.drawn, "a running, b stopped, c running")
})

test("whoever is replaced during its delay starts at once, with its group", (t) => {
  const machine = rehearsed({ strategy: "rest-for-one" }, [["a", backoff], "b"])
  machine.crashed("a")
  machine.ended("b")
  t.deepEqual(machine.request("Replace", "a"), ["redeclare a", "start a"])
  t.deepEqual(machine.started("a"), ["answer 1: running", "start b"])
})

test("whoever waits keeps down those after it, though another restart would start them", (t) => {
  const machine = rehearsed({ strategy: "rest-for-one" }, [["a", backoff], ["b", backoff], "c"])
  machine.crashed("a")
  machine.ended("c")
  machine.ended("b")
  machine.request("Restart", "b")
  machine.started("b")
  machine.crashed("b")
  t.is(machine.drawn, "a waiting, b waiting, c stopped")
  t.deepEqual(machine.request("Terminate", "a"), ["answer 2: done"])
  t.deepEqual(machine.elapsed("b"), ["start b"])
  t.deepEqual(machine.started("b"), ["start c"])
})

/** b was replaced during its delay, and now waits for a, which has not started and waits itself. */
const heldUp = () => {
  const machine = rehearsed({ strategy: "one-for-all" }, [
    ["a", backoff],
    ["b", backoff]
  ])
  machine.crashed("b")
  machine.ended("a")
  machine.request("Replace", "b")
  machine.crashed("a")
  return machine
}

test("a replacement that waits for its group is answered when it starts", (t) => {
  const machine = heldUp()
  t.is(machine.drawn, "a waiting, b stopped")
  t.deepEqual(machine.elapsed("a"), ["start a"])
  t.deepEqual(machine.started("a"), ["start b"])
  t.deepEqual(machine.started("b"), ["answer 1: running"])
})

test("a replacement that waits for its group is answered when another request comes first", (t) => {
  const answer = "answer 1: start failed: it was"
  t.deepEqual(heldUp().request("Restart", "b"), [`${answer} restarted before it had started`, "start b"])
  t.deepEqual(heldUp().request("Terminate", "b"), [
    `${answer} terminated before it had started`,
    "answer 2: done"
  ])
  t.deepEqual(heldUp().request("Delete", "b"), [
    ...[`${answer} deleted before it had started`, "remove b", "answer 2: done"]
  ])
})

test("a crash further up takes over from a delay", (t) => {
  const machine = rehearsed({ strategy: "rest-for-one" }, ["a", ["b", backoff], "c"])
  machine.crashed("b")
  machine.ended("c")
  t.deepEqual(machine.crashed("a"), ["start a"])
  machine.started("a")
  machine.started("b")
  machine.started("c")
  t.deepEqual(machine.elapsed("b"), [])
})
