/**
 * etcd v3's key-value messages (etcd API reference: mvccpb/kv.proto, etcdserverpb/rpc.proto, service KV).
 *
 * The ones that come with every put and get are read and written by hand in kv-fast.ts, and only what is
 * exported from there is to be used; here are their tables. Revisions and counts are numbers; leases,
 * clusters and members are bigints.
 */
import {
  bool,
  bytes,
  choice,
  count,
  enumeration,
  id,
  type Message,
  message,
  nested,
  repeated,
  type TypeOf,
  uid
} from "../protobuf-message.ts"

export const ResponseHeaderTable = message("etcdserverpb.ResponseHeader", {
  cluster_id: uid(1),
  member_id: uid(2),
  revision: count(3),
  raft_term: count(4)
})
export type ResponseHeader = TypeOf<typeof ResponseHeaderTable>

export const KeyValueTable = message("mvccpb.KeyValue", {
  key: bytes(1),
  create_revision: count(2),
  mod_revision: count(3),
  version: count(4),
  value: bytes(5),
  lease: id(6)
})
export type KeyValue = TypeOf<typeof KeyValueTable>

export const EventType = { put: 0, delete: 1 } as const

export const EventTable = message("mvccpb.Event", {
  type: enumeration(1, ["PUT", "DELETE"]),
  kv: nested(2, () => KeyValueTable),
  prev_kv: nested(3, () => KeyValueTable)
})
export type Event = TypeOf<typeof EventTable>

export const SortOrder = { none: 0, ascend: 1, descend: 2 } as const
export const SortTarget = { key: 0, version: 1, create: 2, mod: 3, value: 4 } as const

export const RangeRequestTable = message("etcdserverpb.RangeRequest", {
  key: bytes(1),
  range_end: bytes(2),
  limit: count(3),
  revision: count(4),
  sort_order: enumeration(5, ["NONE", "ASCEND", "DESCEND"]),
  sort_target: enumeration(6, ["KEY", "VERSION", "CREATE", "MOD", "VALUE"]),
  serializable: bool(7),
  keys_only: bool(8),
  count_only: bool(9),
  min_mod_revision: count(10),
  max_mod_revision: count(11),
  min_create_revision: count(12),
  max_create_revision: count(13)
})
export type RangeRequest = TypeOf<typeof RangeRequestTable>

export const RangeResponseTable = message("etcdserverpb.RangeResponse", {
  header: nested(1, () => ResponseHeaderTable),
  kvs: repeated(nested(2, () => KeyValueTable)),
  more: bool(3),
  count: count(4)
})
export type RangeResponse = TypeOf<typeof RangeResponseTable>

export const PutRequestTable = message("etcdserverpb.PutRequest", {
  key: bytes(1),
  value: bytes(2),
  lease: id(3),
  prev_kv: bool(4),
  ignore_value: bool(5),
  ignore_lease: bool(6)
})
export type PutRequest = TypeOf<typeof PutRequestTable>

export const PutResponseTable = message("etcdserverpb.PutResponse", {
  header: nested(1, () => ResponseHeaderTable),
  prev_kv: nested(2, () => KeyValueTable)
})
export type PutResponse = TypeOf<typeof PutResponseTable>

export const DeleteRangeRequestTable = message("etcdserverpb.DeleteRangeRequest", {
  key: bytes(1),
  range_end: bytes(2),
  prev_kv: bool(3)
})
export type DeleteRangeRequest = TypeOf<typeof DeleteRangeRequestTable>

export const DeleteRangeResponseTable = message("etcdserverpb.DeleteRangeResponse", {
  header: nested(1, () => ResponseHeaderTable),
  deleted: count(2),
  prev_kvs: repeated(nested(3, () => KeyValueTable))
})
export type DeleteRangeResponse = TypeOf<typeof DeleteRangeResponseTable>

export const CompareResult = { equal: 0, greater: 1, less: 2, notEqual: 3 } as const
export const CompareTarget = { version: 0, create: 1, mod: 2, value: 3, lease: 4 } as const

export const CompareTable = message("etcdserverpb.Compare", {
  result: enumeration(1, ["EQUAL", "GREATER", "LESS", "NOT_EQUAL"]),
  target: enumeration(2, ["VERSION", "CREATE", "MOD", "VALUE", "LEASE"]),
  key: bytes(3),
  version: choice(count(4)),
  create_revision: choice(count(5)),
  mod_revision: choice(count(6)),
  value: choice(bytes(7)),
  lease: choice(id(8)),
  range_end: bytes(64)
})
export type Compare = TypeOf<typeof CompareTable>

// Transactions contain operations, and those contain transactions: the types are written out.

export type RequestOp = {
  readonly requestRange: RangeRequest | undefined
  readonly requestPut: PutRequest | undefined
  readonly requestDeleteRange: DeleteRangeRequest | undefined
  readonly requestTxn: TxnRequest | undefined
}

export type TxnRequest = {
  readonly compare: ReadonlyArray<Compare>
  readonly success: ReadonlyArray<RequestOp>
  readonly failure: ReadonlyArray<RequestOp>
}

export type ResponseOp = {
  readonly responseRange: RangeResponse | undefined
  readonly responsePut: PutResponse | undefined
  readonly responseDeleteRange: DeleteRangeResponse | undefined
  readonly responseTxn: TxnResponse | undefined
}

export type TxnResponse = {
  readonly header: ResponseHeader | undefined
  readonly succeeded: boolean
  readonly responses: ReadonlyArray<ResponseOp>
}

export const RequestOpTable: Message<RequestOp> = message("etcdserverpb.RequestOp", {
  request_range: choice(nested(1, () => RangeRequestTable)),
  request_put: choice(nested(2, () => PutRequestTable)),
  request_delete_range: choice(nested(3, () => DeleteRangeRequestTable)),
  request_txn: choice(nested(4, () => TxnRequestTable))
})

export const TxnRequestTable: Message<TxnRequest> = message("etcdserverpb.TxnRequest", {
  compare: repeated(nested(1, () => CompareTable)),
  success: repeated(nested(2, () => RequestOpTable)),
  failure: repeated(nested(3, () => RequestOpTable))
})

export const ResponseOpTable: Message<ResponseOp> = message("etcdserverpb.ResponseOp", {
  response_range: choice(nested(1, () => RangeResponseTable)),
  response_put: choice(nested(2, () => PutResponseTable)),
  response_delete_range: choice(nested(3, () => DeleteRangeResponseTable)),
  response_txn: choice(nested(4, () => TxnResponseTable))
})

export const TxnResponseTable: Message<TxnResponse> = message("etcdserverpb.TxnResponse", {
  header: nested(1, () => ResponseHeaderTable),
  succeeded: bool(2),
  responses: repeated(nested(3, () => ResponseOpTable))
})

export const CompactionRequest = message("etcdserverpb.CompactionRequest", {
  revision: count(1),
  physical: bool(2)
})
export type CompactionRequest = TypeOf<typeof CompactionRequest>

export const CompactionResponse = message("etcdserverpb.CompactionResponse", {
  header: nested(1, () => ResponseHeaderTable)
})
export type CompactionResponse = TypeOf<typeof CompactionResponse>
