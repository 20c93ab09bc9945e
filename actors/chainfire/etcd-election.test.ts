/** The Election service: who leads, what it proclaims, and who is told. */
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { Client, credentials } from "@grpc/grpc-js"
import test from "ava"
import { eventually } from "#actors/kernel/fixtures/eventually.ts"
import { ELECTION, KV, LEASE } from "#protocols/wire/etcd/methods.ts"
import { type Called, EtcdClient, etcdInstalled } from "./fixtures/etcd.ts"
import { etcdctlInstalled } from "./fixtures/etcdctl.ts"
import { amongMembers, ask, sideBySide, withoutIds } from "./fixtures/side-by-side.ts"

const oracle = etcdInstalled() ? test : test.skip
const withEtcdctl = etcdctlInstalled ? test : test.skip

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes)
const b64 = (plain: string): string => Buffer.from(plain).toString("base64")
const name = utf8("boss")

const got = <Answer>(called: Called<Answer>): Answer => {
  if ("response" in called) return called.response
  throw new Error(`${called.code} ${called.message}`)
}

const candidates = async (client: EtcdClient): Promise<ReadonlyArray<string>> =>
  got(await client.call(KV.range, { key: utf8("boss/"), rangeEnd: utf8("boss0") })).kvs.map(({ key }) =>
    text(key)
  )

/** What an observer of gRPC is told: who, what, and at which revision. */
const observe = (address: string) => {
  const client = new Client(address, credentials.createInsecure())
  const { path, request, response } = ELECTION.observe
  const told: Array<string> = []
  const call = client.makeServerStreamRequest(
    path,
    (bytes: Buffer) => bytes,
    (bytes: Buffer) => response.decode(Uint8Array.from(bytes)),
    Buffer.from(request.encode({ name }))
  )
  call.on("data", ({ header, kv }: ReturnType<typeof response.decode>) =>
    told.push(`${text(kv?.key)}=${text(kv?.value)} @${header?.revision}`)
  )
  call.on("error", (error) => told.push(error.message))
  return {
    told,
    close: () => {
      call.cancel()
      client.close()
    }
  }
}

const story = async (one: EtcdClient, other: EtcdClient, observed: string) => {
  const told: Array<unknown> = []
  for (const ID of [1n, 2n]) await one.call(LEASE.grant, { ID, TTL: 600 })
  const observer = observe(observed)
  try {
    told.push(await one.call(ELECTION.leader, { name }))
    const first = got(await one.call(ELECTION.campaign, { name, lease: 1n, value: utf8("a") }))
    told.push(first.leader, first.header?.revision)
    await eventually("the first is observed", () => observer.told.length === 1)
    const second = other.call(ELECTION.campaign, { name, lease: 2n, value: utf8("b") })
    await eventually("the second is in line", async () => (await candidates(one)).length === 2)
    told.push(
      got(await other.call(ELECTION.proclaim, { leader: first.leader, value: utf8("A") })).header?.revision
    )
    await eventually("what it proclaims is observed", () => observer.told.length === 2)
    const { kv } = got(await other.call(ELECTION.leader, { name }))
    told.push([text(kv?.key), text(kv?.value), kv?.lease])
    // Who campaigns again leads still, with what it says now.
    const again = got(await one.call(ELECTION.campaign, { name, lease: 1n, value: utf8("again") }))
    told.push(again.leader)
    await eventually("that is observed", () => observer.told.length === 3)
    told.push(got(await other.call(ELECTION.resign, { leader: first.leader })).header?.revision)
    const had = got(await second)
    told.push(had.leader, had.header?.revision)
    await eventually("the next is observed", () => observer.told.length === 4)
    told.push(await one.call(ELECTION.proclaim, { leader: first.leader, value: utf8("late") }))
    told.push(got(await one.call(ELECTION.resign, { leader: first.leader })).header?.revision)
    told.push([...observer.told])
  } finally {
    observer.close()
  }
  return told
}

oracle("leaders follow each other, and observers are told, as by etcd", async (t) => {
  t.timeout(120_000)
  await sideBySide(async ({ ours, theirs }) => {
    const clients = [...ours, theirs].map((address) => new EtcdClient(address))
    const [one, other, , etcd] = clients
    if (one === undefined || other === undefined || etcd === undefined) throw new Error("no clients")
    try {
      t.deepEqual(await story(one, other, ours[2] ?? ""), await story(etcd, etcd, theirs))
    } finally {
      for (const client of clients) client.close()
    }
  })
})

oracle("an observer of JSON is told the same, and one that goes away leaves no watch", async (t) => {
  t.timeout(120_000)
  await sideBySide(async ({ ours, theirs }) => {
    const observed = await Promise.all(
      [ours[1] ?? "", theirs].map(async (address) => {
        const post = (path: string, body: unknown) => ask(address, { path, body: JSON.stringify(body) })
        await post("/v3/lease/grant", { ID: 5, TTL: 600 })
        const body = JSON.stringify({ name: b64("boss") })
        let heard = ""
        const told = ask(address, {
          path: "/v3/election/observe",
          body,
          lines: 2,
          heard: (all) => {
            heard = all
          }
        })
        await post("/v3/election/campaign", { name: b64("boss"), lease: 5, value: b64("x") })
        // An observer may skip what is past by then.
        await eventually("the first is told", () => heard.endsWith("\n"))
        await post("/v3/election/campaign", { name: b64("boss"), lease: 5, value: b64("y") })
        return withoutIds(await told)
      })
    )
    t.deepEqual(observed[0], observed[1])
    const watching = async () =>
      /^etcd_debugging_mvcc_watcher_total (\d+)$/m.exec(
        (await ask(ours[1] ?? "", { path: "/metrics" })).body
      )?.[1]
    await eventually("nobody watches", async () => (await watching()) === "0")
  })
})

test("a candidate whose lease runs out in line does not lead, and one that leaves is out of it", async (t) => {
  t.timeout(60_000)
  await amongMembers(async (ours) => {
    const [one, two] = ours.map((address) => new EtcdClient(address))
    if (one === undefined || two === undefined) throw new Error("no clients")
    try {
      for (const [ID, TTL] of [
        [1n, 600],
        [2n, 2],
        [3n, 600]
      ] as const)
        await one.call(LEASE.grant, { ID, TTL })
      got(await one.call(ELECTION.campaign, { name, lease: 1n }))
      const leaving = new AbortController()
      const body = JSON.stringify({ name: b64("boss"), lease: 3 })
      const { signal } = leaving
      const gone = fetch(`http://${ours[2]}/v3/election/campaign`, { method: "POST", body, signal })
      const late = two.call(ELECTION.campaign, { name, lease: 2n })
      await eventually("three are in line", async () => (await candidates(one)).length === 3)
      leaving.abort()
      await t.throwsAsync(gone)
      t.deepEqual(await late, { code: 2, message: "election: not leader" })
      await eventually("the first is left", async () => (await candidates(one)).join() === "boss/1")
    } finally {
      one.close()
      two.close()
    }
  })
})

withEtcdctl("etcdctl elect campaigns in the same line, and listens to it", async (t) => {
  t.timeout(60_000)
  await amongMembers(async (ours) => {
    const client = new EtcdClient(ours[0] ?? "")
    const children: Array<ChildProcess> = []
    const etcdctl = (endpoint: string, ...args: ReadonlyArray<string>) => {
      const child = spawn("etcdctl", ["--endpoints", endpoint, "elect", ...args], {
        env: { ...process.env, ETCDCTL_API: "3" },
        stdio: ["ignore", "pipe", "ignore"]
      })
      children.push(child)
      const said: Array<string> = []
      createInterface({ input: child.stdout }).on("line", (line) => said.push(line))
      return said
    }
    try {
      const listener = etcdctl(ours[2] ?? "", "--listen", "boss")
      await client.call(LEASE.grant, { ID: 7n, TTL: 600 })
      const { leader } = got(
        await client.call(ELECTION.campaign, { name, lease: 7n, value: utf8("service") })
      )
      await eventually("the listener hears of it", () => listener.includes("service"))
      const candidate = etcdctl(ours[1] ?? "", "boss", "tool")
      await eventually("etcdctl is in line", async () => (await candidates(client)).length === 2)
      await client.call(ELECTION.resign, { leader })
      await eventually("etcdctl leads", () => candidate.includes("tool"))
      await eventually("the listener hears of that, too", () => listener.includes("tool"))
      t.is(text(got(await client.call(ELECTION.leader, { name })).kv?.value), "tool")
    } finally {
      for (const child of children) child.kill("SIGKILL")
      client.close()
    }
  })
})
