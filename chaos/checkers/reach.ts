/**
 * What was done to which node when, as a course of situations: who is out, who cannot reach whom, and so who could
 * lead. By the actions that were carried out; and since a machine that gets its power back is not a node yet, by
 * when it was seen to answer again.
 *
 *   struck ──┐
 *            ├──by time──► situation ──► situation ──► ...     each with who led, as far as anybody had seen
 *   seen  ───┘
 */
import type { Action } from "#chaos/faults/action.ts"
import type { NodeName } from "#chaos/lab/world.ts"
import type { Evidence, NodeStatus, Sight, Struck } from "./evidence.ts"

export interface Situation {
  readonly sinceMillis: number
  /** What has brought it about; undefined: the beginning, or a node that answers again. */
  readonly struck: Struck | undefined
  readonly voters: ReadonlyArray<NodeName>
  /** Without power, killed, or stopped. */
  readonly down: ReadonlySet<NodeName>
  /** They run again and have not answered yet. */
  readonly starting: ReadonlySet<NodeName>
  readonly paused: ReadonlySet<NodeName>
  /** Their disks take no writes. */
  readonly broken: ReadonlySet<NodeName>
  /** `node01>node02`: nothing goes there. */
  readonly cuts: ReadonlySet<string>
  readonly isNetworkFair: boolean
  /** By its own account, before this began. */
  readonly leader: NodeName | undefined
}

/** In the order of time; the first one is the beginning. */
export const situationsOf = ({ sights, timeline }: Pick<Evidence, "sights" | "timeline">) => {
  const firstStrikeMillis = timeline[0]?.atMillis ?? Number.POSITIVE_INFINITY
  const early = sights.filter(({ atMillis }) => atMillis <= firstStrikeMillis)
  const voters = [...new Set((early.length > 0 ? early : sights).map(({ node }) => node))].toSorted()
  const empty: ReadonlySet<string> = new Set()
  let situation: Situation = {
    sinceMillis: 0,
    struck: undefined,
    voters,
    down: empty,
    starting: empty,
    paused: empty,
    broken: empty,
    cuts: empty,
    isNetworkFair: true,
    leader: undefined
  }
  const situations = [situation]
  const latest = new Map<NodeName, NodeStatus | undefined>()
  const enter = (next: Situation) => {
    situation = next
    situations.push(next)
  }
  for (const event of inOrder(timeline, sights)) {
    if (event._tag === "Seen") {
      const { atMillis, node, status } = event.sight
      latest.set(node, status)
      if (status === undefined || !situation.starting.has(node)) continue
      const starting = without(situation.starting, node)
      enter({ ...situation, sinceMillis: atMillis, struck: undefined, leader: leaderOf(latest), starting })
      continue
    }
    const { struck } = event
    if (struck.action === undefined) continue
    const after = { ...situation, ...changedBy(situation, struck.action) }
    enter({ ...after, sinceMillis: struck.atMillis, struck, leader: leaderOf(latest) })
  }
  return situations
}

type Event =
  | { readonly _tag: "Struck"; readonly atMillis: number; readonly struck: Struck }
  | { readonly _tag: "Seen"; readonly atMillis: number; readonly sight: Sight }

/** What was seen at the moment of a strike was seen before it. */
const inOrder = (timeline: ReadonlyArray<Struck>, sights: ReadonlyArray<Sight>): ReadonlyArray<Event> =>
  [
    ...sights.map((sight): Event => ({ _tag: "Seen", atMillis: sight.atMillis, sight })),
    ...timeline.map((struck): Event => ({ _tag: "Struck", atMillis: struck.atMillis, struck }))
  ].toSorted((one, other) => one.atMillis - other.atMillis)

const changedBy = (before: Situation, action: Action): Partial<Situation> => {
  const { broken, cuts, down, paused, starting, voters } = before
  switch (action._tag) {
    case "PowerOff":
    case "ShutDown":
    case "Kill":
    case "Stop":
      return {
        down: including(down, action.node),
        starting: without(starting, action.node),
        paused: without(paused, action.node)
      }
    case "PowerOn":
    case "Start":
    case "Reset":
      return {
        down: without(down, action.node),
        starting: including(starting, action.node),
        paused: without(paused, action.node)
      }
    case "Pause":
      return { paused: including(paused, action.node) }
    case "Resume":
      return { paused: without(paused, action.node) }
    case "Cut":
      return { cuts: new Set([...cuts, ...pairs(action.from, action.to)]) }
    case "Mend": {
      const mended = new Set(pairs(action.from, action.to))
      return { cuts: new Set([...cuts].filter((pair) => !mended.has(pair))) }
    }
    case "FullDisk":
    case "BrokenDisk":
      return { broken: including(broken, action.node) }
    case "FairDisk":
      return { broken: without(broken, action.node) }
    case "Network": {
      const { _tag, ...weather } = action
      return { isNetworkFair: Object.values(weather).every((value) => value === 0) }
    }
    case "ReplaceNode":
      return { voters: voters.map((node) => (node === action.node ? action.by : node)) }
    case "SlowDisk":
    case "ClockJump":
    case "ClockRate":
    case "Crash":
    case "MemoryPressure":
      return {}
  }
}

const including = (nodes: ReadonlySet<NodeName>, node: NodeName): ReadonlySet<NodeName> =>
  new Set([...nodes, node])
const without = (nodes: ReadonlySet<NodeName>, node: NodeName): ReadonlySet<NodeName> =>
  new Set([...nodes].filter((one) => one !== node))

const pairs = (from: ReadonlyArray<NodeName>, to: ReadonlyArray<NodeName>): ReadonlyArray<string> =>
  from.flatMap((one) => to.map((other) => `${one}>${other}`))

/** In the latest term. */
const leaderOf = (latest: ReadonlyMap<NodeName, NodeStatus | undefined>): NodeName | undefined =>
  [...latest]
    .flatMap(([node, status]) => (status?.leader === node ? [{ node, term: status.term }] : []))
    .toSorted((one, other) => other.term - one.term)[0]?.node

export const isRunning = ({ down, paused, starting }: Situation, node: NodeName): boolean =>
  !down.has(node) && !starting.has(node) && !paused.has(node)

/** Who reaches a majority and is reached by it. */
export const ableToLead = (situation: Situation): ReadonlyArray<NodeName> => {
  const { broken, cuts, voters } = situation
  const serving = voters.filter((node) => isRunning(situation, node) && !broken.has(node))
  return serving.filter((node) => {
    const reached = serving.filter(
      (other) => other === node || !(cuts.has(`${node}>${other}`) || cuts.has(`${other}>${node}`))
    )
    return reached.length > voters.length / 2
  })
}
