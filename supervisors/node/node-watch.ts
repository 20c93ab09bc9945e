/**
 * Looks at a node from the side: asks its components how they are, and keeps the answer for a second, so that whoever
 * looks often asks as much of it as whoever looks once.
 *
 * It stands beside the tree, so that there is an answer before the tree is there, and when it has ended. Nothing that
 * does not answer holds it up for longer than its patience.
 */
import { type Duration, Effect } from "effect"
import { ask, type Request, type Success } from "#actors/kernel/ask.ts"
import { runtimeMetrics } from "#actors/kernel/operations.ts"
import type { ActorSystem } from "#actors/kernel/system.ts"
import { type Address, address } from "#protocols/address.ts"
import { GetChainfire } from "#protocols/chainfire.ts"
import { GetChainfireMetrics } from "#protocols/chainfire-operations.ts"
import { GetLinks } from "#protocols/links.ts"
import { Members } from "#protocols/membership.ts"
import { type ActorSnapshot, NoSuchActor } from "#protocols/runtime.ts"
import { memberPath } from "../trees/chainfire.ts"
import { type Health, healthOf, type Known, type Phase, type Told } from "./health.ts"
import { type BuildLabels, nodeMetrics, type ProcessFigures } from "./node-metrics.ts"

const patience: Duration.DurationInput = "1 second"
const freshFor: Duration.DurationInput = "1 second"

export interface NodeWatch {
  phase: Phase
  /** Undefined before there is a tree. */
  system: ActorSystem<never> | undefined
  /** As it is now; from then on all others are told that, too. */
  readonly look: Effect.Effect<Health>
  /** As it was at most a second ago, but for what the node was told to do since then. */
  readonly health: Effect.Effect<Health>
  /** For Prometheus, at most a second old. */
  readonly metrics: Effect.Effect<string>
}

export const watchNode = (build: BuildLabels, figures: () => ProcessFigures): Effect.Effect<NodeWatch> =>
  Effect.gen(function* () {
    const { node } = build
    const looking = Effect.suspend(() => lookAt(node, watch))
    const [kept, forget] = yield* Effect.cachedInvalidateWithTTL(looking, freshFor)
    // That there is no tree is not kept: a moment later there is one, and it would count as one that is missing.
    const known = Effect.suspend(() => (watch.system === undefined ? looking : kept))
    const healthNow = (seen: Known) => healthOf({ ...seen, phase: watch.phase })
    const numbers = Effect.gen(function* () {
      const seen = yield* known
      const chainfire = yield* chainfireMetrics(node, watch, seen)
      const silent = chainfire === undefined ? ["chainfire"] : []
      const own = nodeMetrics({ known: seen, health: healthNow(seen), build, process: figures(), silent })
      return own + (watch.system === undefined ? "" : runtimeMetrics(watch.system)) + (chainfire ?? "")
    })
    const watch: NodeWatch = {
      phase: "starting",
      system: undefined,
      look: Effect.map(Effect.zipRight(forget, known), healthNow),
      health: Effect.map(known, healthNow),
      metrics: yield* Effect.cachedWithTTL(numbers, freshFor)
    }
    return watch
  })

type Seen = Pick<NodeWatch, "phase" | "system">

const absent = { silent: "it is not there yet" } as const

const lookAt = (node: string, { phase, system }: Seen): Effect.Effect<Known> =>
  Effect.gen(function* () {
    if (system === undefined)
      return { node, phase, tree: undefined, chainfire: absent, members: absent, links: absent }
    // Who does not run is not asked: it would be one more dead letter, each second.
    const here = system.snapshot()
    const of = <Asked extends Request>(path: string, asked: Asked, to: Address<Asked>) =>
      runs(here, path) ? told(system, to, asked) : Effect.succeed(absent)
    const member = memberPath(node)
    const membership = `/${node}/cluster/membership`
    const links = `/${node}/cluster/links`
    return yield* Effect.all(
      {
        node: Effect.succeed(node),
        phase: Effect.succeed(phase),
        tree: Effect.orElseSucceed(system.wholeTree(), () => undefined),
        chainfire: of(member, new GetChainfire(), address(member, GetChainfire)),
        members: of(membership, new Members(), address(membership, Members)),
        links: of(links, new GetLinks(), address(links, GetLinks))
      },
      { concurrency: "unbounded" }
    )
  })

const told = <Asked extends Request>(
  system: ActorSystem<never>,
  to: Address<Asked>,
  asked: Asked
): Effect.Effect<Told<Success<Asked>>> =>
  Effect.match(ask(system.at(to), asked, patience), {
    onSuccess: (answer) => answer,
    onFailure: (fault) => ({ silent: fault instanceof Error ? fault.message : String(fault) })
  })

const runs = (tree: ActorSnapshot | NoSuchActor | undefined, path: string): boolean => {
  if (tree === undefined || tree instanceof NoSuchActor) return false
  if (tree.path === path) return tree.status === "running"
  return runs(
    tree.children.find((child) => path === child.path || path.startsWith(`${child.path}/`)),
    path
  )
}

/** Undefined where its member does not answer. */
const chainfireMetrics = (
  node: string,
  { system }: Seen,
  { tree }: Known
): Effect.Effect<string | undefined> => {
  const path = `${memberPath(node)}/operations`
  if (system === undefined || !runs(tree, path)) return Effect.succeed(undefined)
  const asking = ask(system.at(address(path, GetChainfireMetrics)), new GetChainfireMetrics(), patience)
  return Effect.orElseSucceed(asking, () => undefined)
}
