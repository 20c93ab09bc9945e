import test from "ava"
import { MemoryTable } from "./fixtures/memory-table.ts"
import { dropRecord, MemberRecord, putRecord, recordsIn } from "./member-records.ts"

const record = (ID: bigint, name: string): MemberRecord =>
  MemberRecord.make({ ID, name, peerURLs: [`http://${name}:7700`], clientURLs: [`http://${name}:2379`] })

test("records are put, replaced and dropped, and nothing else of the table is taken for one", (t) => {
  const meta = new MemoryTable()
  meta.put(new TextEncoder().encode("membership"), Uint8Array.of(1))
  meta.put(new TextEncoder().encode("state"), Uint8Array.of(1))
  putRecord(meta, record(2n ** 52n, "far"))
  putRecord(meta, record(7n, "near"))
  putRecord(meta, record(7n, "nearer"))
  t.deepEqual(
    recordsIn(meta),
    new Map([
      [7, record(7n, "nearer")],
      [2 ** 52, record(2n ** 52n, "far")]
    ])
  )
  dropRecord(meta, 7n)
  t.deepEqual([...recordsIn(meta).keys()], [2 ** 52])
})
