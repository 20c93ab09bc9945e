/** Clients that want the same locks; see lock-holder.ts. What each believed to hold, and when, is for the checks. */
import { Effect } from "effect"
import { LockHolder } from "./lock-holder.ts"
import type { Counts, Running, Site, Workload } from "./workload.ts"

export interface LocksOptions {
  readonly holders: number
  readonly locks: number
  /** The store may give more. */
  readonly ttlSeconds: number
  readonly holdMillisMax: number
  readonly pauseMillisMax: number
  readonly patienceMillis: number
  /** After so many each of the holders stops. */
  readonly holdingsMax: number
}

export const usualLocks: LocksOptions = {
  holders: 4,
  locks: 1,
  ttlSeconds: 3,
  holdMillisMax: 5_000,
  pauseMillisMax: 100,
  patienceMillis: 1_000,
  holdingsMax: 5_000
}

export const locks = (chosen: Partial<LocksOptions> = {}): Workload => {
  const options = { ...usualLocks, ...chosen }
  return {
    name: `${options.holders} holders of ${options.locks === 1 ? "a lock" : `${options.locks} locks`}`,
    begin: (site) => begin(options, site)
  }
}

const begin = (options: LocksOptions, { isOver, nodes, nowMillis, prng, world }: Site): Running => {
  const { etcd, slowness } = world
  const holders = Array.from(
    { length: options.holders },
    (_, at) =>
      new LockHolder(etcd, prng.fork(), {
        name: `holder ${at + 1}`,
        lock: (at % options.locks) + 1,
        nodes,
        nowMillis,
        isOver,
        holdingsMax: options.holdingsMax,
        ttlSeconds: Math.ceil(options.ttlSeconds * slowness),
        holdMillisMax: options.holdMillisMax * slowness,
        pauseMillisMax: options.pauseMillisMax * slowness,
        patienceMillis: options.patienceMillis * slowness
      })
  )
  return {
    run: Effect.forEach(holders, ({ run }) => run, { concurrency: "unbounded", discard: true }),
    gathered: () => ({ holdings: holders.flatMap(({ seen }) => seen) }),
    counts: () => {
      const sum = (count: keyof Counts) => holders.reduce((total, { counts }) => total + counts[count], 0)
      return {
        answered: sum("answered"),
        failed: sum("failed"),
        unknown: sum("unknown"),
        acknowledged: sum("acknowledged")
      }
    }
  }
}
