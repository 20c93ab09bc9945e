/**
 * Supervision trees as plain values: declared from top to bottom, checked before anything starts, drawn.
 *
 * The type of a child collects what it needs, so that a node which forgets to provide a disk for one
 * actor, nine levels down, does not compile.
 */
import { Duration } from "effect"
import type { Actor } from "#actors/kernel/actor.ts"
import { type Tagged, toMillis } from "#actors/kernel/ask.ts"
import type { ChildSpec, DynamicSpec, SupervisorSpec } from "#actors/kernel/ports/supervision.ts"
import type { AutoShutdown, Strategy } from "./restart-policy.ts"

/** How a supervisor was declared, defaults filled in. */
export interface Tree {
  readonly name: string
  readonly strategy: Strategy
  readonly restarts: number
  readonly withinMillis: number
  readonly autoShutdown: AutoShutdown
  /** In start order; for a dynamic supervisor the template, alone. */
  readonly children: ReadonlyArray<ChildSpec<unknown>>
}

/** A supervisor knows how it was declared. */
export interface Declared {
  readonly tree: Tree
}

export type ChildOptions<Args> = Partial<Omit<ChildSpec, "actor" | "args">> &
  ([undefined] extends [Args] ? { readonly args?: Args } : { readonly args: Args })

export type ChildArguments<Args> = [undefined] extends [Args]
  ? [options?: ChildOptions<Args>]
  : [options: ChildOptions<Args>]

/** A child: permanent, stopped within 5 seconds (a supervisor: without limit), restarted at once, unless stated. */
export const child = <M extends Tagged, A, S>(
  actor: Actor<M, A, S>,
  ...[options]: ChildArguments<A>
): ChildSpec<S> => {
  const restart = options?.restart ?? "permanent"
  const significant = options?.significant ?? false
  const name = options?.name ?? actor.name
  if (significant && restart === "permanent") {
    throw new Error(
      `the child ${name} cannot be both significant and permanent, since a permanent child never ends for good; make it transient or temporary`
    )
  }
  const supervises = declaration(actor) !== undefined
  return {
    name,
    actor,
    args: options?.args,
    restart,
    significant,
    shutdown: options?.shutdown ?? (supervises ? Duration.infinity : "5 seconds"),
    startDeadline: options?.startDeadline ?? (supervises ? Duration.infinity : "30 seconds"),
    backoff: options?.backoff
  }
}

export const treeOf = (name: string, spec: SupervisorSpec<unknown>): Tree => {
  const { autoShutdown = "never", children, intensity, strategy } = spec
  const names = children.map((each) => each.name)
  const twice = names.find((each, index) => names.indexOf(each) !== index)
  if (twice !== undefined) {
    throw new Error(
      `the supervisor ${name} declares two children named ${twice}; give one of them another name`
    )
  }
  const significant = children.find((each) => each.significant)
  if (significant !== undefined && autoShutdown === "never") {
    throw new Error(
      `the supervisor ${name} declares ${significant.name} significant but never shuts down for it; set autoShutdown`
    )
  }
  return { name, strategy, ...intensityOf(intensity), autoShutdown, children }
}

export const dynamicTreeOf = <A, S>(name: string, spec: DynamicSpec<A, S>): Tree => ({
  name,
  strategy: "dynamic",
  ...intensityOf(spec.intensity),
  autoShutdown: "never",
  children: [
    {
      name: spec.child.name,
      actor: spec.child,
      args: undefined,
      restart: spec.restart ?? "permanent",
      significant: false,
      shutdown: spec.shutdown ?? "5 seconds",
      startDeadline: spec.startDeadline ?? "30 seconds",
      backoff: spec.backoff
    }
  ]
})

/** Draws a declaration for a terminal, and for the test that guards it against accidental edits. */
export const draw = ({ tree }: Declared, indent = ""): string => {
  const { autoShutdown, children, name, restarts, strategy, withinMillis } = tree
  const ends = autoShutdown === "never" ? "" : `, ends with ${autoShutdown.replace("-", " ")}`
  const self = `${indent}${name} [${strategy}, ${restarts} restarts in ${withinMillis} ms${ends}]`
  return [self, ...children.map((each) => drawChild(each, `${indent}  `))].join("\n")
}

const drawChild = (spec: ChildSpec<unknown>, indent: string): string => {
  const nested = declaration(spec.actor)
  const traits = [
    spec.restart,
    ...(spec.significant ? ["significant"] : []),
    ...(spec.backoff === undefined ? [] : ["backoff"])
  ].join(", ")
  if (nested === undefined) return `${indent}${spec.name} (${traits})`
  const [first, ...rest] = draw({ tree: { ...nested, name: spec.name } }, indent).split("\n")
  return [`${first} (${traits})`, ...rest].join("\n")
}

const declaration = (actor: object): Tree | undefined =>
  "tree" in actor && isTree(actor.tree) ? actor.tree : undefined

const isTree = (value: unknown): value is Tree =>
  typeof value === "object" && value !== null && "strategy" in value && "children" in value

const intensityOf = (intensity: SupervisorSpec<never>["intensity"]) => ({
  restarts: intensity?.restarts ?? 1,
  withinMillis: toMillis(intensity?.within ?? "5 seconds")
})
