/**
 * A lease that is kept alive for as long as a scope is open, and revoked when it closes.
 *
 * It is kept three times in each of its lives. It counts as lost when the store says so, and when it could not
 * be kept for its whole time, by our own clock and from before the last request that was answered: from then on
 * the store may have given it up.
 */
import { Deferred, Effect, type Scope } from "effect"
import type { HeldLease } from "#actors/kernel/ports/coordination.ts"
import { clockDriftMax } from "#actors/kernel/ports/leases.ts"
import { GrantLease, KeepLease, type KeysFault, RevokeLease } from "#protocols/chainfire-keys.ts"
import { type KeysTransport, monotonicMillis } from "./keys-transport.ts"

const keepsInLife = 3
const pauseMillis = 100

export const heldLease = (
  transport: KeysTransport,
  ttlSeconds: number
): Effect.Effect<HeldLease, KeysFault, Scope.Scope> =>
  Effect.gen(function* () {
    const askedMillis = yield* monotonicMillis
    const granted = yield* Effect.acquireRelease(transport.ask(new GrantLease({ ttlSeconds })), ({ lease }) =>
      // It runs out by itself if it cannot be revoked.
      Effect.catchAll(transport.ask(new RevokeLease({ lease })), (fault) =>
        Effect.logDebug(`the lease ${lease} was not revoked: ${fault.message}`)
      )
    )
    const lost = yield* Deferred.make<void>()
    yield* Effect.forkScoped(
      Effect.zipRight(keep(transport, granted, askedMillis), Deferred.succeed(lost, undefined))
    )
    return { lease: granted.lease, ttlSeconds: granted.ttlSeconds, lost: Deferred.await(lost) }
  })

/** Returns when it is lost. */
const keep = (
  transport: KeysTransport,
  { lease, ttlSeconds }: { readonly lease: string; readonly ttlSeconds: number },
  askedMillis: number
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const lifeMillis = ttlSeconds * 1_000 * (1 - clockDriftMax)
    let keptMillis = askedMillis
    let pause = lifeMillis / keepsInLife
    for (;;) {
      const overMillis = keptMillis + lifeMillis - (yield* monotonicMillis)
      if (overMillis <= 0) return
      yield* Effect.sleep(Math.min(pause, overMillis))
      const nowMillis = yield* monotonicMillis
      const leftMillis = Math.max(0, keptMillis + lifeMillis - nowMillis)
      const asking = Effect.either(transport.ask(new KeepLease({ lease })))
      const answered = yield* Effect.timeoutOption(asking, leftMillis)
      if (answered._tag === "None") return
      if (answered.value._tag === "Left" && answered.value.left._tag === "LeaseNotFound") return
      if (answered.value._tag === "Right") {
        keptMillis = nowMillis
        pause = lifeMillis / keepsInLife
      } else pause = pauseMillis
    }
  })
