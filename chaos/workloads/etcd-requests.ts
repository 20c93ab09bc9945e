/** The inputs and outputs of the model as requests to etcd and its answers. */
import { Either } from "effect"
import type { GrpcStatus } from "#actors/kernel/ports/grpc.ts"
import type { ChangeSeen } from "#chaos/checkers/watch-completeness.ts"
import type { EtcdAccess, NodeName } from "#chaos/lab/world.ts"
import type { EtcdCompare, EtcdInput, EtcdOp, EtcdOutput, EtcdResult } from "#chaos/models/etcd-model.ts"
import { CompareResult, CompareTarget, EventType } from "#protocols/wire/etcd/kv.ts"
import {
  DeleteRangeRequest,
  type DeleteRangeResponse,
  PutRequest,
  type PutResponse,
  RangeRequest,
  type RangeResponse,
  type ResponseHeader
} from "#protocols/wire/etcd/kv-fast.ts"
import { KV } from "#protocols/wire/etcd/methods.ts"
import { Compare, RequestOp, type ResponseOp } from "#protocols/wire/etcd/txn-fast.ts"
import type { Event } from "#protocols/wire/etcd/watch.ts"

const encoder = new TextEncoder()
const decoder = new TextDecoder()
export const bytesOf = (text: string): Uint8Array => encoder.encode(text)
export const textOf = (encoded: Uint8Array): string => decoder.decode(encoded)

export type Answered = Either.Either<EtcdOutput, GrpcStatus>

export interface AskOptions {
  /** Reads do not ask a quorum. */
  readonly serializable?: boolean
}

/** Calls back once, or never. Single operations have calls of their own, everything else is a transaction. */
export const askEtcd = (
  etcd: EtcdAccess,
  node: NodeName,
  input: EtcdInput,
  { serializable = false }: AskOptions,
  done: (answered: Answered) => void
): void => {
  const { compares, failure, success } = input
  const [first] = success
  if (compares.length > 0 || failure.length > 0 || success.length !== 1 || first === undefined) {
    const request = {
      compare: compares.map(compareOf),
      success: success.map(requestOf),
      failure: failure.map(requestOf)
    }
    return etcd.call(node, KV.txn, request, (answer) =>
      done(
        Either.map(answer, ({ header, responses, succeeded }) =>
          outputOf(header, responses.map(resultOf), succeeded)
        )
      )
    )
  }
  const key = bytesOf(first.key)
  switch (first._tag) {
    case "Get":
      return etcd.call(node, KV.range, { key, serializable }, (answer) =>
        done(Either.map(answer, (response) => outputOf(response.header, [gotOf(response)])))
      )
    case "Put":
      return etcd.call(node, KV.put, { key, value: bytesOf(first.value) }, (answer) =>
        done(Either.map(answer, ({ header }) => outputOf(header, [{ _tag: "Wrote" }])))
      )
    case "Delete":
      return etcd.call(node, KV.deleteRange, { key }, (answer) =>
        done(Either.map(answer, (response) => outputOf(response.header, [deletedOf(response)])))
      )
  }
}

const outputOf = (
  header: ResponseHeader | undefined,
  results: ReadonlyArray<EtcdResult>,
  succeeded = true
): EtcdOutput => {
  if (header === undefined) throw new Error("an answer of etcd has a header")
  return { succeeded, results, revision: header.revision }
}

const targets = {
  value: CompareTarget.value,
  version: CompareTarget.version,
  createRevision: CompareTarget.create,
  modRevision: CompareTarget.mod
}

const results = {
  "=": CompareResult.equal,
  "!=": CompareResult.notEqual,
  "<": CompareResult.less,
  ">": CompareResult.greater
}

const compareOf = ({ key, operand, result, target }: EtcdCompare): Compare =>
  Compare.make({
    key: bytesOf(key),
    target: targets[target],
    result: results[result],
    [target]: target === "value" ? bytesOf(`${operand}`) : Number(operand)
  })

const requestOf = (op: EtcdOp): RequestOp => {
  const key = bytesOf(op.key)
  switch (op._tag) {
    case "Get":
      return RequestOp.make({ requestRange: RangeRequest.make({ key }) })
    case "Put":
      return RequestOp.make({ requestPut: PutRequest.make({ key, value: bytesOf(op.value) }) })
    case "Delete":
      return RequestOp.make({ requestDeleteRange: DeleteRangeRequest.make({ key }) })
  }
}

const resultOf = ({ responseDeleteRange, responsePut, responseRange }: ResponseOp): EtcdResult => {
  if (responseRange !== undefined) return gotOf(responseRange)
  if (responseDeleteRange !== undefined) return deletedOf(responseDeleteRange)
  return wroteOf(responsePut)
}

const gotOf = ({ kvs: [kv] }: RangeResponse): EtcdResult => {
  if (kv === undefined) return { _tag: "Got", kv: null }
  const { createRevision, modRevision, value, version } = kv
  return { _tag: "Got", kv: { value: textOf(value), version, createRevision, modRevision } }
}

const wroteOf = (response: PutResponse | undefined): EtcdResult => {
  if (response === undefined) throw new Error("the answer to an operation is none that was asked for")
  return { _tag: "Wrote" }
}

const deletedOf = ({ deleted }: DeleteRangeResponse): EtcdResult => ({ _tag: "Deleted", count: deleted })

/** What a watch tells. */
export const changesOf = (events: ReadonlyArray<Event>): ReadonlyArray<ChangeSeen> =>
  events.map(({ kv, type }) => {
    if (kv === undefined) throw new Error("an event has a key")
    const value = type === EventType.delete ? null : shownValue(kv.value)
    return { revision: kv.modRevision, key: textOf(kv.key), value }
  })

/** What only fills disks is not kept in evidence. */
const shownBytesMax = 4_096
const shownValue = (value: Uint8Array): string =>
  value.length <= shownBytesMax ? textOf(value) : `${value.length} bytes`
