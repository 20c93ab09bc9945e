/**
 * The messages of puts, gets and transactions, read and written by hand: what chainfire does ten thousand
 * times a second. The tables they stand for are in kv.ts, and a test holds the two against each other.
 *
 * Readers fill local variables and make the object once, so that all objects of a message have one shape.
 * Writers go backwards, see protobuf.ts: highest field first, value before tag. `n << 3 | 2` is written out
 * as the byte it is, in hexadecimal: 0x0a is field 1 with a length, 0x10 field 2 as a number.
 */
import { noBytes, type Reader, type Writer } from "../protobuf.ts"
import { byHand, type Message } from "../protobuf-message.ts"
import {
  DeleteRangeRequestTable,
  type DeleteRangeRequest as DeleteRangeRequestType,
  DeleteRangeResponseTable,
  type DeleteRangeResponse as DeleteRangeResponseType,
  KeyValueTable,
  type KeyValue as KeyValueType,
  PutRequestTable,
  type PutRequest as PutRequestType,
  PutResponseTable,
  type PutResponse as PutResponseType,
  RangeRequestTable,
  type RangeRequest as RangeRequestType,
  RangeResponseTable,
  type RangeResponse as RangeResponseType,
  ResponseHeaderTable,
  type ResponseHeader as ResponseHeaderType
} from "./kv.ts"

export const readInner = <T extends object>(reader: Reader, tag: number, message: Message<T>): T => {
  reader.expect(tag, 2)
  const outer = reader.enter()
  const value = message.read(reader)
  reader.leave(outer)
  return value
}

export const writeInner = <T extends object>(
  writer: Writer,
  tag: number,
  message: Message<T>,
  value: T | undefined
): void => {
  if (value === undefined) return
  const before = writer.length
  message.write(writer, value)
  writer.nest(tag, before)
}

export const writeAll = <T extends object>(
  writer: Writer,
  tag: number,
  message: Message<T>,
  values: ReadonlyArray<T>
): void => {
  for (let index = values.length - 1; index >= 0; index--) {
    const before = writer.length
    message.write(writer, values[index]!)
    writer.nest(tag, before)
  }
}

const readBytes = (reader: Reader, tag: number): Uint8Array => {
  reader.expect(tag, 2)
  return reader.bytes()
}
const readSafe = (reader: Reader, tag: number): number => {
  reader.expect(tag, 0)
  return reader.safe()
}
const readBool = (reader: Reader, tag: number): boolean => {
  reader.expect(tag, 0)
  return reader.bool()
}
const readInt64 = (reader: Reader, tag: number): bigint => {
  reader.expect(tag, 0)
  return reader.int64()
}
const readUint64 = (reader: Reader, tag: number): bigint => {
  reader.expect(tag, 0)
  return reader.uint64()
}
const readEnum = (reader: Reader, tag: number): number => {
  reader.expect(tag, 0)
  return reader.int32()
}

export type ResponseHeader = ResponseHeaderType
export const ResponseHeader: Message<ResponseHeader> = byHand(ResponseHeaderTable, {
  read: (reader) => {
    let clusterId = 0n
    let memberId = 0n
    let revision = 0
    let raftTerm = 0
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      if (tag >>> 3 === 1) clusterId = readUint64(reader, tag)
      else if (tag >>> 3 === 2) memberId = readUint64(reader, tag)
      else if (tag >>> 3 === 3) revision = readSafe(reader, tag)
      else if (tag >>> 3 === 4) raftTerm = readSafe(reader, tag)
      else reader.skip(tag)
    }
    return { clusterId, memberId, revision, raftTerm }
  },
  write: (writer, header) => {
    if (header.raftTerm !== 0) writer.safe(0x20, header.raftTerm)
    if (header.revision !== 0) writer.safe(0x18, header.revision)
    if (header.memberId !== 0n) writer.big(0x10, header.memberId)
    if (header.clusterId !== 0n) writer.big(0x08, header.clusterId)
  }
})

export type KeyValue = KeyValueType
export const KeyValue: Message<KeyValue> = byHand(KeyValueTable, {
  read: (reader) => {
    let key = noBytes
    let createRevision = 0
    let modRevision = 0
    let version = 0
    let value = noBytes
    let lease = 0n
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      switch (tag >>> 3) {
        case 1:
          key = readBytes(reader, tag)
          break
        case 2:
          createRevision = readSafe(reader, tag)
          break
        case 3:
          modRevision = readSafe(reader, tag)
          break
        case 4:
          version = readSafe(reader, tag)
          break
        case 5:
          value = readBytes(reader, tag)
          break
        case 6:
          lease = readInt64(reader, tag)
          break
        default:
          reader.skip(tag)
      }
    }
    return { key, createRevision, modRevision, version, value, lease }
  },
  write: (writer, kv) => {
    if (kv.lease !== 0n) writer.big(0x30, kv.lease)
    if (kv.value.length > 0) writer.bytes(0x2a, kv.value)
    if (kv.version !== 0) writer.safe(0x20, kv.version)
    if (kv.modRevision !== 0) writer.safe(0x18, kv.modRevision)
    if (kv.createRevision !== 0) writer.safe(0x10, kv.createRevision)
    if (kv.key.length > 0) writer.bytes(0x0a, kv.key)
  }
})

export type RangeRequest = RangeRequestType
export const RangeRequest: Message<RangeRequest> = byHand(RangeRequestTable, {
  read: (reader) => {
    let key = noBytes
    let rangeEnd = noBytes
    let limit = 0
    let revision = 0
    let sortOrder = 0
    let sortTarget = 0
    let serializable = false
    let keysOnly = false
    let countOnly = false
    let minModRevision = 0
    let maxModRevision = 0
    let minCreateRevision = 0
    let maxCreateRevision = 0
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      switch (tag >>> 3) {
        case 1:
          key = readBytes(reader, tag)
          break
        case 2:
          rangeEnd = readBytes(reader, tag)
          break
        case 3:
          limit = readSafe(reader, tag)
          break
        case 4:
          revision = readSafe(reader, tag)
          break
        case 5:
          sortOrder = readEnum(reader, tag)
          break
        case 6:
          sortTarget = readEnum(reader, tag)
          break
        case 7:
          serializable = readBool(reader, tag)
          break
        case 8:
          keysOnly = readBool(reader, tag)
          break
        case 9:
          countOnly = readBool(reader, tag)
          break
        case 10:
          minModRevision = readSafe(reader, tag)
          break
        case 11:
          maxModRevision = readSafe(reader, tag)
          break
        case 12:
          minCreateRevision = readSafe(reader, tag)
          break
        case 13:
          maxCreateRevision = readSafe(reader, tag)
          break
        default:
          reader.skip(tag)
      }
    }
    return {
      key,
      rangeEnd,
      limit,
      revision,
      sortOrder,
      sortTarget,
      serializable,
      keysOnly,
      countOnly,
      minModRevision,
      maxModRevision,
      minCreateRevision,
      maxCreateRevision
    }
  },
  write: (writer, request) => {
    if (request.maxCreateRevision !== 0) writer.safe(0x68, request.maxCreateRevision)
    if (request.minCreateRevision !== 0) writer.safe(0x60, request.minCreateRevision)
    if (request.maxModRevision !== 0) writer.safe(0x58, request.maxModRevision)
    if (request.minModRevision !== 0) writer.safe(0x50, request.minModRevision)
    if (request.countOnly) writer.bool(0x48, true)
    if (request.keysOnly) writer.bool(0x40, true)
    if (request.serializable) writer.bool(0x38, true)
    if (request.sortTarget !== 0) writer.safe(0x30, request.sortTarget)
    if (request.sortOrder !== 0) writer.safe(0x28, request.sortOrder)
    if (request.revision !== 0) writer.safe(0x20, request.revision)
    if (request.limit !== 0) writer.safe(0x18, request.limit)
    if (request.rangeEnd.length > 0) writer.bytes(0x12, request.rangeEnd)
    if (request.key.length > 0) writer.bytes(0x0a, request.key)
  }
})

export type RangeResponse = RangeResponseType
export const RangeResponse: Message<RangeResponse> = byHand(RangeResponseTable, {
  read: (reader) => {
    let header: ResponseHeader | undefined
    const kvs: Array<KeyValue> = []
    let more = false
    let count = 0
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      if (tag >>> 3 === 1) header = readInner(reader, tag, ResponseHeader)
      else if (tag >>> 3 === 2) kvs.push(readInner(reader, tag, KeyValue))
      else if (tag >>> 3 === 3) more = readBool(reader, tag)
      else if (tag >>> 3 === 4) count = readSafe(reader, tag)
      else reader.skip(tag)
    }
    return { header, kvs, more, count }
  },
  write: (writer, response) => {
    if (response.count !== 0) writer.safe(0x20, response.count)
    if (response.more) writer.bool(0x18, true)
    writeAll(writer, 0x12, KeyValue, response.kvs)
    writeInner(writer, 0x0a, ResponseHeader, response.header)
  }
})

export type PutRequest = PutRequestType
export const PutRequest: Message<PutRequest> = byHand(PutRequestTable, {
  read: (reader) => {
    let key = noBytes
    let value = noBytes
    let lease = 0n
    let prevKv = false
    let ignoreValue = false
    let ignoreLease = false
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      switch (tag >>> 3) {
        case 1:
          key = readBytes(reader, tag)
          break
        case 2:
          value = readBytes(reader, tag)
          break
        case 3:
          lease = readInt64(reader, tag)
          break
        case 4:
          prevKv = readBool(reader, tag)
          break
        case 5:
          ignoreValue = readBool(reader, tag)
          break
        case 6:
          ignoreLease = readBool(reader, tag)
          break
        default:
          reader.skip(tag)
      }
    }
    return { key, value, lease, prevKv, ignoreValue, ignoreLease }
  },
  write: (writer, request) => {
    if (request.ignoreLease) writer.bool(0x30, true)
    if (request.ignoreValue) writer.bool(0x28, true)
    if (request.prevKv) writer.bool(0x20, true)
    if (request.lease !== 0n) writer.big(0x18, request.lease)
    if (request.value.length > 0) writer.bytes(0x12, request.value)
    if (request.key.length > 0) writer.bytes(0x0a, request.key)
  }
})

export type PutResponse = PutResponseType
export const PutResponse: Message<PutResponse> = byHand(PutResponseTable, {
  read: (reader) => {
    let header: ResponseHeader | undefined
    let prevKv: KeyValue | undefined
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      if (tag >>> 3 === 1) header = readInner(reader, tag, ResponseHeader)
      else if (tag >>> 3 === 2) prevKv = readInner(reader, tag, KeyValue)
      else reader.skip(tag)
    }
    return { header, prevKv }
  },
  write: (writer, response) => {
    writeInner(writer, 0x12, KeyValue, response.prevKv)
    writeInner(writer, 0x0a, ResponseHeader, response.header)
  }
})

export type DeleteRangeRequest = DeleteRangeRequestType
export const DeleteRangeRequest: Message<DeleteRangeRequest> = byHand(DeleteRangeRequestTable, {
  read: (reader) => {
    let key = noBytes
    let rangeEnd = noBytes
    let prevKv = false
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      if (tag >>> 3 === 1) key = readBytes(reader, tag)
      else if (tag >>> 3 === 2) rangeEnd = readBytes(reader, tag)
      else if (tag >>> 3 === 3) prevKv = readBool(reader, tag)
      else reader.skip(tag)
    }
    return { key, rangeEnd, prevKv }
  },
  write: (writer, request) => {
    if (request.prevKv) writer.bool(0x18, true)
    if (request.rangeEnd.length > 0) writer.bytes(0x12, request.rangeEnd)
    if (request.key.length > 0) writer.bytes(0x0a, request.key)
  }
})

export type DeleteRangeResponse = DeleteRangeResponseType
export const DeleteRangeResponse: Message<DeleteRangeResponse> = byHand(DeleteRangeResponseTable, {
  read: (reader) => {
    let header: ResponseHeader | undefined
    let deleted = 0
    const prevKvs: Array<KeyValue> = []
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      if (tag >>> 3 === 1) header = readInner(reader, tag, ResponseHeader)
      else if (tag >>> 3 === 2) deleted = readSafe(reader, tag)
      else if (tag >>> 3 === 3) prevKvs.push(readInner(reader, tag, KeyValue))
      else reader.skip(tag)
    }
    return { header, deleted, prevKvs }
  },
  write: (writer, response) => {
    writeAll(writer, 0x1a, KeyValue, response.prevKvs)
    if (response.deleted !== 0) writer.safe(0x10, response.deleted)
    writeInner(writer, 0x0a, ResponseHeader, response.header)
  }
})
