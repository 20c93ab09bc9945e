import test from "ava"
import fc from "fast-check"
import { wholeJson } from "../json-text.ts"
import { ProtobufMalformed } from "../protobuf.ts"
import { fromJson, ProtobufJsonMalformed, toJson } from "../protobuf-json.ts"
import { byTable, type Message, type NamedField } from "../protobuf-message.ts"
import { etcdErrors, GrpcCode, gatewayError, gatewayStreamError } from "./errors.ts"
import { KeyValue, PutRequest, RangeRequest, RangeResponse, ResponseHeader } from "./kv-fast.ts"
import { LeaseGrantRequest } from "./lease.ts"
import { KV, methods } from "./methods.ts"
import { Compare, TxnRequest } from "./txn-fast.ts"
import { Event, encodeEvent, encodeWatchEvents, WatchResponse } from "./watch.ts"

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const utf8 = (value: string): Uint8Array => new TextEncoder().encode(value)

const arbitrary = (message: Message<object>, depth = 0): fc.Arbitrary<object> => {
  const choices = message.fields.filter(({ rule }) => rule === "choice")
  const others = message.fields.filter(({ rule }) => rule !== "choice")
  const plain = fc.record(Object.fromEntries(others.map((field) => [field.name, ofField(field, depth)])))
  if (choices.length === 0) return plain.map((given) => message.make(given))
  const usable = choices.filter((field) => field.kind !== "message" || depth < 4)
  return fc
    .tuple(
      plain,
      fc.oneof(
        fc.constant({}),
        ...usable.map((field) => ofKind(field, depth).map((value) => ({ [field.name]: value })))
      )
    )
    .map(([given, chosen]) => message.make({ ...given, ...chosen }))
}

const ofField = (field: NamedField, depth: number): fc.Arbitrary<unknown> => {
  if (field.rule === "repeated") {
    return depth < 4 ? fc.array(ofKind(field, depth), { maxLength: 3 }) : fc.constant([])
  }
  if (field.kind !== "message") return ofKind(field, depth)
  return depth < 4 ? fc.option(ofKind(field, depth), { nil: undefined }) : fc.constant(undefined)
}

const ofKind = (field: NamedField, depth: number): fc.Arbitrary<unknown> => {
  switch (field.kind) {
    case "bytes":
      return fc.uint8Array({ maxLength: 40 })
    case "string":
      return fc.string({ unit: "grapheme", maxLength: 30 })
    case "bool":
      return fc.boolean()
    case "uint32":
      return fc.nat(2 ** 32 - 1)
    case "enum":
      return fc.nat(field.names.length)
    case "safe64":
      return fc.oneof(fc.constant(0), fc.maxSafeInteger(), fc.nat(300))
    case "int64":
      return fc.oneof(fc.constant(0n), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n))
    case "uint64":
      return fc.oneof(fc.constant(0n), fc.bigInt(0n, 2n ** 64n - 1n))
    case "message":
      return arbitrary(field.of!(), depth + 1)
  }
}

/** The same with nothing written by hand, all the way down. */
const slow = (message: Message<object>): Message<object> =>
  byTable(
    message.name,
    message.fields.map((field) => {
      const { of } = field
      return of === undefined ? field : { ...field, of: () => slow(of()) }
    })
  )

const all = new Map(methods.flatMap(({ request, response }) => [request, response]).map((m) => [m.name, m]))

for (const message of all.values()) {
  test(`${message.name} comes back from bytes and from JSON, by hand as by table`, (t) => {
    const plain = slow(message)
    fc.assert(
      fc.property(arbitrary(message), (value) => {
        const encoded = message.encode(value)
        t.deepEqual(encoded, plain.encode(value))
        t.deepEqual(message.decode(encoded), value)
        t.deepEqual(plain.decode(encoded), value)
        const json: unknown = JSON.parse(JSON.stringify(toJson(message, value)))
        t.deepEqual(fromJson(message, json), value)
      }),
      { numRuns: 40 }
    )
  })
}

test("both ways of reading refuse the same bytes, and read the same out of others", (t) => {
  const outcome = (message: Message<object>, bytes: Uint8Array): unknown => {
    try {
      return message.decode(bytes)
    } catch (problem) {
      if (problem instanceof ProtobufMalformed) return "malformed"
      throw problem
    }
  }
  const hot: ReadonlyArray<Message<object>> = [
    KV.txn.request,
    KV.range.response,
    KV.put.request,
    WatchResponse,
    Compare,
    Event
  ]
  for (const message of hot) {
    const plain = slow(message)
    fc.assert(
      fc.property(arbitrary(message), fc.nat(), fc.nat(255), (value, at, byte) => {
        const encoded = message.encode(value)
        if (encoded.length === 0) return
        encoded[at % encoded.length] = byte
        t.deepEqual(outcome(message, encoded), outcome(plain, encoded))
      }),
      { numRuns: 500 }
    )
  }
})

test("a put is these bytes", (t) => {
  const encoded = PutRequest.encode(PutRequest.make({ key: utf8("foo"), value: utf8("bar"), lease: 7n }))
  t.is(Buffer.from(encoded).toString("hex"), "0a03666f6f120362617218" + "07")
})

test("of the operands of a comparison the last one counts", (t) => {
  const bytes = Uint8Array.of(0x20, 5, 0x28, 6)
  const { createRevision, version } = Compare.decode(bytes)
  t.is(version, undefined)
  t.is(createRevision, 6)
})

test("events that were encoded once are the same in every response", (t) => {
  const header = ResponseHeader.make({ clusterId: 2n ** 63n, memberId: 1n, revision: 9, raftTerm: 2 })
  const events = [1, 2].map((version) => Event.make({ kv: KeyValue.make({ key: utf8("k"), version }) }))
  const head = WatchResponse.make({ header, watchId: 4 })
  t.deepEqual(encodeWatchEvents(head, events.map(encodeEvent)), WatchResponse.encode({ ...head, events }))
})

test("JSON is what grpc-gateway gives", (t) => {
  const response = RangeResponse.make({
    header: ResponseHeader.make({ clusterId: 14841639068965178418n, revision: 3, raftTerm: 2 }),
    kvs: [
      KeyValue.make({ key: utf8("foo"), value: utf8("bar"), createRevision: 2, modRevision: 3, version: 2 })
    ],
    count: 1
  })
  t.deepEqual(toJson(RangeResponse, response), {
    header: { cluster_id: "14841639068965178418", revision: "3", raft_term: "2" },
    kvs: [{ key: "Zm9v", create_revision: "2", mod_revision: "3", version: "2", value: "YmFy" }],
    count: "1"
  })
})

test("JSON is read in either spelling, with numbers as texts or not", (t) => {
  const request = fromJson(RangeRequest, {
    key: "Zm9v",
    rangeEnd: "Zm9w",
    limit: "5",
    revision: 7,
    sort_order: "DESCEND",
    sort_target: 2,
    nobody_knows: [1],
    keys_only: null
  })
  t.is(text(request.rangeEnd), "fop")
  t.like(request, { limit: 5, revision: 7, sortOrder: 2, sortTarget: 2, keysOnly: false })
  t.is(fromJson(LeaseGrantRequest, { ID: "-9223372036854775808", TTL: 10 }).ID, -(2n ** 63n))
})

test("JSON that fits no message is refused by the name of the field, in the words of etcd", (t) => {
  const refused = (json: unknown) =>
    t.throws(() => fromJson(TxnRequest, json), { instanceOf: ProtobufJsonMalformed })?.message
  const cannot = (kind: string, type: string) =>
    `json: cannot unmarshal ${kind} into Go value of type ${type}`
  t.is(refused([]), `etcdserverpb.TxnRequest: ${cannot("array", "map[string]json.RawMessage")}`)
  t.is(refused({ success: {} }), `etcdserverpb.TxnRequest.success: ${cannot("object", "[]json.RawMessage")}`)
  t.is(
    refused({ compare: [{ lease: "9223372036854775808" }] }),
    `etcdserverpb.TxnRequest.compare.lease: ${cannot("number 9223372036854775808", "int64")}`
  )
  t.is(
    refused({ compare: [{ version: "1.5" }] }),
    `etcdserverpb.TxnRequest.compare.version: ${cannot("number 1.5", "int64")}`
  )
  t.is(
    refused({ compare: [{ version: "x" }] }),
    "etcdserverpb.TxnRequest.compare.version: invalid character 'x' looking for beginning of value"
  )
  t.is(
    refused({ compare: [{ version: 1, lease: 1 }] }),
    "etcdserverpb.TxnRequest.compare: has version and lease, of which there is one"
  )
  t.is(
    refused({ compare: [{ key: "Zm?" }] }),
    "etcdserverpb.TxnRequest.compare.key: illegal base64 data at input byte 2"
  )
  t.is(
    refused({ compare: [{ key: 5 }] }),
    `etcdserverpb.TxnRequest.compare.key: ${cannot("number", "[]uint8")}`
  )
  t.regex(refused({ compare: [{ target: "COLOUR" }] }) ?? "", /unknown value "COLOUR" for the enumeration/)
  t.regex(refused({ compare: [null] }) ?? "", /null in a list/)
  let deep: unknown = {}
  for (let depth = 0; depth < 200; depth++) deep = { success: [{ request_txn: deep }] }
  t.regex(refused(deep) ?? "", /nest deeper than 64/)
})

test("JSON numbers of 64 bits are read to the last digit", (t) => {
  t.is(fromJson(LeaseGrantRequest, wholeJson('{"ID":7587862094143430657}')).ID, 7587862094143430657n)
})

test("an error is these words, this code, and this status at the gateway", (t) => {
  t.deepEqual(etcdErrors.compacted, {
    code: GrpcCode.outOfRange,
    message: "etcdserver: mvcc: required revision has been compacted"
  })
  t.deepEqual(gatewayError(etcdErrors.leaseNotFound), {
    status: 404,
    body: {
      error: "etcdserver: requested lease not found",
      message: "etcdserver: requested lease not found",
      code: 5
    }
  })
  t.is(gatewayError(etcdErrors.leaseExists).status, 412)
  t.deepEqual(gatewayStreamError(etcdErrors.noSpace), {
    error: {
      grpc_code: 8,
      http_code: 429,
      message: "etcdserver: mvcc: database space exceeded",
      http_status: "Too Many Requests"
    }
  })
})
