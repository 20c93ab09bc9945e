/**
 * Somebody who compacts: again and again all but the newest revisions are thrown away, as an operator's job does it.
 * Watches that are behind are cancelled, and have to be told so.
 */
import { Effect, Either } from "effect"
import { KV } from "#protocols/wire/etcd/methods.ts"
import type { Site, Workload } from "./workload.ts"

export interface CompactingOptions {
  readonly everyMillis: number
  /** Of the newest revisions so many stay. */
  readonly keep: number
}

const patienceMillis = 2_000

export const compacting = ({ everyMillis, keep }: CompactingOptions): Workload => ({
  name: "compacting",
  begin: (site) => {
    const counts = { answered: 0, failed: 0, unknown: 0, acknowledged: 0 }
    const once = Effect.gen(function* () {
      const node = site.nodes[site.prng.below(site.nodes.length)] ?? "node01"
      const revision = yield* currentRevision(site, node)
      if (revision === undefined || revision <= keep) return
      const answer = yield* called(site, node, KV.compact, { revision: revision - keep })
      if (answer === undefined) counts.unknown++
      else counts.answered++
    })
    const run = Effect.gen(function* () {
      while (!site.isOver()) {
        yield* once
        yield* Effect.sleep(everyMillis * site.world.slowness)
      }
    })
    return { run, gathered: () => ({}), counts: () => counts }
  }
})

const currentRevision = (site: Site, node: string): Effect.Effect<number | undefined> =>
  Effect.map(
    called(site, node, KV.range, { key: new Uint8Array([0]), serializable: true }),
    (answer) => answer?.header?.revision
  )

/** Refused, as where somebody else has compacted meanwhile, or not answered in time: undefined. */
const called = <Asked extends object, Answer extends object>(
  { world }: Site,
  node: string,
  method: Parameters<typeof world.etcd.call<Asked, Answer>>[1],
  request: Partial<Asked>
): Effect.Effect<Answer | undefined> =>
  Effect.async<Answer | undefined>((resume) =>
    world.etcd.call(node, method, request, (answer) => resume(Effect.succeed(Either.getOrUndefined(answer))))
  ).pipe(
    Effect.timeoutTo({
      duration: patienceMillis * world.slowness,
      onSuccess: (answer) => answer,
      onTimeout: () => undefined
    })
  )
