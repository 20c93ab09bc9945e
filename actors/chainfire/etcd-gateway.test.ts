/** What curl gets from three members, and from a real etcd: the same, for whatever it asks. */
import { once } from "node:events"
import { connect as connectHttp2 } from "node:http2"
import { connect, type Socket } from "node:net"
import test from "ava"
import { eventually } from "#actors/kernel/fixtures/eventually.ts"
import { Prng } from "#chaos/sim/prng.ts"
import { methods, WATCH } from "#protocols/wire/etcd/methods.ts"
import { EtcdGateway } from "./etcd-gateway.ts"
import { etcdInstalled } from "./fixtures/etcd.ts"
import { PlainRecorder, plainRequest } from "./fixtures/plain.ts"
import {
  type Answer,
  type Asked,
  amongMembers,
  ask,
  eventsTogether,
  sideBySide,
  withoutIds
} from "./fixtures/side-by-side.ts"
import { routed } from "./http-routes.ts"

const oracle = etcdInstalled() ? test : test.skip
const seed = Number(process.env["UC_SEED"] ?? 1)

const b64 = (text: string): string => Buffer.from(text).toString("base64")
const post = (path: string, body: unknown, more: Partial<Asked> = {}): Asked => ({
  path,
  body: typeof body === "string" ? body : JSON.stringify(body),
  ...more
})

const key = b64("foo")
const all = { key: "AA==", range_end: "AA==" }
const created = (create_request: object) => ({ create_request })

/** In order: each is asked of a store in which those before it have left their traces. */
const table: ReadonlyArray<Asked> = [
  // KV
  post("/v3/kv/put", { key, value: b64("bar") }),
  post("/v3beta/kv/put", { key, value: b64("baz"), prev_kv: true }),
  post("/v3/kv/put", { key: b64("<&>"), value: b64("\u2028") }),
  post("/v3/kv/put", { key, lease: "12345" }),
  post("/v3/kv/put", { key, value: b64("x"), ignore_value: true }),
  post("/v3/kv/put", { key: b64("none"), ignoreLease: true }),
  post("/v3/kv/put", {}),
  post("/v3/kv/range", { key }),
  post("/v3/kv/range", { ...all, sort_order: "DESCEND", sort_target: "MOD", limit: 1 }),
  post("/v3/kv/range", { ...all, count_only: true }),
  post("/v3/kv/range", { ...all, keysOnly: true, serializable: true }),
  post("/v3/kv/range", { key, revision: "2" }),
  post("/v3/kv/range", { key, revision: 1_000 }),
  post("/v3/kv/range", { key: b64("none") }),
  post("/v3/kv/range", ""),
  post("/v3/kv/range", "null"),
  post("/v3/kv/range", `{"key":"${key}"} and more`),
  post("/v3/kv/range", `{"key":"${key}","key":"AAAA"}`),
  post("/v3/kv/range", `{"key":"${key}","nobody":{"knows":[1,2]}}`),
  post("/v3/kv/range", `{"key":[102,111,111]}`),
  post("/v3/kv/range", `{"key":"Zm9\\u0076"}`),
  post("/v3/kv/range", { key }, { headers: { "content-type": "text/plain" } }),
  post("/v3/kv/txn", {}),
  post("/v3/kv/txn", {
    compare: [
      { key, target: "VALUE", value: b64("baz") },
      { key, target: "VERSION", result: "GREATER", version: 1 }
    ],
    success: [
      { request_put: { key: b64("t"), value: b64("1") } },
      { requestRange: { key: b64("t") } },
      { request_delete_range: { key: b64("none"), range_end: b64("nonf") } },
      { request_txn: { failure: [], success: [{ request_range: { key } }] } }
    ]
  }),
  post("/v3/kv/txn", {
    compare: [{ key, target: "CREATE", create_revision: 0 }],
    failure: [{ request_put: { key } }]
  }),
  post("/v3/kv/txn", { success: [{ request_put: { key } }, { request_put: { key } }] }),
  post("/v3/kv/deleterange", { key: b64("t"), prev_kv: true }),
  post("/v3/kv/deleterange", { key: b64("t") }),
  post("/v3/kv/put", { key: b64("large"), value: "A".repeat(2_000_000) }),
  post("/v3/kv/put", { key: b64("large"), value: "A".repeat(2_200_000) }),
  post("/v3/kv/deleterange", { key: b64("large") }),
  // Watch
  post("/v3/watch", created({ key, start_revision: 1, prev_kv: true }), { lines: /"version":"3"/ }),
  post("/v3/watch", created({ ...all, start_revision: "2", filters: ["NOPUT"], watch_id: 7 }), {
    lines: /DELETE/
  }),
  post("/v3/watch", `{"create_request":{"key":"${key}"}} {"cancel_request":{"watch_id":0}}`, { lines: 2 }),
  post("/v3/watch", created({ key, range_end: b64("a") }), { lines: 1 }),
  post("/v3/watch", `{"create_request":{"key":"${key}"}}{"create_request":5}`, { lines: 1 }),
  post("/v3/watch", "x"),
  post("/v3/watch", created({ key: 5 })),
  // Compaction
  post("/v3/kv/compaction", { revision: 1_000 }),
  post("/v3/kv/compaction", { revision: 4 }),
  post("/v3/kv/compaction", { revision: 4 }),
  post("/v3/kv/range", { key, revision: 3 }),
  post("/v3/watch", created({ key, start_revision: 1 }), { lines: 2 }),
  // Leases
  post("/v3/lease/grant", { ID: 7, TTL: 600 }),
  post("/v3/lease/grant", { ID: "7", TTL: "600" }),
  post("/v3/lease/grant", '{"ID":7587862094143430657,"TTL":600}'),
  post("/v3/lease/grant", { TTL: "10000000000" }),
  post("/v3/lease/keepalive", { ID: 7 }),
  post("/v3/lease/keepalive", '{"ID":7}{"ID":"7587862094143430657"}\n{"ID":99}'),
  post("/v3/lease/keepalive", '{"ID":7}{'),
  post("/v3/lease/keepalive", "{"),
  post("/v3/lease/keepalive", ""),
  post("/v3/lease/keepalive", { ID: "x" }),
  post("/v3/kv/put", { key: b64("leased"), lease: 7 }),
  post("/v3/lease/timetolive", { ID: 99 }),
  post("/v3/kv/lease/timetolive", { ID: 99, keys: true }),
  post("/v3/lease/revoke", { ID: "7587862094143430657" }),
  post("/v3/lease/leases", {}),
  post("/v3/kv/lease/leases", {}),
  post("/v3/kv/lease/revoke", { ID: 99 }),
  // Locks and elections
  post("/v3/lock/lock", { name: b64("l"), lease: 7 }),
  post("/v3/lock/lock", { name: b64("l"), lease: 7 }),
  post("/v3/lock/lock", { name: b64("l"), lease: 99 }),
  post("/v3/lock/unlock", { key: b64("l/7") }),
  post("/v3/lock/unlock", { key: b64("l/7") }),
  post("/v3/lock/unlock", {}),
  post("/v3/election/leader", { name: b64("e") }),
  post("/v3/election/campaign", { name: b64("e"), lease: 99 }),
  post("/v3/election/campaign", { name: b64("e"), lease: 7, value: b64("one") }),
  post("/v3/election/campaign", { name: b64("e"), lease: 7, value: b64("one") }),
  post("/v3/election/campaign", { name: b64("e"), lease: 7, value: b64("two") }),
  post("/v3/election/leader", { name: b64("e") }),
  post("/v3/election/observe", { name: b64("e") }, { lines: 1 }),
  post("/v3/election/observe", "{"),
  post("/v3/election/proclaim", {}),
  post("/v3/election/proclaim", { leader: { key: b64("e/7"), rev: 1, lease: 7 } }),
  post("/v3/election/resign", {}),
  post("/v3/election/resign", { leader: {} }),
  post("/v3/election/resign", { leader: { key: b64("e/7"), rev: 1, lease: 7 } }),
  post("/v3/kv/range", all),
  // What is none
  ...[
    ...[
      "x",
      "{",
      "[1",
      "nul",
      '"x"',
      "5",
      "true",
      "[]",
      '{"key"}',
      '{"key":1 2}',
      "{key:1}",
      "{'key':1}",
      '{"a":\\'
    ],
    ...[
      '{"a":"\\x"}',
      '{"a":"\\u12"}',
      '{"a":"\u0001"}',
      '{"a":[1,]}',
      '{"a":tru}',
      '{"a":1.}',
      '{"a":01}',
      '{"a":-}'
    ],
    ...[
      '{"key":5}',
      '{"key":{}}',
      '{"key":true}',
      '{"key":"!!"}',
      '{"key":"Z=9v"}',
      '{"key":[256]}',
      '{"key":["x"]}'
    ],
    ...[
      '{"limit":1.5}',
      '{"limit":"1.5"}',
      '{"limit":1e2}',
      '{"limit":"x"}',
      '{"limit":""}',
      '{"limit":"-"}'
    ],
    ...['{"limit":99999999999999999999}', '{"limit":true}', '{"limit":{}}', '{"limit":[]}', '{"limit":" 5"}'],
    ...['{"serializable":"true"}', '{"serializable":1}', '{"limit":null}']
  ].map((body) => post("/v3/kv/range", body)),
  post("/v3/kv/txn", { success: {} }),
  post("/v3/kv/txn", { compare: [5] }),
  post("/v3/kv/range", "{}", { headers: { "grpc-timeout": "300x" } }),
  // Where nobody is
  ...[
    "/v3/kv/nosuch",
    "/v3/",
    "/v3/kv/put/",
    "/v3/kv",
    "/v3alpha/kv/put",
    "/nosuch",
    "/",
    "/v3/auth/status"
  ].map((path) => post(path, "{}")),
  ...["GET", "PUT", "DELETE", "PATCH"].map((method) => ({ path: "/v3/kv/range", method })),
  { path: "/v3/kv/range", method: "OPTIONS" },
  // Beside it
  { path: "/health" },
  { path: "/version" },
  post("/health", ""),
  post("/version", "")
]

oracle(`${table.length} requests have the same answers from each member as from etcd`, async (t) => {
  t.timeout(180_000)
  await sideBySide(async ({ ours, theirs }) => {
    for (const [index, asked] of table.entries()) {
      const isStream = asked.path === "/v3/watch" && asked.lines !== undefined
      const shown = isStream ? eventsTogether : (answer: Answer) => answer
      const theirAnswer = shown(withoutIds(await ask(theirs, asked)))
      const ourAnswer = shown(withoutIds(await ask(ours[index % ours.length] ?? "", asked)))
      t.deepEqual(
        ourAnswer,
        theirAnswer,
        `${asked.method ?? "POST"} ${asked.path} ${String(asked.body ?? "").slice(0, 500)}`
      )
    }
  })
})

const pieces = [
  '{"key":"Zm9v"',
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  '"',
  "\\",
  "\\u00e9",
  "1",
  "-",
  ".5",
  "e9",
  " ",
  "\n"
]
const words = [
  "true",
  "nul",
  '"limit":"5"',
  '"serializable":true',
  '"revision":',
  '"max_mod_revision":1',
  "\u0000",
  "é",
  "}x"
]

oracle("no body whatsoever gets anything from us but what etcd says", async (t) => {
  t.timeout(180_000)
  await sideBySide(async ({ ours, theirs }) => {
    const prng = new Prng(seed)
    const some = [...pieces, ...words]
    let refused = 0
    for (let done = 0; done < 1_500; done++) {
      const count = 1 + prng.below(8)
      const body = Array.from({ length: count }, () => some[prng.below(some.length)]).join("")
      const asked = post("/v3/kv/range", prng.chance(0.5) ? `{"key":"Zm9v",${body}` : body)
      const own = withoutIds(await ask(ours[0] ?? "", asked))
      if (own.status !== 200) refused++
      // Go names a character by its first byte.
      if (own.body.includes("é")) continue
      t.deepEqual(own, withoutIds(await ask(theirs, asked)), `UC_SEED=${seed}: ${JSON.stringify(body)}`)
    }
    t.true(refused > 1_000)
  })
})

test("whatever is sent to whichever path, it is refused or done, and the members live", async (t) => {
  t.timeout(120_000)
  await amongMembers(async ([address = ""]) => {
    const prng = new Prng(seed)
    const paths = methods.flatMap(({ gateway }) => gateway ?? [])
    for (let done = 0; done < 600; done++) {
      const bytes = Uint8Array.from({ length: prng.below(60) }, () => prng.below(256))
      const json = `{"${["key", "create_request", "ID", "name", "leader"][prng.below(5)]}":${["{}", "[]", "-1", '"AA=="', '"\\ud800"', "null"][prng.below(6)]}}`
      const path = paths[prng.below(paths.length)] ?? ""
      const body = prng.chance(0.4) ? bytes : json
      const asked = async () => {
        const answer = await ask(address, {
          path,
          method: "POST",
          body: typeof body === "string" ? body : Uint8Array.from(body),
          headers: { "grpc-timeout": "50m" }
        })
        // While a busy machine elects a leader there is none.
        return answer.status !== 503 && answer
      }
      const answer = await eventually(`an answer of ${path}`, asked)
      t.true(
        [200, 400, 404, 409, 412, 429, 500, 501, 504].includes(answer.status),
        `${path} ${answer.status}`
      )
      if (answer.status === 500) t.regex(answer.body, /"code":(2|13)/, `UC_SEED=${seed}: ${path} ${body}`)
    }
    const vast = await ask(address, post("/v3/kv/put", `{"key":"${"A".repeat(4_000_000)}"}`))
    t.is(vast.status, 413)
    t.is((await ask(address, { path: "/health" })).status, 200)
  })
})

test("a member that stops ends what it has open, and has no more open than it has room for", (t) => {
  const handlers = {
    unary: {},
    streams: { [WATCH.watch.path]: () => ({ onMessage: () => {}, onEnd: () => {} }) }
  }
  const gateway = new EtcdGateway(handlers, () => 0, 1)
  const opened = (path: string) => {
    const reply = new PlainRecorder()
    routed(gateway.routes, [])(plainRequest(path, "{}"), reply)
    return reply
  }
  const watching = opened("/v3/watch")
  t.deepEqual([gateway.open, watching.status], [1, undefined])
  t.is(opened("/v3/watch").status, 429)
  gateway.close()
  t.deepEqual([gateway.open, watching.status], [0, 503])
  t.is(opened("/v3/kv/put").status, 501)
})

/** Reads only when it is told to. */
const slowReader = async (address: string, path: string, body: string): Promise<Socket> => {
  const [host, port] = address.split(":")
  const socket = connect({ host: host ?? "", port: Number(port) })
  await once(socket, "connect")
  socket.pause()
  socket.write(`POST ${path} HTTP/1.1\r\nhost: ${address}\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
  return socket
}

const metricOf = async (address: string, name: string): Promise<number> => {
  const { body } = await ask(address, { path: "/metrics" })
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(body)?.[1])
}

test("a watch whose client does not read is parked, and catches up when it reads", async (t) => {
  t.timeout(120_000)
  await amongMembers(async ([address = ""]) => {
    const reader = await slowReader(address, "/v3/watch", JSON.stringify(created({ key, start_revision: 1 })))
    try {
      const value = b64("x".repeat(100_000))
      const put = async () => (await ask(address, post("/v3/kv/put", { key, value }))).status === 200
      for (let write = 0; write < 150; write++) await eventually(`write ${write}`, put)
      // One that was refused may have been carried out all the same.
      const { body } = await ask(address, post("/v3/kv/range", { key }))
      const writes = Number(/"version":"(\d+)"/.exec(body)?.[1])
      t.true(writes >= 150, `${writes} writes`)
      t.is(await metricOf(address, "etcd_debugging_mvcc_slow_watcher_total"), 1)
      let text = ""
      reader.setEncoding("latin1").on("data", (chunk: string) => {
        text += chunk.replaceAll(/"value":"[^"]*"|eHh4[A-Za-z0-9+/=]*/g, "")
      })
      reader.resume()
      const versions = () => [...text.matchAll(/"version":"(\d+)"/g)].map(([, version]) => Number(version))
      await eventually("all is read", () => versions().length >= writes)
      t.deepEqual(
        versions(),
        Array.from({ length: writes }, (_, write) => write + 1)
      )
      t.is(await metricOf(address, "etcd_debugging_mvcc_slow_watcher_total"), 0)
    } finally {
      reader.destroy()
    }
  })
})

test("a client that goes away leaves no watch behind, over HTTP/1.1 and HTTP/2", async (t) => {
  t.timeout(60_000)
  await amongMembers(async ([address = ""]) => {
    const watching = () => metricOf(address, "etcd_debugging_mvcc_watcher_total")
    const body = JSON.stringify(created({ key }))
    const one = await slowReader(address, "/v3/watch", body)
    const session = connectHttp2(`http://${address}`)
    try {
      const two = session.request({ ":method": "POST", ":path": "/v3/watch" })
      two.end(body)
      const [head] = await once(two, "response")
      t.is(head[":status"], 200)
      await eventually("both watch", async () => (await watching()) === 2)
      two.close()
      await eventually("one is left", async () => (await watching()) === 1)
      one.destroy()
      await eventually("none is left", async () => (await watching()) === 0)
      t.is(await metricOf(address, "chainfire_gateway_open"), 0)
    } finally {
      one.destroy()
      session.close()
    }
  })
})
