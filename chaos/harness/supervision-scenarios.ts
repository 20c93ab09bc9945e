/**
 * Random scenarios for supervisors, and smaller ones like them.
 *
 * They are drawn to hurt: few restarts are allowed, so that supervisors give up and the ones above them
 * have to react; starts fail, now and then at boot; and what is asked for is mostly there.
 */
import type { Prng } from "../sim/prng.ts"
import type { OracleAction, OracleChild, OraclePath, OracleSupervisor, Scenario } from "./otp-oracle.ts"

export interface Wait {
  readonly kind: "wait"
  readonly millis: number
}

/** Time passes for ours and for the model. OTP counts restarts in seconds of its own: there it may not. */
export interface TimedScenario {
  readonly root: OracleSupervisor
  readonly actions: ReadonlyArray<OracleAction | Wait>
}

/** Long enough that time plays no part. */
const foreverMillis = 1_000_000_000

const depthMax = 3
const childrenMax = 4
const actionsMax = 8

export const randomScenario = (
  prng: Prng,
  windowsMillis: ReadonlyArray<number> = [foreverMillis]
): Scenario => {
  const root = randomSupervisor(prng, 1, windowsMillis)
  const actions: Array<OracleAction> = []
  for (let left = 1 + prng.below(actionsMax); left > 0; left--) {
    actions.push(randomAction(prng, { root, actions }))
  }
  return { root, actions }
}

/** Windows so short that restarts leave them, and waits about as long. */
export const randomTimedScenario = (prng: Prng): TimedScenario => {
  const { actions, root } = randomScenario(prng, [3, 5, 10])
  return {
    root,
    actions: actions.flatMap((action) =>
      prng.chance(0.3) ? [action, { kind: "wait", millis: 1 + prng.below(8) }] : [action]
    )
  }
}

const randomSupervisor = (
  prng: Prng,
  depth: number,
  windowsMillis: ReadonlyArray<number>
): OracleSupervisor => {
  const strategy = pick(prng, strategies)
  const intensity = { restarts: pick(prng, [0, 1, 1, 2, 2, 3, 5]), withinMillis: pick(prng, windowsMillis) }
  const child = (name: string, autoShutdown: OracleSupervisor["autoShutdown"]): OracleChild => {
    const plain = randomChild(prng, name, autoShutdown)
    const supervises = depth < depthMax && prng.chance(0.35)
    return supervises ? { ...plain, supervisor: randomSupervisor(prng, depth + 1, windowsMillis) } : plain
  }
  // Our dynamic supervisors know no significant instances.
  if (strategy === "dynamic")
    return { strategy, intensity, autoShutdown: "never", children: [child("template", "never")] }
  const autoShutdown = pick(prng, ["never", "never", "any-significant", "all-significant"] as const)
  const names = ["a", "b", "c", "d"].slice(0, prng.below(childrenMax + 1))
  return { strategy, intensity, autoShutdown, children: names.map((name) => child(name, autoShutdown)) }
}

const strategies = [
  ...(["one-for-one", "one-for-one", "one-for-all", "one-for-all"] as const),
  ...(["rest-for-one", "rest-for-one", "dynamic"] as const)
]

const randomChild = (
  prng: Prng,
  name: string,
  autoShutdown: OracleSupervisor["autoShutdown"]
): OracleChild => {
  const restart = pick(prng, ["permanent", "permanent", "transient", "temporary"] as const)
  return {
    name,
    restart,
    significant: autoShutdown !== "never" && restart !== "permanent" && prng.chance(0.6),
    shutdown: prng.chance(0.1) ? "brutal" : 5_000,
    // The first start rarely fails, or few trees would get through their boot.
    initFailures: [...some(prng, 0.02, [1]), ...some(prng, 0.12, [2, 3, 4, 5])],
    ignoreStarts: [...some(prng, 0.02, [1]), ...some(prng, 0.05, [2, 3, 4])]
  }
}

const randomAction = (prng: Prng, scenario: Scenario): OracleAction => {
  const places = placesOf(scenario)
  const kind = pick(prng, kinds)
  if (kind === "start-child") return randomStart(prng, scenario)
  if (kind === "exit") {
    const path = places.length === 0 || prng.chance(0.1) ? [] : pick(prng, places).path
    return {
      kind,
      path,
      reason: pick(prng, ["normal", "shutdown", "crash", "crash", "crash", "kill"] as const)
    }
  }
  return { kind, path: places.length === 0 || prng.chance(0.05) ? ["nobody"] : pick(prng, places).path }
}

const kinds = [
  ...(["exit", "exit", "exit", "exit", "exit", "exit"] as const),
  ...(["terminate-child", "restart-child", "delete-child", "start-child", "start-child"] as const)
]

const randomStart = (prng: Prng, { actions, root }: Scenario): OracleAction => {
  const kind = "start-child"
  const supervisors = placesOf({ root, actions }).flatMap(({ path, spec: { supervisor } }) =>
    supervisor === undefined ? [] : [{ path, supervisor }]
  )
  const { path, supervisor } = pick(prng, [{ path: [], supervisor: root }, ...supervisors])
  if (supervisor.strategy === "dynamic") {
    const instance = randomChild(prng, pick(prng, ["x", "y", "z"]), "never")
    // Where a restart of an instance is ignored OTP is left with an entry that it cannot stop.
    return { kind, path, child: { ...instance, ignoreStarts: some(prng, 0.05, [1]) } }
  }
  const name = pick(prng, ["a", "e", "f"])
  // A name has one declaration in a scenario, so that a path says what is there.
  const known = childrenAt({ root, actions }, path, supervisor).find((child) => child.name === name)
  // Now and then one that does not fit there.
  const autoShutdown = prng.chance(0.05) ? "any-significant" : supervisor.autoShutdown
  const child = randomChild(prng, name, autoShutdown)
  const below = randomSupervisor(prng, depthMax, [supervisor.intensity.withinMillis])
  const supervises = path.length < depthMax - 1 && prng.chance(0.35)
  return { kind, path, child: known ?? (supervises ? { ...child, supervisor: below } : child) }
}

const pick = <A>(prng: Prng, among: readonly [A, ...ReadonlyArray<A>] | ReadonlyArray<A>): A => {
  const index = prng.below(among.length)
  return among[index]!
}

const some = (prng: Prng, chance: number, among: ReadonlyArray<number>): ReadonlyArray<number> =>
  among.filter(() => prng.chance(chance))

// Who may be where

export interface Place {
  readonly path: OraclePath
  readonly spec: OracleChild
}

/** All paths at which something may run at some time, except the root's own. */
export const placesOf = (scenario: TimedScenario): ReadonlyArray<Place> =>
  placesBelow(scenario, [], scenario.root)

const placesBelow = (
  scenario: TimedScenario,
  path: OraclePath,
  supervisor: OracleSupervisor
): ReadonlyArray<Place> =>
  childrenAt(scenario, path, supervisor).flatMap((spec) => {
    const at = [...path, spec.name]
    const below = spec.supervisor === undefined ? [] : placesBelow(scenario, at, spec.supervisor)
    return [{ path: at, spec }, ...below]
  })

const childrenAt = (
  { actions }: TimedScenario,
  path: OraclePath,
  { children, strategy }: OracleSupervisor
): ReadonlyArray<OracleChild> => {
  const added = actions.flatMap((action) =>
    action.kind === "start-child" && samePath(action.path, path) ? [action.child] : []
  )
  const [template] = children
  const all =
    strategy === "dynamic" && template !== undefined
      ? added.map(({ ignoreStarts = [], initFailures, name }) => ({
          ...template,
          name,
          initFailures,
          ignoreStarts
        }))
      : [...children, ...added]
  return all.filter((child, index) => all.findIndex(({ name }) => name === child.name) === index)
}

const samePath = (one: OraclePath, other: OraclePath): boolean =>
  one.length === other.length && one.every((name, index) => name === other[index])

// Smaller ones

interface Played<Action> {
  readonly root: OracleSupervisor
  readonly actions: ReadonlyArray<Action>
}

/**
 * As small a scenario as can be found that still fails. Many are tried at once, since starting an Erlang
 * node takes far longer than a scenario.
 */
export const shrunk = async <Action extends OracleAction | Wait>(
  scenario: Played<Action>,
  failing: (all: ReadonlyArray<Played<Action>>) => Promise<ReadonlyArray<boolean>>
): Promise<Played<Action>> => {
  const smaller = reductionsOf(scenario)
  const fails = await failing(smaller)
  const next = smaller.find((_, index) => fails[index])
  return next === undefined ? scenario : shrunk(next, failing)
}

/** Scenarios with one thing less, the boldest cut first. */
const reductionsOf = <Action extends OracleAction | Wait>({
  actions,
  root
}: Played<Action>): ReadonlyArray<Played<Action>> => [
  ...without(actions).map((fewer) => ({ root, actions: fewer })),
  ...reducedSupervisors(root).map((smaller) => ({ root: smaller, actions })),
  ...actions.flatMap((action, index) =>
    action.kind === "start-child"
      ? reducedChildren(action.child).map((child) => ({
          root,
          actions: actions.with(index, { ...action, child })
        }))
      : []
  )
]

const reducedSupervisors = (supervisor: OracleSupervisor): ReadonlyArray<OracleSupervisor> => {
  const { autoShutdown, children, intensity, strategy } = supervisor
  return [
    ...(strategy === "dynamic" ? [] : without(children).map((fewer) => ({ ...supervisor, children: fewer }))),
    ...children.flatMap((child, index) =>
      reducedChildren(child).map((smaller) => ({ ...supervisor, children: children.with(index, smaller) }))
    ),
    ...(autoShutdown === "never" || children.some(({ significant }) => significant)
      ? []
      : [{ ...supervisor, autoShutdown: "never" as const }]),
    ...(intensity.restarts === 0
      ? []
      : [{ ...supervisor, intensity: { ...intensity, restarts: intensity.restarts - 1 } }]),
    ...(strategy === "one-for-all" || strategy === "rest-for-one"
      ? [{ ...supervisor, strategy: "one-for-one" as const }]
      : [])
  ]
}

const reducedChildren = (child: OracleChild): ReadonlyArray<OracleChild> => {
  const { ignoreStarts = [], initFailures, restart, shutdown, significant, supervisor, ...rest } = child
  return [
    ...(supervisor === undefined
      ? []
      : [{ ...rest, initFailures, ignoreStarts, restart, shutdown, significant: significant === true }]),
    ...(supervisor === undefined
      ? []
      : reducedSupervisors(supervisor).map((smaller) => ({ ...child, supervisor: smaller }))),
    ...without(initFailures).map((fewer) => ({ ...child, initFailures: fewer })),
    ...without(ignoreStarts).map((fewer) => ({ ...child, ignoreStarts: fewer })),
    ...(shutdown === "brutal" ? [{ ...child, shutdown: 5_000 }] : []),
    ...(significant === true ? [{ ...child, significant: false }] : []),
    ...(restart === "permanent" ? [] : [{ ...child, restart: "permanent" as const, significant: false }])
  ]
}

const without = <A>(all: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  all.map((_, index) => all.toSpliced(index, 1))

// In words

/** A scenario as a person reads it. */
export const told = ({ actions, root }: TimedScenario): string =>
  [`/ ${toldSupervisor(root)}`, ...toldChildren(root, "  "), ...actions.map(toldAction)].join("\n")

const toldSupervisor = ({ autoShutdown, intensity, strategy }: OracleSupervisor): string => {
  const within = intensity.withinMillis === foreverMillis ? "" : ` in ${intensity.withinMillis} ms`
  const ends = autoShutdown === "never" ? "" : `, ends with ${autoShutdown}`
  return `[${strategy}, ${intensity.restarts} restarts${within}${ends}]`
}

const toldChildren = ({ children }: OracleSupervisor, indent: string): ReadonlyArray<string> =>
  children.flatMap((child) => [
    `${indent}${toldChild(child)}`,
    ...(child.supervisor === undefined ? [] : toldChildren(child.supervisor, `${indent}  `))
  ])

const toldChild = (child: OracleChild): string => {
  const { ignoreStarts = [], initFailures, name, restart, shutdown, significant, supervisor } = child
  return [
    name,
    restart,
    ...(significant === true ? ["significant"] : []),
    ...(shutdown === "brutal" ? ["brutal"] : []),
    ...(initFailures.length === 0 ? [] : [`fails ${initFailures.join()}`]),
    ...(ignoreStarts.length === 0 ? [] : [`ignores ${ignoreStarts.join()}`]),
    ...(supervisor === undefined ? [] : [toldSupervisor(supervisor)])
  ].join(" ")
}

const toldAction = (action: OracleAction | Wait): string => {
  if (action.kind === "wait") return `wait ${action.millis} ms`
  const path = action.path.join("/") || "/"
  if (action.kind === "exit") return `exit ${path} ${action.reason}`
  return action.kind === "start-child"
    ? [
        `start-child ${path} ${toldChild(action.child)}`,
        ...(action.child.supervisor ? toldChildren(action.child.supervisor, "  ") : [])
      ].join("\n")
    : `${action.kind} ${path}`
}
