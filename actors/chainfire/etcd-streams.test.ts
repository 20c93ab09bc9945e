import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import test from "ava"
import { KV } from "#protocols/wire/etcd/methods.ts"
import { answer } from "./fixtures/contents.ts"
import { Etcd, EtcdClient, etcdInstalled } from "./fixtures/etcd.ts"
import { etcdctlInstalled, inCluster } from "./fixtures/etcdctl.ts"
import { Watching } from "./fixtures/watching.ts"

const withEtcdctl = etcdctlInstalled ? test : test.skip

withEtcdctl("etcdctl watches, and sees the members, one of which leads", async (t) => {
  t.timeout(120_000)
  await inCluster(async (etcdctl, endpoints) => {
    const watching = spawn(
      "etcdctl",
      ["--endpoints", endpoints[2] ?? "", "watch", "w", "--prefix", "--rev=1"],
      {
        env: { ...process.env, ETCDCTL_API: "3" }
      }
    )
    try {
      const lines: Array<string> = []
      createInterface({ input: watching.stdout }).on("line", (line) => lines.push(line))
      await etcdctl("put", "w1", "a")
      await etcdctl("put", "other", "b")
      await etcdctl("del", "w1")
      const untilMillis = performance.now() + 20_000
      while (lines.filter((line) => line !== "").length < 5 && performance.now() < untilMillis)
        await new Promise((resolve) => setTimeout(resolve, 20))
      t.deepEqual(
        lines.filter((line) => line !== ""),
        ["PUT", "w1", "a", "DELETE", "w1"]
      )
    } finally {
      watching.kill("SIGKILL")
    }
    const statuses: ReadonlyArray<{
      readonly Status: { readonly leader: number; readonly header: { readonly member_id: number } }
    }> = JSON.parse(await etcdctl("endpoint", "status", "--write-out=json"))
    t.is(statuses.length, 3)
    t.is(new Set(statuses.map(({ Status }) => Status.leader)).size, 1, "all name the same leader")
    t.is((await etcdctl("member", "list")).split("\n").length, 3)
  })
})

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Ten keys of 300 kB, gone at once: more than fits into one message. */
const longStory = async (address: string) => {
  const client = new EtcdClient(address)
  const value = new Uint8Array(300_000)
  for (let number = 0; number < 10; number++)
    answer(await client.call(KV.put, { key: utf8(`long ${number}`), value }))
  const tell = async (fragment: boolean) => {
    const watching = new Watching(address)
    const range = { key: utf8("long"), rangeEnd: utf8("lonh") }
    await watching.create({ ...range, prevKv: true, fragment })
    const before = watching.responses.length
    for (let number = 0; number < 10; number++)
      answer(await client.call(KV.put, { key: utf8(`long ${number}`), value }))
    answer(await client.call(KV.deleteRange, range))
    const events = () => watching.responses.slice(before).reduce((sum, one) => sum + one.events.length, 0)
    await watching.until(() => events() === 20)
    watching.close()
    return watching.responses.slice(before).map((one) => [one.events.length, one.fragment])
  }
  const story = [await tell(true), await tell(false)]
  client.close()
  return story
}

const besideEtcd = etcdctlInstalled && etcdInstalled() ? test : test.skip

besideEtcd(
  "what is too long for one message is split where etcd splits it, if the client wants that",
  async (t) => {
    t.timeout(120_000)
    const etcd = await Etcd.start()
    try {
      await inCluster(async (_etcdctl, [endpoint = ""]) => {
        const story = await longStory(endpoint)
        t.deepEqual(story, await longStory(etcd.address))
        t.true(story[0]?.some(([, fragment]) => fragment === true))
      })
    } finally {
      await etcd.stop()
    }
  }
)

withEtcdctl(
  "a watch that wants it is told how far it is, unless it was told of changes meanwhile",
  async (t) => {
    t.timeout(120_000)
    await inCluster(
      async (_etcdctl, [endpoint = ""]) => {
        const client = new EtcdClient(endpoint)
        const watching = new Watching(endpoint)
        await watching.create({ key: utf8("watched"), progressNotify: true, watchId: 5 })
        await watching.create({ key: utf8("watched"), watchId: 6 })
        const other = answer(await client.call(KV.put, { key: utf8("other"), value: utf8("1") }))
        const told = () => watching.responses.filter((one) => !one.created && one.events.length === 0)
        await watching.until(() => told().some((one) => one.header?.revision === other.header?.revision))
        t.true(told().every(({ watchId }) => watchId === 5))
        client.close()
        watching.close()
      },
      { settings: { watchProgressMillis: 300 } }
    )
  }
)
