import test from "ava"
import { Packr } from "msgpackr"
import { type Packet, PacketDecoder, PacketEncoder, pack, packetType, unpack } from "./packet-parser.ts"

const decoded = (bytes: unknown): Packet | undefined => {
  const packets: Array<Packet> = []
  const decoder = new PacketDecoder().on("decoded", (packet) => packets.push(packet))
  decoder.add(introduction)
  decoder.add(bytes)
  return packets[1]
}

const encoded = (packet: Packet): Uint8Array => {
  const [bytes, ...more] = new PacketEncoder().encode(packet)
  if (bytes === undefined || more.length > 0) throw new Error("a packet is one message")
  return bytes
}

const introduction = encoded({ type: packetType.connect, nsp: "/nodes" })

// biome-ignore format: one a line
const packets: ReadonlyArray<Packet> = [
  { type: packetType.connect, nsp: "/nodes", data: { introduction: { name: "n", protocol: 1 }, token: "t" } },
  { type: packetType.connect, nsp: "/", data: undefined },
  { type: packetType.disconnect, nsp: "/ops", data: undefined },
  { type: packetType.connectError, nsp: "/ops", data: { message: "no", data: { _tag: "Unauthenticated" } } },
  { type: packetType.ack, nsp: "/actors", data: [1, "two"], id: 7 },
  { type: packetType.event, nsp: "/actors", data: ["frames", [["tell", "/a/b", { _tag: "Ping", n: 1 }]]] },
  { type: packetType.event, nsp: "/actors", data: ["frames", [[undefined, null, true, false, "", "ż😀", "x".repeat(70_000)]]] },
  { type: packetType.event, nsp: "/actors", data: ["frames", [0, 1, 127, 128, 65_535, 65_536, 2 ** 32, 2 ** 53 - 1, -1, -32, -33, -129, -40_000, -(2 ** 40), 0.5, Infinity, 5n, 2n ** 63n]] },
  { type: packetType.event, nsp: "/actors", data: ["goodbye", "reason", { a: { b: [{}, [], { c: [] }] } }], id: 0 },
  { type: packetType.event, nsp: "/actors", data: ["frames", Array.from({ length: 70_000 }, (_, index) => index % 3)] }
]

for (const packet of packets) {
  test(`packets survive: ${JSON.stringify(packet, (_, value) => (typeof value === "bigint" ? String(value) : value)).slice(0, 90)}`, (t) => {
    t.deepEqual(decoded(encoded(packet)), packet)
    t.deepEqual(decoded(Buffer.from(encoded(packet))), packet)
    t.deepEqual(decoded(Uint8Array.from(encoded(packet)).buffer), packet)
  })
}

test("bytes arrive as views of the message, on every platform of the same kind", (t) => {
  const bytes = Uint8Array.from({ length: 300 }, (_, index) => index)
  const message = Buffer.from(encoded({ type: packetType.event, nsp: "/n", data: ["frames", bytes] }))
  const data = decoded(message)?.data
  const arrived: unknown = Array.isArray(data) ? data[1] : undefined
  t.true(arrived instanceof Uint8Array)
  if (!(arrived instanceof Uint8Array)) return
  t.is(Object.getPrototypeOf(arrived), Uint8Array.prototype)
  t.is(arrived.buffer, message.buffer)
  t.deepEqual(arrived, bytes)
})

const refused = (title: string, bytes: unknown) =>
  test(`no packet: ${title}`, (t) => {
    const decoder = new PacketDecoder().on("decoded", ({ data }) => t.is(data, undefined))
    let told = 0
    decoder.onMalformed = () => {
      told++
    }
    decoder.add(introduction)
    decoder.add(bytes)
    t.is(decoder.malformed, 1)
    t.is(told, 1)
  })

const event = (...data: ReadonlyArray<unknown>) => pack([packetType.event, "/n", data])
const raw = (...bytes: ReadonlyArray<number>) =>
  Uint8Array.of(0x93, packetType.event, 0xa2, 0x2f, 0x6e, 0x92, 0xa1, 0x61, ...bytes)

refused("text", "2[]")
refused("nothing", new Uint8Array(0))
refused("null", null)
refused("a number", pack(7))
refused("an object", pack({ type: 2, nsp: "/n", data: ["frames"] }))
refused("an unknown type", pack([5, "/n", ["frames"]]))
refused("a type that is no number", pack(["2", "/n", ["frames"]]))
refused("a namespace that is no text", pack([2, 7, ["frames"]]))
refused("a namespace like a novel", pack([2, "/".repeat(100), ["frames"]]))
refused("an event without a name", event())
refused("an event named by a number", event(7, []))
refused("an event that socket.io emits itself", event("disconnect", "ping timeout"))
refused("an event of the emitter", event("newListener", "x"))
refused("an event whose data is an object", pack([2, "/n", { 0: "frames" }]))
refused("an acknowledgement of nothing", pack([3, "/n", [], -1]))
refused("an acknowledgement of a half", pack([3, "/n", [], 0.5]))
refused("an error that is null", pack([4, "/n", null]))
refused("a connect with a list", pack([0, "/n", []]))
refused("a disconnect with data", pack([1, "/n", {}]))
refused("too many elements", pack([2, "/n", ["frames"], 1, 2]))
refused("something behind the packet", Buffer.concat([event("frames"), Buffer.of(0)]))
refused("half a packet", event("frames", "a text").subarray(0, -1))
refused("a list longer than the message", raw(0xdd, 0xff, 0xff, 0xff, 0xff))
refused("an object larger than the message", raw(0xdf, 0xff, 0xff, 0xff, 0xff))
refused("a text longer than the message", raw(0xdb, 0xff, 0xff, 0xff, 0xff))
refused("bytes longer than the message", raw(0xc6, 0xff, 0xff, 0xff, 0xff))
refused("keys that are no texts", raw(0x81, 0x01, 0x02))
refused("the token that is never used", raw(0xc1))
refused("a set", new Packr({ moreTypes: true }).pack([2, "/n", ["a", new Set([1])]]))
refused("a regular expression", new Packr({ moreTypes: true }).pack([2, "/n", ["a", /(a+)+$/]]))
refused("an error", new Packr({ moreTypes: true }).pack([2, "/n", ["a", new Error("x")]]))
refused(
  "other typed arrays",
  new Packr({ moreTypes: true, structuredClone: true }).pack([2, "/n", ["a", new Float64Array(2)]])
)
refused("a huge number", new Packr({ useBigIntExtension: true }).pack([2, "/n", ["a", 2n ** 100n]]))
refused("bundled texts", new Packr({ bundleStrings: true }).pack([2, "/n", ["a", "text one", "text two"]]))
const cyclic: Array<unknown> = ["a"]
cyclic.push(cyclic)
refused("a cycle", new Packr({ structuredClone: true }).pack([2, "/n", cyclic]))
refused("a record", new Packr({ useRecords: true }).pack([2, "/n", ["a", { one: 1, two: 2 }]]))
refused("a record by hand", raw(0xd4, 0x72, 0x40, 0x91, 0xa1, 0x78, 0x01))
refused("a reference to nothing", raw(0xd6, 0x70, 0, 0, 0, 1))
refused("deeper than anybody needs", raw(...Array<number>(300).fill(0x91), 0xc0))
refused(
  "more values than a message may have",
  Buffer.concat([raw(0xdd, 0, 0x10, 0, 0), Buffer.alloc(2 ** 20, 0x80)])
)

test("keys do not reach prototypes", (t) => {
  const bytes = pack([2, "/n", ["frames", { a: 1 }]])
  const evil = raw(
    0x81,
    0xa9,
    ...new TextEncoder().encode("__proto__"),
    0x81,
    0xa3,
    ...new TextEncoder().encode("bad"),
    0xc3
  )
  const data = decoded(evil)?.data
  const object: unknown = Array.isArray(data) ? data[1] : undefined
  t.is(Object.getPrototypeOf(object), Object.prototype)
  t.false("bad" in {})
  t.not(decoded(bytes), undefined)
})

test("before a connect, only something small is a packet", (t) => {
  const heard: Array<Packet> = []
  const decoder = new PacketDecoder().on("decoded", (packet) => heard.push(packet))
  decoder.add(event("frames", new Uint8Array(100_000)))
  decoder.add(pack([0, "/n", { token: "x".repeat(100_000) }]))
  t.is(decoder.malformed, 2)
  decoder.add(pack([0, "/n", {}]))
  decoder.add(event("frames", new Uint8Array(100_000)))
  t.is(heard.length, 2)
})

test("what listens no more hears nothing", (t) => {
  const decoder = new PacketDecoder()
  const listener = () => t.fail()
  decoder.on("decoded", listener).removeListener("decoded", listener)
  decoder.add(introduction)
  decoder.destroy()
  t.is(decoder.malformed, 0)
})

test("200,000 mutated packets do no harm and take no time", (t) => {
  const before = Reflect.ownKeys(Object.prototype).length + Reflect.ownKeys(Array.prototype).length
  const originals = packets
    .filter(
      ({ data }) =>
        JSON.stringify(data, (_, value) => (typeof value === "bigint" ? "" : value) ?? null)?.length < 1_000
    )
    .map(encoded)
  let state = 12_345
  const random = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  const interesting = [
    0x72, 0x69, 0x70, 0x73, 0x78, 0x62, 0xc1, 0xc7, 0xd4, 0xd6, 0xdb, 0xdd, 0xdf, 0xff, 0x40, 0x91, 0x81
  ]
  let heard = 0
  let longestMillis = 0
  const decoder = new PacketDecoder().on("decoded", () => {
    heard++
  })
  decoder.add(introduction)
  for (let round = 0; round < 200_000; round++) {
    const original = originals[random(originals.length)]!
    const bytes = Buffer.from(
      original.subarray(0, random(8) === 0 ? random(original.length) : original.length)
    )
    for (let mutation = random(4); mutation >= 0 && bytes.length > 0; mutation--) {
      bytes[random(bytes.length)] = random(2) === 0 ? random(256) : interesting[random(interesting.length)]!
    }
    const sinceMillis = performance.now()
    decoder.add(bytes)
    longestMillis = Math.max(longestMillis, performance.now() - sinceMillis)
  }
  t.is(heard + decoder.malformed, 200_001)
  t.true(heard > 1_000 && decoder.malformed > 1_000)
  t.is(Reflect.ownKeys(Object.prototype).length + Reflect.ownKeys(Array.prototype).length, before)
  t.log(`${heard} were packets still; the longest took ${longestMillis.toFixed(1)} ms`)
  t.true(longestMillis < 1_000)
  t.deepEqual(unpack(pack([1, "still in order"])), [1, "still in order"])
})
