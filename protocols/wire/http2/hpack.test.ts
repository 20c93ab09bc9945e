import test from "ava"
import fc from "fast-check"
import { Http2ConnectionError } from "./frames.ts"
import { encodeFields, HpackDecoder } from "./hpack.ts"
import { requestHeadOf } from "./request-head.ts"

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replaceAll(" ", ""), "hex"))

const decoded = (decoder: HpackDecoder, block: Uint8Array): ReadonlyArray<string> => {
  const fields: Array<string> = []
  decoder.decode(block, fields, 16_384)
  return fields
}

const request = (...rest: ReadonlyArray<string>) => [
  ...[":method", "GET", ":scheme", "http", ":path", "/", ":authority", "www.example.com"],
  ...rest
]

test("the requests of RFC 7541, appendix C.3, with a dynamic table", (t) => {
  const decoder = new HpackDecoder()
  t.deepEqual(decoded(decoder, hex("8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d")), request())
  t.deepEqual(
    decoded(decoder, hex("8286 84be 5808 6e6f 2d63 6163 6865")),
    request("cache-control", "no-cache")
  )
  t.deepEqual(
    decoded(decoder, hex("8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65")),
    [
      ...[":method", "GET", ":scheme", "https", ":path", "/index.html", ":authority", "www.example.com"],
      ...["custom-key", "custom-value"]
    ]
  )
})

test("the requests of RFC 7541, appendix C.4, in Huffman's code", (t) => {
  const decoder = new HpackDecoder()
  t.deepEqual(decoded(decoder, hex("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff")), request())
  t.deepEqual(decoded(decoder, hex("8286 84be 5886 a8eb 1064 9cbf")), request("cache-control", "no-cache"))
  t.deepEqual(
    decoded(decoder, hex("8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf")).slice(-2),
    ["custom-key", "custom-value"]
  )
})

test("a table that is made smaller forgets its oldest fields", (t) => {
  const decoder = new HpackDecoder()
  decoded(decoder, hex("4001 6101 31 4001 6201 32"))
  t.deepEqual(decoded(decoder, hex("be bf")), ["b", "2", "a", "1"])
  // 34 bytes are room for one of them.
  decoded(decoder, hex("3f03"))
  t.deepEqual(decoded(decoder, hex("be")), ["b", "2"])
  t.throws(() => decoded(decoder, hex("bf")), { message: /no field with the index 63/ })
  t.throws(() => decoded(new HpackDecoder(), hex("3fe2ff03")), { message: /of 4096 allowed/ })
})

test("blocks that are no HPACK end the connection", (t) => {
  for (const block of ["80", "be", "7fffffffffff", "40", "4001", "400161", "4085ffffffffff0131", "8220"]) {
    t.throws(() => decoded(new HpackDecoder(), hex(block)), { instanceOf: Http2ConnectionError }, block)
  }
})

test("a name in capitals or a value with a line break is malformed", (t) => {
  t.throws(() => decoded(new HpackDecoder(), hex("0001 4101 31")), { message: /name that it must not/ })
  t.throws(() => decoded(new HpackDecoder(), hex("0001 6101 0a")), { message: /value that it must not/ })
})

test("fields beyond the limit are left out, and said to be too many", (t) => {
  const decoder = new HpackDecoder()
  const fields: Array<string> = []
  decoder.decode(hex(`4001 6103 313131 ${"be".repeat(50)}`), fields, 1_000)
  t.true(decoder.tooLarge)
  t.is(fields.length, 2 * Math.floor(1_000 / 36))
})

test("what we write, we read", (t) => {
  const field = fc.tuple(fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/), fc.stringMatching(/^[ -~]{0,300}$/))
  fc.assert(
    fc.property(fc.array(field, { maxLength: 10 }), (pairs) => {
      t.deepEqual(decoded(new HpackDecoder(), encodeFields(pairs.flat())), pairs.flat())
    })
  )
  t.deepEqual([...encodeFields([":status", "200"])], [0x88])
  t.deepEqual(decoded(new HpackDecoder(), encodeFields(["a", "é\n€"])), ["a", "é??"])
})

test("whatever comes in, either fields come out or the one error", (t) => {
  const decoder = new HpackDecoder()
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (block) => {
      try {
        decoded(decoder, block)
      } catch (problem) {
        if (!(problem instanceof Http2ConnectionError)) throw problem
      }
    }),
    { numRuns: 10_000 }
  )
  t.pass()
})

test("a request has its pseudo-fields once, first, and nothing of HTTP/1.1", (t) => {
  const head = requestHeadOf(request("content-type", "application/grpc+proto", "grpc-timeout", "100m"))
  t.like(head, { method: "GET", path: "/", grpc: true, timeoutMillis: 100, encoding: "identity" })
  for (const wrong of [
    request(":path", "/"),
    ["a", "b", ...request()],
    request("connection", "close"),
    request("te", "gzip"),
    request("content-length", "-1"),
    [":method", "GET", ":scheme", "http"],
    request(":status", "200")
  ]) {
    t.is(requestHeadOf(wrong), undefined, wrong.join(" "))
  }
})
