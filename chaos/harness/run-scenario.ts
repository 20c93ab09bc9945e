/**
 * Plays a scenario in a world and judges what came of it.
 *
 *   opening ──► faults ──► peace ──► recovery ──► clients end ──► truth is read ──► checks
 *
 * With peace everything that was begun has ended. Clients go on through the recovery, so that it shows in the
 * history when they are served again; when they have ended nodes are asked what they have.
 */
import { Cause, Clock, Effect, Exit, Fiber } from "effect"
import { type Check, type Evidence, Finding, type Struck } from "#chaos/checkers/evidence.ts"
import { type Action, describeAction } from "#chaos/faults/action.ts"
import { type Cannot, Player, type Timed, whyImpossible } from "#chaos/faults/schedule.ts"
import type { World, WorldFailed, WorldMaker } from "#chaos/lab/world.ts"
import type { Scenario } from "#chaos/scenarios/scenario.ts"
import { Prng } from "#chaos/sim/prng.ts"
import { readTruth } from "#chaos/workloads/truth.ts"
import type { Counts, Employed, Running } from "#chaos/workloads/workload.ts"
import { Observer, usualPace } from "./observer.ts"
import { outcomeOf } from "./outcomes.ts"
import type { Outcome, Progress, Run, RunOptions } from "./run.ts"

/** Until clients begin, after the cluster has answered for the first time; and from then until faults begin. */
const warmUpMillis = 500
/** For clients to notice that it is over. */
const farewellMillis = 30_000
const progressMillis = 200
/** For nodes that were down when the schedule ended. */
const startMillisMax = 60_000
/** Also the first time: whoever was struck last is seen to be down by then. */
const lookMillis = 500
/** For each check. */
const judgeMillisMax = 60_000

export const runScenario = (given: Scenario, maker: WorldMaker, options: RunOptions): Effect.Effect<Run> =>
  Effect.gen(function* () {
    const startedMillis = options.wallMillis()
    const scenario = options.nodes === undefined ? given : resized(given, options.nodes)
    const ended = (outcome: Outcome, more: Partial<Run> = {}): Run => ({
      scenario,
      world: maker.kind,
      options,
      outcome,
      reason: undefined,
      startedMillis,
      finishedMillis: options.wallMillis(),
      facts: {},
      actions: [],
      findings: [],
      evidence: undefined,
      ...more
    })
    const reason = whyImpossible(scenario.faults, cannotOf(maker))
    if (reason !== undefined) return ended("skipped", { reason })
    const exit = yield* Effect.exit(Effect.scoped(played(scenario, maker, options)))
    if (Exit.isSuccess(exit)) {
      const { actions, afterwards, evidence, facts } = exit.value
      options.onProgress({ ...nothingYet, phase: "checks", elapsedMillis: evidence.endedMillis })
      const checks = scenario.checks.filter(({ worlds }) => worlds?.includes(maker.kind) ?? true)
      const findings = [...judged(checks, evidence, options), ...afterwards]
      const { outcome, reason } = outcomeOf(findings)
      return ended(outcome, { actions, evidence, facts, findings, reason })
    }
    const fault = Cause.failureOption(exit.cause)
    if (fault._tag === "Some" && fault.value._tag === "WorldBlocked")
      return ended("blocked", { reason: fault.value.message })
    if (fault._tag === "Some") return ended("failed", { reason: fault.value.message })
    return yield* Effect.failCause(Cause.flatMap(exit.cause, Cause.die))
  })

/** What is asked of the group rather than done to a machine is the same in all worlds. */
export const cannotOf =
  ({ cannot }: Pick<WorldMaker, "cannot">): Cannot =>
  (action) =>
    action === "ReplaceNode" ? undefined : cannot(action)

/** Names of nodes in a scenario are those of the smallest cluster that it is meant for. */
const resized = (scenario: Scenario, nodes: number): Scenario => ({
  ...scenario,
  cluster: { ...scenario.cluster, nodes }
})

const judged = (
  checks: ReadonlyArray<Check>,
  evidence: Evidence,
  { nowMillis }: RunOptions
): ReadonlyArray<Finding> =>
  checks.map(({ judge, name }) => {
    try {
      return judge(evidence, { nowMillis, millisMax: judgeMillisMax })
    } catch (cause) {
      // A check that crashes has not passed, and the others still have something to say.
      const lines = [`the check itself ended with ${cause instanceof Error ? cause.stack : String(cause)}`]
      return new Finding({ check: name, verdict: "unknown", lines, operations: [] })
    }
  })

interface Played {
  readonly evidence: Evidence
  readonly actions: ReadonlyArray<Timed>
  readonly afterwards: ReadonlyArray<Finding>
  readonly facts: Readonly<Record<string, string>>
}

const nothingYet: Progress = {
  phase: "opening",
  elapsedMillis: 0,
  nodes: {},
  inForce: [],
  answered: 0,
  failed: 0,
  unknown: 0
}

const played = (scenario: Scenario, maker: WorldMaker, options: RunOptions) =>
  Effect.gen(function* () {
    const { cluster, faults, recoveryMillis } = scenario
    const { folder, onNote, onProgress, seed } = options
    onProgress(nothingYet)
    const world = yield* maker.open({ shape: cluster, seed, folder, note: onNote })
    const dice = new Prng(seed)
    const beganMillis = yield* Clock.currentTimeMillis
    const clock = yield* Effect.clock
    const nowMillis = () => clock.unsafeCurrentTimeMillis() - beganMillis
    const nodes = world.nodes.slice(0, cluster.nodes)
    let isOver = false
    const running = scenario.workload.map((workload) => ({
      workload: workload.name,
      ...workload.begin({ world, prng: dice.fork(), nowMillis, nodes, isOver: () => isOver })
    }))
    const observer = yield* Observer.make(
      world,
      scenario.pace ?? usualPace,
      () => total(running).acknowledged
    )
    const looking = yield* Effect.forkScoped(observer.look)
    const { slowness } = world
    yield* Effect.sleep(warmUpMillis * slowness)
    const lost: Array<string> = []
    const clients = yield* Effect.forkScoped(
      Effect.forEach(
        running,
        (one, at) =>
          employed(world, `workload-${at + 1}`, one).pipe(
            Effect.tap(() => {
              // What follows would be no test of anything.
              if (!isOver) lost.push(`${one.workload} ended by itself: it had written down all that it can`)
            }),
            Effect.catchAllCause((cause) =>
              Effect.sync(() => void lost.push(...Cause.prettyErrors(cause).map(({ message }) => message)))
            )
          ),
        { concurrency: "unbounded", discard: true }
      )
    )
    yield* Effect.sleep(warmUpMillis * slowness)

    const actions: Array<Timed> = []
    const timeline: Array<Struck> = []
    const unmet: Array<string> = []
    const player = yield* Player.make<WorldFailed>({
      nodes,
      prng: dice.fork(),
      slowness,
      view: observer.view,
      cannot: cannotOf(maker),
      problem: (what) => void unmet.push(what),
      act: (timed) =>
        Effect.suspend(() => {
          actions.push(timed)
          timeline.push(struckOf(timed, nowMillis()))
          onNote(describeAction(timed.action))
          const { action } = timed
          return action._tag === "ReplaceNode" ? observer.replace(action) : world.strike(action)
        })
    })
    let phase: Progress["phase"] = "faults"
    const report = Effect.sync(() =>
      onProgress({
        phase,
        elapsedMillis: nowMillis(),
        nodes: observer.nodes,
        inForce: player.inForce,
        ...total(running)
      })
    )
    const reporting = yield* Effect.forkScoped(Effect.forever(Effect.delay(report, progressMillis)))
    if (options.playBack !== undefined) yield* player.playBack(options.playBack)
    else if (options.forMillis === undefined) yield* player.play(faults)
    else {
      yield* Effect.timeoutOption(Effect.forever(player.play(faults)), options.forMillis)
      yield* player.play([])
    }

    phase = "recovery"
    // Bounds count from when whoever was down has begun to answer, however busy its machine is.
    yield* Effect.timeoutOption(
      Effect.repeat(Effect.sleep(lookMillis), { until: () => observer.down.length === 0 }),
      startMillisMax * slowness
    )
    const peaceMillis = nowMillis()
    yield* Effect.sleep(recoveryMillis * slowness)
    isOver = true
    const farewell = yield* Effect.timeoutOption(Fiber.await(clients), farewellMillis * slowness)
    const stuck = farewell._tag === "None" ? ["clients did not end when they were told that it is over"] : []
    yield* Fiber.interrupt(looking)
    const gathered = running.map((one) => one.gathered())
    const known = gathered.find(({ changes }) => changes !== undefined)?.changes
    const truth = yield* readTruth(world, observer.up, known)
    yield* Fiber.interrupt(reporting)
    const evidence: Evidence = {
      slowness,
      peaceMillis,
      endedMillis: nowMillis(),
      timeline,
      history: gathered.flatMap(({ history = [] }) => history),
      watches: gathered.flatMap(({ watches = [] }) => watches),
      problems: [
        ...unmet,
        ...stuck,
        ...lost,
        ...truth.problems,
        ...gathered.flatMap(({ problems = [] }) => problems)
      ],
      changes: truth.changes,
      holdings: gathered.flatMap(({ holdings = [] }) => holdings),
      sights: observer.sights,
      final: truth.final,
      complaints: world
        .complaints()
        .map((complaint) => ({ ...complaint, atMillis: complaint.atMillis - beganMillis }))
    }
    const afterwards = yield* world.afterwards ?? Effect.succeed([])
    return { evidence, actions, afterwards, facts: world.facts } satisfies Played
  })

const employed = ({ employ }: World, name: string, one: Employed) =>
  employ === undefined ? one.run : employ(name, one)

const total = (running: ReadonlyArray<Running>): Counts => {
  const sum = { answered: 0, failed: 0, unknown: 0, acknowledged: 0 }
  for (const { counts } of running) {
    const { acknowledged, answered, failed, unknown } = counts()
    sum.answered += answered
    sum.failed += failed
    sum.unknown += unknown
    sum.acknowledged += acknowledged
  }
  return sum
}

const struckOf = ({ action, ends, fault }: Timed, atMillis: number): Struck => ({
  atMillis,
  action,
  what: describeAction(action),
  fault,
  ends,
  nodes: nodesOf(action)
})

const nodesOf = (action: Action): ReadonlyArray<string> => {
  switch (action._tag) {
    case "Cut":
    case "Mend":
      return [...action.from, ...action.to]
    case "Network":
      return []
    case "ReplaceNode":
      return [action.node, action.by]
    default:
      return [action.node]
  }
}
