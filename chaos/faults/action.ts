/**
 * What can be done to a cluster, one thing at a time and to nodes by name. A schedule draws and times these, a
 * world carries them out, and a report lists them so that the same run can be played again.
 *
 * Nothing ends by itself: whoever cuts heals, whoever pauses resumes. Doing twice what is done already is done
 * once, and ending what never began does nothing.
 */
import { Schema } from "effect"

const Node = Schema.NonEmptyString
const Millis = Schema.Number.pipe(Schema.nonNegative())
const Share = Schema.Number.pipe(Schema.between(0, 1))

/** The machine goes dark: what its disk did not flush is lost, nobody is told. */
export class PowerOff extends Schema.TaggedClass<PowerOff>()("PowerOff", { node: Node }) {}
/** It boots, and the node on it starts. */
export class PowerOn extends Schema.TaggedClass<PowerOn>()("PowerOn", { node: Node }) {}
/** The machine is told to shut down, and is off when that is done: its node ends in order, its disk is written. */
export class ShutDown extends Schema.TaggedClass<ShutDown>()("ShutDown", { node: Node }) {}
/** `kill -9` of the node's process: what the kernel has stays, and its connections are closed. */
export class Kill extends Schema.TaggedClass<Kill>()("Kill", { node: Node }) {}
/** In order, as an operator stops it. */
export class Stop extends Schema.TaggedClass<Stop>()("Stop", { node: Node }) {}
/** The process of a node that was killed, was stopped, or never ran. */
export class Start extends Schema.TaggedClass<Start>()("Start", { node: Node }) {}
/** The machine resets itself: power is off for no time. */
export class Reset extends Schema.TaggedClass<Reset>()("Reset", { node: Node }) {}
/** It stands still, its connections open. */
export class Pause extends Schema.TaggedClass<Pause>()("Pause", { node: Node }) {}
export class Resume extends Schema.TaggedClass<Resume>()("Resume", { node: Node }) {}

/** Nothing goes from any of the one to any of the others. The other direction is another cut. */
export class Cut extends Schema.TaggedClass<Cut>()("Cut", {
  from: Schema.Array(Node),
  to: Schema.Array(Node)
}) {}
/** All cuts of that direction end. */
export class Mend extends Schema.TaggedClass<Mend>()("Mend", {
  from: Schema.Array(Node),
  to: Schema.Array(Node)
}) {}

/** What the network between nodes does to all that goes over it; `fairNetwork` ends it. */
export class Network extends Schema.TaggedClass<Network>()("Network", {
  /** Shares of packets; a world of streams delays what it would lose, as a retransmission does. */
  loss: Share,
  duplicate: Share,
  reorder: Share,
  delayMillis: Millis,
  jitterMillis: Millis,
  /** For each directed pair; 0 is no bound. */
  bytesPerSecond: Schema.NonNegativeInt
}) {}
export const fairNetwork = new Network({
  loss: 0,
  duplicate: 0,
  reorder: 0,
  delayMillis: 0,
  jitterMillis: 0,
  bytesPerSecond: 0
})

/** Each flush takes so long. */
export class SlowDisk extends Schema.TaggedClass<SlowDisk>()("SlowDisk", {
  node: Node,
  syncMillis: Millis
}) {}
/** There is room for nothing more. */
export class FullDisk extends Schema.TaggedClass<FullDisk>()("FullDisk", { node: Node }) {}
/** Writes and flushes end with EIO. */
export class BrokenDisk extends Schema.TaggedClass<BrokenDisk>()("BrokenDisk", { node: Node }) {}
/** As fast, empty and whole as it was. */
export class FairDisk extends Schema.TaggedClass<FairDisk>()("FairDisk", { node: Node }) {}

/** What the machine takes for the date, ahead or back. No monotonic clock jumps: to lose time, pause and resume. */
export class ClockJump extends Schema.TaggedClass<ClockJump>()("ClockJump", {
  node: Node,
  millis: Schema.Number
}) {}
/** So many times as fast as real time from now on. */
export class ClockRate extends Schema.TaggedClass<ClockRate>()("ClockRate", {
  node: Node,
  rate: Schema.Positive
}) {}

/** The actor at that path of the node's tree ends as by a defect in a handler. */
export class Crash extends Schema.TaggedClass<Crash>()("Crash", {
  node: Node,
  path: Schema.NonEmptyString
}) {}
/** The machine has so much less memory; 0 gives it back. */
export class MemoryPressure extends Schema.TaggedClass<MemoryPressure>()("MemoryPressure", {
  node: Node,
  mebibytes: Schema.NonNegativeInt
}) {}

/** The member of chainfire on that node goes, the one on a spare takes its place; a saga of the group, see docs. */
export class ReplaceNode extends Schema.TaggedClass<ReplaceNode>()("ReplaceNode", {
  node: Node,
  by: Node
}) {}

export const Action = Schema.Union(
  PowerOff,
  PowerOn,
  ShutDown,
  Kill,
  Stop,
  Start,
  Reset,
  Pause,
  Resume,
  Cut,
  Mend,
  Network,
  SlowDisk,
  FullDisk,
  BrokenDisk,
  FairDisk,
  ClockJump,
  ClockRate,
  Crash,
  MemoryPressure,
  ReplaceNode
)
export type Action = typeof Action.Type
export type ActionTag = Action["_tag"]

const names = (nodes: ReadonlyArray<string>): string => nodes.join(", ")
const percent = (share: number): string => `${Math.round(share * 1000) / 10} %`

/** For a line of a timeline. */
export const describeAction = (action: Action): string => {
  switch (action._tag) {
    case "PowerOff":
      return `the power of ${action.node} is cut`
    case "PowerOn":
      return `${action.node} has power again`
    case "ShutDown":
      return `${action.node} shuts down`
    case "Kill":
      return `${action.node} is killed`
    case "Stop":
      return `${action.node} is stopped in order`
    case "Start":
      return `${action.node} is started`
    case "Reset":
      return `${action.node} is reset`
    case "Pause":
      return `${action.node} stands still`
    case "Resume":
      return `${action.node} goes on`
    case "Cut":
      return `nothing goes from ${names(action.from)} to ${names(action.to)}`
    case "Mend":
      return `${names(action.from)} reaches ${names(action.to)} again`
    case "Network":
      return describeNetwork(action)
    case "SlowDisk":
      return `the disk of ${action.node} flushes in ${action.syncMillis} ms`
    case "FullDisk":
      return `the disk of ${action.node} is full`
    case "BrokenDisk":
      return `the disk of ${action.node} ends writes with EIO`
    case "FairDisk":
      return `the disk of ${action.node} is well again`
    case "ClockJump":
      return `the date of ${action.node} jumps by ${action.millis} ms`
    case "ClockRate":
      return `the clock of ${action.node} runs ${action.rate} times as fast`
    case "Crash":
      return `${action.path} on ${action.node} crashes`
    case "MemoryPressure":
      return action.mebibytes === 0
        ? `${action.node} has its memory back`
        : `${action.node} has ${action.mebibytes} MiB less memory`
    case "ReplaceNode":
      return `${action.by} is to take the place of ${action.node}`
  }
}

const describeNetwork = (network: Network): string => {
  const { bytesPerSecond, delayMillis, duplicate, jitterMillis, loss, reorder } = network
  const said = [
    ...(loss > 0 ? [`loses ${percent(loss)}`] : []),
    ...(duplicate > 0 ? [`doubles ${percent(duplicate)}`] : []),
    ...(reorder > 0 ? [`reorders ${percent(reorder)}`] : []),
    ...(delayMillis + jitterMillis > 0
      ? [`delays by ${delayMillis} to ${delayMillis + jitterMillis} ms`]
      : []),
    ...(bytesPerSecond > 0 ? [`carries ${bytesPerSecond} bytes a second`] : [])
  ]
  return said.length === 0 ? "the network is fair again" : `the network ${said.join(", ")}`
}
