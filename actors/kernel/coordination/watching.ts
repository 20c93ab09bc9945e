/**
 * A watch that goes on: where the connection is lost it begins again behind the last revision that was told, so
 * that nothing is told twice and nothing is left out.
 */
import { Option, Schedule, Stream } from "effect"
import type { Changes, WatchedKeys } from "#actors/kernel/ports/coordination.ts"
import type { Compacted, StoreUnavailable } from "#protocols/chainfire-keys.ts"
import type { KeysTransport } from "./keys-transport.ts"

const pauseMillis = 100

export const watching = (transport: KeysTransport, keys: WatchedKeys): Stream.Stream<Changes, Compacted> =>
  Stream.suspend(() => {
    /** Undefined until the store has said where it was. */
    let next = keys.startRevision
    const once = Stream.suspend(() =>
      transport.watch(next === undefined ? keys : { ...keys, startRevision: next })
    ).pipe(
      Stream.filterMap((told) => {
        if ("began" in told) {
          next ??= told.began + 1
          return Option.none()
        }
        if (next !== undefined && told.revision < next) return Option.none()
        next = told.revision + 1
        return Option.some(told)
      })
    )
    const again = Schedule.spaced(pauseMillis).pipe(
      Schedule.whileInput((fault: Compacted | StoreUnavailable) => fault._tag === "StoreUnavailable")
    )
    return once.pipe(
      Stream.retry(again),
      // It was retried for ever.
      Stream.catchTag("StoreUnavailable", (fault) => Stream.die(fault))
    )
  })
