/**
 * Locks and elections, as etcd's own clients do them: whoever wants a name puts a key below it that hangs on its
 * lease, and waits until every key there that was created before is gone. Who waits watches its predecessor
 * alone, so that one departure wakes one. They meet those of etcd's clients under the same name.
 */
import { Effect, Option, Schedule, type Scope, Stream } from "effect"
import type { Held } from "#actors/kernel/ports/coordination.ts"
import { type KeysFault, type KeyValue, RangeKeys, TxnKeys } from "#protocols/chainfire-keys.ts"
import { heldLease } from "./held-lease.ts"
import { beginningWith, keyOf } from "./key-space.ts"
import type { KeysTransport } from "./keys-transport.ts"
import { watching } from "./watching.ts"

export const campaign = (
  transport: KeysTransport,
  name: string,
  value: Uint8Array,
  ttlSeconds: number
): Effect.Effect<Held, KeysFault, Scope.Scope> =>
  Effect.gen(function* () {
    const held = yield* heldLease(transport, ttlSeconds)
    const { lease } = held
    const key = keyOf(`${name}/${lease}`)
    const joined = yield* transport.ask(
      new TxnKeys({
        compare: [{ key, target: "createRevision", result: "equal", operand: 0 }],
        onSuccess: [{ op: "put", key, value, lease }],
        onFailure: []
      })
    )
    const { revision } = joined
    while (yield* waitsBehind(transport, name, revision)) {}
    return { ...held, key, revision }
  })

/** Waits for the end of whoever is next before that revision; false when there is nobody. */
const waitsBehind = (
  transport: KeysTransport,
  name: string,
  revision: number
): Effect.Effect<boolean, KeysFault> =>
  Effect.gen(function* () {
    const found = yield* transport.ask(
      new RangeKeys({
        ...beginningWith(`${name}/`),
        maxCreateRevision: revision - 1,
        sortBy: "createRevision",
        descending: true,
        limit: 1
      })
    )
    const [before] = found.kvs
    if (before === undefined) return false
    const gone = watching(transport, { key: before.key, startRevision: found.revision + 1, noPut: true })
    // If it was compacted meanwhile, reading again tells as much.
    yield* Stream.runHead(gone).pipe(Effect.catchTag("Compacted", () => Effect.succeedNone))
    return true
  })

/** Who leads now and whenever that changes. */
export const observe = (
  transport: KeysTransport,
  name: string
): Stream.Stream<Option.Option<KeyValue>, KeysFault> => {
  const range = beginningWith(`${name}/`)
  const leader = transport.ask(new RangeKeys({ ...range, sortBy: "createRevision", limit: 1 }))
  const once = Stream.unwrap(
    Effect.map(leader, (first) =>
      Stream.concat(
        Stream.succeed(first),
        watching(transport, { ...range, startRevision: first.revision + 1 }).pipe(
          Stream.mapEffect(() => leader)
        )
      )
    )
  )
  return once.pipe(
    Stream.map(({ kvs: [kv] }) => Option.fromNullable(kv)),
    Stream.retry(
      Schedule.spaced(100).pipe(Schedule.whileInput((fault: KeysFault) => fault._tag === "Compacted"))
    ),
    Stream.changesWith(
      (one, other) => Option.getOrUndefined(one)?.modRevision === Option.getOrUndefined(other)?.modRevision
    )
  )
}
