/**
 * What is replicated about the members besides who votes: names and URLs, as etcd's clients are told.
 *
 * A record comes before its member is in raft's membership and goes after it, so a record alone is no member.
 * Its `isLearner` says what the member is meant to be; what it is at the moment, raft's membership says.
 */
import type { NodeId } from "#actors/raft/raft-messages.ts"
import { bool, message, repeated, string, type TypeOf, uid } from "#protocols/wire/protobuf-message.ts"
import type { Table } from "./mvcc.ts"

/** The fields of etcd's `Member` as they are there, and ours behind them. */
export const MemberRecord = message("chainfire.MemberRecord", {
  ID: uid(1),
  name: string(2),
  peerURLs: repeated(string(3)),
  clientURLs: repeated(string(4)),
  isLearner: bool(5),
  /** Of the data directory that it began with; empty until it has announced itself. */
  dataId: string(16)
})
export type MemberRecord = TypeOf<typeof MemberRecord>

const start = new TextEncoder().encode("member/")
const end = new TextEncoder().encode("member0")

const keyOf = (id: bigint): Uint8Array => {
  const key = new Uint8Array(start.length + 8)
  key.set(start)
  new DataView(key.buffer).setBigUint64(start.length, id)
  return key
}

export const putRecord = (meta: Table, record: MemberRecord): void =>
  meta.put(keyOf(record.ID), MemberRecord.encode(record))

export const dropRecord = (meta: Table, id: bigint): void => meta.delete(keyOf(id))

export const recordsIn = (meta: Table): ReadonlyMap<NodeId, MemberRecord> =>
  new Map(
    [...meta.range(start, end)].map(([, bytes]) => {
      const record = MemberRecord.decode(bytes.slice())
      return [Number(record.ID), record]
    })
  )
