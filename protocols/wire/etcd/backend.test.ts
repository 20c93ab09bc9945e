import test from "ava"
import fc from "fast-check"
import {
  bucketNames,
  decodeNumber,
  decodeRevisionKey,
  encodeNumber,
  encodeRevisionKey,
  memberJson,
  memberKey
} from "./backend.ts"

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

test("revisions look as etcd writes them, and are in order as bytes", (t) => {
  t.is(
    hex(encodeRevisionKey({ main: 12, sub: 1, isTombstone: true })),
    "000000000000000c5f000000000000000174"
  )
  const revision = fc.record({
    main: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    sub: fc.nat({ max: 200 }),
    isTombstone: fc.boolean()
  })
  fc.assert(
    fc.property(revision, revision, (one, other) => {
      t.deepEqual(decodeRevisionKey(encodeRevisionKey(one)), one)
      const order = one.main - other.main || one.sub - other.sub
      const bytes = Buffer.compare(encodeRevisionKey(one), encodeRevisionKey(other))
      if (order !== 0) t.is(Math.sign(bytes), Math.sign(order))
    })
  )
})

test("what is no revision and no number is told from what is", (t) => {
  for (const length of [0, 8, 16, 17, 19]) t.is(decodeRevisionKey(new Uint8Array(length)), undefined)
  t.is(
    decodeRevisionKey(Uint8Array.from([...new Uint8Array(8), 0x5f, ...new Uint8Array(8), 0x75])),
    undefined
  )
  t.is(decodeRevisionKey(new Uint8Array(17).fill(255)), undefined)
  t.is(decodeNumber(new Uint8Array(7)), undefined)
  t.is(decodeNumber(new Uint8Array(8).fill(255)), undefined)
  t.is(decodeNumber(encodeNumber(2 ** 40 + 3)), 2 ** 40 + 3)
})

test("members are told with all digits of their numbers", (t) => {
  const member = { id: 2n ** 64n - 1n, name: 'a"b', peerUrls: ["http://x:1"], clientUrls: [] }
  t.is(memberKey(member.id), "ffffffffffffffff")
  t.is(
    memberJson(member),
    '{"id":18446744073709551615,"peerURLs":["http://x:1"],"name":"a\\"b","clientURLs":[]}'
  )
})

test("buckets are in the order in which a file has them", (t) => {
  t.deepEqual([...bucketNames].toSorted(), [...bucketNames])
})
