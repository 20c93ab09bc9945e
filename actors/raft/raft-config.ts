/**
 * The numbers of a group, each with a bound that follows from it.
 *
 * `electionMillis` is T below. A follower that hears nothing for T to 2 T asks for votes; one that has
 * heard of its leader within T grants none; a leader that has not heard of a quorum within T steps down.
 * So after a crash there is a leader within 2 T and some round trips, unless two candidates collide.
 *
 * Lease reads assume that the clocks of two members, over T, run apart by no more than the share
 * `clockDriftMax` of it: the leader trusts a quorum's answer for T (1 - drift) / (1 + drift) from the moment it
 * asked. A clock that jumps breaks them, so feed `step` from a monotonic one.
 */
export interface RaftConfig {
  readonly electionMillis: number
  readonly heartbeatMillis: number
  /** Of one Append. A single larger entry goes alone. */
  readonly appendBytesMax: number
  readonly appendEntriesMax: number
  /** Sent to one follower and not yet answered. */
  readonly inflightMessagesMax: number
  readonly inflightBytesMax: number
  /** Proposed and not yet committed; beyond it proposals are refused. */
  readonly uncommittedBytesMax: number
  /** Of the log that is kept in memory, besides what is not yet durable or committed. */
  readonly memoryEntriesMax: number
  readonly memoryBytesMax: number
  /** Handed out to be applied, and not yet applied. */
  readonly applyBytesMax: number
  readonly chunkBytes: number
  readonly chunksInflightMax: number
  /** Snapshots that a leader sends at once. */
  readonly streamsMax: number
  /** Reads that wait for an answer. */
  readonly readsMax: number
  /** How far behind a learner may be that is promoted, in entries. */
  readonly promotionLagMax: number
  /** Idle for so long, a group falls asleep; Infinity is never. Needs PeerDown and PeerUp from the shell. */
  readonly quiesceMillis: number
  /** Lease reads; without it each read takes a round to a quorum. */
  readonly clockDriftMax?: number
}

export const defaultConfig: RaftConfig = {
  electionMillis: 1_000,
  heartbeatMillis: 100,
  appendBytesMax: 1 << 20,
  appendEntriesMax: 4_096,
  inflightMessagesMax: 64,
  inflightBytesMax: 8 << 20,
  uncommittedBytesMax: 64 << 20,
  memoryEntriesMax: 16_384,
  memoryBytesMax: 16 << 20,
  applyBytesMax: 4 << 20,
  chunkBytes: 256 << 10,
  chunksInflightMax: 4,
  streamsMax: 2,
  readsMax: 100_000,
  promotionLagMax: 1_000,
  quiesceMillis: Number.POSITIVE_INFINITY
}

/** How long a leader may trust that no other one is elected, from when it asked those who confirmed it. */
export const leaseMillis = ({ clockDriftMax, electionMillis }: RaftConfig): number =>
  clockDriftMax === undefined ? 0 : (electionMillis * (1 - clockDriftMax)) / (1 + clockDriftMax)

export const checkConfig = (config: RaftConfig): void => {
  for (const [name, value] of Object.entries(config)) {
    if (!(value > 0 || (value === 0 && (name === "clockDriftMax" || name === "promotionLagMax"))))
      throw new RangeError(`${name} of a raft group is ${value}: it must be more than 0`)
  }
  const { clockDriftMax = 0, electionMillis, heartbeatMillis } = config
  if (electionMillis < 3 * heartbeatMillis) {
    throw new RangeError(
      `a follower that waits ${electionMillis} ms for heartbeats every ${heartbeatMillis} ms gives up after one or two: let it wait for three`
    )
  }
  if (clockDriftMax >= 1) throw new RangeError(`clockDriftMax is a share, and ${clockDriftMax} is all of it`)
}
