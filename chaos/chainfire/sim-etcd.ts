/**
 * What clients of etcd see of chainfire's members in a simulated world: production calls and watches, behind a
 * network that delays. A call to a member that is down is refused at once; one to a member that dies, or is
 * paused, is never answered; what has left a member arrives.
 */
import { Either } from "effect"
import type { MemberCluster } from "#actors/chainfire/fixtures/member-cluster.ts"
import { somebody } from "#actors/chainfire/fixtures/plain.ts"
import { ServedMembers } from "#actors/chainfire/fixtures/served-members.ts"
import type { Member } from "#actors/chainfire/member.ts"
import type { GrpcStatus, OpenStream, StreamCall, UnaryCall } from "#actors/kernel/ports/grpc.ts"
import type { NodeId } from "#actors/raft/raft-messages.ts"
import type { EtcdAccess, NodeName, WatchOptions } from "#chaos/lab/world.ts"
import type { SimWorld } from "#chaos/sim/world.ts"
import { etcdErrors, GrpcCode } from "#protocols/wire/etcd/errors.ts"
import { type Method, WATCH } from "#protocols/wire/etcd/methods.ts"
import { WatchCreateRequest, WatchRequest, WatchResponse } from "#protocols/wire/etcd/watch.ts"

const clientLatencyMillisMax = 3
const lookMillis = 50

/** Nobody was there to take it. */
const down: GrpcStatus = { code: GrpcCode.unavailable, message: "connection refused" }

/** After these nothing has happened, and nothing will. */
const definite: ReadonlySet<string> = new Set(
  [down, etcdErrors.noLeader, etcdErrors.leaderChanged, etcdErrors.tooManyRequests].map(
    ({ message }) => message
  )
)

const isDefinite = ({ message }: GrpcStatus): boolean => definite.has(message)

/** From this many on that a client has not taken yet there is no room for more. */
const responsesWaitingMax = 4

export class SimEtcd implements EtcdAccess {
  readonly #world: SimWorld
  readonly #cluster: MemberCluster
  readonly #served: ServedMembers

  readonly isDefinite: EtcdAccess["isDefinite"]

  /** Tests plant a lie about which errors say that nothing happened. */
  constructor(world: SimWorld, cluster: MemberCluster, definiteAre: EtcdAccess["isDefinite"] = isDefinite) {
    this.isDefinite = definiteAre
    this.#world = world
    this.#cluster = cluster
    this.#served = new ServedMembers(world, cluster)
  }

  after(millis: number, ring: () => void): () => void {
    return this.#world.clock.alarm(millis, ring)
  }

  call<Request extends object, Answer extends object>(
    node: NodeName,
    { path, request, response }: Method<Request, Answer>,
    asked: Partial<Request>,
    done: (answer: Either.Either<Answer, GrpcStatus>) => void
  ): void {
    const bytes = request.encode(request.make(asked))
    const answer = (answered: Either.Either<Answer, GrpcStatus>) =>
      void this.#world.clock.alarm(this.#latency(), () => done(answered))
    this.#cluster.reach(
      idOf(node),
      (member) => {
        const handle = this.#served.handlers(member).unary[path]
        if (handle === undefined) throw new Error(`members do not serve ${path}`)
        handle(
          bytes,
          unaryCall(path, (answered) => answer(Either.map(answered, (reply) => response.decode(reply))))
        )
      },
      () => answer(Either.left(down))
    )
  }

  /** Returns what ends it from the side of the client. */
  watch(options: WatchOptions): () => void {
    const stream = new SimStream(this.#world, this.#cluster, options)
    stream.begins(this.#cluster.member(idOf(options.node)))
    this.#cluster.reach(
      idOf(options.node),
      (member) => {
        const open = this.#served.handlers(member).streams[WATCH.watch.path]
        if (open === undefined) throw new Error("members do not serve watches")
        stream.opened(member, open)
      },
      () => stream.lost()
    )
    return () => stream.cancel()
  }

  #latency(): number {
    return this.#world.prng.next() * clientLatencyMillisMax
  }
}

/** Of node02, 2. */
const idOf = (node: NodeName): NodeId => Number(node.slice("node".length))

const unaryCall = (
  path: string,
  done: (answer: Either.Either<Uint8Array, GrpcStatus>) => void
): UnaryCall => ({
  path,
  peer: somebody,
  header: () => undefined,
  deadlineMillis: undefined,
  ended: false,
  onCancel: undefined,
  reply: (response) => done(Either.right(response)),
  fail: (status) => done(Either.left(status))
})

/** The client's end of one stream with one watch, and the member's. */
class SimStream implements StreamCall {
  readonly path = WATCH.watch.path
  readonly peer = somebody
  readonly deadlineMillis = undefined
  ended = false
  queuedBytes = 0
  onCancel: (() => void) | undefined
  onDrain: (() => void) | undefined
  readonly #world: SimWorld
  readonly #cluster: MemberCluster
  readonly #options: WatchOptions
  #member: Member | undefined
  #waiting = 0
  #readyMillis = 0

  constructor(world: SimWorld, cluster: MemberCluster, options: WatchOptions) {
    this.#world = world
    this.#cluster = cluster
    this.#options = options
  }

  /** Whoever stands still and then dies never takes what was sent to it. */
  begins(member: Member | undefined): void {
    if (member === undefined) return
    this.#member = member
    this.#look()
  }

  opened(member: Member, open: OpenStream): void {
    if (this.ended) return
    const isLookedAt = this.#member === member
    this.#member = member
    const createRequest = WatchCreateRequest.make(this.#options.request)
    open(this).onMessage(WatchRequest.encode(WatchRequest.make({ createRequest })))
    if (!isLookedAt) this.#look()
  }

  /** The end of a member ends its connections. */
  #look(): void {
    if (this.ended) return
    if (this.#member === undefined || this.#cluster.member(this.#member.id) !== this.#member)
      return this.lost()
    this.#world.clock.alarm(lookMillis, () => this.#look())
  }

  /** The connection is gone, with what was on its way. */
  lost(): void {
    if (this.ended) return
    this.ended = true
    this.#options.onEnd()
  }

  cancel(): void {
    if (this.ended) return
    this.ended = true
    const member = this.#member
    if (member !== undefined) this.#cluster.inside(member, () => this.onCancel?.())
  }

  header(): undefined {
    return undefined
  }

  send(message: Uint8Array): boolean {
    if (this.ended) return false
    const { nowMillis, prng } = this.#world
    this.#waiting++
    this.#readyMillis = Math.max(this.#readyMillis, nowMillis) + prng.next() * this.#options.slowMillisMax
    this.#world.clock.alarm(this.#readyMillis - nowMillis, () => this.#arrived(message))
    return this.#waiting < responsesWaitingMax
  }

  #arrived(message: Uint8Array): void {
    if (this.ended) return
    this.#waiting--
    this.#options.onResponse(WatchResponse.decode(message))
    const member = this.#member
    if (this.#waiting === 0 && member !== undefined)
      this.#cluster.inside(member, () => {
        if (!this.ended) this.onDrain?.()
      })
  }

  fail(): void {
    this.lost()
  }

  end(): void {
    this.lost()
  }

  pause(): void {}

  resume(): void {}
}
