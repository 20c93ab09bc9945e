/**
 * Transactions, read and written by hand: locks and elections are made of them, and Kubernetes writes
 * nothing without one. See kv-fast.ts for how, and kv.ts for the tables.
 */
import { noBytes } from "../protobuf.ts"
import { byHand, type Message } from "../protobuf-message.ts"
import {
  CompareTable,
  type Compare as CompareType,
  RequestOpTable,
  type RequestOp as RequestOpType,
  ResponseOpTable,
  type ResponseOp as ResponseOpType,
  TxnRequestTable,
  type TxnRequest as TxnRequestType,
  TxnResponseTable,
  type TxnResponse as TxnResponseType
} from "./kv.ts"
import {
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  ResponseHeader,
  readInner,
  writeAll,
  writeInner
} from "./kv-fast.ts"

export type Compare = CompareType
export const Compare: Message<Compare> = byHand(CompareTable, {
  read: (reader) => {
    let result = 0
    let target = 0
    let key = noBytes
    let chosen = 0
    let counted = 0
    let value = noBytes
    let lease = 0n
    let rangeEnd = noBytes
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      const number = tag >>> 3
      if (number > 8 && number !== 64) {
        reader.skip(tag)
        continue
      }
      reader.expect(tag, number === 3 || number === 7 || number === 64 ? 2 : 0)
      if (number === 1) result = reader.int32()
      else if (number === 2) target = reader.int32()
      else if (number === 3) key = reader.bytes()
      else if (number === 64) rangeEnd = reader.bytes()
      else {
        // One of these counts, the last one.
        chosen = number
        if (number === 7) value = reader.bytes()
        else if (number === 8) lease = reader.int64()
        else counted = reader.safe()
      }
    }
    return {
      result,
      target,
      key,
      version: chosen === 4 ? counted : undefined,
      createRevision: chosen === 5 ? counted : undefined,
      modRevision: chosen === 6 ? counted : undefined,
      value: chosen === 7 ? value : undefined,
      lease: chosen === 8 ? lease : undefined,
      rangeEnd
    }
  },
  write: (writer, compare) => {
    if (compare.rangeEnd.length > 0) writer.bytes(0x202, compare.rangeEnd)
    if (compare.lease !== undefined) writer.big(0x40, compare.lease)
    if (compare.value !== undefined) writer.bytes(0x3a, compare.value)
    if (compare.modRevision !== undefined) writer.safe(0x30, compare.modRevision)
    if (compare.createRevision !== undefined) writer.safe(0x28, compare.createRevision)
    if (compare.version !== undefined) writer.safe(0x20, compare.version)
    if (compare.key.length > 0) writer.bytes(0x1a, compare.key)
    if (compare.target !== 0) writer.safe(0x10, compare.target)
    if (compare.result !== 0) writer.safe(0x08, compare.result)
  }
})

const noRequest: RequestOpType = {
  requestRange: undefined,
  requestPut: undefined,
  requestDeleteRange: undefined,
  requestTxn: undefined
}

export type RequestOp = RequestOpType
export const RequestOp: Message<RequestOp> = byHand(RequestOpTable, {
  read: (reader) => {
    let operation = noRequest
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      switch (tag >>> 3) {
        case 1:
          operation = { ...noRequest, requestRange: readInner(reader, tag, RangeRequest) }
          break
        case 2:
          operation = { ...noRequest, requestPut: readInner(reader, tag, PutRequest) }
          break
        case 3:
          operation = { ...noRequest, requestDeleteRange: readInner(reader, tag, DeleteRangeRequest) }
          break
        case 4:
          operation = { ...noRequest, requestTxn: readInner(reader, tag, TxnRequest) }
          break
        default:
          reader.skip(tag)
      }
    }
    return operation
  },
  write: (writer, operation) => {
    writeInner(writer, 0x22, TxnRequest, operation.requestTxn)
    writeInner(writer, 0x1a, DeleteRangeRequest, operation.requestDeleteRange)
    writeInner(writer, 0x12, PutRequest, operation.requestPut)
    writeInner(writer, 0x0a, RangeRequest, operation.requestRange)
  }
})

export type TxnRequest = TxnRequestType
export const TxnRequest: Message<TxnRequest> = byHand(TxnRequestTable, {
  read: (reader) => {
    const compare: Array<Compare> = []
    const success: Array<RequestOp> = []
    const failure: Array<RequestOp> = []
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      if (tag >>> 3 === 1) compare.push(readInner(reader, tag, Compare))
      else if (tag >>> 3 === 2) success.push(readInner(reader, tag, RequestOp))
      else if (tag >>> 3 === 3) failure.push(readInner(reader, tag, RequestOp))
      else reader.skip(tag)
    }
    return { compare, success, failure }
  },
  write: (writer, request) => {
    writeAll(writer, 0x1a, RequestOp, request.failure)
    writeAll(writer, 0x12, RequestOp, request.success)
    writeAll(writer, 0x0a, Compare, request.compare)
  }
})

const noResponse: ResponseOpType = {
  responseRange: undefined,
  responsePut: undefined,
  responseDeleteRange: undefined,
  responseTxn: undefined
}

export type ResponseOp = ResponseOpType
export const ResponseOp: Message<ResponseOp> = byHand(ResponseOpTable, {
  read: (reader) => {
    let operation = noResponse
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      switch (tag >>> 3) {
        case 1:
          operation = { ...noResponse, responseRange: readInner(reader, tag, RangeResponse) }
          break
        case 2:
          operation = { ...noResponse, responsePut: readInner(reader, tag, PutResponse) }
          break
        case 3:
          operation = { ...noResponse, responseDeleteRange: readInner(reader, tag, DeleteRangeResponse) }
          break
        case 4:
          operation = { ...noResponse, responseTxn: readInner(reader, tag, TxnResponse) }
          break
        default:
          reader.skip(tag)
      }
    }
    return operation
  },
  write: (writer, operation) => {
    writeInner(writer, 0x22, TxnResponse, operation.responseTxn)
    writeInner(writer, 0x1a, DeleteRangeResponse, operation.responseDeleteRange)
    writeInner(writer, 0x12, PutResponse, operation.responsePut)
    writeInner(writer, 0x0a, RangeResponse, operation.responseRange)
  }
})

export type TxnResponse = TxnResponseType
export const TxnResponse: Message<TxnResponse> = byHand(TxnResponseTable, {
  read: (reader) => {
    let header: ResponseHeader | undefined
    let succeeded = false
    const responses: Array<ResponseOp> = []
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      if (tag >>> 3 === 1) header = readInner(reader, tag, ResponseHeader)
      else if (tag >>> 3 === 2) {
        reader.expect(tag, 0)
        succeeded = reader.bool()
      } else if (tag >>> 3 === 3) responses.push(readInner(reader, tag, ResponseOp))
      else reader.skip(tag)
    }
    return { header, succeeded, responses }
  },
  write: (writer, response) => {
    writeAll(writer, 0x1a, ResponseOp, response.responses)
    if (response.succeeded) writer.bool(0x10, true)
    writeInner(writer, 0x0a, ResponseHeader, response.header)
  }
})
