/**
 * The chaos command: plays scenarios, and makes reports of them.
 *
 *   npm run chaos -- list
 *   npm run chaos -- run leader-power-loss --seed 7        in the simulator
 *   npm run chaos -- run all --seeds 100                   each with a hundred seeds
 *   npm run chaos -- run minority-partition --world qemu   on virtual machines
 *   npm run chaos -- replay work/chaos/latest
 *   npm run chaos -- shrink work/chaos/latest
 *   npm run chaos -- soak --for 2h
 *
 * What it exits with says chaos/harness/outcomes.ts.
 */
import { availableParallelism } from "node:os"
import { Args, Command, Options, ValidationError } from "@effect/cli"
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Cause, Data, Effect, Exit, Option, Random, Schema } from "effect"
import { version } from "#supervisors/trees/node.ts"
import { whyImpossible } from "./faults/schedule.ts"
import { countText, exitCode, interruptedExit, usageExit } from "./harness/outcomes.ts"
import { type NotThere, orderOf, replay, scenarioNamed } from "./harness/replay.ts"
import { thisMachine } from "./harness/report/machine.ts"
import { type ReportUnwritable, readReport, reportsRoot } from "./harness/report/report-folder.ts"
import { Result } from "./harness/report/result.ts"
import type { Outcome } from "./harness/run.ts"
import { terminal } from "./harness/screen.ts"
import {
  type Lab,
  type Order,
  type Played,
  playReported,
  reportShortened,
  type Session,
  sayPlayed,
  shortened
} from "./harness/session.ts"
import { soak } from "./harness/soak.ts"
import { WorldKind } from "./lab/world.ts"
import type { Scenario } from "./scenarios/scenario.ts"

class Refused extends Data.TaggedError("Refused")<{ readonly message: string }> {}

// Options

const world = Options.choice("world", WorldKind.literals).pipe(
  Options.withDescription("where: simulated, processes on this machine, or virtual machines"),
  Options.withDefault("sim" as const)
)
const seed = Options.integer("seed").pipe(
  Options.withSchema(Schema.Int.pipe(Schema.nonNegative())),
  Options.withDescription("what is drawn comes from it; by default another one each time"),
  Options.optional
)
const nodes = Options.integer("nodes").pipe(
  Options.withSchema(Schema.Int.pipe(Schema.between(1, 9))),
  Options.withDescription("instead of the scenario's own number"),
  Options.optional
)
const seeds = Options.integer("seeds").pipe(
  Options.withSchema(Schema.Int.pipe(Schema.between(1, 1_000_000))),
  Options.withDescription(
    "so many runs of each, with seeds from --seed on; only what fails keeps its report"
  ),
  Options.withDefault(1)
)
const jobs = Options.integer("jobs").pipe(
  Options.withSchema(Schema.Int.pipe(Schema.between(1, 64))),
  Options.withDescription("how many simulations at once; by default as many as there are processors"),
  Options.optional
)
/** Elsewhere one run has the machine for itself. */
const jobsIn = (kind: WorldKind, asked: Option.Option<number>): number =>
  kind === "sim" ? Option.getOrElse(asked, availableParallelism) : 1

const json = Options.boolean("json").pipe(
  Options.withDescription("print nothing but the result of each run, a line each")
)

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
const DurationText = Schema.String.pipe(
  Schema.pattern(/^\d+(\.\d+)?(ms|s|m|h)$/, { message: () => "write a duration as 500ms, 60s, 10m or 2h" })
)
const durationMillis = (text: string): number => {
  const [, number = "0", unit = "s"] = /^([\d.]+)(\D+)$/.exec(text) ?? []
  return Number(number) * (units[unit] ?? 1000)
}
const duration = (name: string, what: string) =>
  Options.text(name).pipe(
    Options.withSchema(DurationText),
    Options.map(durationMillis),
    Options.withPseudoName("duration"),
    Options.withDescription(what)
  )

const forTime = duration("for", "the faults again and again for so long, as 60s; once by default").pipe(
  Options.optional
)
const shrinkFor = duration("shrink-for", "how long to look for the shortest schedule that fails")
const report = Args.text({ name: "report" }).pipe(
  Args.withDescription(`a folder in ${reportsRoot}, such as ${reportsRoot}/latest`)
)

const shrinkRunsMax = 1000
const drawnSeed = Random.nextIntBetween(1, 1_000_000)

// Commands

const sessionFor = (lab: Lab, isJson: boolean): Session => ({
  lab,
  screen: terminal(isJson),
  machine: thisMachine(),
  root: reportsRoot
})

const exitWith = (outcomes: Iterable<Outcome>) =>
  Effect.sync(() => {
    process.exitCode = exitCode(outcomes)
  })

const print = (line: string): void => void process.stdout.write(`${line}\n`)

const ResultLine = Schema.parseJson(Result)
const printResult = (result: Result): void => print(Schema.encodeSync(ResultLine)(result))

const list = (lab: Lab) =>
  Command.make("list", {}, () =>
    Effect.sync(() => {
      for (const { faults, name, says } of lab.scenarios) {
        const kinds = WorldKind.literals.filter(
          (kind) => whyImpossible(faults, lab.cannot[kind]) === undefined
        )
        print(`${name} (${kinds.join(", ")})\n    ${says}`)
      }
    })
  ).pipe(Command.withDescription("all scenarios, with the worlds that can play them"))

const chosen = (lab: Lab, names: ReadonlyArray<string>) =>
  names.includes("all")
    ? Effect.succeed(lab.scenarios)
    : Effect.forEach(names, (name) => scenarioNamed(lab, name))

const run = (lab: Lab) => {
  const scenarios = Args.text({ name: "scenario" }).pipe(
    Args.withDescription("as `list` names it; several, or all"),
    Args.atLeast(1)
  )
  const options = {
    scenarios,
    world,
    seed,
    nodes,
    forTime,
    seeds,
    json,
    jobs,
    shrinkFor: shrinkFor.pipe(Options.withDefault(60_000))
  }
  return Command.make("run", options, (asked) =>
    Effect.gen(function* () {
      const found = yield* chosen(lab, asked.scenarios)
      const first = Option.getOrUndefined(asked.seed) ?? (yield* drawnSeed)
      const orders = found.flatMap((scenario) =>
        Array.from(
          { length: asked.seeds },
          (_, index): Order => ({
            scenario,
            world: asked.world,
            seed: first + index,
            nodes: Option.getOrUndefined(asked.nodes),
            forMillis: Option.getOrUndefined(asked.forTime),
            playBack: undefined,
            from: undefined
          })
        )
      )
      const session = sessionFor(lab, asked.json)
      const { json, shrinkFor: shrinkMillis } = asked
      const jobs = jobsIn(asked.world, asked.jobs)
      yield* exitWith(yield* playAll(session, orders, { isJson: json, jobs, shrinkMillis }))
    })
  ).pipe(Command.withDescription("play scenarios, and make a report of each"))
}

/** Alone each is watched; of many, only what did not pass is worth a place. */
const playAll = (
  session: Session,
  asked: ReadonlyArray<Order>,
  { isJson, jobs, shrinkMillis }: PlayOptions
): Effect.Effect<ReadonlyArray<Outcome>, ReportUnwritable> =>
  Effect.gen(function* () {
    const { screen } = session
    const orders = worthPlaying(session.lab, asked)
    const isOne = orders.length === 1
    const each: Session = isOne ? session : { ...session, screen: screen.muted }
    const outcomes: Array<Outcome> = []
    const left = new Map<Scenario, number>()
    for (const { scenario } of orders) left.set(scenario, (left.get(scenario) ?? 0) + 1)
    let failed: { readonly order: Order; readonly played: Played } | undefined
    const playOne = (order: Order) =>
      Effect.gen(function* () {
        // What this machine lacks it lacks for all of them.
        if (outcomes.includes("blocked")) return
        const { scenario, world } = order
        const played = yield* playReported(each, order, ({ outcome }) => isOne || outcome === "failed")
        const { outcome } = played.run
        outcomes.push(outcome)
        if (outcome === "failed") failed ??= { order, played }
        if (isJson) printResult(played.result)
        if (isOne || outcome !== "passed") sayPlayed(session, played)
        if (isOne) return
        const others = (left.get(scenario) ?? 1) - 1
        left.set(scenario, others)
        if (others === 0 && outcome !== "skipped")
          screen.say(`${scenario.name} in ${world} is done; so far ${countText(outcomes)}`)
        screen.passing(`${outcomes.length} of ${orders.length} are played: ${countText(outcomes)}`)
      })
    yield* Effect.forEach(orders, playOne, { concurrency: jobs, discard: true })
    screen.end()
    if (failed !== undefined && failed.order.world === "sim" && shrinkMillis > 0)
      yield* shorten(session, failed.order, failed.played, shrinkMillis)
    return outcomes
  })

interface PlayOptions {
  readonly isJson: boolean
  readonly jobs: number
  readonly shrinkMillis: number
}

/** With another seed a world cannot do more. */
const worthPlaying = (lab: Lab, orders: ReadonlyArray<Order>): ReadonlyArray<Order> => {
  const skipped = new Set<Scenario>()
  return orders.filter(({ scenario, world }) => {
    if (whyImpossible(scenario.faults, lab.cannot[world]) === undefined) return true
    const isFirst = !skipped.has(scenario)
    skipped.add(scenario)
    return isFirst
  })
}

const shorten = (session: Session, order: Order, { folder, run }: Played, millisMax: number) =>
  Effect.gen(function* () {
    if (run.findings.every(({ verdict }) => verdict !== "failed")) return
    const budget = { runsMax: shrinkRunsMax, millisMax }
    const from = { ...order, from: folder }
    const shrunk = yield* shortened(session, from, run, budget)
    yield* reportShortened(session, from, shrunk, run.actions.length)
  })

const replayAgain = (lab: Lab) =>
  Command.make("replay", { report, json }, ({ json, report }) =>
    Effect.gen(function* () {
      const session = sessionFor(lab, json)
      const recorded = yield* readReport(report)
      const { comparison, played } = yield* replay(session, recorded)
      sayPlayed(session, played)
      session.screen.say(`  ${comparison}`)
      if (json) printResult(played.result)
      yield* exitWith([played.run.outcome])
    })
  ).pipe(Command.withDescription("play the run of a report again"))

const shrink = (lab: Lab) =>
  Command.make(
    "shrink",
    { report, json, within: shrinkFor.pipe(Options.withDefault(600_000)) },
    ({ json, report, within }) =>
      Effect.gen(function* () {
        const session = sessionFor(lab, json)
        const recorded = yield* readReport(report)
        const order = yield* orderOf(lab, recorded)
        if (order.world !== "sim")
          return yield* new Refused({
            message: `${report} was played in the world ${order.world}, where the same schedule need not fail again; replay its scenario in the simulator, and shrink that`
          })
        if (recorded.findings.every(({ verdict }) => verdict !== "failed"))
          return yield* new Refused({
            message: `no check failed in ${report}, so there is nothing to look for; name a report that failed`
          })
        const shrunk = yield* shortened(session, order, recorded, {
          runsMax: shrinkRunsMax,
          millisMax: within
        })
        const played = yield* reportShortened(session, order, shrunk, recorded.actions.length)
        if (json && played !== undefined) printResult(played.result)
        yield* exitWith([played === undefined ? "failed" : "passed"])
      })
  ).pipe(Command.withDescription("find the shortest schedule that still fails, in the simulator"))

const soakFor = (lab: Lab) => {
  const time = duration("for", "how long in all, as 2h")
  const shrinkMillis = shrinkFor.pipe(Options.withDefault(60_000))
  const options = { time, world, seed, nodes, jobs, json, shrinkMillis }
  return Command.make("soak", options, (asked) =>
    Effect.gen(function* () {
      const firstSeed = Option.getOrUndefined(asked.seed) ?? (yield* drawnSeed)
      const { outcomes, result } = yield* soak(sessionFor(lab, asked.json), {
        scenarios: lab.scenarios,
        world: asked.world,
        firstSeed,
        forMillis: asked.time,
        nodes: Option.getOrUndefined(asked.nodes),
        jobs: jobsIn(asked.world, asked.jobs),
        shrinking: { runsMax: shrinkRunsMax, millisMax: asked.shrinkMillis }
      })
      if (asked.json) printResult(result)
      yield* exitWith(outcomes)
    })
  ).pipe(Command.withDescription("all scenarios with one seed after the other, until the time is over"))
}

// The process

const complain = (message: string, code: number) =>
  Effect.sync(() => {
    process.stderr.write(`chaos: ${message}\n`)
    process.exitCode = code
  })

export const runChaos = (lab: Lab): void => {
  const chaos = Command.make("chaos").pipe(
    Command.withDescription("play scenarios against a cluster, and judge what comes of it"),
    Command.withSubcommands([list(lab), run(lab), replayAgain(lab), shrink(lab), soakFor(lab)])
  )
  const main = Command.run(chaos, { name: "chaos", version })
  // Whoever read our output is gone (`npm run chaos -- list | head`): stop in order instead of crashing on it.
  process.stdout.on("error", () => process.kill(process.pid, "SIGINT"))
  const program = main(process.argv).pipe(
    Effect.catchIf(ValidationError.isValidationError, () =>
      complain("what is said above is not understood; see npm run chaos -- --help", usageExit)
    ),
    Effect.catchTags({
      NotThere: ({ message }: NotThere) => complain(message, usageExit),
      Refused: ({ message }: Refused) => complain(message, usageExit),
      ReportUnreadable: ({ message }) => complain(message, usageExit),
      ReportUnwritable: ({ message }) => complain(message, 3)
    }),
    Effect.tapDefect((cause) => complain(Cause.pretty(cause), 1)),
    Effect.provide(NodeContext.layer)
  )
  NodeRuntime.runMain(program, {
    disableErrorReporting: true,
    teardown: (exit, onExit) => {
      if (Exit.isSuccess(exit)) onExit(Number(process.exitCode ?? 0))
      else onExit(Cause.isInterruptedOnly(exit.cause) ? interruptedExit : 1)
    }
  })
}
