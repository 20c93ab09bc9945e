/** The console's port as programs see it, those included that should not: without a browser in between. */
import { request as httpRequest } from "node:http"
import test from "ava"
import { Effect, Schema } from "effect"
import { openTokens } from "#actors/platform/tokens.ts"
import { type ConsoleCluster, withConsoles } from "./fixtures/console-cluster.ts"
import { refusalsMax } from "./sessions.ts"
import { findConsole } from "./where-console.ts"

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly body: string
}

interface Asked {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

/** Not fetch, which does not let its caller lie about where it is. */
const send = (url: string, { body, headers = {}, method = "GET" }: Asked = {}): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const json = body === undefined ? undefined : JSON.stringify(body)
    const type = json === undefined ? {} : { "content-type": "application/json" }
    const request = httpRequest(url, { method, headers: { ...type, ...headers } }, (response) => {
      const chunks: Array<Buffer> = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString()
        })
      )
    })
    request.on("error", reject)
    request.end(json)
  })

type Body = (console: string, token: string, folder: string) => Promise<void>

const on = async ({ folder, nodes, token }: ConsoleCluster, body: Body): Promise<void> => {
  const [node] = nodes
  if (node === undefined) throw new Error("there is one node")
  await body(node.console, token, folder)
}

let shared: ConsoleCluster | undefined
let release = () => {}
let running: Promise<void> = Promise.resolve()

test.before(async () => {
  await new Promise<void>((ready, failed) => {
    running = withConsoles({ nodes: 1 }, async (cluster) => {
      shared = cluster
      ready()
      await new Promise<void>((resolve) => {
        release = resolve
      })
    })
    running.catch(failed)
  })
})

test.after.always(async () => {
  release()
  await running
})

/** One node for most: its start is what takes long. */
const one = async (body: Body): Promise<void> => {
  if (shared !== undefined) await on(shared, body)
}

/** Word for word: a directive more or less is a decision. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
  "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; " +
  "require-trusted-types-for 'script'; trusted-types 'none'"

const members = { path: "/node01/cluster/membership", request: { _tag: "Members" } }
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

test("the page is for everybody, with headers that keep it to itself; nothing else is", async (t) => {
  await one(async (console) => {
    const page = await send(`${console}/`)
    t.is(page.status, 200)
    t.is(String(page.headers["content-security-policy"]), policy)
    t.like(page.headers, {
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "referrer-policy": "no-referrer",
      "cross-origin-opener-policy": "same-origin"
    })
    const script = await send(`${console}/page/main.ts`)
    t.regex(String(script.headers["content-type"]), /^text\/javascript/)
    t.notRegex(script.body, /import type|: HTMLElement\b/)
    const again = await send(`${console}/page/main.ts`, {
      headers: { "if-none-match": String(script.headers["etag"]) }
    })
    t.is(again.status, 304)
    for (const path of [
      "/page/../console-desk.ts",
      "/page/%2e%2e/sessions.ts",
      "/page/tsconfig.json",
      "/x"
    ]) {
      t.is((await send(`${console}${path}`)).status, 404, path)
    }
    t.is((await send(`${console}/`, { method: "DELETE" })).status, 405)
    t.is((await send(`${console}/api/stream`)).status, 401)
    t.is((await send(`${console}/api/ask`, { method: "POST", body: members })).status, 401)
    t.is((await send(`${console}/api/session`)).body, `{"isOpen":false}`)
    // What is refused is no page, and as closed as one.
    for (const path of ["/x", "/api/stream", "/api/session"]) {
      t.is(String((await send(`${console}${path}`)).headers["content-security-policy"]), policy, path)
    }
  })
})

test("a session is a cookie that no script reads; without our page around it, it does nothing", async (t) => {
  await one(async (console, token) => {
    const login = await send(`${console}/api/login`, { method: "POST", body: { token } })
    t.is(login.status, 200)
    const [set = ""] = login.headers["set-cookie"] ?? []
    t.regex(set, /; HttpOnly; SameSite=Strict$/)
    t.notRegex(set, new RegExp(token))
    const cookie = set.split(";", 1)[0] ?? ""
    const ask = (headers: Readonly<Record<string, string>>) =>
      send(`${console}/api/ask`, { method: "POST", body: members, headers: { cookie, ...headers } })

    const ours = await ask({ origin: console })
    t.is(ours.status, 200)
    t.is(JSON.parse(ours.body).value[0].name, "node01")
    // Another program's page on this machine is the same site to a browser, and gets the cookie sent along.
    t.is((await ask({ origin: "http://127.0.0.1:1" })).status, 403)
    t.is((await ask({ "sec-fetch-site": "same-site" })).status, 403)
    t.is((await ask({ origin: "null" })).status, 403)
    t.is((await ask({})).status, 403, "a browser would have said where it comes from")
    // A name that somebody else's name server points here.
    t.is((await send(`${console}/`, { headers: { host: "console.example.com" } })).status, 421)
    t.is((await send(`${console}/`, { headers: { host: "localhost:9" } })).status, 200, "a tunnel")

    const form = { "content-type": "text/plain", origin: console }
    t.is((await ask(form)).status, 400)

    t.is((await send(`${console}/api/session`, { headers: { cookie } })).body, `{"isOpen":true}`)
    await send(`${console}/api/logout`, { method: "POST", headers: { cookie } })
    t.is((await ask({ origin: console })).status, 401)
  })
})

test("wrong tokens are told why, and then to wait", async (t) => {
  await withConsoles({ nodes: 1 }, (cluster) =>
    on(cluster, async (console, token) => {
      const [head = "", claims = "", signature = ""] = token.split(".")
      const forged = `${head}.${claims}.${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`
      const tried = await send(`${console}/api/login`, { method: "POST", body: { token: forged } })
      t.is(tried.status, 401)
      t.is(JSON.parse(tried.body).message, "the token was signed with another key")
      t.is(
        (await send(`${console}/api/ask`, { method: "POST", body: members, headers: bearer(forged) })).status,
        401
      )
      for (let count = 1; count < refusalsMax; count++) {
        t.is((await send(`${console}/api/login`, { method: "POST", body: { token: "x" } })).status, 401)
      }
      const late = await send(`${console}/api/login`, { method: "POST", body: { token } })
      t.is(late.status, 429)
      t.true(Number(late.headers["retry-after"]) > 0)
    })
  )
})

test("what a token does not permit is refused by the node, in its words", async (t) => {
  await one(async (console, token, folder) => {
    const tokens = await Effect.runPromise(openTokens(`${folder}/node01`, "console-test"))
    const looker = await Effect.runPromise(
      tokens.sign({ actorId: "HUMAN::ann", grants: [{ permission: "observe", prefix: "/" }] })
    )
    const trip = {
      path: "/node01/shop-breaker",
      request: { _tag: "TripBreaker", by: "HUMAN::root", reason: "a try" }
    }
    const refused = await send(`${console}/api/ask`, { method: "POST", body: trip, headers: bearer(looker) })
    t.like(JSON.parse(refused.body), { outcome: "failed", fault: { _tag: "NotPermitted" } })
    t.regex(JSON.parse(refused.body).fault.message, /HUMAN::ann/)
    const looked = await send(`${console}/api/ask`, {
      method: "POST",
      body: members,
      headers: bearer(looker)
    })
    t.is(JSON.parse(looked.body).outcome, "reply")

    // Who did it is who the token says, whatever the message says.
    const done = await send(`${console}/api/ask`, { method: "POST", body: trip, headers: bearer(token) })
    t.is(JSON.parse(done.body).value.state, "open")
    const hold = { ...trip, request: { ...trip.request, _tag: "HoldBreaker" } }
    const held = await send(`${console}/api/ask`, { method: "POST", body: hold, headers: bearer(token) })
    t.is(JSON.parse(held.body).value.held.by, "HUMAN::operator")

    const wrong = { path: "/node01/shop-breaker", request: { _tag: "TripBreaker" } }
    const malformed = await send(`${console}/api/ask`, {
      method: "POST",
      body: wrong,
      headers: bearer(token)
    })
    t.like(JSON.parse(malformed.body), { outcome: "failed", fault: { _tag: "MalformedMessage" } })
    t.regex(JSON.parse(malformed.body).fault.message, /reason/)
    const nowhere = { path: "/node01/nobody", request: { _tag: "GetBreaker" } }
    const absent = await send(`${console}/api/ask`, { method: "POST", body: nowhere, headers: bearer(token) })
    t.is(JSON.parse(absent.body).fault._tag, "ActorUnavailable")
  })
})

test("bodies have a bound, and what is no message is said to be none", async (t) => {
  await one(async (console, token) => {
    const post = (body: unknown) =>
      send(`${console}/api/ask`, { method: "POST", body, headers: bearer(token) })
    t.is((await post({ ...members, padding: "x".repeat(70_000) })).status, 400)
    t.is((await post({ path: "no path", request: { _tag: "Members" } })).status, 400)
    t.is((await post({ path: "/node01" })).status, 400)
    t.is((await post([])).status, 400)
    t.is((await post({ ...members, deadlineMillis: 1e12 })).status, 400)
  })
})

test("however many requests are too deep to be taken, none of them keeps the next one out", async (t) => {
  await one(async (console, token) => {
    const value = "[".repeat(30_000) + "]".repeat(30_000)
    const body = `{"path":"${members.path}","request":{"_tag":"Members","value":${value}}}`
    // More than may be under way at once.
    for (let count = 0; count < 70; count++) {
      const headers = { ...bearer(token), "content-type": "application/json" }
      const refused = await fetch(`${console}/api/ask`, { method: "POST", body, headers })
      t.is(refused.status, 400)
      t.regex(await refused.text(), /nested deeper than 64 levels/)
    }
    const good = await send(`${console}/api/ask`, { method: "POST", body: members, headers: bearer(token) })
    t.is(good.status, 200)
    t.is(JSON.parse(good.body).outcome, "reply")
  })
})

const Started = Schema.Struct({ node: Schema.String })

test("the stream begins with all there is, and goes on with what changes", async (t) => {
  await one(async (console, token) => {
    const leaving = new AbortController()
    const { signal } = leaving
    const response = await fetch(`${console}/api/stream`, { headers: bearer(token), signal })
    t.is(response.status, 200)
    const messages = messagesOf(response)
    const hello = await next(messages, "hello")
    t.is(Schema.decodeUnknownSync(Started)(hello).node, "node01")
    const tree = await next(messages, "tree")
    t.true(Reflect.get(Object(tree), "whole"))

    const crash = { _tag: "InjectCrash", path: "/node01/cluster/fleet-breaker", by: "me", reason: "a drill" }
    const order = { path: "/node01/cluster/introspection", request: crash }
    const sent = await send(`${console}/api/ask`, { method: "POST", body: order, headers: bearer(token) })
    t.like(JSON.parse(sent.body), { outcome: "reply", value: true })
    const isAbout = (tag: string) => (value: unknown) => {
      const event: unknown = Reflect.get(Object(value), "event")
      return Reflect.get(Object(event), "_tag") === tag
    }
    t.truthy(await next(messages, "event", isAbout("CrashInjected")))
    t.truthy(await next(messages, "event", isAbout("ActorRestarted")))
    const changed = await next(messages, "tree")
    t.false(Reflect.get(Object(changed), "whole"))
    leaving.abort()
  })
})

test("whoever logs out ends all that looks in the session at once, and nothing else", async (t) => {
  await one(async (console, token) => {
    const leaving = new AbortController()
    const { signal } = leaving
    const logIn = async () => {
      const { headers } = await send(`${console}/api/login`, { method: "POST", body: { token } })
      return { cookie: headers["set-cookie"]?.[0]?.split(";", 1)[0] ?? "" }
    }
    const look = async (headers: Readonly<Record<string, string>>) => {
      const messages = messagesOf(await fetch(`${console}/api/stream`, { headers, signal }))
      await next(messages, "hello")
      return messages
    }
    try {
      const session = await logIn()
      const ending = [await look(session), await look(session)]
      const lasting = [await look(await logIn()), await look(bearer(token))]
      await send(`${console}/api/logout`, { method: "POST", headers: session })
      for (const messages of ending) t.true(await isOverSoon(messages))
      // One or two may have been on their way when the session ended.
      for (const messages of lasting) for (let count = 0; count < 3; count++) await next(messages, "tree")
    } finally {
      leaving.abort()
    }
  })
})

/** A stream that lasts brings a tree about once a second, so this comes to its deadline. */
const isOverSoon = async (messages: AsyncGenerator<unknown>): Promise<boolean> => {
  const untilMillis = performance.now() + 20_000
  while (performance.now() < untilMillis) if ((await messages.next()).done === true) return true
  return false
}

async function* messagesOf(response: Response): AsyncGenerator<readonly [string, unknown]> {
  if (response.body === null) throw new Error("no stream")
  let text = ""
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(text.slice(0, end)) ?? []
      text = text.slice(end + 2)
      if (name !== undefined && data !== undefined) yield [name, JSON.parse(data)]
    }
  }
}

/** Breaks off after a while, so that a message that never comes fails the test by its name. */
const next = async (
  messages: AsyncGenerator<readonly [string, unknown]>,
  name: string,
  fits: (value: unknown) => boolean = () => true
): Promise<unknown> => {
  const untilMillis = performance.now() + 30_000
  while (performance.now() < untilMillis) {
    const { done, value } = await messages.next()
    if (done === true) break
    if (value[0] === name && fits(value[1])) return value[1]
  }
  throw new Error(`no ${name} in time`)
}

test("a port that is taken leaves the node alone, and is opened when it is free", async (t) => {
  const { createServer } = await import("node:http")
  const squatter = createServer().listen(0, "127.0.0.1")
  await new Promise((resolve) => squatter.once("listening", resolve))
  const address = squatter.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  try {
    await withConsoles({ nodes: 1, consolePort: port, waits: false }, async ({ folder, nodes: [node] }) => {
      const dataDirectory = `${folder}/node01`
      const place = findConsole({ dataDirectory }).pipe(Effect.scoped, Effect.either)
      const none = await Effect.runPromise(place)
      t.regex(
        String(none._tag === "Left" && none.left.message),
        /^node01 has no console: .*; it tries again by itself; free the port, or give it another/
      )
      // The node serves clients of etcd meanwhile.
      const version = await send(`http://${node?.etcd}/version`)
      t.is(version.status, 200)
      squatter.close()
      squatter.closeAllConnections()
      const untilMillis = performance.now() + 30_000
      let status = 0
      while (status !== 200 && performance.now() < untilMillis) {
        status = (await send(`http://127.0.0.1:${port}/`).catch(() => ({ status: 0 }))).status
      }
      t.is(status, 200)
      const found = await Effect.runPromise(place)
      t.is(found._tag === "Right" && found.right.url, `http://127.0.0.1:${port}`)
    })
  } finally {
    squatter.close()
  }
})
