/** The Lock service, as clients of gRPC, of JSON and etcdctl see it, on whichever member they call. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import test from "ava"
import { eventually } from "#actors/kernel/fixtures/eventually.ts"
import { KV, LEASE, LOCK } from "#protocols/wire/etcd/methods.ts"
import { type Called, EtcdClient, etcdInstalled } from "./fixtures/etcd.ts"
import { etcdctlInstalled } from "./fixtures/etcdctl.ts"
import { amongMembers, ask, sideBySide } from "./fixtures/side-by-side.ts"

const oracle = etcdInstalled() ? test : test.skip
const withEtcdctl = etcdctlInstalled ? test : test.skip

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes)
const b64 = (plain: string): string => Buffer.from(plain).toString("base64")
const name = utf8("job")

const got = <Answer>(called: Called<Answer>): Answer => {
  if ("response" in called) return called.response
  throw new Error(`${called.code} ${called.message}`)
}

const lines = { key: utf8("job/"), rangeEnd: utf8("job0"), keysOnly: true }

const keys = async (client: EtcdClient): Promise<ReadonlyArray<string>> =>
  got(await client.call(KV.range, lines)).kvs.map(({ key }) => text(key))

/** What is the same on both, and in both ways of calling. */
const story = async (one: EtcdClient, other: EtcdClient) => {
  const told: Array<unknown> = []
  for (const ID of [1n, 2n, 3n]) await one.call(LEASE.grant, { ID, TTL: 600 })
  const first = got(await one.call(LOCK.lock, { name, lease: 1n }))
  told.push([text(first.key), first.header?.revision])
  const second = other.call(LOCK.lock, { name, lease: 2n })
  await eventually("the second is in line", async () => (await keys(one)).length === 2)
  const third = one.call(LOCK.lock, { name, lease: 3n })
  await eventually("the third is in line", async () => (await keys(one)).length === 3)
  told.push(await keys(one))
  told.push(got(await other.call(LOCK.unlock, { key: first.key })).header?.revision)
  const had = got(await second)
  told.push([text(had.key), had.header?.revision])
  // Without its lease the second has the lock no longer.
  await one.call(LEASE.revoke, { ID: 2n })
  told.push(text(got(await third).key))
  told.push(await one.call(LOCK.lock, { name, lease: 99n }))
  told.push(await one.call(LOCK.unlock, { key: utf8("") }))
  return told
}

oracle("whoever waits has the lock in turn, with the same words as from etcd", async (t) => {
  t.timeout(120_000)
  await sideBySide(async ({ ours, theirs }) => {
    const clients = [...ours, theirs].map((address) => new EtcdClient(address))
    const [one, , other, etcd] = clients
    if (one === undefined || other === undefined || etcd === undefined) throw new Error("no clients")
    try {
      t.deepEqual(await story(one, other), await story(etcd, etcd))
    } finally {
      for (const client of clients) client.close()
    }
  })
})

oracle("who goes away while it waits leaves the line, and who is deadlined too", async (t) => {
  t.timeout(120_000)
  await sideBySide(async ({ ours, theirs }) => {
    for (const address of [ours[1] ?? "", theirs]) {
      const client = new EtcdClient(address)
      const body = (lease: number) => JSON.stringify({ name: b64("job"), lease })
      try {
        for (const ID of [1n, 2n, 3n]) await client.call(LEASE.grant, { ID, TTL: 600 })
        await ask(address, { path: "/v3/lock/lock", body: body(1) })
        const leaving = new AbortController()
        const waiting = fetch(`http://${address}/v3/lock/lock`, {
          method: "POST",
          body: body(2),
          signal: leaving.signal
        })
        await eventually("two are in line", async () => (await keys(client)).length === 2)
        leaving.abort()
        await t.throwsAsync(waiting)
        await eventually("one is left", async () => (await keys(client)).length === 1)
        const headers = { "grpc-timeout": "300m" }
        const late = await ask(address, { path: "/v3/lock/lock", body: body(3), headers })
        t.deepEqual(
          [late.status, late.body],
          [504, '{"error":"context deadline exceeded","message":"context deadline exceeded","code":4}']
        )
        await eventually("one is left again", async () => (await keys(client)).length === 1)
        t.deepEqual(await keys(client), ["job/1"])
      } finally {
        client.close()
      }
    }
  })
})

test("whose lease runs out in line is told so at once, and the others go on", async (t) => {
  t.timeout(60_000)
  await amongMembers(async (ours) => {
    const [one, two, three] = ours.map((address) => new EtcdClient(address))
    if (one === undefined || two === undefined || three === undefined) throw new Error("no clients")
    try {
      for (const [ID, TTL] of [
        [1n, 600],
        [2n, 2],
        [3n, 600]
      ] as const)
        await one.call(LEASE.grant, { ID, TTL })
      const first = got(await one.call(LOCK.lock, { name, lease: 1n }))
      const second = two.call(LOCK.lock, { name, lease: 2n })
      await eventually("the second is in line", async () => (await keys(one)).length === 2)
      const third = three.call(LOCK.lock, { name, lease: 3n })
      t.deepEqual(await second, { code: 2, message: "mutex: session is expired" })
      await two.call(LOCK.unlock, { key: first.key })
      t.is(text(got(await third).key), "job/3")
    } finally {
      for (const client of [one, two, three]) client.close()
    }
  })
})

test("who brings no lease has one for a minute", async (t) => {
  t.timeout(60_000)
  await amongMembers(async ([address = ""]) => {
    const client = new EtcdClient(address)
    try {
      const { key } = got(await client.call(LOCK.lock, { name }))
      const ID = BigInt(`0x${text(key).slice("job/".length)}`)
      t.is(got(await client.call(LEASE.timeToLive, { ID })).grantedTTL, 60)
    } finally {
      client.close()
    }
  })
})

withEtcdctl("etcdctl lock has the lock that the service gives, and waits for it", async (t) => {
  t.timeout(60_000)
  await amongMembers(async (ours) => {
    const client = new EtcdClient(ours[0] ?? "")
    const children: Array<ChildProcess> = []
    const etcdctl = (endpoint: string) => {
      const child = spawn("etcdctl", ["--endpoints", endpoint, "lock", "job"], {
        env: { ...process.env, ETCDCTL_API: "3" },
        stdio: ["ignore", "pipe", "ignore"]
      })
      children.push(child)
      const said: Array<string> = []
      createInterface({ input: child.stdout }).on("line", (line) => said.push(line))
      return { child, said }
    }
    try {
      await client.call(LEASE.grant, { ID: 7n, TTL: 600 })
      const { key } = got(await client.call(LOCK.lock, { name, lease: 7n }))
      const one = etcdctl(ours[1] ?? "")
      await eventually("etcdctl is in line", async () => (await keys(client)).length === 2)
      const waiting = client.call(LOCK.lock, { name, lease: 7n })
      t.is(text(got(await waiting).key), "job/7", "who has it has it again")
      await client.call(LOCK.unlock, { key })
      await eventually("etcdctl has the lock", () => one.said.length > 0)
      t.regex(one.said[0] ?? "", /^job\/[0-9a-f]+$/)
      const two = etcdctl(ours[2] ?? "")
      await eventually("another one is in line", async () => (await keys(client)).length === 2)
      one.child.kill("SIGINT")
      await once(one.child, "exit")
      await eventually("the other has the lock", () => two.said.length > 0)
    } finally {
      for (const child of children) child.kill("SIGKILL")
      client.close()
    }
  })
})
