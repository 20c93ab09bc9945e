/**
 * etcd v3's watch messages (etcdserverpb/rpc.proto, service Watch): one stream each way carries many
 * watches, told apart by their numbers. A watch that failed has the number -1.
 *
 * Events go to every watcher of a key, so responses are written by hand, as in kv-fast.ts. One event is
 * the same bytes for every watcher: `encodeEvent` makes them once, and `encodeWatchEvents` puts them
 * behind the header of each.
 */
import { Writer } from "../protobuf.ts"
import {
  bool,
  byHand,
  bytes,
  choice,
  count,
  enumeration,
  type Message,
  message,
  nested,
  repeated,
  string,
  type TypeOf
} from "../protobuf-message.ts"
import { EventTable, type Event as EventType, ResponseHeaderTable } from "./kv.ts"
import { KeyValue, ResponseHeader, readInner, writeAll, writeInner } from "./kv-fast.ts"

export const FilterType = { noPut: 0, noDelete: 1 } as const

export const WatchCreateRequest = message("etcdserverpb.WatchCreateRequest", {
  key: bytes(1),
  range_end: bytes(2),
  start_revision: count(3),
  progress_notify: bool(4),
  filters: repeated(enumeration(5, ["NOPUT", "NODELETE"])),
  prev_kv: bool(6),
  watch_id: count(7),
  fragment: bool(8)
})
export type WatchCreateRequest = TypeOf<typeof WatchCreateRequest>

export const WatchCancelRequest = message("etcdserverpb.WatchCancelRequest", { watch_id: count(1) })
export type WatchCancelRequest = TypeOf<typeof WatchCancelRequest>

export const WatchProgressRequest = message("etcdserverpb.WatchProgressRequest", {})
export type WatchProgressRequest = TypeOf<typeof WatchProgressRequest>

export const WatchRequest = message("etcdserverpb.WatchRequest", {
  create_request: choice(nested(1, () => WatchCreateRequest)),
  cancel_request: choice(nested(2, () => WatchCancelRequest)),
  progress_request: choice(nested(3, () => WatchProgressRequest))
})
export type WatchRequest = TypeOf<typeof WatchRequest>

export type Event = EventType
export const Event: Message<Event> = byHand(EventTable, {
  read: (reader) => {
    let type = 0
    let kv: KeyValue | undefined
    let prevKv: KeyValue | undefined
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      if (tag >>> 3 === 1) {
        reader.expect(tag, 0)
        type = reader.int32()
      } else if (tag >>> 3 === 2) kv = readInner(reader, tag, KeyValue)
      else if (tag >>> 3 === 3) prevKv = readInner(reader, tag, KeyValue)
      else reader.skip(tag)
    }
    return { type, kv, prevKv }
  },
  write: (writer, event) => {
    writeInner(writer, 0x1a, KeyValue, event.prevKv)
    writeInner(writer, 0x12, KeyValue, event.kv)
    if (event.type !== 0) writer.safe(0x08, event.type)
  }
})

export const WatchResponseTable = message("etcdserverpb.WatchResponse", {
  header: nested(1, () => ResponseHeaderTable),
  watch_id: count(2),
  created: bool(3),
  canceled: bool(4),
  compact_revision: count(5),
  cancel_reason: string(6),
  fragment: bool(7),
  events: repeated(nested(11, () => EventTable))
})

export type WatchResponse = TypeOf<typeof WatchResponseTable>
export const WatchResponse: Message<WatchResponse> = byHand(WatchResponseTable, {
  read: (reader) => {
    let header: ResponseHeader | undefined
    let watchId = 0
    let created = false
    let canceled = false
    let compactRevision = 0
    let cancelReason = ""
    let fragment = false
    const events: Array<Event> = []
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      const number = tag >>> 3
      if (number === 1) header = readInner(reader, tag, ResponseHeader)
      else if (number === 11) events.push(readInner(reader, tag, Event))
      else if (number > 7) reader.skip(tag)
      else {
        reader.expect(tag, number === 6 ? 2 : 0)
        if (number === 2) watchId = reader.safe()
        else if (number === 3) created = reader.bool()
        else if (number === 4) canceled = reader.bool()
        else if (number === 5) compactRevision = reader.safe()
        else if (number === 6) cancelReason = reader.string()
        else fragment = reader.bool()
      }
    }
    return { header, watchId, created, canceled, compactRevision, cancelReason, fragment, events }
  },
  write: (writer, response) => {
    writeAll(writer, 0x5a, Event, response.events)
    writeResponseHead(writer, response)
  }
})

const writeResponseHead = (writer: Writer, response: WatchResponse): void => {
  if (response.fragment) writer.bool(0x38, true)
  if (response.cancelReason !== "") writer.string(0x32, response.cancelReason)
  if (response.compactRevision !== 0) writer.safe(0x28, response.compactRevision)
  if (response.canceled) writer.bool(0x20, true)
  if (response.created) writer.bool(0x18, true)
  if (response.watchId !== 0) writer.safe(0x10, response.watchId)
  writeInner(writer, 0x0a, ResponseHeader, response.header)
}

export const encodeEvent = (event: Event): Uint8Array => Event.encode(event)

const fanOut = new Writer()

/** A response with these events behind the ones that it has itself; there are usually none. */
export const encodeWatchEvents = (
  response: WatchResponse,
  encodedEvents: ReadonlyArray<Uint8Array>
): Uint8Array => {
  fanOut.clear()
  for (let index = encodedEvents.length - 1; index >= 0; index--) fanOut.bytes(0x5a, encodedEvents[index]!)
  WatchResponse.write(fanOut, response)
  return fanOut.finish()
}
