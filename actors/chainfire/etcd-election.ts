/**
 * The Election service of etcd v3: a line for each name, see waiting-line.ts, whose first is the leader, and
 * what it proclaims is the value of its key.
 *
 * Who campaigns and goes away, or whose deadline passes, leaves the line. A candidate whose lease runs out while
 * it waits is told so, where etcd would call it the leader.
 */
import { Either } from "effect"
import type { GrpcStatus, OpenStream, StreamCall, Unary, UnaryCall } from "#actors/kernel/ports/grpc.ts"
import {
  type CampaignRequest,
  CampaignResponse,
  LeaderKey,
  LeaderRequest,
  LeaderResponse,
  type ProclaimRequest,
  ProclaimResponse,
  type ResignRequest,
  ResignResponse
} from "#protocols/wire/etcd/concurrency.ts"
import { GrpcCode } from "#protocols/wire/etcd/errors.ts"
import { EventType, SortOrder, SortTarget } from "#protocols/wire/etcd/kv.ts"
import {
  type KeyValue,
  PutRequest,
  type RangeRequest,
  type ResponseHeader
} from "#protocols/wire/etcd/kv-fast.ts"
import { ELECTION, KV, WATCH } from "#protocols/wire/etcd/methods.ts"
import { RequestOp, type TxnRequest, type TxnResponse } from "#protocols/wire/etcd/txn-fast.ts"
import { WatchCreateRequest, type WatchResponse } from "#protocols/wire/etcd/watch.ts"
import { ProtobufMalformed } from "#protocols/wire/protobuf.ts"
import { unary } from "./etcd-calls.ts"
import { type Ask, askAs, type Handlers, InnerStream } from "./inner-call.ts"
import { type KeyRange, prefixed } from "./mvcc.ts"
import { equalBytes } from "./record.ts"
import {
  createdAt,
  inOtherWords,
  leaving,
  placeOf,
  resigning,
  type WaitingLines,
  withLease
} from "./waiting-line.ts"

const unknown = (message: string): GrpcStatus => ({ code: GrpcCode.unknown, message })

const notLeader = unknown("election: not leader")
const noLeader = unknown("election: no leader")
const missingLeaderKey = unknown('"leader" field must be provided')

export const electionCalls = (handlers: Handlers, lines: WaitingLines): Readonly<Record<string, Unary>> => ({
  [ELECTION.campaign.path]: unary(ELECTION.campaign, (request, call) =>
    campaign(handlers, lines, request, call)
  ),

  [ELECTION.proclaim.path]: unary(ELECTION.proclaim, (request, call) => proclaim(handlers, request, call)),

  [ELECTION.resign.path]: unary(ELECTION.resign, (request, call) => resign(handlers, request, call)),

  [ELECTION.leader.path]: unary(ELECTION.leader, ({ name }, call) =>
    askAs(handlers, call)(KV.range, firstOf(lineOf(name)), (answer) => {
      if (Either.isLeft(answer)) return call.fail(inOtherWords(answer.left))
      const { header, kvs } = answer.right
      if (kvs[0] === undefined) call.fail(noLeader)
      else call.reply(LeaderResponse.encode({ header, kv: kvs[0] }))
    })
  )
})

const lineOf = (name: Uint8Array): KeyRange => prefixed(placeOf(name, 0n).prefix)

const firstOf = (line: KeyRange): Partial<RangeRequest> => ({
  ...line,
  sortOrder: SortOrder.ascend,
  sortTarget: SortTarget.create,
  limit: 1
})

const campaign = (
  handlers: Handlers,
  lines: WaitingLines,
  { lease, name, value }: CampaignRequest,
  call: UnaryCall
): void => {
  const ask = askAs(handlers, call)
  const failed = (refused: GrpcStatus) => call.fail(inOtherWords(refused))
  let gone = false
  call.onCancel = () => {
    gone = true
  }
  withLease(ask, lease, (had) => {
    if (gone) return
    if (Either.isLeft(had)) return failed(had.left)
    const { key, prefix } = placeOf(name, had.right)
    ask(KV.txn, standing(key, value, had.right), (answer) => {
      if (Either.isLeft(answer)) return failed(answer.left)
      const { header, responses, succeeded } = answer.right
      const before = succeeded ? undefined : responses[0]?.responseRange?.kvs[0]
      const rev = before?.createRevision ?? header?.revision ?? 0
      const place = { prefix, key, createRevision: rev }
      const leave = () => ask(KV.txn, leaving(place), () => {})
      // Who stood there before stands there still.
      if (gone) return succeeded ? leave() : undefined
      const wait = () => {
        const stop = lines.wait(call, place, (turn) => {
          if (Either.isLeft(turn)) {
            leave()
            return call.fail(turn.left)
          }
          if (turn.right === undefined) return call.fail(notLeader)
          const leader = LeaderKey.make({ name, key, rev, lease: had.right })
          call.reply(CampaignResponse.encode({ header, leader }))
        })
        call.onCancel = () => {
          stop()
          leave()
        }
      }
      if (before === undefined || equalBytes(before.value, value)) return wait()
      ask(KV.txn, proclaiming(key, rev, value, had.right), (proclaimed) => {
        const refused = refusalOf(proclaimed)
        if (refused !== undefined) call.fail(refused)
        else if (!gone) wait()
      })
    })
  })
}

const proclaim = (handlers: Handlers, { leader, value }: ProclaimRequest, call: UnaryCall): void => {
  if (leader === undefined) return call.fail(missingLeaderKey)
  const ask = askAs(handlers, call)
  withLease(ask, leader.lease, (had) => {
    if (Either.isLeft(had)) return call.fail(inOtherWords(had.left))
    ask(KV.txn, proclaiming(leader.key, leader.rev, value, had.right), (answer) => {
      const refused = refusalOf(answer)
      if (refused !== undefined) return call.fail(refused)
      call.reply(ProclaimResponse.encode({ header: headerOf(answer) }))
    })
  })
}

/** That somebody else leads by now is no error. */
const resign = (handlers: Handlers, { leader }: ResignRequest, call: UnaryCall): void => {
  if (leader === undefined) return call.fail(missingLeaderKey)
  askAs(handlers, call)(KV.txn, resigning(leader.key, leader.rev), (answer) =>
    Either.match(answer, {
      onLeft: (refused) => call.fail(inOtherWords(refused)),
      onRight: ({ header }) => call.reply(ResignResponse.encode({ header }))
    })
  )
}

type TxnAnswer = Either.Either<TxnResponse, GrpcStatus>

const refusalOf = (answer: TxnAnswer): GrpcStatus | undefined => {
  if (Either.isLeft(answer)) return inOtherWords(answer.left)
  return answer.right.succeeded ? undefined : notLeader
}

const headerOf = (answer: TxnAnswer): ResponseHeader | undefined =>
  Either.isRight(answer) ? answer.right.header : undefined

const standing = (key: Uint8Array, value: Uint8Array, lease: bigint): TxnRequest => ({
  compare: [createdAt(key, 0)],
  success: [RequestOp.make({ requestPut: PutRequest.make({ key, value, lease }) })],
  failure: [RequestOp.make({ requestRange: KV.range.request.make({ key }) })]
})

const proclaiming = (key: Uint8Array, rev: number, value: Uint8Array, lease: bigint): TxnRequest => ({
  compare: [createdAt(key, rev)],
  success: [RequestOp.make({ requestPut: PutRequest.make({ key, value, lease }) })],
  failure: []
})

// Observe

export const electionStreams = (handlers: Handlers): Readonly<Record<string, OpenStream>> => ({
  [ELECTION.observe.path]: (call) => {
    const observer = new Observer(handlers, call)
    return {
      onMessage: (bytes) => observer.begin(bytes),
      // It goes on until the client goes away.
      onEnd: () => {}
    }
  }
})

/** Tells who leads: the first in the line, what it proclaims, and when it is gone the next. */
class Observer {
  readonly #handlers: Handlers
  readonly #call: StreamCall
  readonly #ask: Ask
  #line: KeyRange | undefined
  #watch: InnerStream<object, WatchResponse> | undefined

  constructor(handlers: Handlers, call: StreamCall) {
    this.#handlers = handlers
    this.#call = call
    this.#ask = askAs(handlers, call)
    call.onCancel = () => this.#watch?.close()
    call.onDrain = () => this.#watch?.drained()
  }

  begin(bytes: Uint8Array): void {
    if (this.#line !== undefined) return
    try {
      this.#line = lineOf(LeaderRequest.decode(bytes).name)
    } catch (problem) {
      if (!(problem instanceof ProtobufMalformed)) throw problem
      return this.#call.fail({ code: GrpcCode.internal, message: "grpc: error while marshaling" })
    }
    this.#look(this.#line)
  }

  #look(line: KeyRange): void {
    this.#ask(KV.range, firstOf(line), (answer) => {
      if (this.#call.ended) return
      if (Either.isLeft(answer)) return this.#call.fail(closedEarly)
      const { header, kvs } = answer.right
      const startRevision = (header?.revision ?? 0) + 1
      if (kvs[0] === undefined) return this.#follow(line, startRevision)
      this.#tell(header, kvs[0])
      this.#follow({ key: kvs[0].key, rangeEnd: noBytes }, startRevision)
    })
  }

  /** What is put there leads, and when it is deleted somebody else does. */
  #follow(range: KeyRange, startRevision: number): void {
    const again = () => {
      watch.close()
      if (this.#line !== undefined) this.#look(this.#line)
    }
    const watch = new InnerStream(this.#handlers, this.#call, WATCH.watch, {
      answered: ({ canceled, compactRevision, events, header }) => {
        let hasRoom = true
        if (canceled && compactRevision === 0) this.#call.fail(closedEarly)
        else if (canceled) again()
        for (const { kv, type } of events) {
          // Of a whole line the first one to come leads, and is followed alone from then on.
          if (type === EventType.delete || range.rangeEnd.length > 0) {
            again()
            break
          }
          if (kv !== undefined) hasRoom = this.#tell(header, kv)
        }
        return hasRoom
      },
      ended: () => this.#call.fail(closedEarly)
    })
    this.#watch = watch
    watch.ask({ createRequest: WatchCreateRequest.make({ ...range, startRevision }) })
  }

  #tell(header: ResponseHeader | undefined, kv: KeyValue): boolean {
    return this.#call.send(LeaderResponse.encode({ header, kv }))
  }
}

const noBytes = new Uint8Array(0)
const closedEarly = unknown("election: observe closed early")
