/** Programs that people use, against the gRPC listener: etcdctl, curl, h2load. Skipped where they are missing. */
import { spawn, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createConnection } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import test from "ava"
import { etcdErrors } from "#protocols/wire/etcd/errors.ts"
import {
  KeyValue,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  ResponseHeader
} from "#protocols/wire/etcd/kv-fast.ts"
import { KV, WATCH } from "#protocols/wire/etcd/methods.ts"
import { fromJson, toJson } from "#protocols/wire/protobuf-json.ts"
import type { GrpcService, StreamCall } from "../kernel/ports/grpc.ts"
import { authority, until, visiting } from "./fixtures/grpc-visits.ts"

const has = (program: string): boolean => spawnSync("which", [program], { timeout: 5_000 }).status === 0
const when = (...programs: ReadonlyArray<string>) => (programs.every(has) ? test : test.skip)

const run = (
  program: string,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {}
): Promise<{ readonly status: number | null; readonly out: string; readonly errors: string }> =>
  new Promise((resolve) => {
    const child = spawn(program, [...args], { env: { ...process.env, ...env }, timeout: 20_000 })
    let out = ""
    let errors = ""
    child.stdout.on("data", (chunk) => {
      out += String(chunk)
    })
    child.stderr.on("data", (chunk) => {
      errors += String(chunk)
    })
    child.on("close", (status) => resolve({ status, out, errors }))
  })

/** Enough of a store to prove the wire, and no more. */
const fakeStore = (): GrpcService => {
  const values = new Map<string, KeyValue>()
  const watchers = new Set<StreamCall>()
  let revision = 1
  const header = () => ResponseHeader.make({ clusterId: 7n, memberId: 2n ** 63n + 1n, revision, raftTerm: 1 })
  const put = ({ key, value }: PutRequest): PutResponse => {
    const name = String(Buffer.from(key))
    const before = values.get(name)
    revision++
    const kv = KeyValue.make({
      key,
      value,
      createRevision: before?.createRevision ?? revision,
      modRevision: revision,
      version: (before?.version ?? 0) + 1
    })
    values.set(name, kv)
    const events = [{ type: 0, kv, prevKv: undefined }]
    const event = WATCH.watch.response.encode(WATCH.watch.response.make({ header: header(), events }))
    for (const watcher of watchers) watcher.send(event)
    return { header: header(), prevKv: undefined }
  }
  const range = ({ key }: RangeRequest): RangeResponse => {
    const found = values.get(String(Buffer.from(key)))
    const kvs = found === undefined ? [] : [found]
    return { header: header(), kvs, more: false, count: kvs.length }
  }
  return {
    unary: {
      [KV.put.path]: (request, call) => {
        const decoded = PutRequest.decode(request)
        if (decoded.key.length === 0) call.fail(etcdErrors.emptyKey)
        else call.reply(PutResponse.encode(put(decoded)))
      },
      [KV.range.path]: (request, call) =>
        call.reply(RangeResponse.encode(range(RangeRequest.decode(request))))
    },
    streams: {
      [WATCH.watch.path]: (call) => ({
        onMessage: () => {
          watchers.add(call)
          call.onCancel = () => watchers.delete(call)
          call.send(
            WATCH.watch.response.encode(WATCH.watch.response.make({ header: header(), created: true }))
          )
        },
        onEnd: () => call.end()
      })
    },
    plain: ({ body, header: field, method, path, peer }, reply) => {
      const json = ["content-type", "application/json"]
      const said = (value: unknown) => reply.respond(200, json, Buffer.from(JSON.stringify(value)))
      if (path === "/health") return said({ health: "true" })
      if (path === "/whoami")
        return said({ who: peer.commonName ?? null, agent: field("user-agent") !== undefined })
      const text = String(Buffer.from(body))
      if (path === KV.put.gateway && method === "POST") {
        return said(toJson(PutResponse, put(fromJson(PutRequest, JSON.parse(text)))))
      }
      if (path === KV.range.gateway) {
        return said(toJson(RangeResponse, range(fromJson(RangeRequest, JSON.parse(text)))))
      }
      if (path === "/stream") {
        reply.begin(200, json)
        for (let line = 0; line < 1_000; line++) reply.send(Buffer.from(`{"line":${line}}\n`))
        return reply.end()
      }
      reply.respond(404, json, Buffer.from("{}"))
    }
  }
}

const v3 = { ETCDCTL_API: "3" }

when("etcdctl")("etcdctl puts, gets and watches", (t) =>
  visiting(
    async ({ address }) => {
      const etcdctl = (...args: ReadonlyArray<string>) =>
        run("etcdctl", [`--endpoints=${address}`, ...args], v3)
      t.is((await etcdctl("put", "greeting", "hello")).out, "OK\n")
      t.is((await etcdctl("get", "greeting")).out, "greeting\nhello\n")
      t.regex(
        (await etcdctl("get", "greeting", "-w", "json")).out,
        /"member_id":9223372036854775809,"revision":2/
      )
      t.regex((await etcdctl("put", "", "x")).errors, /key is not provided/)
      const watcher = spawn("etcdctl", [`--endpoints=${address}`, "watch", "greeting"], {
        env: { ...process.env, ...v3 }
      })
      let seen = ""
      watcher.stdout.on("data", (chunk) => {
        seen += String(chunk)
      })
      const putting = setInterval(() => void etcdctl("put", "greeting", "again"), 300)
      t.true(await until(() => seen.includes("PUT\ngreeting\nagain\n"), 10_000))
      clearInterval(putting)
      watcher.kill("SIGKILL")
    },
    {},
    fakeStore
  )
)

when("curl", "etcdctl")("with TLS, etcdctl and curl show their certificate", async (t) => {
  const ours = authority("ours")
  const directory = mkdtempSync(join(tmpdir(), "grpc-clients-"))
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text)
    return join(directory, name)
  }
  const server = ours.issue("node01")
  const alice = ours.issue("alice")
  const [ca, cert, key] = [file("ca", server.ca), file("cert", alice.cert), file("key", alice.key)]
  await visiting(
    async ({ port }) => {
      const endpoint = `--endpoints=https://localhost:${port}`
      const shown = [`--cacert=${ca}`, `--cert=${cert}`, `--key=${key}`]
      t.is((await run("etcdctl", [endpoint, ...shown, "put", "a", "b"], v3)).out, "OK\n")
      const url = `https://localhost:${port}/whoami`
      for (const version of ["--http1.1", "--http2"]) {
        const curl = ["-s", version, "--cacert", ca]
        t.is(
          (await run("curl", [...curl, "--cert", cert, "--key", key, url])).out,
          '{"who":"alice","agent":true}'
        )
        t.is((await run("curl", [...curl, url])).out, '{"who":null,"agent":true}')
      }
    },
    { tls: server },
    fakeStore
  )
  ours.remove()
  rmSync(directory, { recursive: true })
})

when("curl")("curl speaks JSON over HTTP/1.1 and over HTTP/2, on the same port", (t) =>
  visiting(
    async ({ address }) => {
      for (const version of ["--http1.1", "--http2-prior-knowledge"]) {
        const curl = async (path: string, ...args: ReadonlyArray<string>) =>
          (await run("curl", ["-s", version, ...args, `http://${address}${path}`])).out
        t.is(await curl("/health"), '{"health":"true"}')
        await curl("/v3/kv/put", "-d", '{"key":"Zm9v","value":"YmFy"}')
        const { kvs } = JSON.parse(await curl("/v3/kv/range", "-d", '{"key":"Zm9v"}')) as { kvs: unknown }
        t.like(kvs, [{ key: "Zm9v", value: "YmFy" }])
        t.is((await curl("/stream")).split("\n").length, 1_001)
        t.is(await curl("/nothing", "-o", "/dev/null", "-w", "%{http_code}"), "404")
        const large = await curl(
          "/v3/kv/put",
          "-o",
          "/dev/null",
          "-w",
          "%{http_code}",
          "--data-binary",
          "@/usr/bin/curl",
          "-d",
          "@/usr/bin/openssl",
          "-d",
          `@${process.execPath}`
        )
        t.regex(large, /^(413|000)$/)
      }
    },
    {},
    fakeStore
  )
)

test("a slow HTTP/1.1 head is cut off, and a request in pieces is not", (t) =>
  visiting(
    async ({ port }) => {
      const slow = createConnection(port, "127.0.0.1").on("error", () => {})
      let closed = false
      slow.on("close", () => {
        closed = true
      })
      slow.resume()
      slow.write("GET / HTTP/1.1\r\n")
      const pieces = createConnection(port, "127.0.0.1")
      let answer = ""
      pieces.on("data", (chunk) => {
        answer += String(chunk)
      })
      for (const piece of ["P", "OS", "T /x HTTP/1.1\r\nhost: a\r\ncontent-le", "ngth: 3\r\n\r\na", "bc"]) {
        pieces.write(piece)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      t.true(await until(() => answer.includes('"bytes":3')), answer)
      pieces.destroy()
      t.true(await until(() => closed, 8_000))
    },
    { limits: { handshakeMillisMax: 1_000 } }
  ))

when("h2load")("h2load calls twenty thousand times, on 64 connections, and all succeed", (t) =>
  visiting(async ({ address }) => {
    const directory = mkdtempSync(join(tmpdir(), "grpc-h2load-"))
    const body = join(directory, "body")
    writeFileSync(body, Buffer.concat([Buffer.from([0, 0, 0, 1, 0]), Buffer.alloc(256, "x")]))
    const fields = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
    const { out } = await run("h2load", [
      ...["-n", "20000", "-c", "64", "-m", "4", "-t", "1", "-d", body, ...fields],
      `http://${address}/test.Echo/Echo`
    ])
    rmSync(directory, { recursive: true })
    t.regex(out, /20000 succeeded, 0 failed, 0 errored/)
  })
)
