/**
 * Faults as a schedule names them: at whom each strikes is chosen when it does, and what ends it is known from the
 * beginning.
 *
 *   powerLoss("the leader")   pause("a follower")   partition("the leader")   slowDisk("the leader", 500)
 */
import type { NodeName } from "#chaos/lab/world.ts"
import type { Prng } from "#chaos/sim/prng.ts"
import {
  type Action,
  type ActionTag,
  BrokenDisk,
  ClockJump,
  ClockRate,
  Crash,
  Cut,
  FairDisk,
  FullDisk,
  fairNetwork,
  Kill,
  MemoryPressure,
  Mend,
  Network,
  Pause,
  PowerOff,
  PowerOn,
  ReplaceNode,
  Reset,
  Resume,
  ShutDown,
  SlowDisk,
  Start,
  Stop
} from "./action.ts"

/** Chosen when the fault strikes. Where nobody leads, the leader is anybody. */
export type Target =
  | "the leader"
  | "a follower"
  | "any node"
  | "a minority"
  | "a majority"
  | "all nodes"
  | NodeList
type NodeList = ReadonlyArray<NodeName>

export interface Fault {
  readonly name: string
  readonly target: Target
  /** What it needs of a world. */
  readonly needs: ReadonlyArray<ActionTag>
  readonly begin: (victims: NodeList, others: NodeList, prng: Prng) => ReadonlyArray<Action>
  /** Nothing for those that are over at once. */
  readonly end: (victims: NodeList, others: NodeList) => ReadonlyArray<Action>
}

export const targets = (
  target: Target,
  nodes: NodeList,
  leader: NodeName | undefined,
  prng: Prng
): NodeList => {
  const oneOf = (some: NodeList): NodeList => {
    const one = some[prng.below(some.length)]
    return one === undefined ? [] : [one]
  }
  const some = (count: number): NodeList => {
    const drawn = nodes.map((node) => ({ node, at: prng.next() })).toSorted((a, b) => a.at - b.at)
    return drawn.slice(0, count).map(({ node }) => node)
  }
  switch (target) {
    case "the leader":
      return leader === undefined ? oneOf(nodes) : [leader]
    case "a follower":
      return oneOf(nodes.filter((node) => node !== leader))
    case "any node":
      return oneOf(nodes)
    case "a minority":
      return some(Math.floor((nodes.length - 1) / 2))
    case "a majority":
      return some(Math.floor(nodes.length / 2) + 1)
    case "all nodes":
      return nodes
    default:
      return target
  }
}

const each =
  (make: (node: NodeName) => Action) =>
  (victims: NodeList): ReadonlyArray<Action> =>
    victims.map(make)

export const powerLoss = (target: Target): Fault => ({
  name: "power loss",
  target,
  needs: ["PowerOff", "PowerOn"],
  begin: each((node) => new PowerOff({ node })),
  end: each((node) => new PowerOn({ node }))
})

export const kill = (target: Target): Fault => ({
  name: "kill -9",
  target,
  needs: ["Kill", "Start"],
  begin: each((node) => new Kill({ node })),
  end: each((node) => new Start({ node }))
})

/** For comparison: a machine that goes off in order loses nothing, and its node tells everybody. */
export const orderlyShutdown = (target: Target): Fault => ({
  name: "orderly shutdown",
  target,
  needs: ["ShutDown", "PowerOn"],
  begin: each((node) => new ShutDown({ node })),
  end: each((node) => new PowerOn({ node }))
})

/** The same of the node alone. */
export const orderlyStop = (target: Target): Fault => ({
  name: "orderly stop",
  target,
  needs: ["Stop", "Start"],
  begin: each((node) => new Stop({ node })),
  end: each((node) => new Start({ node }))
})

export const reset = (target: Target): Fault => ({
  name: "reset",
  target,
  needs: ["Reset"],
  begin: each((node) => new Reset({ node })),
  end: () => []
})

export const pause = (target: Target): Fault => ({
  name: "pause",
  target,
  needs: ["Pause", "Resume"],
  begin: each((node) => new Pause({ node })),
  end: each((node) => new Resume({ node }))
})

const bothWays = <A>(Class: new (fields: { from: NodeList; to: NodeList }) => A) => {
  return (one: NodeList, other: NodeList): ReadonlyArray<A> =>
    one.length === 0 || other.length === 0
      ? []
      : [new Class({ from: one, to: other }), new Class({ from: other, to: one })]
}
const cut = bothWays(Cut)
const mend = bothWays(Mend)

/** The target on one side, everybody else on the other. */
export const partition = (target: Target): Fault => ({
  name: "partition",
  target,
  needs: ["Cut", "Mend"],
  begin: cut,
  end: mend
})

/** It is heard, but hears nobody: or the other way round. */
export const oneWay = (target: Target, heard: boolean): Fault => ({
  name: heard ? "deaf node" : "mute node",
  target,
  needs: ["Cut", "Mend"],
  begin: (victims, others) => [
    heard ? new Cut({ from: others, to: victims }) : new Cut({ from: victims, to: others })
  ],
  end: (victims, others) => [
    heard ? new Mend({ from: others, to: victims }) : new Mend({ from: victims, to: others })
  ]
})

const halves = (others: NodeList): readonly [NodeList, NodeList] => [
  others.filter((_, index) => index % 2 === 0),
  others.filter((_, index) => index % 2 === 1)
]

/** Two sides that do not hear of each other, and the target that hears both. */
export const bridge = (target: Target): Fault => ({
  name: "bridge",
  target,
  needs: ["Cut", "Mend"],
  begin: (_, others) => cut(...halves(others)),
  end: (_, others) => mend(...halves(others))
})

export const badNetwork = (weather: Partial<ConstructorParameters<typeof Network>[0]>): Fault => ({
  name: "bad network",
  target: "all nodes",
  needs: ["Network"],
  begin: () => [new Network({ ...fairNetwork, ...weather })],
  end: () => [fairNetwork]
})

const fairDisk = each((node) => new FairDisk({ node }))

export const slowDisk = (target: Target, syncMillis: number): Fault => ({
  name: "slow disk",
  target,
  needs: ["SlowDisk", "FairDisk"],
  begin: each((node) => new SlowDisk({ node, syncMillis })),
  end: fairDisk
})

export const fullDisk = (target: Target): Fault => ({
  name: "full disk",
  target,
  needs: ["FullDisk", "FairDisk"],
  begin: each((node) => new FullDisk({ node })),
  end: fairDisk
})

export const brokenDisk = (target: Target): Fault => ({
  name: "broken disk",
  target,
  needs: ["BrokenDisk", "FairDisk"],
  begin: each((node) => new BrokenDisk({ node })),
  end: fairDisk
})

export const clockJump = (target: Target, millis: number): Fault => ({
  name: "clock jump",
  target,
  needs: ["ClockJump"],
  begin: each((node) => new ClockJump({ node, millis })),
  end: () => []
})

export const clockRate = (target: Target, rate: number): Fault => ({
  name: "clock rate",
  target,
  needs: ["ClockRate"],
  begin: each((node) => new ClockRate({ node, rate })),
  end: each((node) => new ClockRate({ node, rate: 1 }))
})

/** `path` below the node: `chainfire/member`. */
export const crash = (target: Target, path: string): Fault => ({
  name: `crash of ${path}`,
  target,
  needs: ["Crash"],
  begin: each((node) => new Crash({ node, path: `/${node}/${path}` })),
  end: () => []
})

export const memoryPressure = (target: Target, mebibytes: number): Fault => ({
  name: "memory pressure",
  target,
  needs: ["MemoryPressure"],
  begin: each((node) => new MemoryPressure({ node, mebibytes })),
  end: each((node) => new MemoryPressure({ node, mebibytes: 0 }))
})

/** The spare has to be started too: a member that was added and is not there is no use to anybody. */
export const replacement = (target: Target, by: NodeName): Fault => ({
  name: "replacement",
  target,
  needs: ["Start", "ReplaceNode"],
  begin: ([node]) => (node === undefined ? [] : [new Start({ node: by }), new ReplaceNode({ node, by })]),
  end: () => []
})
