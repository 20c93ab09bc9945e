/** Somebody who writes large values, one over the other, so that journals and stores grow and disks have to find room. */
import { Effect } from "effect"
import { KV } from "#protocols/wire/etcd/methods.ts"
import { callEtcd } from "./etcd-call.ts"
import { bytesOf } from "./etcd-requests.ts"
import type { Site, Workload } from "./workload.ts"

export interface BulkOptions {
  readonly bytes: number
  readonly everyMillis: number
}

const patienceMillis = 3_000
/** Behind all keys that somebody watches. */
const key = bytesOf("~bulk")

export const bulk = ({ bytes, everyMillis }: BulkOptions): Workload => ({
  name: `${Math.round(bytes / 1024)} KiB every ${everyMillis} ms`,
  begin: ({ isOver, nodes, prng, world }: Site) => {
    const { etcd, slowness } = world
    const counts = { answered: 0, failed: 0, unknown: 0, acknowledged: 0 }
    const once = Effect.gen(function* () {
      const node = nodes[prng.below(nodes.length)]
      if (node === undefined) return
      const value = new Uint8Array(bytes).fill(prng.below(256))
      const answer = yield* callEtcd(etcd, node, KV.put, { key, value }, patienceMillis * slowness)
      if (answer._tag === "Right") {
        counts.answered++
        counts.acknowledged++
      } else if (etcd.isDefinite(answer.left)) counts.failed++
      else counts.unknown++
    })
    return {
      run: Effect.gen(function* () {
        while (!isOver()) {
          yield* once
          yield* Effect.sleep(everyMillis * slowness)
        }
      }),
      gathered: () => ({}),
      counts: () => counts
    }
  }
})
