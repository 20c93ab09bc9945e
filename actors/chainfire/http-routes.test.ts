import test from "ava"
import { PlainRecorder, plainRequest } from "./fixtures/plain.ts"
import { type Route, respondJson, respondText, routed } from "./http-routes.ts"

const routes: ReadonlyArray<Route> = [
  { path: "/health", methods: ["GET"], handle: (_request, reply) => respondText(reply, 200, "well") },
  {
    path: "/kv/",
    handle: ({ query, rest }, reply) => respondJson(reply, 200, { rest, q: query.get("q") })
  },
  { path: "/kv/special/", handle: (_request, reply) => respondText(reply, 200, "special") }
]

const answer = (
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  origins: ReadonlyArray<string> = []
): PlainRecorder => {
  const reply = new PlainRecorder()
  routed(routes, origins)(plainRequest(path, "", method, headers), reply)
  return reply
}

test("the closest row of the table answers", (t) => {
  t.is(answer("GET", "/health?x=1").text, "well")
  t.is(answer("DELETE", "/kv/a/b%20c?q=1").text, '{"rest":"a/b%20c","q":"1"}')
  t.is(answer("GET", "/kv/special/x").text, "special")
})

test("who finds no row is told so as etcd would", (t) => {
  const missing = answer("GET", "/nowhere")
  t.deepEqual([missing.status, missing.text], [404, "404 page not found\n"])
  const wrong = answer("POST", "/health")
  t.deepEqual([wrong.status, wrong.text, wrong.header("allow")], [405, "Method Not Allowed\n", "GET"])
  t.is(answer("OPTIONS", "/nowhere").status, 200)
})

test("a page of another origin gets in by name only", (t) => {
  const page = { origin: "https://evil.example", host: "127.0.0.1:2379" }
  t.is(answer("POST", "/kv/a", page).status, 403)
  t.is(answer("POST", "/kv/a", { ...page, origin: "http://127.0.0.1:2379" }).status, 200)
  const named = answer("POST", "/kv/a", page, ["https://evil.example"])
  t.deepEqual([named.status, named.header("access-control-allow-origin")], [200, "https://evil.example"])
  t.is(answer("OPTIONS", "/kv/a", page, ["*"]).header("access-control-allow-origin"), "*")
  t.is(answer("POST", "/kv/a").header("access-control-allow-origin"), undefined)
})
