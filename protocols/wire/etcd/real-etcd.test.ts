/**
 * What a real etcd says, byte for byte: each answer is decoded and encoded again, and must be the same
 * bytes. Skipped where etcd is not installed.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as grpc from "@grpc/grpc-js"
import test from "ava"
import { fromJson, toJson } from "../protobuf-json.ts"
import type { Message } from "../protobuf-message.ts"
import { type EtcdError, etcdErrors } from "./errors.ts"
import { AUTH, CLUSTER, ELECTION, KV, LEASE, LOCK, MAINTENANCE, type Method, WATCH } from "./methods.ts"
import { RequestOp } from "./txn-fast.ts"

const installed = spawnSync("etcd", ["--version"], { timeout: 10_000 }).status === 0
const whenInstalled = installed ? test.serial : test.serial.skip
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const identity = (bytes: Buffer): Buffer => bytes

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const bound = server.address()
      server.close(() => resolve(typeof bound === "object" && bound !== null ? bound.port : 0))
    })
  })

let etcd: ChildProcess | undefined
let directory = ""
let address = ""
let client: grpc.Client | undefined

test.before(async () => {
  if (!installed) return
  directory = mkdtempSync(join(tmpdir(), "real-etcd-"))
  address = `127.0.0.1:${await freePort()}`
  const peer = `http://127.0.0.1:${await freePort()}`
  etcd = spawn(
    "etcd",
    [
      ...["--data-dir", directory, "--name", "m1", "--initial-cluster", `m1=${peer}`],
      ...["--listen-client-urls", `http://${address}`, "--advertise-client-urls", `http://${address}`],
      ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
    ],
    { stdio: "ignore" }
  )
  client = new grpc.Client(address, grpc.credentials.createInsecure())
  await new Promise<void>((resolve, reject) =>
    client?.waitForReady(Date.now() + 20_000, (error) => (error === undefined ? resolve() : reject(error)))
  )
})

test.after.always(() => {
  client?.close()
  etcd?.kill("SIGKILL")
  if (directory !== "") rmSync(directory, { recursive: true, force: true })
})

const ask = <Request extends object, Response extends object>(
  method: Method<Request, Response>,
  request: Partial<Request> = {}
): Promise<{ readonly bytes: Buffer; readonly value: Response }> =>
  new Promise((resolve, reject) => {
    const encoded = Buffer.from(method.request.encode(method.request.make(request)))
    const options = { deadline: Date.now() + 10_000 }
    client?.makeUnaryRequest(method.path, identity, identity, encoded, options, (error, bytes) => {
      if (error !== null || bytes === undefined) reject(error)
      else resolve({ bytes, value: method.response.decode(bytes) })
    })
  })

/** The same bytes, through our types, and the same again through JSON. */
const again = <T extends object>(message: Message<T>, bytes: Uint8Array): Buffer =>
  Buffer.from(
    message.encode(fromJson(message, JSON.parse(JSON.stringify(toJson(message, message.decode(bytes))))))
  )

whenInstalled("answers of every service come out as they went in", async (t) => {
  const same = async <Request extends object, Response extends object>(
    method: Method<Request, Response>,
    request: Partial<Request> = {}
  ): Promise<Response> => {
    const { bytes, value } = await ask(method, request)
    t.true(Buffer.from(method.response.encode(value)).equals(bytes), method.path)
    t.true(again(method.response, bytes).equals(bytes), `${method.path} as JSON`)
    return value
  }
  const lease = await same(LEASE.grant, { TTL: 600 })
  t.true(lease.ID > 2n ** 40n)
  for (const [key, value] of ["a1", "b2", "c3"].entries()) {
    await same(KV.put, { key: utf8(`k${key}`), value: utf8(value), lease: lease.ID })
  }
  const before = await same(KV.put, { key: utf8("k0"), value: utf8("new"), prevKv: true })
  t.is(String(Buffer.from(before.prevKv?.value ?? [])), "a1")
  const range = await same(KV.range, {
    key: utf8("k"),
    rangeEnd: utf8("l"),
    sortOrder: 2,
    sortTarget: 3,
    limit: 2
  })
  t.is(range.kvs.length, 2)
  t.is(range.count, 3)
  t.true(range.more)
  const txn = await same(KV.txn, {
    compare: [
      { ...noOperand, result: 1, target: 0, key: utf8("k0"), version: 0 },
      { ...noOperand, target: 3, key: utf8("k0"), value: utf8("new") },
      { ...noOperand, result: 3, target: 4, key: utf8("k"), lease: 1n, rangeEnd: utf8("l") }
    ],
    success: [
      RequestOp.make({ requestPut: KV.put.request.make({ key: utf8("t"), value: utf8("x") }) }),
      RequestOp.make({ requestRange: KV.range.request.make({ key: utf8("k1") }) }),
      RequestOp.make({ requestDeleteRange: KV.deleteRange.request.make({ key: utf8("k2"), prevKv: true }) }),
      RequestOp.make({ requestTxn: { compare: [], success: [], failure: [] } })
    ]
  })
  t.true(txn.succeeded)
  t.is(txn.responses.length, 4)
  t.is(txn.responses[2]?.responseDeleteRange?.deleted, 1)
  t.not(txn.responses[3]?.responseTxn, undefined)
  await same(KV.deleteRange, { key: utf8("t"), prevKv: true })
  await same(KV.compact, { revision: 3 })
  const life = await same(LEASE.timeToLive, { ID: lease.ID, keys: true })
  t.is(life.grantedTTL, 600)
  t.true(life.keys.length > 0)
  t.is((await same(LEASE.leases)).leases[0]?.ID, lease.ID)
  const { members } = await same(CLUSTER.memberList)
  t.is(members[0]?.name, "m1")
  const status = await same(MAINTENANCE.status)
  t.regex(status.version, /^3\./)
  t.deepEqual(status.leader, members[0]?.ID)
  await same(MAINTENANCE.hash)
  await same(MAINTENANCE.hashKV)
  await same(MAINTENANCE.alarm)
  await same(MAINTENANCE.defragment)
  const locked = await same(LOCK.lock, { name: utf8("lock"), lease: lease.ID })
  await same(LOCK.unlock, { key: locked.key })
  const elected = await same(ELECTION.campaign, { name: utf8("e"), lease: lease.ID, value: utf8("me") })
  await same(ELECTION.leader, { name: utf8("e") })
  await same(ELECTION.proclaim, { leader: elected.leader, value: utf8("still me") })
  await same(ELECTION.resign, { leader: elected.leader })
  await same(AUTH.userAdd, { name: "bob", password: "secret" })
  await same(AUTH.roleAdd, { name: "reader" })
  const perm = { permType: 2, key: utf8("k"), rangeEnd: utf8("l") }
  await same(AUTH.roleGrantPermission, { name: "reader", perm })
  t.is((await same(AUTH.roleGet, { role: "reader" })).perm[0]?.permType, 2)
  await same(AUTH.userGrantRole, { user: "bob", role: "reader" })
  t.deepEqual((await same(AUTH.userGet, { name: "bob" })).roles, ["reader"])
  await same(AUTH.userList)
  await same(AUTH.roleList)
  await same(LEASE.revoke, { ID: lease.ID })
})

const noOperand = {
  result: 0,
  target: 0,
  key: new Uint8Array(0),
  version: undefined,
  createRevision: undefined,
  modRevision: undefined,
  value: undefined,
  lease: undefined,
  rangeEnd: new Uint8Array(0)
}

whenInstalled("what streams say comes out as it went in", async (t) => {
  const answers = async <Request extends object, Response extends object>(
    method: Method<Request, Response>,
    requests: ReadonlyArray<Partial<Request>>,
    enough: number
  ): Promise<ReadonlyArray<Response>> => {
    const call = client!.makeBidiStreamRequest(method.path, identity, identity)
    const values: Array<Response> = []
    const done = new Promise<void>((resolve) => {
      call.on("data", (bytes: Buffer) => {
        const value = method.response.decode(bytes)
        t.true(Buffer.from(method.response.encode(value)).equals(bytes), method.path)
        t.true(again(method.response, bytes).equals(bytes), `${method.path} as JSON`)
        values.push(value)
        if (values.length === enough) resolve()
      })
    })
    call.on("error", () => {})
    for (const request of requests)
      call.write(Buffer.from(method.request.encode(method.request.make(request))))
    await done
    call.cancel()
    return values
  }
  await ask(KV.put, { key: utf8("w"), value: utf8("1") })
  const { value } = await ask(KV.put, { key: utf8("w"), value: utf8("2") })
  await ask(KV.deleteRange, { key: utf8("w") })
  const created = WATCH.watch.request.make({}).createRequest
  t.is(created, undefined)
  const base = {
    rangeEnd: new Uint8Array(0),
    progressNotify: false,
    filters: [],
    watchId: 0,
    fragment: false
  }
  const startRevision = (value.header?.revision ?? 0) - 1
  const watched = await answers(
    WATCH.watch,
    [
      { createRequest: { ...base, key: utf8("w"), startRevision, prevKv: true } },
      { createRequest: { ...base, key: utf8("w"), startRevision: 1, prevKv: false } },
      {
        createRequest: {
          ...base,
          key: utf8("w"),
          startRevision: 0,
          prevKv: false,
          filters: [0, 1],
          watchId: 77
        }
      },
      { cancelRequest: { watchId: 77 } }
    ],
    6
  )
  const events = watched.flatMap((response) => response.events)
  t.deepEqual(
    events.map(({ type }) => type),
    [0, 0, 1]
  )
  t.is(String(Buffer.from(events[2]?.prevKv?.value ?? [])), "2")
  t.true(watched.some(({ canceled, compactRevision }) => canceled && compactRevision === 3))
  t.true(watched.some(({ canceled, watchId }) => canceled && watchId === 77))
  const { value: lease } = await ask(LEASE.grant, { TTL: 60 })
  const alive = await answers(LEASE.keepAlive, [{ ID: lease.ID }, { ID: 5n }], 2)
  t.deepEqual(
    alive.map(({ ID, TTL }) => [ID, TTL]),
    [
      [lease.ID, 60],
      [5n, 0]
    ]
  )
})

whenInstalled("errors have etcd's own words and codes", async (t) => {
  const refused = async <Request extends object, Response extends object>(
    method: Method<Request, Response>,
    request: Partial<Request>,
    expected: EtcdError
  ) => {
    const error = await t.throwsAsync<grpc.ServiceError>(ask(method, request))
    t.deepEqual({ code: error?.code, message: error?.details }, expected)
  }
  const put = RequestOp.make({ requestPut: KV.put.request.make({ key: utf8("same") }) })
  const many = Array.from({ length: 200 }, () => put)
  await refused(KV.put, {}, etcdErrors.emptyKey)
  await refused(KV.put, { key: utf8("k"), lease: 12345n }, etcdErrors.leaseNotFound)
  await refused(KV.put, { key: utf8("nope"), ignoreValue: true }, etcdErrors.keyNotFound)
  await refused(KV.put, { key: utf8("k"), value: utf8("v"), ignoreValue: true }, etcdErrors.valueProvided)
  await refused(KV.put, { key: utf8("k"), lease: 1n, ignoreLease: true }, etcdErrors.leaseProvided)
  await refused(KV.range, { key: utf8("k"), revision: 1 }, etcdErrors.compacted)
  await refused(KV.range, { key: utf8("k"), revision: 1_000_000 }, etcdErrors.futureRevision)
  await refused(KV.txn, { success: [put, put] }, etcdErrors.duplicateKey)
  await refused(KV.txn, { success: many }, etcdErrors.tooManyOps)
  await refused(KV.put, { key: utf8("k"), value: new Uint8Array(1_600_000) }, etcdErrors.requestTooLarge)
  await refused(LEASE.revoke, { ID: 99n }, etcdErrors.leaseNotFound)
  await refused(LEASE.grant, { TTL: 10_000_000_000 }, etcdErrors.leaseTtlTooLarge)
  await refused(CLUSTER.memberRemove, { ID: 1n }, etcdErrors.memberNotFound)
  await refused(CLUSTER.memberPromote, { ID: 1n }, etcdErrors.memberNotFound)
  await refused(AUTH.userGet, { name: "nobody" }, etcdErrors.userNotFound)
  await refused(AUTH.roleGet, { role: "nothing" }, etcdErrors.roleNotFound)
  await refused(AUTH.userAdd, { password: "x" }, etcdErrors.userEmpty)
  await refused(AUTH.enable, {}, etcdErrors.rootUserNotExist)
  await refused(AUTH.authenticate, { name: "a", password: "b" }, etcdErrors.authNotEnabled)
  await refused(MAINTENANCE.moveLeader, { targetID: 3n }, etcdErrors.badLeaderTransferee)
})

whenInstalled("the JSON of the gateway is ours, too", async (t) => {
  const post = async (path: string, body: unknown): Promise<unknown> => {
    const response = await fetch(`http://${address}${path}`, { method: "POST", body: JSON.stringify(body) })
    return response.json()
  }
  for (const [method, body] of [
    [KV.put, { key: "anNvbg==", value: "dmFsdWU=" }],
    [KV.range, { key: "anNvbg==" }],
    [KV.txn, { success: [{ request_range: { key: "anNvbg==" } }] }],
    [LEASE.grant, { TTL: 60 }],
    [CLUSTER.memberList, {}],
    [MAINTENANCE.status, {}]
  ] as const) {
    const theirs = await post(method.gateway ?? "", body)
    const response: Message<object> = method.response
    t.deepEqual(toJson(response, fromJson(response, theirs)), theirs, method.gateway)
  }
})
