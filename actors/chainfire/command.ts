/**
 * Commands: what the members of chainfire agree on, as the data of a log entry: one byte that says which,
 * and the request as its client sent it, in etcd's own encoding.
 */
import { Data } from "effect"
import type { Replacement } from "#protocols/chainfire.ts"
import { MemberRemoveRequest } from "#protocols/wire/etcd/cluster.ts"
import { CompactionRequest } from "#protocols/wire/etcd/kv.ts"
import { DeleteRangeRequest, PutRequest } from "#protocols/wire/etcd/kv-fast.ts"
import { LeaseGrantRequest, LeaseRevokeRequest } from "#protocols/wire/etcd/lease.ts"
import { TxnRequest } from "#protocols/wire/etcd/txn-fast.ts"
import { MemberRecord } from "./member-records.ts"
import { decodeReplacement } from "./replacement.ts"

export type Command =
  | { readonly _tag: "Put"; readonly request: PutRequest }
  | { readonly _tag: "DeleteRange"; readonly request: DeleteRangeRequest }
  | { readonly _tag: "Txn"; readonly request: TxnRequest }
  | { readonly _tag: "Compact"; readonly request: CompactionRequest }
  | { readonly _tag: "LeaseGrant"; readonly request: LeaseGrantRequest }
  | { readonly _tag: "LeaseRevoke"; readonly request: LeaseRevokeRequest }
  | { readonly _tag: "SetMember"; readonly request: MemberRecord }
  | { readonly _tag: "DropMember"; readonly request: MemberRemoveRequest }
  | { readonly _tag: "SetReplacement"; readonly request: Replacement }

/** The log holds what this release cannot read: a later one wrote it. */
export class UnknownCommand extends Data.TaggedError("UnknownCommand")<{ readonly kind: number }> {
  override get message() {
    return `the log holds a command of kind ${this.kind}, which this release does not know; run the release that wrote it`
  }
}

const kinds: Readonly<Record<Command["_tag"], number>> = {
  Put: 1,
  DeleteRange: 2,
  Txn: 3,
  Compact: 4,
  LeaseGrant: 5,
  LeaseRevoke: 6,
  SetMember: 32,
  DropMember: 33,
  SetReplacement: 34
}

/** `request`: in etcd's encoding, as it came or as `encode` makes it. */
export const encodeCommand = (kind: Command["_tag"], request: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(1 + request.length)
  bytes[0] = kinds[kind]
  bytes.set(request, 1)
  return bytes
}

/** Throws `UnknownCommand`, and `ProtobufMalformed` for what no member would have proposed. */
export const decodeCommand = (bytes: Uint8Array): Command => {
  const request = bytes.subarray(1)
  switch (bytes[0]) {
    case kinds.Put:
      return { _tag: "Put", request: PutRequest.decode(request) }
    case kinds.DeleteRange:
      return { _tag: "DeleteRange", request: DeleteRangeRequest.decode(request) }
    case kinds.Txn:
      return { _tag: "Txn", request: TxnRequest.decode(request) }
    case kinds.Compact:
      return { _tag: "Compact", request: CompactionRequest.decode(request) }
    case kinds.LeaseGrant:
      return { _tag: "LeaseGrant", request: LeaseGrantRequest.decode(request) }
    case kinds.LeaseRevoke:
      return { _tag: "LeaseRevoke", request: LeaseRevokeRequest.decode(request) }
    case kinds.SetMember:
      return { _tag: "SetMember", request: MemberRecord.decode(request) }
    case kinds.DropMember:
      return { _tag: "DropMember", request: MemberRemoveRequest.decode(request) }
    case kinds.SetReplacement:
      return { _tag: "SetReplacement", request: decodeReplacement(request) }
    default:
      throw new UnknownCommand({ kind: bytes[0] ?? 0 })
  }
}
