/**
 * The numbers of SWIM, and what they promise: how soon a failure is known, how soon views agree again.
 *
 * A suspicion is as short as it gets once K = `suspicionMult` - 2 others have confirmed it, so the bound
 * counts how long K + 1 survivors take until each has probed the dead member:
 *
 *   detection = (1 + awareness) * interval * (spread + 1)     K + 1 probes begin, and the last one fails
 *             + suspicion                                      mult * max(1, log10 n) intervals, if confirmed
 *             + 3 * timeout                                    the last chances before the verdict
 *             + gossip * (2 * log2(n) + 4)                     suspicion and verdict travel
 *   spread    = min(2 (n - 1), 20 (n - 1) / survivors)
 *
 * The first term of `spread` is certain: a shuffled round visits everybody. The second is what chance
 * exceeds less than once in a million crashes, since survivors shuffle independently. With the defaults:
 * 11.2 s for 3 members, 33.2 s for 100. Where fewer than K + 1 survive, nobody can confirm, and suspicion
 * lasts `suspicionMaxMult` times as long. Pure.
 */
import { suspicionMillis } from "./suspicion.ts"

export interface SwimConfig {
  readonly probeIntervalMillis: number
  /** Until a ping is repeated, and others are asked to ping too. */
  readonly probeTimeoutMillis: number
  /** Members asked to probe in our place, at each repetition. */
  readonly indirectProbes: number
  /** Suspicion lasts this many probe intervals times the logarithm of the cluster, once confirmed. */
  readonly suspicionMult: number
  /** And this many times that while nobody confirms it. */
  readonly suspicionMaxMult: number
  readonly gossipIntervalMillis: number
  /** Members that each gossip goes to. */
  readonly gossipFanout: number
  /** Full state exchanged with one member; rarer above 32 members. */
  readonly syncIntervalMillis: number
  /** Full state offered to one failed member or absent seed, in case it is only cut off. */
  readonly reconnectIntervalMillis: number
  /** How long a member that is gone is remembered, so that old news does not bring it back. */
  readonly forgetAfterMillis: number
  readonly awarenessMax: number
  /** Members known at once, those gone included. Whoever comes on top is ignored. */
  readonly membersMax: number
}

export const defaultConfig: SwimConfig = {
  probeIntervalMillis: 1_000,
  probeTimeoutMillis: 200,
  indirectProbes: 3,
  suspicionMult: 4,
  suspicionMaxMult: 6,
  gossipIntervalMillis: 200,
  gossipFanout: 3,
  syncIntervalMillis: 30_000,
  reconnectIntervalMillis: 10_000,
  forgetAfterMillis: 86_400_000,
  awarenessMax: 8,
  membersMax: 5_000
}

/** How many independent confirmations make a suspicion as short as it gets, with that many able to give one. */
export const confirmationsMax = ({ suspicionMult }: SwimConfig, others: number): number =>
  Math.max(0, Math.min(suspicionMult - 2, others))

/** How long a suspicion lasts in a cluster of `members`, of which `others` could confirm it. */
export const patienceMillis = (
  config: SwimConfig,
  members: number,
  others: number,
  confirmations: number
): number =>
  suspicionMillis({
    minMillis: config.suspicionMult * Math.max(1, Math.log10(members)) * config.probeIntervalMillis,
    maxMult: config.suspicionMaxMult,
    confirmations,
    confirmationsMax: confirmationsMax(config, others)
  })

export interface Crash {
  /** Before the crash. */
  readonly members: number
  /** How many members see it; all but one unless stated. */
  readonly survivors?: number
  /** How much the survivors doubt themselves: 0 in calm weather. */
  readonly awareness?: number
}

/** By when every survivor has reported a crash. */
export const detectionMillisMax = (
  config: SwimConfig,
  { awareness = 0, members, survivors = members - 1 }: Crash
): number => {
  const { gossipIntervalMillis, probeIntervalMillis, probeTimeoutMillis } = config
  const others = members - 1
  const spread = Math.min(2 * others, Math.ceil((20 * others) / survivors))
  const suspicion = patienceMillis(config, members, others - 1, survivors - 1)
  return (
    (1 + awareness) * probeIntervalMillis * (spread + 1) +
    suspicion +
    3 * probeTimeoutMillis +
    gossipIntervalMillis * (2 * Math.ceil(Math.log2(members)) + 4)
  )
}

/**
 * By when all views agree once every message gets through again: somebody has offered its state to somebody
 * on the other side, all who were given up have heard of it and refuted, and what gossip missed came
 * with a ping or a sync.
 */
export const healMillisMax = (config: SwimConfig, members: number): number =>
  2 * reconnectMillisMax(config) + syncEveryMillis(config, members) + detectionMillisMax(config, { members })

/** The longest pause between two attempts to reconnect: they are spread by half to either side. */
export const reconnectMillisMax = ({ reconnectIntervalMillis }: SwimConfig): number =>
  reconnectIntervalMillis * 1.5

/** A full state grows with the cluster, so it is exchanged less often. */
export const syncEveryMillis = ({ syncIntervalMillis }: SwimConfig, members: number): number =>
  syncIntervalMillis * Math.max(1, Math.ceil(Math.log2(members)) - 4)
