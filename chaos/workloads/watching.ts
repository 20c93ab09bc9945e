/**
 * Clients that watch all that others write, go from node to node, and are slow at times; see kv-watchers.ts. In the
 * end each goes on until it has seen what was there when everybody had stopped, or has had the time to.
 */
import { Effect } from "effect"
import { KvWatcher } from "./kv-watchers.ts"
import { headRevision } from "./truth.ts"
import type { Running, Site, Workload } from "./workload.ts"

export interface WatchingOptions {
  readonly watchers: number
  /** How long one stays with a node, at most. */
  readonly stayMillisMax: number
  /** How long every second one takes over a response, at most. */
  readonly slowMillisMax: number
  /** So many each of them sees, and then no more. */
  readonly eventsMax: number
  /** Whether somebody compacts meanwhile; see compacting.ts. */
  readonly isCompacted: boolean
}

export const usualWatching: WatchingOptions = {
  watchers: 3,
  stayMillisMax: 5_000,
  slowMillisMax: 20,
  eventsMax: 100_000,
  isCompacted: false
}

/** Whatever clients and nodes write is between these. */
export const firstKey = "a"
export const lastKey = "z"
const catchUpMillis = 3_000

export const watching = (chosen: Partial<WatchingOptions> = {}): Workload => {
  const options = { ...usualWatching, ...chosen }
  return {
    name: `${options.watchers} watchers of all keys`,
    begin: (site) => begin(options, site)
  }
}

const begin = (options: WatchingOptions, { isOver, nodes, prng, world }: Site): Running => {
  const { eventsMax, isCompacted, slowMillisMax, stayMillisMax } = options
  const { etcd, slowness } = world
  let throughRevision: number | undefined
  let isRevisionMissing = false
  const watchers = Array.from(
    { length: options.watchers },
    (_, at) =>
      new KvWatcher(etcd, prng.fork(), {
        name: `watcher ${at + 1}`,
        first: firstKey,
        last: lastKey,
        nodes,
        slowMillisMax: at % 2 === 0 ? 0 : slowMillisMax * slowness,
        stayMillisMax: stayMillisMax * slowness,
        eventsMax,
        isCompacted,
        isOver
      })
  )
  const each = (doing: (watcher: KvWatcher) => Effect.Effect<void>) =>
    Effect.forEach(watchers, doing, { concurrency: "unbounded", discard: true })
  return {
    run: Effect.gen(function* () {
      yield* each(({ run }) => run)
      const revision = yield* headRevision(world, nodes)
      isRevisionMissing = revision === undefined
      if (revision !== undefined)
        yield* each((watcher) => watcher.catchUp(revision, catchUpMillis * slowness))
      throughRevision = revision
    }),
    gathered: () => ({
      watches: watchers.flatMap((watcher) => watcher.seen(throughRevision)),
      problems: [
        ...watchers.flatMap(({ problems }) => problems),
        ...(isRevisionMissing
          ? ["watches: nobody told the last revision, so nobody knows what is missing"]
          : [])
      ]
    }),
    counts: () => ({ answered: 0, failed: 0, unknown: 0, acknowledged: 0 })
  }
}
