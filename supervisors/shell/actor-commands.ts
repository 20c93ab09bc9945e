/** Having something done to one actor: by its supervisor, by its node. */
import { Effect } from "effect"
import { LogLevel, ResumeActor, SetLogLevel, SuspendActor } from "#protocols/operations.ts"
import { InjectCrash } from "#protocols/runtime.ts"
import { RestartChild, TerminateChild } from "#protocols/supervision.ts"
import { introspectionOf, nameOf, parentOf } from "./cloud.ts"
import { type Command, CommandRefused, reasonOf, reasonOption, said } from "./command.ts"
import type { Given } from "./command-spec.ts"
import { spanOf } from "./table.ts"

/** The node overwrites it with whom it has authenticated. */
export const by = "the shell"

const path = [{ name: "path", kind: "path" }] as const

const supervisorOf = (given: Given): Effect.Effect<string, CommandRefused> => {
  const above = parentOf(given.text("path"))
  return above === ""
    ? Effect.fail(
        new CommandRefused({
          reason: `${given.text("path")} is a whole node, which no supervisor of the cluster starts: use the init system of its machine, or drain`
        })
      )
    : Effect.succeed(above)
}

/** Stopping in order has no bound of its own: it is the sum of the deadlines below. */
const stopPatience = "1 minute"

const stop: Command = {
  name: "stop",
  about: "stops an actor and all below it, in order; it stays down until it is started",
  parameters: path,
  examples: ["stop /node01/shop --yes"],
  danger: (given) =>
    `${given.text("path")} and all below it stop, by their deadlines at the latest, and stay down until somebody starts them`,
  run: (given, { cloud, show }) =>
    Effect.gen(function* () {
      const above = yield* supervisorOf(given)
      yield* cloud.ask(above, new TerminateChild({ name: nameOf(given.text("path")) }), stopPatience)
      yield* show(said({ stopped: given.text("path") }, `${given.text("path")} is stopped`))
    })
}

const start: Command = {
  name: "start",
  about: "starts an actor that was stopped",
  parameters: path,
  examples: ["start /node01/shop"],
  run: (given, { cloud, show }) =>
    Effect.gen(function* () {
      const above = yield* supervisorOf(given)
      const runs = yield* cloud.ask(
        above,
        new RestartChild({ name: nameOf(given.text("path")) }),
        stopPatience
      )
      const how = runs ? "runs" : "has chosen not to run"
      yield* show(said({ started: given.text("path"), runs }, `${given.text("path")} ${how}`))
    })
}

const restart: Command = {
  name: "restart",
  about: "stops an actor and all below it in order, and starts it again",
  parameters: path,
  examples: ["restart /node01/shop --yes"],
  danger: (given) =>
    `${given.text("path")} and all below it stop in order and start anew; what they had in memory is gone`,
  run: (given, { cloud, show }) =>
    Effect.gen(function* () {
      const above = yield* supervisorOf(given)
      const name = nameOf(given.text("path"))
      yield* cloud.ask(above, new TerminateChild({ name }), stopPatience)
      const runs = yield* cloud.ask(above, new RestartChild({ name }), stopPatience)
      const how = runs ? "runs again" : "has chosen not to run"
      yield* show(said({ restarted: given.text("path"), runs }, `${given.text("path")} ${how}`))
    })
}

const suspend: Command = {
  name: "suspend",
  about: "has the mailbox of an actor wait, until it is resumed or the time is over",
  parameters: path,
  options: { for: { kind: "duration", about: "at most; 1m unless said" }, ...reasonOption },
  examples: ["suspend /node01/shop/store --for 30s --yes"],
  danger: (given) =>
    `${given.text("path")} handles nothing for ${spanOf(given.millis("for") ?? 60_000)}, or until it is resumed: whoever asks it waits, and gives up by its deadline`,
  run: (given, { cloud, show }) =>
    Effect.gen(function* () {
      const actor = given.text("path")
      const forMillis = given.millis("for")
      const answer = yield* cloud.askAbout(
        actor,
        new SuspendActor({
          path: actor,
          by,
          reason: reasonOf(given),
          ...(forMillis !== undefined && { forMillis })
        })
      )
      const line = `${actor} is suspended, for ${spanOf(answer.forMillis)} at most`
      yield* show(said({ suspended: actor, ...answer }, line))
    })
}

const resume: Command = {
  name: "resume",
  about: "has a suspended actor go on",
  parameters: path,
  options: reasonOption,
  examples: ["resume /node01/shop/store"],
  run: (given, { cloud, show }) =>
    Effect.gen(function* () {
      const actor = given.text("path")
      const was = yield* cloud.askAbout(actor, new ResumeActor({ path: actor, by, reason: reasonOf(given) }))
      yield* show(said({ resumed: actor, was }, was ? `${actor} goes on` : `${actor} was not suspended`))
    })
}

const kill: Command = {
  name: "kill",
  about: "crashes an actor, as a defect in its handler would, for a drill",
  parameters: path,
  options: reasonOption,
  examples: ["kill /node01/shop/store --yes", "kill /node01/chainfire/member --reason 'a drill' --yes"],
  danger: (given) =>
    `${given.text("path")} crashes now: what it has in memory and in its mailbox is gone, and its supervisor decides what follows`,
  run: (given, { cloud, show }) =>
    Effect.gen(function* () {
      const actor = given.text("path")
      const ran = yield* cloud.askAbout(actor, new InjectCrash({ path: actor, by, reason: reasonOf(given) }))
      const line = ran ? `${actor} has crashed; why ${actor} shows what followed` : `${actor} was not running`
      yield* show(said({ crashed: actor, ran }, line))
    })
}

const log: Command = {
  name: "log",
  about: "what the nodes log from now on, until they start anew",
  parameters: [{ name: "level", kind: { oneOf: LogLevel.literals } }],
  options: { node: { kind: "node", about: "of one node alone" }, ...reasonOption },
  examples: ["log debug --node node01", "log info"],
  run: (given, { cloud, show }) =>
    Effect.gen(function* () {
      const level = LogLevel.literals.find((one) => one === given.text("level")) ?? "info"
      const only = given.option("node")
      for (const node of only === undefined ? yield* cloud.nodes : [only]) {
        const { before } = yield* cloud.ask(
          introspectionOf(node),
          new SetLogLevel({ level, by, reason: reasonOf(given) })
        )
        yield* show(said({ node, before, level }, `${node} logs from ${level} on, before from ${before}`))
      }
    })
}

export const actorCommands: ReadonlyArray<Command> = [restart, stop, start, suspend, resume, kill, log]
