/** HTTP/2 at its rough edges: raw sockets that say what no client says. */
import { once } from "node:events"
import { connect } from "node:http2"
import test from "ava"
import fc from "fast-check"
import { encodeFields } from "#protocols/wire/http2/hpack.ts"
import { ask, frame, hello, raw, until, type Visit, visiting } from "./fixtures/grpc-visits.ts"

const none = Buffer.alloc(0)
const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

const headOf = (path: string, ...more: ReadonlyArray<string>): Uint8Array =>
  encodeFields([
    ...[":method", "POST", ":scheme", "http", ":path", path],
    ...["content-type", "application/grpc", "te", "trailers", ...more]
  ])
const head = (...more: ReadonlyArray<string>): Uint8Array => headOf("/test.Echo/Echo", ...more)

const data = Buffer.from([0, 0, 0, 0, 2, 104, 105])
const call = (stream: number): Buffer =>
  Buffer.concat([frame(1, 4, stream, head()), frame(0, 1, stream, data)])

const still = async ({ echo }: Visit): Promise<string> =>
  String((await ask(echo, "Echo", Buffer.from("fine"))).value)

const ends: ReadonlyArray<readonly [what: string, code: number, ...bytes: ReadonlyArray<Buffer>]> = [
  ["a first frame that is not SETTINGS", 1, hello.subarray(0, 24), frame(6, 0, 0, Buffer.alloc(8))],
  ["a preface that is wrong in its end", 1, Buffer.from("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")],
  ["DATA without a stream", 1, hello, frame(0, 0, 0, none)],
  ["DATA on an idle stream", 1, hello, frame(0, 0, 1, none)],
  ["HEADERS on an even stream", 1, hello, frame(1, 5, 2, head())],
  ["HEADERS on a closed stream", 5, hello, call(3), frame(1, 5, 1, head())],
  ["a stream that depends on itself", 1, hello, frame(1, 0x24, 1, Buffer.from([0, 0, 0, 1, 16]))],
  ["more padding than frame", 1, hello, frame(1, 4, 1, head()), frame(0, 8, 1, Buffer.from([9, 1, 2]))],
  ["a frame larger than allowed", 6, hello, frame(0, 0, 1, Buffer.alloc(16_385))],
  ["SETTINGS of another size", 6, hello, frame(4, 0, 0, Buffer.alloc(5))],
  ["SETTINGS on a stream", 1, hello, frame(4, 0, 1, none)],
  ["an acknowledgement with settings", 6, hello, frame(4, 1, 0, Buffer.alloc(6))],
  ["a window too large by SETTINGS", 3, hello, frame(4, 0, 0, Buffer.from([0, 4, 255, 255, 255, 255]))],
  ["frames too small by SETTINGS", 1, hello, frame(4, 0, 0, Buffer.from([0, 5, 0, 0, 0, 1]))],
  ["ENABLE_PUSH of 2", 1, hello, frame(4, 0, 0, Buffer.from([0, 2, 0, 0, 0, 2]))],
  ["PING of another size", 6, hello, frame(6, 0, 0, Buffer.alloc(7))],
  ["PING on a stream", 1, hello, frame(6, 0, 1, Buffer.alloc(8))],
  ["RST_STREAM on an idle stream", 1, hello, frame(3, 0, 1, uint32(8))],
  ["RST_STREAM of another size", 6, hello, frame(3, 0, 1, none)],
  ["WINDOW_UPDATE of nothing", 1, hello, frame(8, 0, 0, uint32(0))],
  ["WINDOW_UPDATE beyond what a window holds", 3, hello, frame(8, 0, 0, uint32(0x7fff_ffff))],
  ["WINDOW_UPDATE on an idle stream", 1, hello, frame(8, 0, 1, uint32(1))],
  ["GOAWAY on a stream", 1, hello, frame(7, 0, 1, Buffer.alloc(8))],
  ["PUSH_PROMISE of a client", 1, hello, frame(5, 4, 1, uint32(2))],
  ["CONTINUATION of nothing", 1, hello, frame(9, 4, 1, none)],
  ["a header block that is interrupted", 1, hello, frame(1, 0, 1, head()), frame(6, 0, 0, Buffer.alloc(8))],
  [
    "a header block of many pieces",
    11,
    hello,
    frame(1, 0, 1, none),
    ...Array.from({ length: 40 }, () => frame(9, 0, 1, none))
  ],
  [
    "a header block of 100 KiB",
    11,
    hello,
    frame(1, 0, 1, none),
    ...Array.from({ length: 7 }, () => frame(9, 0, 1, Buffer.alloc(16_000)))
  ],
  ["a header block that is no HPACK", 9, hello, frame(1, 5, 1, Buffer.from([0x80]))],
  [
    "ten thousand pings at once",
    11,
    hello,
    ...Array.from({ length: 10_100 }, () => frame(6, 0, 0, Buffer.alloc(8)))
  ],
  [
    "a thousand calls taken back at once",
    11,
    hello,
    ...Array.from({ length: 1_100 }, (_, n) =>
      Buffer.concat([frame(1, 4, 2 * n + 1, head()), frame(3, 0, 2 * n + 1, uint32(8))])
    )
  ]
]

test("what is wrong with a connection ends it with the right code, and no other", (t) =>
  visiting(async (visit) => {
    for (const [what, code, ...bytes] of ends) {
      const client = raw(visit.port, ...bytes)
      t.true(await until(client.closed), what)
      t.is(client.goawayCode(), code, what)
    }
    t.is(await still(visit), "fine")
  }))

const resets: ReadonlyArray<readonly [what: string, code: number, ...bytes: ReadonlyArray<Buffer>]> = [
  ["a request without a path", 1, frame(1, 5, 1, encodeFields([":method", "POST", ":scheme", "http"]))],
  ["a request with a connection field", 1, frame(1, 5, 1, head("connection", "close"))],
  ["fewer bytes than content-length", 1, frame(1, 4, 1, head("content-length", "9")), frame(0, 1, 1, data)],
  ["more bytes than content-length", 1, frame(1, 4, 1, head("content-length", "3")), frame(0, 1, 1, data)],
  ["WINDOW_UPDATE of nothing on it", 1, frame(1, 4, 1, head()), frame(8, 0, 1, uint32(0))],
  ["its window too large", 3, frame(1, 4, 1, head()), frame(8, 0, 1, uint32(0x7fff_ffff))],
  ["trailers that do not end it", 1, frame(1, 4, 1, head()), frame(1, 4, 1, head())]
]

test("what is wrong with a stream resets it, and the connection goes on", (t) =>
  visiting(async ({ port }) => {
    for (const [what, code, ...bytes] of resets) {
      const client = raw(port, hello, ...bytes, call(3))
      t.true(await until(() => client.frames.some(({ stream, type }) => stream === 3 && type === 0)), what)
      const reset = client.frames.find(({ stream, type }) => stream === 1 && type === 3)
      t.is(reset?.payload.readUInt32BE(), code, what)
      t.is(client.goawayCode(), undefined, what)
      client.socket.destroy()
    }
  }))

test("frames may come byte by byte, padded, with priorities and in pieces", (t) =>
  visiting(async ({ port }) => {
    const block = head()
    const bytes = Buffer.concat([
      hello,
      frame(
        1,
        0x28,
        1,
        Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 9]), block.subarray(0, 10), Buffer.alloc(2)])
      ),
      frame(9, 4, 1, block.subarray(10)),
      frame(0, 8, 1, Buffer.concat([Buffer.from([3]), data.subarray(0, 3), Buffer.alloc(3)])),
      frame(0xfe, 0xff, 1, Buffer.from("nobody knows")),
      frame(2, 0, 1, Buffer.from([0, 0, 0, 0, 1])),
      frame(0, 1, 1, data.subarray(3))
    ])
    const client = raw(port)
    for (const byte of bytes) {
      client.socket.write(Uint8Array.of(byte))
      await new Promise((resolve) => setImmediate(resolve))
    }
    t.true(await until(() => client.frames.some(({ stream, type }) => stream === 1 && type === 0)))
    const answer = client.frames.find(({ stream, type }) => stream === 1 && type === 0)
    t.deepEqual(answer?.payload, data)
    client.socket.destroy()
  }))

test("an answer waits for the windows of the client, and others pass it", (t) =>
  visiting(async ({ port }) => {
    const large = Buffer.concat([Buffer.from([0, 0, 0, 0, 100]), Buffer.alloc(100, "x")])
    const window = frame(4, 0, 0, Buffer.from([0, 4, 0, 0, 0, 10]))
    const client = raw(port, hello, window, frame(1, 4, 1, head()), frame(0, 1, 1, large), call(3))
    await until(() => client.frames.some(({ stream }) => stream === 3))
    const got = () =>
      Buffer.concat(
        client.frames.filter(({ stream, type }) => stream === 1 && type === 0).map(({ payload }) => payload)
      )
    t.is(got().length, 10)
    t.true(client.frames.some(({ flags, stream, type }) => stream === 3 && type === 1 && flags === 5))
    client.socket.write(frame(8, 0, 1, uint32(20)))
    t.true(await until(() => got().length === 30))
    client.socket.write(frame(4, 0, 0, Buffer.from([0, 4, 0, 0, 4, 0])))
    t.true(await until(() => client.frames.some(({ flags, stream }) => stream === 1 && flags === 5)))
    t.deepEqual(got(), large)
    client.socket.destroy()
  }))

test("whoever was told that there is no room is told when there is, whatever is sent meanwhile", (t) =>
  visiting(async ({ calls, port }) => {
    const client = raw(port, hello, frame(1, 4, 1, headOf("/test.Echo/Chat")))
    t.true(await until(() => calls.length === 1))
    const [call] = calls
    if (call === undefined || !("send" in call)) throw new Error("it is a stream")
    let drained = 0
    call.onDrain = () => void drained++
    const got = () =>
      client.frames.filter(({ type }) => type === 0).reduce((sum, { payload }) => sum + payload.length, 0)
    const grow = (bytes: number) =>
      client.socket.write(Buffer.concat([frame(8, 0, 0, uint32(bytes)), frame(8, 0, 1, uint32(bytes))]))
    t.false(call.send(new Uint8Array(400 * 1024)))
    grow(200 * 1024)
    t.true(await until(() => got() === 200 * 1024 + 65_535))
    t.false(call.send(new Uint8Array(10)), "there is more room, and nobody was told")
    t.is(drained, 0)
    grow(400 * 1024)
    t.true(await until(() => got() === 400 * 1024 + 5 + 15))
    t.is(drained, 1)
    t.true(call.send(new Uint8Array(10)))
    client.socket.destroy()
  }))

test("a large answer arrives at once where windows have room for all of it, and never grow", (t) =>
  visiting(async ({ port }) => {
    const windowBytes = 4 * 1024 * 1024
    const session = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: windowBytes } })
    try {
      await once(session, "connect")
      session.setLocalWindowSize(windowBytes)
      const stream = session.request({
        ":method": "POST",
        ":path": "/test.Echo/Echo",
        "content-type": "application/grpc",
        te: "trailers"
      })
      const message = Buffer.alloc(1024 * 1024, "x")
      stream.end(Buffer.concat([Buffer.from([0]), uint32(message.length), message]))
      let bytes = 0
      stream.on("data", (piece: Buffer) => {
        bytes += piece.length
      })
      await once(stream, "close", { signal: AbortSignal.timeout(10_000) })
      t.is(bytes, message.length + 5)
    } finally {
      session.destroy()
    }
  }))

test("garbage and damaged frames end connections, never the server", (t) =>
  visiting(async (visit) => {
    const good = Buffer.concat([
      hello,
      call(1),
      frame(6, 0, 0, Buffer.alloc(8)),
      call(3),
      frame(3, 0, 3, uint32(8))
    ])
    const damaged = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(
        damaged,
        fc.uint8Array({ maxLength: 200 }),
        fc.boolean(),
        async (hits, garbage, random) => {
          const bytes = Buffer.from(good)
          for (const [at, byte] of hits) bytes[at] = byte
          const client = raw(visit.port, ...(random ? [hello, garbage] : [bytes, garbage]))
          await until(() => client.frames.length > 2 || client.closed(), 20)
          client.socket.destroy()
        }
      ),
      { numRuns: 300 }
    )
    t.is(await still(visit), "fine")
  }))

test("who connects and says nothing is let go, and so is who does not answer a ping", (t) =>
  visiting(
    async ({ port }) => {
      const silent = raw(port)
      const begun = raw(port, hello.subarray(0, 10))
      const idle = raw(port, hello)
      t.true(await until(() => silent.closed() && begun.closed()))
      t.true(await until(idle.closed, 8_000))
      t.true(idle.frames.some(({ flags, type }) => type === 6 && flags === 0))
    },
    { limits: { handshakeMillisMax: 300, pingMillis: 500, pingTimeoutMillis: 500 } }
  ))

test("a client that reads nothing at all does not hold more than its share", (t) =>
  visiting(
    async (visit) => {
      const windows = Buffer.concat([
        frame(4, 0, 0, Buffer.from([0, 4, 0x7f, 255, 255, 255])),
        frame(8, 0, 0, uint32(0x7fff_0000 - 65_535))
      ])
      const big = Buffer.concat([Buffer.from([0, 0, 0x10, 0, 0]), Buffer.alloc(1024 * 1024)])
      const pieces = (stream: number) =>
        Array.from({ length: Math.ceil(big.length / 16_384) }, (_, n) => {
          const piece = big.subarray(n * 16_384, (n + 1) * 16_384)
          return frame(0, (n + 1) * 16_384 >= big.length ? 1 : 0, stream, piece)
        })
      const client = raw(visit.port, hello, windows)
      client.socket.pause()
      for (let n = 0; n < 30; n++) {
        const stream = 2 * n + 1
        client.socket.write(Buffer.concat([frame(1, 4, stream, head()), ...pieces(stream)]))
      }
      await until(() => visit.calls.length >= 3)
      t.is(await still(visit), "fine")
      t.true(process.memoryUsage().rss < 2_000_000_000)
      client.socket.destroy()
    },
    { limits: { unsentBytesMax: 4 * 1024 * 1024 } }
  ))

test("five hundred connections, each with a call, and then none", (t) =>
  visiting(async (visit) => {
    const clients = Array.from({ length: 500 }, () => raw(visit.port, hello, call(1)))
    const answered = ({ frames }: (typeof clients)[number]) =>
      frames.some(({ flags, stream }) => stream === 1 && flags === 5)
    t.true(await until(() => clients.every(answered), 15_000))
    for (const { socket } of clients) socket.destroy()
    t.is(await still(visit), "fine")
  }))
