/**
 * `Leases` on `Coordination`: each name is a key that hangs on a lease of the store and holds who has it.
 *
 * An epoch is the revision that wrote the key: revisions of a store grow for ever, whatever crashes. A lease of
 * the store is granted before the key is put under it, and its time counts from the grant, so the name is free
 * for others no earlier than what its holder was told, which counts from before all of that. The store may give
 * a lease more time than it was asked for (etcd gives none less than two seconds, and whole seconds only):
 * after a crash of its holder a name is free that much later, never earlier.
 *
 * Each request is at most four questions to the store, and each of these ends by its deadline: no clock is set for
 * them together, since whoever holds a lease has its own patience. Who waits for a name watches its key, from the
 * revision at which it was seen to be there: a deletion in between is not missed.
 */
import { Data, Effect, Option, Stream } from "effect"
import type { WorldClock } from "#actors/kernel/ports/clock.ts"
import type { Coordination } from "#actors/kernel/ports/coordination.ts"
import { holdMillis, type Leases } from "#actors/kernel/ports/leases.ts"
import type { KeysFault, KeyValue } from "#protocols/chainfire-keys.ts"
import { type Lease, LeaseHeld, LeaseLost, LeasesUnavailable } from "#protocols/leases.ts"
import { keyOf } from "./key-space.ts"

export interface CoordinationLeasesOptions {
  /** What the keys begin with. */
  readonly prefix?: string
}

type Request = LeasesUnavailable["request"]

export const leasesOn = (
  store: Coordination,
  clock: WorldClock,
  { prefix = "ultracloud/leases/" }: CoordinationLeasesOptions = {}
): Leases => {
  const keyFor = (name: string) => keyOf(`${prefix}${name}`)

  /** Only the step that changes who has the name leaves open what happened. */
  const explained = <A, E>(
    name: string,
    request: Request,
    work: Effect.Effect<A, E | Stopped>
  ): Effect.Effect<A, Exclude<E, Stopped> | LeasesUnavailable> =>
    Effect.mapError(work, (fault) =>
      fault instanceof Stopped
        ? new LeasesUnavailable({ name, request, reason: fault.reason, definite: fault.definite })
        : (fault as Exclude<E, Stopped>)
    )

  const remainingMillis = (kv: KeyValue): Effect.Effect<number, Stopped> =>
    kv.lease === undefined
      ? Effect.succeed(0)
      : store.timeToLive({ lease: kv.lease }).pipe(
          Effect.map(({ ttlSeconds }) => ttlSeconds * 1_000),
          Effect.catchTag("LeaseNotFound", () => Effect.succeed(0)),
          Effect.mapError(harmless)
        )

  const holderOf = ({ value }: KeyValue): string => new TextDecoder().decode(value)

  /** One that was granted for nothing; it runs out by itself if it cannot be revoked. */
  const drop = (lease: string): Effect.Effect<void> =>
    Effect.catchAll(Effect.asVoid(store.revoke(lease)), (fault) =>
      Effect.logDebug(`the lease ${lease} runs out by itself: ${fault.message}`)
    )

  const acquire: Leases["acquire"] = (name, holder, ttlMillis) =>
    explained(
      name,
      "acquire",
      Effect.gen(function* () {
        const sentMillis = clock.nowMillis()
        const key = keyFor(name)
        const before = Option.getOrUndefined(yield* Effect.mapError(store.get(key), harmless))
        if (before !== undefined && holderOf(before) !== holder)
          return yield* held(name, before, yield* remainingMillis(before))
        const ttlSeconds = Math.ceil(ttlMillis / 1_000)
        const { lease } = yield* Effect.mapError(store.grant({ ttlSeconds }), harmless)
        const taken = yield* store
          .txn({
            compare: [{ key, target: "modRevision", result: "equal", operand: before?.modRevision ?? 0 }],
            onSuccess: [{ op: "put", key, value: keyOf(holder), lease }],
            onFailure: [{ op: "read", key }]
          })
          .pipe(Effect.mapError(stopped))
        if (taken.succeeded) {
          // Its key hangs on the new one: nothing is lost with the old one.
          if (before?.lease !== undefined) yield* Effect.forkDaemon(drop(before.lease))
          const untilMillis = sentMillis + holdMillis(ttlMillis)
          return { name, holder, epoch: taken.revision, ttlMillis, untilMillis }
        }
        yield* Effect.forkDaemon(drop(lease))
        const [read] = taken.answers
        const [other] = read?.op === "read" ? read.kvs : []
        // It was given back in between: whoever asks again gets it.
        if (other === undefined)
          return yield* new Stopped({ reason: "somebody else had it just now", definite: true })
        return yield* held(name, other, yield* remainingMillis(other))
      })
    )

  const held = (name: string, kv: KeyValue, leftMillis: number) =>
    new LeaseHeld({ name, holder: holderOf(kv), remainingMillis: leftMillis }, true)

  const own = ({ epoch, name }: Lease) =>
    Effect.map(Effect.mapError(store.get(keyFor(name)), harmless), (found) =>
      Option.filter(found, ({ modRevision }) => modRevision === epoch)
    )

  const renew: Leases["renew"] = (lease) =>
    explained(
      lease.name,
      "renew",
      Effect.gen(function* () {
        const { epoch, holder, name, ttlMillis } = lease
        const sentMillis = clock.nowMillis()
        const lost = () => new LeaseLost({ name, holder, epoch })
        const found = yield* own(lease)
        const id = Option.getOrUndefined(found)?.lease
        if (id === undefined) return yield* lost()
        const keeping = Effect.catchTag(store.keep(id), "LeaseNotFound", () => Effect.fail(lost()))
        yield* Effect.mapError(keeping, (fault) => (fault instanceof LeaseLost ? fault : stopped(fault)))
        return { ...lease, untilMillis: sentMillis + holdMillis(ttlMillis) }
      })
    )

  const release: Leases["release"] = (lease) =>
    explained(
      lease.name,
      "release",
      Effect.gen(function* () {
        const found = Option.getOrUndefined(yield* own(lease))
        if (found === undefined) return
        const key = keyFor(lease.name)
        yield* store
          .txn({
            compare: [{ key, target: "modRevision", result: "equal", operand: lease.epoch }],
            onSuccess: [{ op: "delete", key }]
          })
          .pipe(Effect.mapError(stopped))
        if (found.lease !== undefined) yield* Effect.forkDaemon(drop(found.lease))
      })
    )

  const freed: Leases["freed"] = (name) =>
    Effect.gen(function* () {
      const key = keyFor(name)
      const { kvs, revision } = yield* store.range({ key })
      if (kvs.length === 0) return
      const deletions = store.watch({ key, startRevision: revision + 1, noPut: true })
      yield* Stream.runHead(deletions)
    }).pipe(
      Effect.mapError(({ message }) => {
        return new LeasesUnavailable({ name, request: "wait", reason: message, definite: true })
      })
    )

  return { acquire, renew, release, freed }
}

/** Why it came to no end. */
class Stopped extends Data.TaggedError("Stopped")<{
  readonly reason: string
  readonly definite: boolean
}> {}

const stopped = (fault: KeysFault): Stopped =>
  new Stopped({ reason: fault.message, definite: fault.definite })

/** Of a step that gives the name to nobody. */
const harmless = (fault: KeysFault): Stopped => new Stopped({ reason: fault.message, definite: true })
