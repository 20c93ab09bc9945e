/** What keeps machines from acting, and has them act: breakers, the fleet breaker, failover. */
import { Effect } from "effect"
import {
  HoldBreaker,
  ReleaseBreaker,
  ResetBreaker,
  ResetFleetBreaker,
  TripBreaker,
  TripFleetBreaker
} from "#protocols/breakers.ts"
import {
  ForceHolder,
  HoldFailover,
  LiftForce,
  LiftVeto,
  ReleaseFailover,
  VetoHolder,
  YieldRole
} from "#protocols/failover.ts"
import { by } from "./actor-commands.ts"
import { type Cloud, nodeOf } from "./cloud.ts"
import { candidatesOf, coordinator } from "./cluster-commands.ts"
import { type Command, CommandRefused, reasonOf, reasonOption, said } from "./command.ts"
import type { Given } from "./command-spec.ts"

const which = [{ name: "breaker", kind: "breaker" }] as const
const fleet = /^(?:fleet|zone:(.+))$/

const order = (given: Given) => ({ by, reason: reasonOf(given) })

/** A circuit breaker by its path; `fleet` or `zone:NAME` is the fleet breaker of every node. */
const breakerCommand = (
  verb: "trip" | "reset" | "hold" | "release",
  about: string,
  request: typeof TripBreaker | typeof ResetBreaker | typeof HoldBreaker | typeof ReleaseBreaker,
  ofFleet: typeof TripFleetBreaker | typeof ResetFleetBreaker | undefined,
  danger: { readonly circuit: string; readonly fleet: string } | undefined
): Command => ({
  name: `breaker ${verb}`,
  about,
  parameters: which,
  options: reasonOption,
  examples:
    ofFleet === undefined
      ? [`breaker ${verb} /node01/shop/breaker${danger === undefined ? "" : " --yes"}`]
      : [`breaker ${verb} fleet --yes`, `breaker ${verb} zone:zone-a --reason 'works on the power' --yes`],
  ...(danger !== undefined && {
    danger: (given) => {
      const target = given.text("breaker")
      const scope = fleet.exec(target)
      if (scope === null) return `${target} ${danger.circuit}`
      return `${scope[1] === undefined ? "in the whole fleet" : `in ${scope[1]}`} ${danger.fleet}`
    }
  }),
  run: (given, { cloud, show }) =>
    Effect.gen(function* () {
      const target = given.text("breaker")
      const scope = fleet.exec(target)
      if (scope === null) {
        const status = yield* cloud.ask(target, new request(order(given)))
        return yield* show(said(status, `${target} is ${status.state}: ${status.reason}`))
      }
      if (ofFleet === undefined) {
        const reason = `the fleet breaker knows trip and reset only; breaker trip ${target} stays until breaker reset ${target}`
        return yield* new CommandRefused({ reason })
      }
      const zone = scope[1] ?? null
      for (const node of yield* cloud.nodes) {
        yield* cloud.ask(`/${node}/cluster/fleet-breaker`, new ofFleet({ zone, ...order(given) }))
        yield* show(said({ node, zone, done: verb }, `${node}: ${verb} of ${zone ?? "the fleet"} is done`))
      }
    })
})

const breakers = [
  breakerCommand(
    "trip",
    "opens a breaker, or stops automation in the fleet or a zone",
    TripBreaker,
    TripFleetBreaker,
    {
      circuit:
        "opens: callers are refused at once, and what it protects is not asked; after its wait it lets probes through and closes by itself if they succeed, unless it is held",
      fleet:
        "no machine acts by itself any more, on any node: no role is moved but by hand, until somebody resets it; health alone does not"
    }
  ),
  breakerCommand("reset", "closes a breaker, or lets automation go on", ResetBreaker, ResetFleetBreaker, {
    circuit: "closes and forgets what it has counted: what it protects gets all calls again",
    fleet: "machines act by themselves again, at once; who is dead now does not count again"
  }),
  breakerCommand("hold", "keeps a breaker in its state, whatever happens", HoldBreaker, undefined, {
    circuit: "stays as it is, closed or open, whatever happens, until somebody releases it",
    fleet: "the breaker stays as it is"
  }),
  breakerCommand("release", "lets a held breaker decide again", ReleaseBreaker, undefined, undefined)
]

const holder = [
  { name: "role", kind: "role" },
  { name: "node", kind: "node" }
] as const

type Send = (cloud: Cloud, path: string, given: Given) => Effect.Effect<unknown, { readonly message: string }>

const failoverCommand = (
  verb: string,
  about: string,
  parameters: Command["parameters"],
  example: string,
  danger: ((given: Given) => string) | undefined,
  send: Send
): Command => ({
  name: `failover ${verb}`,
  about,
  parameters,
  options: reasonOption,
  examples: [`failover ${verb}${example}${danger === undefined ? "" : " --yes"}`],
  ...(danger !== undefined && { danger }),
  run: (given, { cloud, show }) =>
    Effect.gen(function* () {
      const path = yield* coordinator(cloud)
      yield* send(cloud, path, given)
      const what = [verb, given.text("role"), given.text("node")].filter((word) => word !== "").join(" ")
      yield* show(said({ coordinator: path, done: what }, `${path} has taken it: ${what}`))
    })
})

const onHolder = (given: Given) => ({ role: given.text("role"), node: given.text("node"), ...order(given) })

/** Not to the coordinator, but to whoever campaigns for being it. */
const failoverYield: Command = {
  name: "failover yield",
  about: "has a node give up coordinating failover, so that another one does",
  parameters: [{ name: "node", kind: "node" }],
  options: reasonOption,
  examples: ["failover yield node02 --yes"],
  danger: (given) =>
    `${given.text("node")} gives coordinating failover up and does not campaign for it for 30 seconds; until another node has it nobody decides about roles`,
  run: (given, { cloud, show }) =>
    Effect.gen(function* () {
      const node = given.text("node")
      const found = (yield* candidatesOf(cloud)).find(({ path }) => nodeOf(path) === node)
      if (found === undefined) {
        const reason = `${node} does not campaign for coordinating failover; leaders shows who does`
        return yield* new CommandRefused({ reason })
      }
      const status = yield* cloud.ask(found.path, new YieldRole(order(given)))
      yield* show(said(status, `${node} gives up ${found.role}`))
    })
}

const failover = [
  failoverCommand(
    "hold",
    "moves no role by itself until it is released",
    [],
    "",
    () =>
      "no role moves by itself, also from a node that dies, until somebody releases failover; what was decided before is carried out",
    (cloud, path, given) => cloud.ask(path, new HoldFailover(order(given)))
  ),
  failoverCommand("release", "lets roles move again", [], "", undefined, (cloud, path, given) =>
    cloud.ask(path, new ReleaseFailover(order(given)))
  ),
  failoverCommand(
    "veto",
    "takes a role from a node and keeps it away",
    holder,
    " web node02",
    (given) =>
      `${given.text("node")} gives ${given.text("role")} up at once and does not get it again until the veto is lifted`,
    (cloud, path, given) => cloud.ask(path, new VetoHolder(onHolder(given)))
  ),
  failoverCommand("lift", "takes a veto back", holder, " web node02", undefined, (cloud, path, given) =>
    cloud.ask(path, new LiftVeto(onHolder(given)))
  ),
  failoverCommand(
    "force",
    "gives a role to a node whatever the policy says",
    holder,
    " web node03",
    (given) =>
      `${given.text("node")} gets ${given.text("role")} at once, whatever the policy and the fleet breaker say, and keeps it until it is gone or the force is lifted`,
    (cloud, path, given) => cloud.ask(path, new ForceHolder(onHolder(given)))
  ),
  failoverCommand(
    "unforce",
    "asks the policy again about a role that was forced",
    [{ name: "role", kind: "role" }],
    " web",
    undefined,
    (cloud, path, given) => cloud.ask(path, new LiftForce({ role: given.text("role"), ...order(given) }))
  ),
  failoverYield
]

export const guardCommands: ReadonlyArray<Command> = [...breakers, ...failover]
