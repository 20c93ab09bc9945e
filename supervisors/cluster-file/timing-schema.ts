/**
 * How patient nodes are with each other, for networks and machines that are slower than usual. The same on all
 * nodes: one that is less patient than others takes them for dead.
 */
import { Schema } from "effect"
import { defaultConfig as swimDefaults } from "#actors/cluster/swim-config.ts"
import { defaultConfig as raftDefaults } from "#actors/raft/raft-config.ts"
import { Millis, section, withDefault } from "./key.ts"

/** A wait is worth something when it lasts for so many of what it waits for. */
const patience = 3

const Chainfire = Schema.Struct({
  electionMillis: withDefault(
    Millis,
    raftDefaults.electionMillis,
    "Without a word from the leader for so long, up to twice, a member wants to be elected. At least three heartbeats."
  ),
  heartbeatMillis: withDefault(Millis, raftDefaults.heartbeatMillis, "So often a leader is heard of.")
}).pipe(
  Schema.filter(
    ({ electionMillis, heartbeatMillis }) =>
      electionMillis >= patience * heartbeatMillis || {
        path: ["electionMillis"],
        message: `expected at least three heartbeats of ${heartbeatMillis} ms, got ${electionMillis}`
      }
  ),
  Schema.annotations({ title: "a section of electionMillis and heartbeatMillis" })
)

const Membership = Schema.Struct({
  probeIntervalMillis: withDefault(
    Millis,
    swimDefaults.probeIntervalMillis,
    "So often each node asks another whether it lives. Suspicion is counted in this. At least three timeouts."
  ),
  probeTimeoutMillis: withDefault(
    Millis,
    swimDefaults.probeTimeoutMillis,
    "Until one that does not answer is asked again, by others too."
  )
}).pipe(
  Schema.filter(
    ({ probeIntervalMillis, probeTimeoutMillis }) =>
      probeIntervalMillis >= patience * probeTimeoutMillis || {
        path: ["probeIntervalMillis"],
        message: `expected at least three times the timeout of ${probeTimeoutMillis} ms, got ${probeIntervalMillis}`
      }
  ),
  Schema.annotations({ title: "a section of probeIntervalMillis and probeTimeoutMillis" })
)

export const Timing = Schema.Struct({
  chainfire: section(Chainfire, "Elections of the coordination store."),
  membership: section(Membership, "How nodes notice that one is gone.")
}).annotations({ title: "a section of chainfire and membership" })
export type Timing = typeof Timing.Type
