/**
 * What the calls of etcd v3 share that are answered once. Each is a function from the bytes of a request to one
 * reply, on a member that is held directly; they are grouped by service in the files etcd-kv.ts,
 * etcd-lease.ts and so on.
 *
 * Writes go to the leader, wherever that is; reads are linearizable unless they ask to be serializable, and
 * are answered by the member that was called. What of a request can be refused without the store is refused
 * before anything is proposed.
 */
import { Either } from "effect"
import type { GrpcCall, Unary, UnaryCall } from "#actors/kernel/ports/grpc.ts"
import type { Secrets } from "#actors/kernel/ports/secrets.ts"
import type { StorageFault } from "#actors/kernel/ports/storage-faults.ts"
import type { Spans } from "#actors/kernel/tracing.ts"
import type { NodeId } from "#actors/raft/raft-messages.ts"
import { type EtcdError, etcdErrors, GrpcCode } from "#protocols/wire/etcd/errors.ts"
import type { ResponseHeader } from "#protocols/wire/etcd/kv.ts"
import type { Method } from "#protocols/wire/etcd/methods.ts"
import { ProtobufMalformed } from "#protocols/wire/protobuf.ts"
import type { Message } from "#protocols/wire/protobuf-message.ts"
import { type Asker, isUserName } from "./auth-store.ts"
import { indexOfToken } from "./auth-tokens.ts"
import { type Command, encodeCommand } from "./command.ts"
import type { SmallTables } from "./etcd-backend.ts"
import type { LongWorks } from "./long-work.ts"
import type { Member, Proposed } from "./member.ts"
import type { MemberChanges } from "./member-changes.ts"
import type { Quota } from "./quota.ts"
import type { ChainfireSettings } from "./settings.ts"
import type { Response, StateMachine } from "./state-machine.ts"
import { traceOfCall } from "./traced-calls.ts"
import { spanOfProposal, withTrace } from "./traced-command.ts"

/** As etcd's default. */
const requestBytesMax = 1.5 * 1024 * 1024
export interface Endpoint {
  readonly member: Member
  readonly clusterId: bigint
  readonly memberId: bigint
  readonly changes: MemberChanges
  /** Has the leader carry a command out; its answer in etcd's encoding, or why there is none. */
  readonly forward: (
    leader: NodeId,
    command: Uint8Array,
    done: (answer: Either.Either<Uint8Array, EtcdError>) => void
  ) => void
  /** Has the leader change who the members are: a method of the Cluster service. */
  readonly forwardChange: (
    leader: NodeId,
    method: string,
    request: Uint8Array,
    done: (answer: Either.Either<Uint8Array, EtcdError>) => void
  ) => void
  /** What a lease has left, as the leader counts; undefined when there is no such lease. */
  readonly remainingMillis: (lease: bigint, done: (remaining: number | undefined | EtcdError) => void) => void
  /** For ids of leases that the client leaves to us. */
  readonly random: () => number
  /** For tokens; monotonic. */
  readonly nowMillis: () => number
  readonly secrets: Secrets
  readonly storeBytes: () => number
  /** Of that, what our tables have, and what is on its way there. */
  readonly usedBytes: () => number
  readonly settings: ChainfireSettings
  readonly quota: Quota
  readonly works: LongWorks
  /** The small tables as they are at one moment, until `release`. */
  readonly snapshot: (done: (taken: Either.Either<TablesAtOnce, StorageFault>) => void) => void
  /** Where spans begin, if anything is traced. */
  readonly spans?: Spans | undefined
  /** All that was written so far is on the disk. */
  readonly flushed: (done: (fault: StorageFault | undefined) => void) => void
}

export interface TablesAtOnce {
  readonly reads: SmallTables
  readonly release: () => void
}

export const headerOf = ({ clusterId, member, memberId }: Endpoint, revision: number): ResponseHeader => ({
  clusterId,
  memberId,
  revision,
  raftTerm: member.term
})

export const headerNow = (endpoint: Endpoint): ResponseHeader =>
  headerOf(endpoint, endpoint.member.machine.mvcc.revision)

export const malformed: EtcdError = { code: GrpcCode.internal, message: "grpc: error while marshaling" }

/** Decodes, and answers what does not decode. */
export const unary =
  <Request extends object, Answer extends object>(
    method: Method<Request, Answer>,
    handle: (request: Request, call: UnaryCall, bytes: Uint8Array) => void
  ): Unary =>
  (bytes, call) => {
    if (bytes.length > requestBytesMax) return call.fail(etcdErrors.requestTooLarge)
    let request: Request
    try {
      request = method.request.decode(bytes)
    } catch (problem) {
      if (problem instanceof ProtobufMalformed) return call.fail(malformed)
      throw problem
    }
    handle(request, call, bytes)
  }

/** Why a proposal came to nothing, in etcd's words. */
const faultOf = (proposed: Exclude<Proposed, { readonly _tag: "Applied" }>): EtcdError => {
  switch (proposed._tag) {
    case "Superseded":
      return etcdErrors.leaderChanged
    case "TimedOut":
      return etcdErrors.timeout
    case "Failed":
      return proposed.fault._tag === "StorageFull" ? etcdErrors.noSpace : etcdErrors.stopped
    case "Refused":
      return proposed.refusal._tag === "Overloaded" ? etcdErrors.tooManyRequests : etcdErrors.noLeader
  }
}

/** A command to this member, for callers on others: answered by whoever leads, and refused by all the rest. */
export const carryOut = (
  member: Member,
  command: Uint8Array,
  encode: (response: Response) => Uint8Array,
  done: (answer: Either.Either<Uint8Array, EtcdError>) => void
): void =>
  member.propose(command, (proposed) =>
    done(proposed._tag === "Applied" ? Either.map(proposed.outcome, encode) : Either.left(faultOf(proposed)))
  )

/** etcd's names for where a token is: of its clients, and of its gateway. */
const tokenOf = (call: GrpcCall): string | undefined => call.header("token") ?? call.header("authorization")

/**
 * Who calls, and the way of a request through raft: what changes something is proposed, what reads waits until
 * it may.
 *
 * A caller is known by his token, or else by the name in his certificate. While authentication is off nobody is
 * asked who he is; but a token that is not good is refused all the same, as etcd does.
 */
export class Calls {
  readonly endpoint: Endpoint

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint
  }

  get #machine(): StateMachine {
    return this.endpoint.member.machine
  }

  /** Whether this member serves anybody: its client is to go to another one. */
  get #unable(): EtcdError | undefined {
    const { member } = this.endpoint
    if (member.isLearner) return etcdErrors.notSupportedForLearner
    return member.isRemoved ? etcdErrors.stopped : undefined
  }

  /** Proposes here, or has it proposed where the leader is. */
  propose<Request extends object, Answer extends Response>(
    kind: Command["_tag"],
    method: Method<Request, Answer>,
    bytes: Uint8Array,
    call: UnaryCall
  ): void {
    const unable = this.#unable
    if (unable !== undefined) return call.fail(unable)
    if (this.unguarded(call)) return this.#proposeFor(encodeCommand(kind, bytes), method, call)
    this.identify(call, (who) =>
      Either.isLeft(who)
        ? call.fail(who.left)
        : this.#proposeFor(encodeCommand(kind, bytes, who.right), method, call)
    )
  }

  #proposeFor<Request extends object, Answer extends Response>(
    command: Uint8Array,
    { response }: Method<Request, Answer>,
    call: UnaryCall
  ): void {
    this.submit(withTrace(command, traceOfCall(call)), response, (outcome) => {
      if (Either.isLeft(outcome)) return call.fail(outcome.left)
      const answer = outcome.right
      const header = headerOf(this.endpoint, answer.header?.revision ?? 0)
      call.reply(response.encode({ ...answer, header }))
    })
  }

  /** As `encodeCommand` made it. In the answer's header is the revision only. */
  submit<Answer extends Response>(
    command: Uint8Array,
    codec: Message<Answer>,
    done: (outcome: Either.Either<Answer, EtcdError>) => void,
    waits = true
  ): void {
    const { endpoint } = this
    const { member } = endpoint
    const span = member.leads ? spanOfProposal(endpoint.spans, command) : undefined
    member.propose(command, (proposed) => {
      span?.end(proposed._tag === "Applied" ? undefined : faultOf(proposed).message)
      // The response to a command is that of its kind.
      if (proposed._tag === "Applied") return done(proposed.outcome as Either.Either<Answer, EtcdError>)
      const elsewhere = proposed._tag === "Refused" && proposed.refusal._tag === "NotLeader"
      const leader = elsewhere ? member.leader : 0
      // As etcd does: who comes during an election waits for its end.
      if (elsewhere && leader === 0 && waits) {
        return member.whenLed((led) =>
          led ? this.submit(command, codec, done, false) : done(Either.left(etcdErrors.timeout))
        )
      }
      if (leader === 0 || leader === member.id) return done(Either.left(faultOf(proposed)))
      endpoint.forward(leader, command, (answer) =>
        done(Either.map(answer, (encoded) => codec.decode(encoded)))
      )
    })
  }

  /** What only the leader can do: here, or there. Both give the answer in etcd's encoding. */
  onLeader(
    call: UnaryCall,
    here: (answer: (outcome: Either.Either<Uint8Array, EtcdError>) => void) => void,
    there: (leader: NodeId, answer: (outcome: Either.Either<Uint8Array, EtcdError>) => void) => void,
    reply: (encoded: Uint8Array) => void,
    waits = true
  ): void {
    const { member } = this.endpoint
    const unable = this.#unable
    if (unable !== undefined) return call.fail(unable)
    const answer = (outcome: Either.Either<Uint8Array, EtcdError>): void =>
      Either.match(outcome, { onLeft: (refused) => call.fail(refused), onRight: reply })
    if (member.leads) here(answer)
    else if (member.leader !== 0 && member.leader !== member.id) there(member.leader, answer)
    else if (!waits) call.fail(etcdErrors.noLeader)
    else
      member.whenLed((led) =>
        led ? this.onLeader(call, here, there, reply, false) : call.fail(etcdErrors.timeout)
      )
  }

  /** Linearizable: what was acknowledged to anybody before is seen. */
  afterRead(call: GrpcCall, then: () => void): void {
    this.whenReadable((refused) => (refused === undefined ? then() : call.fail(refused)))
  }

  /** Calls back when it may be read, or with the reason why not. */
  whenReadable(done: (refused: EtcdError | undefined) => void, waits = true): void {
    const { member } = this.endpoint
    const unable = this.#unable
    if (unable !== undefined) return done(unable)
    member.read((refused) => {
      if (refused === undefined) done(undefined)
      else if (refused === "NoLeader" && waits)
        member.whenLed((led) => (led ? this.whenReadable(done, false) : done(etcdErrors.timeout)))
      else if (refused === "Overloaded") done(etcdErrors.tooManyRequests)
      else done(refused === "TimedOut" ? etcdErrors.timeout : etcdErrors.noLeader)
    })
  }

  // Who may

  /** Nothing is to be checked: authentication is off, and the call shows no token. */
  unguarded(call: GrpcCall): boolean {
    return !this.#machine.auth.enabled && tokenOf(call) === undefined
  }

  /** Calls on if root calls, or authentication is off. `words`: for Maintenance, `untranslated`. */
  asRoot(call: GrpcCall, then: () => void, words = (refused: EtcdError) => refused): void {
    this.permitted(call, (asker) => this.#machine.auth.refusesRoot(asker), then, words)
  }

  /** Calls on if there is no reason to refuse who calls. */
  permitted(
    call: GrpcCall,
    refuses: (asker: Asker | undefined) => EtcdError | undefined,
    then: () => void,
    words = (refused: EtcdError) => refused
  ): void {
    if (this.unguarded(call)) return then()
    this.identify(call, (who) => {
      const refused = Either.isLeft(who) ? who.left : refuses(who.right)
      if (refused === undefined) then()
      else call.fail(words(refused))
    })
  }

  /** Who calls; nobody, if he does not say. Refuses what is no token of ours. */
  identify(call: GrpcCall, then: (who: Either.Either<Asker | undefined, EtcdError>) => void): void {
    const token = tokenOf(call)
    if (token === undefined) return then(Either.right(this.#byCertificate(call)))
    const asker = this.#byToken(token)
    if (asker !== undefined) return then(Either.right(asker))
    const index = indexOfToken(token)
    if (index === undefined || index <= this.#machine.appliedIndex)
      return then(Either.left(etcdErrors.invalidAuthToken))
    // Another member may have assigned it, and this one not have heard of it.
    this.whenReadable((refused) => {
      const known = this.#byToken(token)
      if (refused !== undefined) then(Either.left(refused))
      else then(known === undefined ? Either.left(etcdErrors.invalidAuthToken) : Either.right(known))
    })
  }

  #byToken(token: string): Asker | undefined {
    const user = this.#machine.tokens.show(token, this.endpoint.nowMillis())
    return user === undefined ? undefined : { user, revision: this.#machine.auth.revision }
  }

  #byCertificate(call: GrpcCall): Asker | undefined {
    const { auth } = this.#machine
    const user = call.peer.commonName
    // A gateway shows its own certificate, whoever calls through it.
    if (user === undefined || !auth.enabled || call.header("grpcgateway-accept") !== undefined)
      return undefined
    return isUserName(user) ? { user, revision: auth.revision } : undefined
  }
}
