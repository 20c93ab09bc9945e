/** What the file says about chainfire and about limits is what a node does: each key is tried on a node's process. */
import { once } from "node:events"
import { connect } from "node:net"
import test from "ava"
import { Effect, Either } from "effect"
import { EtcdClient } from "#actors/chainfire/fixtures/etcd.ts"
import { withCluster } from "#actors/chainfire/fixtures/process-cluster.ts"
import { eventually } from "#actors/kernel/fixtures/eventually.ts"
import { KV } from "#protocols/wire/etcd/methods.ts"
import { clusterDigest, localSpec, nodeOptions } from "../cluster-spec.ts"
import { clusterOf } from "./cluster-file.ts"

const bytes = (text: string) => new TextEncoder().encode(text)

const whyNot = (answer: object): string =>
  "message" in answer && typeof answer.message === "string" ? answer.message : "it was taken"

test("quota, compaction, log, sizes and origins are as the file says", async (t) => {
  t.timeout(120_000)
  const chainfire = {
    quotaBytes: 1024 * 1024,
    autoCompaction: { mode: "periodic", retention: "1s" },
    log: { entriesMax: 100, tailEntries: 10 },
    requestBytesMax: 100_000,
    transactionOpsMax: 2,
    origins: ["https://dashboard.example"]
  } as const
  await withCluster(
    "chainfire",
    1,
    async ({ endpoints: [endpoint = ""] }) => {
      const client = new EtcdClient(endpoint)
      const gauge = async (name: string) => {
        const text = await (await fetch(`http://${endpoint}/metrics`)).text()
        return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1])
      }
      try {
        const key = bytes("k")
        const put = (length: number) => client.call(KV.put, { key, value: new Uint8Array(length) })
        t.regex(whyNot(await put(100_001)), /request is too large/)
        const none = { requestRange: undefined, requestDeleteRange: undefined, requestTxn: undefined }
        const success = ["a", "b", "c"].map((name) => ({
          ...none,
          requestPut: KV.put.request.make({ key: bytes(name) })
        }))
        t.regex(whyNot(await client.call(KV.txn, { success })), /too many operations/)

        for (let count = 0; count < 300; count++) t.is(whyNot(await put(1)), "it was taken")
        await eventually(
          "the log is compacted",
          async () => (await gauge("chainfire_raft_log_entries")) < 150
        )
        await eventually("what is older than a second is forgotten", async () => {
          await put(1)
          return /has been compacted/.test(whyNot(await client.call(KV.range, { key, revision: 2 })))
        })

        const allowed = async (origin: string) =>
          (await fetch(`http://${endpoint}/version`, { headers: { origin } })).headers.get(
            "access-control-allow-origin"
          )
        t.is(await allowed("https://dashboard.example"), "https://dashboard.example")
        t.is(await allowed("https://elsewhere.example"), null)

        let last = "it was taken"
        for (let count = 0; count < 40 && last === "it was taken"; count++)
          last = whyNot(
            await client.call(KV.put, { key: bytes(`big/${count}`), value: new Uint8Array(90_000) })
          )
        t.regex(last, /database space exceeded/)
      } finally {
        client.close()
      }
    },
    { file: { components: { chainfire } } }
  )
})

test("who comes when there are as many connections as the file says is not served", async (t) => {
  t.timeout(120_000)
  await withCluster(
    "chainfire",
    1,
    async ({ endpoints: [endpoint = ""] }) => {
      const [host = "", port] = endpoint.split(":")
      const sockets = Array.from({ length: 20 }, () => connect(Number(port), host).on("error", () => {}))
      try {
        await eventually("some are closed", async () => sockets.some(({ closed }) => closed))
        t.true(sockets.filter(({ closed }) => !closed).length <= 10)
      } finally {
        for (const socket of sockets) {
          if (socket.closed) continue
          const closed = once(socket, "close")
          socket.destroy()
          await closed
        }
      }
    },
    { file: { limits: { etcd: { connectionsMax: 10 } } } }
  )
})

test("every limit and every setting reaches what it is for", async (t) => {
  const spec = {
    ...localSpec(1, "work/one"),
    components: { chainfire: { requestBytesMax: 4_000_000, watchesMax: 3, watchProgressMillis: 5_000 } },
    limits: {
      etcd: { streamsPerConnectionMax: 7 },
      links: { connectionsMax: 70 },
      clients: { clientsMax: 5, messageBytesMax: 70_000 },
      shells: { clientsMax: 2 }
    }
  }
  const cluster = Either.getOrThrow(clusterOf(JSON.stringify(spec), "c.json"))
  const options = await Effect.runPromise(nodeOptions(cluster, "node01", "c.json"))
  t.like(options, {
    config: { file: "c.json", digest: clusterDigest(cluster) },
    store: { settings: { watchesMax: 3, watchProgressMillis: 5_000, requestBytesMax: 4_000_000 } },
    // Room for what is around a request.
    etcdLimits: { streamsPerConnectionMax: 7, connectionsMax: 10_000, messageBytesMax: 4_524_288 },
    linksMax: 70,
    clients: { clientsMax: 5, messageBytesMax: 70_000 },
    shells: { clientsMax: 2 }
  })
})
