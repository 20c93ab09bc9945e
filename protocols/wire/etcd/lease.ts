/**
 * etcd v3's lease messages (etcdserverpb/rpc.proto, service Lease). A lifetime of zero or less in an
 * answer means that there is no such lease.
 *
 * Ten thousand clients keep their leases alive every few seconds, so that pair is written by hand.
 */
import {
  bool,
  byHand,
  bytes,
  count,
  id,
  type Message,
  message,
  nested,
  repeated,
  string,
  type TypeOf
} from "../protobuf-message.ts"
import { ResponseHeaderTable } from "./kv.ts"
import { ResponseHeader, readInner, writeInner } from "./kv-fast.ts"

const header = nested(1, () => ResponseHeader)

export const LeaseGrantRequest = message("etcdserverpb.LeaseGrantRequest", { TTL: count(1), ID: id(2) })
export type LeaseGrantRequest = TypeOf<typeof LeaseGrantRequest>

export const LeaseGrantResponse = message("etcdserverpb.LeaseGrantResponse", {
  header,
  ID: id(2),
  TTL: count(3),
  error: string(4)
})
export type LeaseGrantResponse = TypeOf<typeof LeaseGrantResponse>

export const LeaseRevokeRequest = message("etcdserverpb.LeaseRevokeRequest", { ID: id(1) })
export type LeaseRevokeRequest = TypeOf<typeof LeaseRevokeRequest>

export const LeaseRevokeResponse = message("etcdserverpb.LeaseRevokeResponse", { header })
export type LeaseRevokeResponse = TypeOf<typeof LeaseRevokeResponse>

export const LeaseCheckpoint = message("etcdserverpb.LeaseCheckpoint", { ID: id(1), remaining_TTL: count(2) })
export type LeaseCheckpoint = TypeOf<typeof LeaseCheckpoint>

export const LeaseCheckpointRequest = message("etcdserverpb.LeaseCheckpointRequest", {
  checkpoints: repeated(nested(1, () => LeaseCheckpoint))
})
export type LeaseCheckpointRequest = TypeOf<typeof LeaseCheckpointRequest>

export const LeaseCheckpointResponse = message("etcdserverpb.LeaseCheckpointResponse", { header })
export type LeaseCheckpointResponse = TypeOf<typeof LeaseCheckpointResponse>

export const LeaseKeepAliveRequestTable = message("etcdserverpb.LeaseKeepAliveRequest", { ID: id(1) })
export type LeaseKeepAliveRequest = TypeOf<typeof LeaseKeepAliveRequestTable>
export const LeaseKeepAliveRequest: Message<LeaseKeepAliveRequest> = byHand(LeaseKeepAliveRequestTable, {
  read: (reader) => {
    let ID = 0n
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      if (tag >>> 3 === 1) {
        reader.expect(tag, 0)
        ID = reader.int64()
      } else reader.skip(tag)
    }
    return { ID }
  },
  write: (writer, request) => {
    if (request.ID !== 0n) writer.big(0x08, request.ID)
  }
})

export const LeaseKeepAliveResponseTable = message("etcdserverpb.LeaseKeepAliveResponse", {
  header: nested(1, () => ResponseHeaderTable),
  ID: id(2),
  TTL: count(3)
})
export type LeaseKeepAliveResponse = TypeOf<typeof LeaseKeepAliveResponseTable>
export const LeaseKeepAliveResponse: Message<LeaseKeepAliveResponse> = byHand(LeaseKeepAliveResponseTable, {
  read: (reader) => {
    let answered: ResponseHeader | undefined
    let ID = 0n
    let TTL = 0
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      const number = tag >>> 3
      if (number === 1) answered = readInner(reader, tag, ResponseHeader)
      else if (number > 3) reader.skip(tag)
      else {
        reader.expect(tag, 0)
        if (number === 2) ID = reader.int64()
        else TTL = reader.safe()
      }
    }
    return { header: answered, ID, TTL }
  },
  write: (writer, response) => {
    if (response.TTL !== 0) writer.safe(0x18, response.TTL)
    if (response.ID !== 0n) writer.big(0x10, response.ID)
    writeInner(writer, 0x0a, ResponseHeader, response.header)
  }
})

export const LeaseTimeToLiveRequest = message("etcdserverpb.LeaseTimeToLiveRequest", {
  ID: id(1),
  keys: bool(2)
})
export type LeaseTimeToLiveRequest = TypeOf<typeof LeaseTimeToLiveRequest>

export const LeaseTimeToLiveResponse = message("etcdserverpb.LeaseTimeToLiveResponse", {
  header,
  ID: id(2),
  TTL: count(3),
  grantedTTL: count(4),
  keys: repeated(bytes(5))
})
export type LeaseTimeToLiveResponse = TypeOf<typeof LeaseTimeToLiveResponse>

export const LeaseLeasesRequest = message("etcdserverpb.LeaseLeasesRequest", {})
export type LeaseLeasesRequest = TypeOf<typeof LeaseLeasesRequest>

export const LeaseStatus = message("etcdserverpb.LeaseStatus", { ID: id(1) })
export type LeaseStatus = TypeOf<typeof LeaseStatus>

export const LeaseLeasesResponse = message("etcdserverpb.LeaseLeasesResponse", {
  header,
  leases: repeated(nested(2, () => LeaseStatus))
})
export type LeaseLeasesResponse = TypeOf<typeof LeaseLeasesResponse>
