/**
 * A client that wants a lock, holds it for a while, writes what the lock guards, and gives it back.
 *
 *   grant a lease ──► create the lock's key with it ──► write, again and again ──► revoke the lease, or delete the key
 *                     if it is not there                 if the key has still the same creation revision
 *                          │                                   │
 *                          └ somebody has it: later again      └ it has not: lost
 *
 * It believes that it has the lock until the lease would end if it had been granted when the request left, by its
 * own clock, and does nothing under the lock after that. To have it for longer it moves the key to a new lease
 * before: the creation revision stays. It has the lock only if it was told so: what an answer that was lost may
 * have given it, it gives back.
 */
import { Effect, Either } from "effect"
import type { GrpcStatus } from "#actors/kernel/ports/grpc.ts"
import type { Holding } from "#chaos/checkers/evidence.ts"
import type { EtcdAccess, NodeName } from "#chaos/lab/world.ts"
import { guardedKey, guardedValue, lockKey, lockName } from "#chaos/models/lock-keys.ts"
import type { Prng } from "#chaos/sim/prng.ts"
import { CompareResult, CompareTarget } from "#protocols/wire/etcd/kv.ts"
import { DeleteRangeRequest, PutRequest } from "#protocols/wire/etcd/kv-fast.ts"
import { KV, LEASE, type Method } from "#protocols/wire/etcd/methods.ts"
import { Compare, RequestOp } from "#protocols/wire/etcd/txn-fast.ts"
import { callEtcd } from "./etcd-call.ts"
import { bytesOf } from "./etcd-requests.ts"

export interface HolderOptions {
  readonly name: string
  readonly lock: number
  readonly nodes: ReadonlyArray<NodeName>
  readonly ttlSeconds: number
  readonly holdMillisMax: number
  readonly pauseMillisMax: number
  readonly patienceMillis: number
  readonly holdingsMax: number
  /** Since the run began. */
  readonly nowMillis: () => number
  readonly isOver: () => boolean
}

/** While it believes. */
interface Held {
  readonly fence: number
  readonly notBeforeMillis: number
  readonly fromMillis: number
  lease: bigint
  leaseMillis: number
  lostMillis: number | undefined
  /** Whether the key has moved to the next lease nobody knows, and it may still do so: that is not asked for again. */
  isMoving: boolean
}

interface Leased {
  readonly lease: bigint
  /** It certainly does not end before. */
  readonly untilMillis: number
}

export class LockHolder {
  readonly #etcd: EtcdAccess
  readonly #prng: Prng
  readonly #options: HolderOptions
  readonly holdings: Array<Holding> = []
  readonly counts = { answered: 0, failed: 0, unknown: 0, acknowledged: 0 }
  #held: Held | undefined
  #writes = 0
  #node: NodeName

  constructor(etcd: EtcdAccess, prng: Prng, options: HolderOptions) {
    this.#etcd = etcd
    this.#prng = prng
    this.#options = options
    this.#node = this.#anyNode()
  }

  get run(): Effect.Effect<void> {
    const { holdingsMax, isOver, pauseMillisMax } = this.#options
    return Effect.gen(this, function* () {
      while (!isOver() && this.holdings.length < holdingsMax) {
        const leased = yield* this.#grant()
        if (leased !== undefined) yield* this.#try(leased)
        yield* Effect.sleep(this.#prng.next() * pauseMillisMax)
      }
    })
  }

  /** With the one that it has now, if it has one. */
  get seen(): ReadonlyArray<Holding> {
    return this.#held === undefined
      ? this.holdings
      : [...this.holdings, this.#holdingOf(this.#held, undefined)]
  }

  /** One life of a lease: whatever comes of it, it is given back. */
  #try(leased: Leased): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const held = yield* this.#acquire(leased)
      if (held !== undefined) yield* this.#hold(held)
      yield* this.#revoke(held?.lease ?? leased.lease)
    })
  }

  #grant(): Effect.Effect<Leased | undefined> {
    return Effect.gen(this, function* () {
      const sentMillis = this.#options.nowMillis()
      const granted = yield* this.#call(LEASE.grant, { TTL: this.#options.ttlSeconds })
      if (granted === undefined) return undefined
      return { lease: granted.ID, untilMillis: sentMillis + granted.TTL * 1_000 }
    })
  }

  #acquire({ lease, untilMillis }: Leased): Effect.Effect<Held | undefined> {
    return Effect.gen(this, function* () {
      const notBeforeMillis = this.#options.nowMillis()
      const answer = yield* this.#call(KV.txn, this.#ifCreated(0, this.#putLock(lease)))
      const fromMillis = this.#options.nowMillis()
      if (answer?.succeeded !== true || answer.header === undefined || fromMillis >= untilMillis)
        return undefined
      const held: Held = {
        fence: answer.header.revision,
        notBeforeMillis,
        fromMillis,
        lease,
        leaseMillis: untilMillis,
        lostMillis: undefined,
        isMoving: false
      }
      this.#held = held
      return held
    })
  }

  /** Until it has had it for as long as it wants, has lost it, or could not keep it. */
  #hold(held: Held): Effect.Effect<void> {
    const { holdMillisMax, isOver, nowMillis, pauseMillisMax, ttlSeconds } = this.#options
    return Effect.gen(this, function* () {
      const enoughMillis = nowMillis() + this.#prng.next() * holdMillisMax
      const isHeld = () => held.lostMillis === undefined && nowMillis() < held.leaseMillis
      while (isHeld() && nowMillis() < enoughMillis && !isOver()) {
        const isHalfOver = held.leaseMillis - nowMillis() < (ttlSeconds * 1_000) / 2
        if (isHalfOver && !held.isMoving) yield* this.#prolong(held)
        if (isHeld()) yield* this.#write(held)
        const remainingMillis = Math.max(0, held.leaseMillis - nowMillis())
        yield* Effect.sleep(Math.min(remainingMillis, this.#prng.next() * pauseMillisMax))
      }
      // It stops to believe at the end of its lease, however late it looks.
      const untilMillis = Math.min(nowMillis(), held.leaseMillis)
      this.holdings.push(this.#holdingOf(held, untilMillis))
      this.#held = undefined
      if (held.lostMillis === undefined && this.#prng.chance(0.5)) yield* this.#delete(held)
    })
  }

  #prolong(held: Held): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const leased = yield* this.#grant()
      if (leased === undefined) return
      const answer = yield* this.#call(KV.txn, this.#ifCreated(held.fence, this.#putLock(leased.lease)))
      if (answer === undefined) {
        held.isMoving = true
        return
      }
      if (!answer.succeeded) {
        held.lostMillis = this.#options.nowMillis()
        return yield* this.#revoke(leased.lease)
      }
      const { lease } = held
      held.lease = leased.lease
      held.leaseMillis = leased.untilMillis
      // The key is another lease's now, and stays.
      yield* this.#revoke(lease)
    })
  }

  #write(held: Held): Effect.Effect<void> {
    const { lock, name } = this.#options
    const value = guardedValue(held.fence, `${name}.${++this.#writes}`)
    const put = RequestOp.make({
      requestPut: PutRequest.make({ key: bytesOf(guardedKey(lock)), value: bytesOf(value) })
    })
    return Effect.map(this.#call(KV.txn, this.#ifCreated(held.fence, put)), (answer) => {
      if (answer?.succeeded === true) this.counts.acknowledged++
      if (answer?.succeeded === false) held.lostMillis = this.#options.nowMillis()
    })
  }

  #delete({ fence }: Held): Effect.Effect<void> {
    const key = bytesOf(lockKey(this.#options.lock))
    const request = RequestOp.make({ requestDeleteRange: DeleteRangeRequest.make({ key }) })
    return Effect.asVoid(this.#call(KV.txn, this.#ifCreated(fence, request)))
  }

  /** Where no answer comes the lease runs out. */
  #revoke(lease: bigint): Effect.Effect<void> {
    return Effect.asVoid(this.#call(LEASE.revoke, { ID: lease }))
  }

  #ifCreated(revision: number, then: RequestOp) {
    const key = bytesOf(lockKey(this.#options.lock))
    const compare = Compare.make({
      key,
      target: CompareTarget.create,
      result: CompareResult.equal,
      createRevision: revision
    })
    return { compare: [compare], success: [then], failure: [] }
  }

  #putLock(lease: bigint): RequestOp {
    const { lock, name } = this.#options
    return RequestOp.make({
      requestPut: PutRequest.make({ key: bytesOf(lockKey(lock)), value: bytesOf(name), lease })
    })
  }

  /** Undefined: refused, or nobody knows. The next one goes to another node. */
  #call<Req extends object, Answer extends object>(
    method: Method<Req, Answer>,
    request: Partial<Req>
  ): Effect.Effect<Answer | undefined> {
    const { patienceMillis } = this.#options
    return Effect.map(callEtcd(this.#etcd, this.#node, method, request, patienceMillis), (answer) => {
      if (Either.isRight(answer)) {
        this.counts.answered++
        return answer.right
      }
      this.#refused(answer.left)
      return undefined
    })
  }

  #refused(status: GrpcStatus): void {
    this.#node = this.#anyNode()
    if (this.#etcd.isDefinite(status)) this.counts.failed++
    else this.counts.unknown++
  }

  #anyNode(): NodeName {
    const { nodes } = this.#options
    return nodes[this.#prng.below(nodes.length)] ?? ""
  }

  #holdingOf(held: Held, untilMillis: number | undefined): Holding {
    const { fence, fromMillis, leaseMillis, lostMillis, notBeforeMillis } = held
    return {
      what: lockName(this.#options.lock),
      holder: this.#options.name,
      fence,
      notBeforeMillis,
      fromMillis,
      untilMillis,
      lostMillis,
      leaseMillis,
      fenced: true
    }
  }
}
