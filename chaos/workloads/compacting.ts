/**
 * Somebody who compacts: again and again all but the newest revisions are thrown away, as an operator's job does it.
 * It watches everything itself, and compacts nothing that it has not seen; so in the end it knows what was there.
 */
import { Effect, Fiber } from "effect"
import { KV } from "#protocols/wire/etcd/methods.ts"
import { callEtcd } from "./etcd-call.ts"
import { KvWatcher } from "./kv-watchers.ts"
import { firstKey, lastKey } from "./watching.ts"
import type { Site, Workload } from "./workload.ts"

export interface CompactingOptions {
  readonly everyMillis: number
  /** Of the newest revisions so many stay. */
  readonly keep: number
}

const patienceMillis = 2_000
const stayMillisMax = 5_000
const eventsMax = 1_000_000

export const compacting = (options: CompactingOptions): Workload => ({
  name: `compaction every ${options.everyMillis} ms`,
  begin: (site) => begin(options, site)
})

const begin = ({ everyMillis, keep }: CompactingOptions, { isOver, nodes, prng, world }: Site) => {
  const { etcd, slowness } = world
  const counts = { answered: 0, failed: 0, unknown: 0, acknowledged: 0 }
  const archivist = new KvWatcher(etcd, prng.fork(), {
    name: "of whoever compacts",
    first: firstKey,
    last: lastKey,
    nodes,
    slowMillisMax: 0,
    stayMillisMax: stayMillisMax * slowness,
    eventsMax,
    isCompacted: false,
    isOver
  })
  const compact = Effect.gen(function* () {
    const revision = archivist.lastRevision - keep
    const node = nodes[prng.below(nodes.length)]
    if (revision < 1 || node === undefined) return
    const answer = yield* callEtcd(etcd, node, KV.compact, { revision }, patienceMillis * slowness)
    if (answer._tag === "Right") counts.answered++
    else counts.unknown++
  })
  return {
    run: Effect.gen(function* () {
      const watching = yield* Effect.fork(archivist.run)
      while (!isOver()) {
        yield* compact
        yield* Effect.sleep(everyMillis * slowness)
      }
      yield* Fiber.join(watching)
    }),
    gathered: () => ({
      changes: archivist.seen().flatMap(({ events }) => events),
      problems: [...archivist.problems, ...(counts.answered === 0 ? ["nothing was compacted away"] : [])]
    }),
    counts: () => counts
  }
}
