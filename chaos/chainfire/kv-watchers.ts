/**
 * Clients that watch: they write down each event, and when their member dies, or they have had enough of it, they
 * go on at another one behind the last revision that they have seen.
 */
import { Effect } from "effect"
import type { MemberCluster } from "#actors/chainfire/fixtures/member-cluster.ts"
import type { NodeId } from "#actors/raft/raft-messages.ts"
import type { ChangeSeen, WatchSeen } from "#chaos/checkers/watch-completeness.ts"
import type { Prng } from "#chaos/sim/prng.ts"
import { EventType } from "#protocols/wire/etcd/kv.ts"
import type { WatchResponse } from "#protocols/wire/etcd/watch.ts"
import { textOf } from "./etcd-requests.ts"
import type { SimEtcd } from "./sim-etcd.ts"

export interface WatcherOptions {
  readonly name: string
  /** In order; it watches from the first to the last. */
  readonly keys: ReadonlyArray<string>
  readonly slowMillisMax: number
  /** How long it stays with one member, at most. */
  readonly stayMillisMax: number
  readonly isOver: () => boolean
}

const lookMillis = 50

export class KvWatcher {
  readonly #cluster: MemberCluster
  readonly #etcd: SimEtcd
  readonly #prng: Prng
  readonly #options: WatcherOptions
  readonly #events: Array<ChangeSeen> = []
  readonly problems: Array<string> = []
  /** How often it began, the first time included. */
  beginnings = 0
  #lastRevision = 0

  constructor(cluster: MemberCluster, etcd: SimEtcd, prng: Prng, options: WatcherOptions) {
    this.#cluster = cluster
    this.#etcd = etcd
    this.#prng = prng
    this.#options = options
  }

  seen(throughRevision: number): WatchSeen {
    const { keys, name } = this.#options
    const watches = (key: string) => keys.includes(key)
    return { name, watches, fromRevision: 1, events: this.#events, throughRevision }
  }

  get run(): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const { ids } = this.#cluster
      while (!this.#options.isOver()) {
        yield* this.#watch(ids[this.#prng.below(ids.length)] ?? 1)
        yield* Effect.sleep(this.#prng.next() * 100)
      }
    })
  }

  /** At one member, until that one dies, or for as long as it likes. */
  #watch(id: NodeId): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const { keys, slowMillisMax, stayMillisMax } = this.#options
      const [first = ""] = keys
      const encoder = new TextEncoder()
      const rangeEnd = keys.length > 1 ? encoder.encode(`${keys.at(-1)}\0`) : new Uint8Array(0)
      const member = this.#cluster.member(id)
      let open = true
      this.beginnings++
      const cancel = this.#etcd.watch({
        member: id,
        request: { key: encoder.encode(first), rangeEnd, startRevision: this.#lastRevision + 1 },
        slowMillisMax,
        onResponse: (response) => this.#take(response),
        onEnd: () => {
          open = false
        }
      })
      const untilMillis = this.#prng.next() * stayMillisMax
      for (let millis = 0; millis < untilMillis; millis += lookMillis) {
        yield* Effect.sleep(lookMillis)
        if (!open || this.#options.isOver() || this.#cluster.member(id) !== member) break
      }
      cancel()
    })
  }

  #take({ canceled, cancelReason, events }: WatchResponse): void {
    if (canceled) this.problems.push(`watch ${this.#options.name} was cancelled: ${cancelReason}`)
    for (const { kv, type } of events) {
      if (kv === undefined) throw new Error("an event has a key")
      const value = type === EventType.delete ? null : textOf(kv.value)
      this.#events.push({ revision: kv.modRevision, key: textOf(kv.key), value })
      this.#lastRevision = Math.max(this.#lastRevision, kv.modRevision)
    }
  }
}
