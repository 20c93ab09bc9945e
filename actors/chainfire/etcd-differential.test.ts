/** The same requests to a real etcd and to our state machine, and the same answers. */
import test from "ava"
import { Either } from "effect"
import { Prng } from "#chaos/sim/prng.ts"
import type { EtcdError } from "#protocols/wire/etcd/errors.ts"
import { CompactionRequest } from "#protocols/wire/etcd/kv.ts"
import { DeleteRangeRequest, PutRequest, RangeRequest } from "#protocols/wire/etcd/kv-fast.ts"
import { LeaseGrantRequest, LeaseRevokeRequest } from "#protocols/wire/etcd/lease.ts"
import { KV, LEASE, type Method } from "#protocols/wire/etcd/methods.ts"
import { Compare, type RequestOp, type TxnRequest } from "#protocols/wire/etcd/txn-fast.ts"
import { type Called, Etcd, etcdInstalled } from "./fixtures/etcd.ts"
import { Local } from "./fixtures/local.ts"

const operations = 3_000
const seed = Number(process.env["UC_SEED"] ?? 1)

const oracle = etcdInstalled() ? test : test.skip

oracle(`${operations} random requests have the same answers as from etcd itself`, async (t) => {
  t.timeout(120_000)
  const etcd = await Etcd.start()
  try {
    const ours = new Local()
    const requests = new Requests(seed)
    const seen = new Map<string, number>()
    for (let done = 0; done < operations; done++) {
      const request = requests.next()
      const theirs = plainCall(await request.ask(etcd))
      const own = plainOutcome(request.execute(ours))
      const kind = `${request.name}: ${"refused" in theirs ? theirs.refused : "ok"}`
      seen.set(kind, (seen.get(kind) ?? 0) + 1)
      t.deepEqual(
        tiesSettled(request.request, own),
        tiesSettled(request.request, theirs),
        `UC_SEED=${seed}, request ${done}: ${request.name} ${show(request.request)}`
      )
    }
    t.log(
      [...seen]
        .toSorted()
        .map(([kind, count]) => `${count} × ${kind}`)
        .join("\n")
    )
    t.true(seen.size >= 15, "all sorts of answers were compared")
  } finally {
    await etcd.stop()
  }
})

interface Drawn {
  readonly name: string
  readonly request: object
  readonly ask: (etcd: Etcd) => Promise<Called<object>>
  readonly execute: (ours: Local) => Either.Either<object, EtcdError>
}

/** Requests by seed: few keys, so that they meet each other. */
class Requests {
  readonly #prng: Prng
  /** About where the store is. */
  #revision = 1

  constructor(from: number) {
    this.#prng = new Prng(from)
  }

  next(): Drawn {
    const dice = this.#prng.next()
    if (dice < 0.3) return this.#of("put", KV.put, this.#put(), (ours, request) => ours.put(request))
    if (dice < 0.6) return this.#of("range", KV.range, this.#range(), (ours, request) => ours.range(request))
    if (dice < 0.7)
      return this.#of("delete", KV.deleteRange, this.#delete(), (ours, request) => ours.deleteRange(request))
    if (dice < 0.9) return this.#of("txn", KV.txn, this.#txn(2), (ours, request) => ours.txn(request))
    if (dice < 0.92) {
      const request = CompactionRequest.make({ revision: this.#some(this.#revision + 3) })
      return this.#of("compact", KV.compact, request, (ours, asked) => ours.compact(asked))
    }
    const ID = BigInt(1 + this.#prng.below(6))
    if (dice < 0.97) {
      const TTL = this.#prng.chance(0.1) ? 9_000_000_001 : 1_000 + this.#prng.below(1_000)
      const request = LeaseGrantRequest.make({ ID, TTL })
      return this.#of("grant", LEASE.grant, request, (ours, asked) => ours.grant(asked))
    }
    const request = LeaseRevokeRequest.make({ ID })
    return this.#of("revoke", LEASE.revoke, request, (ours, asked) => ours.revoke(asked))
  }

  #of<Request extends object, Response extends object>(
    name: string,
    method: Method<Request, Response>,
    request: Request,
    execute: (ours: Local, request: Request) => Either.Either<object, EtcdError>
  ): Drawn {
    this.#revision += name === "range" ? 0 : 1
    return {
      name,
      request,
      ask: (etcd) => etcd.client.call(method, request),
      execute: (ours) => execute(ours, request)
    }
  }

  #some(below: number): number {
    return this.#prng.below(Math.max(1, below))
  }

  #bytes(): Uint8Array {
    const length = this.#prng.chance(0.04) ? 0 : 1 + this.#prng.below(2)
    return Uint8Array.from({ length }, () => [97, 98, 99, 0, 255][this.#prng.below(5)] ?? 0)
  }

  #end(): Uint8Array {
    if (this.#prng.chance(0.5)) return new Uint8Array(0)
    return this.#prng.chance(0.3) ? new Uint8Array(1) : this.#bytes()
  }

  #put(): PutRequest {
    return PutRequest.make({
      key: this.#bytes(),
      value: this.#bytes(),
      lease: this.#prng.chance(0.3) ? BigInt(this.#prng.below(7)) : 0n,
      prevKv: this.#prng.chance(0.3),
      ignoreValue: this.#prng.chance(0.1),
      ignoreLease: this.#prng.chance(0.1)
    })
  }

  #range(sortTargets = 5): RangeRequest {
    const sortTarget = this.#prng.chance(0.15) ? this.#some(sortTargets) : 0
    const sometimes = (below: number) => (this.#prng.chance(0.15) ? this.#some(below) : 0)
    return RangeRequest.make({
      key: this.#bytes(),
      rangeEnd: this.#end(),
      // Among equals a limit would choose any.
      limit: sortTarget === 0 ? sometimes(5) : 0,
      revision: this.#prng.chance(0.3) ? this.#some(this.#revision + 2) : 0,
      sortOrder: sometimes(3),
      sortTarget,
      keysOnly: this.#prng.chance(0.1),
      countOnly: this.#prng.chance(0.1),
      minModRevision: sometimes(this.#revision),
      maxModRevision: sometimes(this.#revision),
      minCreateRevision: sometimes(this.#revision),
      maxCreateRevision: sometimes(this.#revision)
    })
  }

  #delete(rangeEnd = this.#end()): DeleteRangeRequest {
    return DeleteRangeRequest.make({
      key: this.#bytes(),
      rangeEnd,
      prevKv: this.#prng.chance(0.5)
    })
  }

  #compare(): Compare {
    const target = this.#prng.below(5)
    const about = [
      { version: this.#prng.below(4) },
      { createRevision: this.#some(this.#revision) },
      { modRevision: this.#some(this.#revision) },
      { value: this.#bytes() },
      { lease: BigInt(this.#prng.below(4)) }
    ][target]
    return Compare.make({
      result: this.#prng.below(4),
      target,
      key: this.#bytes(),
      rangeEnd: this.#prng.chance(0.2) ? this.#end() : new Uint8Array(0),
      ...about
    })
  }

  #op(depth: number): RequestOp {
    const none = {
      requestPut: undefined,
      requestRange: undefined,
      requestDeleteRange: undefined,
      requestTxn: undefined
    }
    const dice = this.#prng.next()
    if (dice < 0.4) return { ...none, requestPut: this.#put() }
    if (dice < 0.7) return { ...none, requestRange: this.#range(1) }
    // Without an end it would pass the check for duplicates, and a put behind it that keeps the lease of the
    // deleted key then crashes etcd 3.4.
    if (dice < 0.9 || depth === 0) return { ...none, requestDeleteRange: this.#delete(this.#bytes()) }
    return { ...none, requestTxn: this.#txn(depth - 1) }
  }

  #txn(depth: number): TxnRequest {
    const many = <A>(below: number, make: () => A) => Array.from({ length: this.#some(below) }, make)
    return {
      compare: many(3, () => this.#compare()),
      success: many(4, () => this.#op(depth)),
      failure: many(4, () => this.#op(depth))
    }
  }
}

type Plain = { readonly refused: string } | { readonly answer: unknown }

const plainCall = (called: Called<object>): Plain =>
  "response" in called ? { answer: plain(called.response) } : { refused: `${called.code} ${called.message}` }

const plainOutcome = (outcome: Either.Either<object, EtcdError>): Plain =>
  Either.match(outcome, {
    onLeft: ({ code, message }) => ({ refused: `${code} ${message}` }),
    onRight: (response) => ({ answer: plain(response) })
  })

/** etcd's sort leaves equals in any order: what is left of it are the values by which it sorted. */
const tiesSettled = (request: object, outcome: Plain): unknown => {
  const field = ["", "version", "createRevision", "modRevision", "value"][sortTargetOf(request)]
  const kvs = "answer" in outcome && Reflect.get(Object(outcome.answer), "kvs")
  if (field === undefined || field === "" || !Array.isArray(kvs)) return outcome
  const text = (kv: unknown) => String(Object.entries(Object(kv)).toSorted())
  return { by: kvs.map((kv) => Reflect.get(Object(kv), field)), kvs: kvs.map(text).toSorted() }
}

const sortTargetOf = (request: object): number =>
  "sortTarget" in request && typeof request.sortTarget === "number" ? request.sortTarget : 0

/** Who answers, and in which term, is not compared. */
const skipped = new Set(["clusterId", "memberId", "raftTerm", "sub"])

const plain = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("latin1")
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !skipped.has(name))
      .map(([name, inner]) => [name, plain(inner)])
  )
}

const show = (request: object): string =>
  JSON.stringify(plain(request), (_name, value) => (typeof value === "bigint" ? `${value}` : value))
