/** What OTP documents of its supervisor, seen through the oracle. If a test fails, the oracle lies. */

import test from "ava"
import { ErlangFailed } from "./erlang-peer.ts"
import type {
  OracleAction,
  OracleChild,
  OracleEvent,
  OracleNode,
  OraclePath,
  OracleSupervisor,
  Scenario,
  Step,
  Trace
} from "./otp-oracle.ts"
import { otpAvailable, runOnOtp } from "./otp-oracle.ts"

const oracle = otpAvailable() ? test : test.skip

if (!otpAvailable()) {
  test("without Erlang there is nothing to compare with", (t) => {
    t.log("skipped: erl and erlc are not on the path")
    t.pass()
  })
}

// Restarts

oracle("children start in order, and their supervisor has started once they have", async (t) => {
  const [boot] = await play({ root: supervisor("one-for-one", [worker("a"), worker("b")]), actions: [] })
  t.deepEqual(seen(boot), ["start a #1 ok", "start b #1 ok", "start / #1 ok"])
  t.is(drawn(boot), "a b")
  t.is(boot?.rootEnding, null)
})

oracle("one-for-one starts only the crashed child again", async (t) => {
  const root = supervisor("one-for-one", [worker("a"), worker("b"), worker("c")])
  const [, crashed] = await play({ root, actions: [exit("b", "crash")] })
  t.deepEqual(seen(crashed), ["exit b crash", "start b #2 ok"])
  t.is(drawn(crashed), "a b c")
})

oracle("rest-for-one restarts what comes after the crashed child, and nothing before it", async (t) => {
  const root = supervisor("rest-for-one", [worker("a"), worker("b"), worker("c"), worker("d")])
  const [, crashed] = await play({ root, actions: [exit("b", "kill")] })
  t.deepEqual(seen(crashed), [
    ...["exit b killed", "stop d shutdown", "stop c shutdown"],
    ...["start b #2 ok", "start c #2 ok", "start d #2 ok"]
  ])
  t.is(drawn(crashed), "a b c d")
})

oracle("one-for-all starts again a transient child that had finished", async (t) => {
  const root = supervisor("one-for-all", [worker("a"), worker("b", { restart: "transient" })])
  const [, finished, crashed] = await play({ root, actions: [exit("b", "normal"), exit("a", "crash")] })
  t.deepEqual(seen(finished), ["exit b normal"])
  t.is(drawn(finished), "a (b)")
  t.deepEqual(seen(crashed), ["exit a crash", "start a #2 ok", "start b #2 ok"])
  t.is(drawn(crashed), "a b")
})

oracle("one-for-all starts again a child that was terminated by hand", async (t) => {
  const root = supervisor("one-for-all", [worker("a"), worker("b")])
  const [, , crashed] = await play({ root, actions: [on("terminate-child", "b"), exit("a", "crash")] })
  t.deepEqual(seen(crashed), ["exit a crash", "start a #2 ok", "start b #2 ok"])
})

oracle("a temporary child that falls with its siblings is forgotten", async (t) => {
  const root = supervisor("one-for-all", [worker("a"), worker("b", { restart: "temporary" }), worker("c")])
  const [, crashed] = await play({ root, actions: [exit("c", "crash")] })
  t.deepEqual(seen(crashed), [
    ...["exit c crash", "stop b shutdown", "stop a shutdown"],
    ...["start a #2 ok", "start c #2 ok"]
  ])
  t.is(drawn(crashed), "a c")
})

oracle("a transient child is restarted after a crash, not after normal or shutdown", async (t) => {
  const root = supervisor("one-for-one", [
    worker("crashes", { restart: "transient" }),
    worker("finishes", { restart: "transient" }),
    worker("shuts-down", { restart: "transient" })
  ])
  const actions = [exit("crashes", "crash"), exit("finishes", "normal"), exit("shuts-down", "shutdown")]
  const [, , , last] = await play({ root, actions })
  t.is(drawn(last), "crashes (finishes) (shuts-down)")
})

oracle("a permanent child is restarted even after a normal exit, and that counts as a restart", async (t) => {
  const root = supervisor("one-for-one", [worker("a")], { intensity: restarts(1) })
  const [, first, second] = await play({ root, actions: [exit("a", "normal"), exit("a", "shutdown")] })
  t.deepEqual(seen(first), ["exit a normal", "start a #2 ok"])
  t.deepEqual(seen(second), ["exit a shutdown", "exit / shutdown"])
  t.is(second?.rootEnding, "shutdown")
})

// Failing starts

oracle(
  "a start that fails at boot stops what had started, in reverse, and the root does not start",
  async (t) => {
    const root = supervisor("one-for-one", [worker("a"), worker("b"), worker("c", { initFailures: [1] })])
    const [boot] = await play({ root, actions: [] })
    t.deepEqual(seen(boot), [
      ...["start a #1 ok", "start b #1 ok", "start c #1 failed"],
      ...["stop b shutdown", "stop a shutdown", "start / #1 failed"]
    ])
    t.is(boot?.rootEnding, "{shutdown,{failed_to_start_child,c,planned}}")
  }
)

oracle("each failed start at a restart counts, and too many end the supervisor with shutdown", async (t) => {
  const root = supervisor("one-for-one", [worker("a"), worker("b", { initFailures: [2, 3] })], {
    intensity: restarts(2)
  })
  const [, crashed] = await play({ root, actions: [exit("b", "crash")] })
  t.deepEqual(seen(crashed), [
    ...["exit b crash", "start b #2 failed", "start b #3 failed"],
    ...["stop a shutdown", "exit / shutdown"]
  ])
  t.is(crashed?.rootEnding, "shutdown")
})

oracle("rest-for-one tries again from the child whose start failed", async (t) => {
  const root = supervisor("rest-for-one", [worker("a"), worker("b", { initFailures: [2] }), worker("c")])
  const [, crashed] = await play({ root, actions: [exit("a", "crash")] })
  t.deepEqual(seen(crashed), [
    ...["exit a crash", "stop c shutdown", "stop b shutdown", "start a #2 ok", "start b #2 failed"],
    ...["start b #3 ok", "start c #2 ok"]
  ])
})

oracle("one-for-all stops again what it had restarted before it tries a failed start again", async (t) => {
  const root = supervisor("one-for-all", [worker("a"), worker("b", { initFailures: [2] }), worker("c")])
  const [, crashed] = await play({ root, actions: [exit("c", "crash")] })
  t.deepEqual(seen(crashed), [
    ...["exit c crash", "stop b shutdown", "stop a shutdown", "start a #2 ok", "start b #2 failed"],
    ...["stop a shutdown", "start a #3 ok", "start b #3 ok", "start c #2 ok"]
  ])
})

oracle("a start that is ignored leaves the child undefined, and a temporary one forgotten", async (t) => {
  const root = supervisor("one-for-one", [
    worker("a", { ignoreStarts: [1] }),
    worker("b", { ignoreStarts: [1], restart: "temporary" }),
    worker("c")
  ])
  const [boot, restarted] = await play({ root, actions: [on("restart-child", "a")] })
  t.deepEqual(seen(boot)?.slice(0, 3), ["start a #1 ignored", "start b #1 ignored", "start c #1 ok"])
  t.is(drawn(boot), "(a) c")
  t.is(restarted?.answer, "ok")
  t.is(drawn(restarted), "a c")
})

// Supervisors below supervisors

oracle("a supervisor that gives up is started again by its own, with all its children", async (t) => {
  const root = supervisor("one-for-one", [
    child("s", supervisor("one-for-one", [worker("a"), worker("b")], { intensity: restarts(0) }))
  ])
  const [, crashed] = await play({ root, actions: [exit("s/a", "crash")] })
  t.deepEqual(seen(crashed), [
    ...["exit s/a crash", "stop s/b shutdown", "exit s shutdown"],
    ...["start s/a #2 ok", "start s/b #2 ok", "start s #2 ok"]
  ])
  t.is(drawn(crashed), "s[a b]")
})

oracle("a transient supervisor that gives up is not started again: it ended with shutdown", async (t) => {
  const inner = supervisor("one-for-one", [worker("a")], { intensity: restarts(0) })
  const root = supervisor("one-for-one", [child("s", inner, { restart: "transient" })])
  const [, crashed] = await play({ root, actions: [exit("s/a", "crash")] })
  t.deepEqual(seen(crashed), ["exit s/a crash", "exit s shutdown"])
  t.is(drawn(crashed), "(s)")
})

oracle("the orphans of a killed supervisor end with it, last started first", async (t) => {
  const root = supervisor("one-for-one", [child("s", supervisor("one-for-one", [worker("a"), worker("b")]))])
  const [, killed] = await play({ root, actions: [exit("s", "kill")] })
  t.deepEqual(seen(killed), [
    ...["exit s killed", "stop s/b killed", "stop s/a killed"],
    ...["start s/a #2 ok", "start s/b #2 ok", "start s #2 ok"]
  ])
})

oracle("a child with a brutal shutdown is killed in its turn", async (t) => {
  const root = supervisor("one-for-all", [worker("a"), worker("b", { shutdown: "brutal" }), worker("c")])
  const [, crashed] = await play({ root, actions: [exit("c", "crash")] })
  t.deepEqual(seen(crashed)?.slice(0, 3), ["exit c crash", "stop b killed", "stop a shutdown"])
})

// Automatic shutdown

oracle("the end of any significant child ends an any-significant supervisor", async (t) => {
  const root = supervisor("one-for-one", [worker("a"), significant("b"), significant("c")], {
    autoShutdown: "any-significant"
  })
  const [, crashed, finished] = await play({ root, actions: [exit("b", "crash"), exit("b", "normal")] })
  t.deepEqual(seen(crashed), ["exit b crash", "start b #2 ok"])
  t.deepEqual(seen(finished), ["exit b normal", "stop c shutdown", "stop a shutdown", "exit / shutdown"])
  t.is(finished?.rootEnding, "shutdown")
})

oracle("an all-significant supervisor ends with the last of them", async (t) => {
  const root = supervisor("one-for-one", [worker("a"), significant("b"), significant("c")], {
    autoShutdown: "all-significant"
  })
  const [, first, last] = await play({ root, actions: [exit("c", "normal"), exit("b", "normal")] })
  t.is(drawn(first), "a b (c)")
  t.deepEqual(seen(last), ["exit b normal", "stop a shutdown", "exit / shutdown"])
})

oracle("terminating a significant child by hand does not end its supervisor", async (t) => {
  const root = supervisor("one-for-one", [worker("a"), significant("b")], { autoShutdown: "any-significant" })
  const [, terminated] = await play({ root, actions: [on("terminate-child", "b")] })
  t.is(drawn(terminated), "a (b)")
})

oracle("significant children are refused where nothing shuts down by itself", async (t) => {
  const [boot] = await play({ root: supervisor("one-for-one", [significant("a")]), actions: [] })
  t.is(boot?.rootEnding, "{start_spec,{bad_combination,[{auto_shutdown,never},{significant,true}]}}")
})

// Management

oracle("terminate, restart and delete answer what the child's state allows", async (t) => {
  const actions = [
    ...[on("restart-child", "a"), on("delete-child", "a")],
    ...[on("terminate-child", "a"), on("terminate-child", "a"), on("restart-child", "a")],
    ...[on("terminate-child", "a"), on("delete-child", "a"), on("delete-child", "a")],
    ...[on("terminate-child", "a"), on("restart-child", "a")]
  ]
  const [, ...steps] = await play({ root: supervisor("one-for-one", [worker("a")]), actions })
  t.deepEqual(answers(steps), [
    ...["running", "running"],
    ...["ok", "ok", "ok"],
    ...["ok", "ok", "not_found"],
    ...["not_found", "not_found"]
  ])
})

oracle("a terminated temporary child is forgotten at once", async (t) => {
  const root = supervisor("one-for-one", [worker("a", { restart: "temporary" })])
  const [, ...steps] = await play({ root, actions: [on("terminate-child", "a"), on("restart-child", "a")] })
  t.deepEqual(answers(steps), ["ok", "not_found"])
  t.is(drawn(steps[0]), "")
})

oracle("start-child adds at the end, once, and forgets a child whose start failed", async (t) => {
  const actions = [
    ...[add("", worker("b")), add("", worker("b"))],
    ...[on("terminate-child", "b"), add("", worker("b"))],
    ...[add("", worker("c", { initFailures: [1] })), on("restart-child", "c"), add("", worker("c"))],
    add("", worker("d", { ignoreStarts: [1] }))
  ]
  const [, ...steps] = await play({ root: supervisor("one-for-one", [worker("a")]), actions })
  t.deepEqual(answers(steps), [
    ...["ok", "already_started"],
    ...["ok", "already_present"],
    ...["planned", "not_found", "ok"],
    "ignored"
  ])
  t.is(drawn(steps.at(-1)), "a (b) c (d)")
})

oracle("a restart by hand that fails is answered and does not count as a restart", async (t) => {
  const root = supervisor("one-for-one", [worker("a", { initFailures: [2] })], { intensity: restarts(0) })
  const [, , failed] = await play({ root, actions: [on("terminate-child", "a"), on("restart-child", "a")] })
  t.is(failed?.answer, "planned")
  t.is(drawn(failed), "(a)")
})

oracle("an action on nobody is answered noproc", async (t) => {
  const root = supervisor("one-for-one", [worker("a")])
  const actions = [on("terminate-child", "x/y"), add("a", worker("b")), exit("x", "crash"), exit("", "kill")]
  const [, ...steps] = await play({ root, actions: [...actions, on("terminate-child", "a")] })
  t.deepEqual(answers(steps), ["noproc", "noproc", "noproc", null, "noproc"])
  t.is(steps.at(-1)?.rootEnding, "killed")
})

// Dynamic supervisors

oracle("a dynamic supervisor starts with nothing, and restarts an instance by itself", async (t) => {
  const root = supervisor("dynamic", [worker("template")])
  const actions = [add("", worker("x")), add("", worker("y")), exit("x", "crash")]
  const [boot, , added, crashed] = await play({ root, actions })
  t.is(drawn(boot), "")
  t.is(drawn(added), "x y")
  t.deepEqual(seen(crashed), ["exit x crash", "start x #2 ok"])
  t.is(drawn(crashed), "x y")
})

oracle("a dynamic supervisor stops its instances, which have no order, last started first", async (t) => {
  const root = supervisor("dynamic", [worker("template")], { intensity: restarts(0) })
  const actions = [add("", worker("x")), add("", worker("y")), add("", worker("z")), exit("y", "crash")]
  const [, , , , crashed] = await play({ root, actions })
  t.deepEqual(seen(crashed), ["exit y crash", "stop z shutdown", "stop x shutdown", "exit / shutdown"])
})

oracle("a dynamic supervisor refuses to restart or delete, and terminates what has ended", async (t) => {
  const root = supervisor("dynamic", [worker("template", { restart: "temporary" })])
  const actions = [
    ...[add("", worker("x")), on("restart-child", "x"), on("delete-child", "x")],
    ...[on("terminate-child", "x"), on("terminate-child", "x"), on("terminate-child", "y")]
  ]
  const [, ...steps] = await play({ root, actions })
  t.deepEqual(answers(steps), [
    ...["ok", "simple_one_for_one", "simple_one_for_one"],
    ...["ok", "ok", "not_found"]
  ])
})

oracle("an instance may be a supervisor", async (t) => {
  const template = child("template", supervisor("one-for-one", [worker("a"), worker("b")]))
  const root = supervisor("dynamic", [template])
  const [, , added, stopped] = await play({
    root,
    actions: [add("", worker("x")), add("", worker("y")), exit("", "normal")]
  })
  t.is(drawn(added), "x[a b] y[a b]")
  t.deepEqual(seen(stopped), [
    ...["stop y/b shutdown", "stop y/a shutdown", "stop y shutdown"],
    ...["stop x/b shutdown", "stop x/a shutdown", "stop x shutdown", "exit / normal"]
  ])
})

oracle(
  "an ignored restart of an instance leaves a nameless entry that its supervisor cannot stop",
  async (t) => {
    const root = supervisor("dynamic", [worker("template")])
    const instance = worker("x", { ignoreStarts: [2] })
    const [, , ignored, ended] = await play({
      root,
      actions: [add("", instance), exit("x", "crash"), exit("", "shutdown")]
    })
    t.is(drawn(ignored), "(undefined)")
    t.is(ended?.rootEnding, "function_clause")
  }
)

// The oracle's own manners

oracle("names may contain anything", async (t) => {
  const name = 'a "b" \\ \n ü 😀'
  const [boot] = await play({ root: supervisor("one-for-one", [worker(name)]), actions: [] })
  t.deepEqual(boot?.tree, [{ name, state: "running" }])
})

oracle("the name of a running instance is taken, though OTP knows no names there", async (t) => {
  const root = supervisor("dynamic", [worker("template", { restart: "temporary" })])
  const actions = [add("", worker("x")), add("", worker("x")), exit("x", "crash"), add("", worker("x"))]
  const [, ...steps] = await play({ root, actions })
  t.deepEqual(answers(steps), ["ok", "already_started", null, "ok"])
})

oracle("a scenario that cannot be played is refused with its number", async (t) => {
  const root = supervisor("one-for-one", [])
  const scenarios = [
    { root, actions: [] },
    { root, actions: [on("terminate-child", "")] }
  ]
  const failed = await t.throwsAsync(runOnOtp(scenarios), { instanceOf: ErlangFailed })
  t.regex(failed?.message ?? "", /scenario,1,/)
})

// Fixtures

/** AVA starts the tests of a file together, so their scenarios are gathered for one Erlang node. */
const play = async (scenario: Scenario): Promise<Trace> => {
  gathered ??= gather()
  const { scenarios, traces } = gathered
  const index = scenarios.push(scenario) - 1
  return (await traces)[index] ?? []
}

let gathered:
  | { readonly scenarios: Array<Scenario>; readonly traces: ReturnType<typeof runOnOtp> }
  | undefined

const gather = () => {
  const scenarios: Array<Scenario> = []
  const traces = new Promise((resolve) => setImmediate(resolve)).then(() => {
    gathered = undefined
    return runOnOtp(scenarios)
  })
  return { scenarios, traces }
}

const restarts = (count: number) => ({ restarts: count, withinMillis: 1_000_000_000 })

const supervisor = (
  strategy: OracleSupervisor["strategy"],
  children: ReadonlyArray<OracleChild>,
  options: Partial<OracleSupervisor> = {}
): OracleSupervisor => ({ strategy, intensity: restarts(10), autoShutdown: "never", children, ...options })

const worker = (name: string, options: Partial<OracleChild> = {}): OracleChild => ({
  name,
  restart: "permanent",
  shutdown: 5_000,
  initFailures: [],
  ...options
})

const significant = (name: string) => worker(name, { restart: "transient", significant: true })

const child = (name: string, inner: OracleSupervisor, options: Partial<OracleChild> = {}) =>
  worker(name, { supervisor: inner, ...options })

type Exit = Extract<OracleAction, { readonly kind: "exit" }>
type Management = Exclude<OracleAction["kind"], "exit" | "start-child">

const exit = (path: string, reason: Exit["reason"]): OracleAction => ({
  kind: "exit",
  path: names(path),
  reason
})

const on = (kind: Management, path: string): OracleAction => ({ kind, path: names(path) })

const add = (path: string, added: OracleChild): OracleAction => ({
  kind: "start-child",
  path: names(path),
  child: added
})

const names = (path: string): OraclePath => path.split("/").filter((name) => name !== "")

const seen = (step: Step | undefined) => step?.events.map(sentence)

const sentence = (event: OracleEvent): string => {
  const where = event.path.join("/") || "/"
  return event.event === "start"
    ? `start ${where} #${event.attempt} ${event.outcome}`
    : `${event.event} ${where} ${event.reason}`
}

/** Names in order: in parentheses what does not run, in brackets what hangs below. */
const drawn = (step: Step | undefined) => drawnNodes(step?.tree ?? [])

const drawnNodes = (nodes: ReadonlyArray<OracleNode>): string =>
  nodes
    .map(({ children, name, state }) =>
      state === "undefined" ? `(${name})` : children ? `${name}[${drawnNodes(children)}]` : name
    )
    .join(" ")

const answers = (steps: ReadonlyArray<Step>) => steps.map(({ answer }) => answer)
