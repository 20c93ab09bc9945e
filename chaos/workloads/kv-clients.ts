/**
 * Clients of chainfire that want to see it fail: few keys, short thoughts, and every kind of write. Each asks one
 * thing at a time, waits for a while, and then goes on at another node without knowing what came of it.
 *
 * Keys a to e are written one by one. The two of the pair are only ever written together, so that each
 * transaction which reads both finds the same in both.
 */
import { Effect, Either } from "effect"
import type { Recorder } from "#chaos/checkers/history.ts"
import type { EtcdAccess, NodeName } from "#chaos/lab/world.ts"
import { del, type EtcdInput, type EtcdOutput, get, put } from "#chaos/models/etcd-model.ts"
import { stampOf } from "#chaos/models/etcd-writes.ts"
import type { Prng } from "#chaos/sim/prng.ts"
import { inTime } from "./etcd-call.ts"
import { type Answered, type AskOptions, askEtcd } from "./etcd-requests.ts"

export const singleKeys = ["a", "b", "c", "d", "e"]
export const pair = ["x", "y"] as const
const getPair = pair.map((key) => ({ _tag: "Get", key }) as const)

export interface ClientOptions extends AskOptions {
  readonly name: string
  /** It asks one of these, and another one when it got no answer. */
  readonly nodes: ReadonlyArray<NodeName>
  readonly onlyReads: boolean
  readonly patienceMillis: number
  readonly pauseMillisMax: number
  readonly isOver: () => boolean
}

export class KvClient {
  readonly #etcd: EtcdAccess
  readonly #recorder: Recorder<EtcdInput, EtcdOutput>
  readonly #prng: Prng
  readonly #options: ClientOptions
  /** What it has seen last of each key. */
  readonly #seen = new Map<string, { readonly value: string; readonly modRevision: number }>()
  #node: NodeName
  #writes = 0
  readonly counts = { answered: 0, failed: 0, unknown: 0, acknowledged: 0 }

  constructor(
    etcd: EtcdAccess,
    recorder: Recorder<EtcdInput, EtcdOutput>,
    prng: Prng,
    options: ClientOptions
  ) {
    this.#etcd = etcd
    this.#recorder = recorder
    this.#prng = prng
    this.#options = options
    this.#node = this.#anyNode()
  }

  get run(): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      while (!this.#options.isOver()) {
        if ((yield* this.ask(this.#options.onlyReads ? this.#read() : this.#input())) === "full") return
        yield* Effect.sleep(this.#prng.next() * this.#options.pauseMillisMax)
      }
    })
  }

  /** One operation, in the history. */
  ask(input: EtcdInput): Effect.Effect<"ok" | "failed" | "unknown" | "full"> {
    return Effect.gen(this, function* () {
      const { name, patienceMillis } = this.#options
      const recording = this.#recorder.invoke(name, input)
      if (recording === undefined) return "full"
      const answer = yield* inTime<Answered>(this.#etcd, patienceMillis, (done) =>
        askEtcd(this.#etcd, this.#node, input, this.#options, done)
      )
      if (answer !== undefined && Either.isRight(answer)) {
        recording.ok(answer.right)
        this.counts.answered++
        if (stampOf(input, answer.right).changed) this.counts.acknowledged++
        this.#remember(input, answer.right)
        return "ok"
      }
      this.#node = this.#anyNode()
      if (answer !== undefined && this.#etcd.isDefinite(answer.left)) {
        recording.failed(answer.left.message)
        this.counts.failed++
        return "failed"
      }
      this.counts.unknown++
      recording.unknown(answer?.left.message ?? "no answer came in time")
      return "unknown"
    })
  }

  #anyNode(): NodeName {
    const { nodes } = this.#options
    return nodes[this.#prng.below(nodes.length)] ?? ""
  }

  #anyKey(): string {
    return singleKeys[this.#prng.below(singleKeys.length)] ?? "a"
  }

  #read(): EtcdInput {
    return this.#prng.chance(0.8) ? get(this.#anyKey()) : { compares: [], success: getPair, failure: [] }
  }

  #input(): EtcdInput {
    const dice = this.#prng.next()
    const key = this.#anyKey()
    const value = `${this.#options.name}.${++this.#writes}`
    if (dice < 0.35) return get(key)
    if (dice < 0.6) return put(key, value)
    if (dice < 0.68) return del(key)
    if (dice < 0.86) return this.#swap(key, value)
    const [one, other] = pair
    if (dice < 0.93) return { compares: [], success: getPair, failure: [] }
    const seen = this.#seen.get(one)
    const compares =
      seen === undefined
        ? []
        : [{ key: other, target: "modRevision", result: "=", operand: seen.modRevision } as const]
    return { compares, success: pair.map((of) => ({ _tag: "Put", key: of, value })), failure: getPair }
  }

  /** Compares with what this client has seen, or with there being nothing, and reads where that is wrong. */
  #swap(key: string, value: string): EtcdInput {
    const seen = this.#seen.get(key)
    const compare =
      seen === undefined || this.#prng.chance(0.2)
        ? ({ target: "createRevision", operand: 0 } as const)
        : this.#prng.chance(0.5)
          ? ({ target: "modRevision", operand: seen.modRevision } as const)
          : ({ target: "value", operand: seen.value } as const)
    return {
      compares: [{ key, result: "=", ...compare }],
      success: this.#prng.chance(0.8) ? [{ _tag: "Put", key, value }] : [{ _tag: "Delete", key }],
      failure: [{ _tag: "Get", key }]
    }
  }

  #remember({ failure, success }: EtcdInput, { results, succeeded }: EtcdOutput): void {
    for (const [index, { key }] of (succeeded ? success : failure).entries()) {
      const result = results[index]
      if (result?._tag !== "Got" || result.kv === null) continue
      const { modRevision = 0, value } = result.kv
      this.#seen.set(key, { value, modRevision })
    }
  }
}
