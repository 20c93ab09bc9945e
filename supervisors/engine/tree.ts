/**
 * Supervision trees as plain values: declared from top to bottom, checked before anything starts, drawn.
 *
 * The type of a child collects what it needs, so that a node which forgets to provide a disk for one
 * actor, nine levels down, does not compile.
 */
import { Duration } from "effect"
import type { Actor, AnyActor } from "#actors/kernel/actor.ts"
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
): ChildSpec<S> => specOf(actor, options ?? {})

const specOf = <S>(actor: AnyActor<S>, options: Partial<Omit<ChildSpec, "actor">>): ChildSpec<S> => {
  const supervises = declaration(actor) !== undefined
  const spec = {
    name: options.name ?? actor.name,
    actor,
    args: options.args,
    restart: options.restart ?? "permanent",
    significant: options.significant ?? false,
    shutdown: options.shutdown ?? (supervises ? Duration.infinity : "5 seconds"),
    startDeadline: options.startDeadline ?? (supervises ? Duration.infinity : "30 seconds"),
    backoff: options.backoff
  }
  if (spec.significant && spec.restart === "permanent") {
    throw new Error(
      `the child ${spec.name} cannot be both significant and permanent, since a permanent child never ends for good; make it transient or temporary`
    )
  }
  return spec
}

export const treeOf = (name: string, spec: SupervisorSpec<unknown>): Tree => {
  const { autoShutdown = "never", children, intensity, strategy } = spec
  const names = new Set<string>()
  for (const each of children) {
    if (names.has(each.name)) {
      throw new Error(
        `the supervisor ${name} declares two children named ${each.name}; give one of them another name`
      )
    }
    names.add(each.name)
    const unfit = misfit(each, autoShutdown)
    if (unfit !== undefined) {
      throw new Error(`the supervisor ${name} cannot take ${each.name}: ${unfit.reason}; ${unfit.remedy}`)
    }
  }
  return { name, strategy, ...intensityOf(name, intensity), autoShutdown, children }
}

/** Why a child cannot be one of a supervisor that ends by itself, or does not, in this way. */
export const misfit = (
  { significant }: ChildSpec<unknown>,
  autoShutdown: AutoShutdown
): { readonly reason: string; readonly remedy: string } | undefined =>
  significant && autoShutdown === "never"
    ? {
        reason: "it is significant, and the supervisor never shuts down for a child",
        remedy: "set the supervisor's autoShutdown, or declare the child not significant"
      }
    : undefined

export const dynamicTreeOf = <A, S>(name: string, spec: DynamicSpec<A, S>): Tree => {
  const { child: actor, intensity, ...options } = spec
  return {
    name,
    strategy: "dynamic",
    ...intensityOf(name, intensity),
    autoShutdown: "never",
    children: [specOf(actor, options)]
  }
}

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

const intensityOf = (name: string, intensity: SupervisorSpec<never>["intensity"]) => {
  const restarts = intensity?.restarts ?? 1
  const withinMillis = toMillis(intensity?.within ?? "5 seconds")
  if (!Number.isInteger(restarts) || restarts < 0 || !(withinMillis > 0)) {
    throw new Error(
      `the supervisor ${name} allows ${restarts} restarts in ${withinMillis} ms; allow a whole number, 0 or more, within a time`
    )
  }
  return { restarts, withinMillis }
}
