/** Keys by curl: what was put is there, what was deleted is not, and everything else is said clearly. */
import test from "ava"
import { KV } from "#protocols/wire/etcd/methods.ts"
import { PlainRecorder, plainRequest } from "./fixtures/plain.ts"
import { amongMembers, ask } from "./fixtures/side-by-side.ts"
import { routed } from "./http-routes.ts"
import { RestKv } from "./rest-kv.ts"

test("a value that was put through one member is read through another, and gone once it is deleted", async (t) => {
  t.timeout(60_000)
  await amongMembers(async ([one = "", two = "", three = ""]) => {
    const path = "/api/v1/kv/config/a%20b/%C3%A9"
    const put = await ask(one, { path, method: "PUT", body: "welcome" })
    t.deepEqual(
      [put.status, put.type, JSON.parse(put.body)],
      [200, "application/json", { key: "config/a b/é", revision: 2 }]
    )
    const got = await ask(two, { path })
    t.deepEqual(JSON.parse(got.body), {
      key: "config/a b/é",
      value: "welcome",
      revision: 2,
      create_revision: 2,
      mod_revision: 2,
      version: 1
    })
    const deleted = await ask(three, { path, method: "DELETE" })
    t.deepEqual(JSON.parse(deleted.body), { key: "config/a b/é", deleted: 1, revision: 3 })
    const missing = {
      status: 404,
      type: "application/json",
      body: '{"error":"there is no key config/a b/é"}'
    }
    t.deepEqual(await ask(one, { path }), missing)
    t.deepEqual(await ask(two, { path, method: "DELETE" }), missing)
    t.is((await ask(one, { path: `${path}?serializable=true` })).status, 404)
  })
})

test("a member that stops answers whoever waits, and more than it has room for are refused", (t) => {
  const rest = new RestKv({ unary: { [KV.put.path]: () => {} }, streams: {} }, 1)
  const put = () => {
    const reply = new PlainRecorder()
    routed(rest.routes, [])(plainRequest("/api/v1/kv/a", "x", "PUT"), reply)
    return reply
  }
  const waiting = put()
  t.is(put().status, 429)
  rest.close()
  t.is(waiting.status, 503)
})

test("a value that is no text comes as base64, and what is no key is refused", async (t) => {
  t.timeout(60_000)
  await amongMembers(async ([address = ""]) => {
    const path = "/api/v1/kv/bytes"
    await ask(address, { path, method: "PUT", body: Uint8Array.of(0xff, 0, 1) })
    const got = JSON.parse((await ask(address, { path })).body)
    t.like(got, { key: "bytes", value_base64: "/wAB", value: undefined })
    const empty = await ask(address, { path: "/api/v1/kv/", method: "PUT", body: "x" })
    t.deepEqual([empty.status, empty.body], [400, '{"error":"etcdserver: key is not provided"}'])
    t.is((await ask(address, { path: "/api/v1/kv/%ff" })).status, 400)
    t.is((await ask(address, { path, method: "PATCH", body: "" })).status, 405)
    const vast = await ask(address, { path, method: "PUT", body: "x".repeat(1_700_000) })
    t.deepEqual([vast.status, vast.body], [400, '{"error":"etcdserver: request is too large"}'])
  })
})
