/**
 * What is replicated about the members besides who votes: names and URLs, as etcd's clients are told.
 *
 * A record comes before its member is in raft's membership and goes after it, so a record alone is no member.
 * Its `isLearner` says what the member is meant to be; what it is at the moment, raft's membership says.
 */
import type { NodeId } from "#actors/raft/raft-messages.ts"
import { Member as MemberRecord } from "#protocols/wire/etcd/cluster.ts"
import type { Table } from "./mvcc.ts"

export { MemberRecord }

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
