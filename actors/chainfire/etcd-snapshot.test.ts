/** Snapshots go to etcd, whose own tools nobody here wrote, and are the same there. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Client, credentials } from "@grpc/grpc-js"
import test from "ava"
import { SnapshotRequest } from "#protocols/wire/etcd/cluster.ts"
import { CompactionRequest } from "#protocols/wire/etcd/kv.ts"
import { KV, MAINTENANCE } from "#protocols/wire/etcd/methods.ts"
import { answer, contentsOf, fill } from "./fixtures/contents.ts"
import { Etcd, EtcdClient, etcdInstalled } from "./fixtures/etcd.ts"
import { etcdctlAt, etcdctlInstalled, inCluster } from "./fixtures/etcdctl.ts"

const withEtcd = etcdInstalled() && etcdctlInstalled ? test : test.skip

withEtcd("etcd starts from a snapshot of ours, and has every key, revision, version and lease", async (t) => {
  t.timeout(120_000)
  const folder = mkdtempSync(join(tmpdir(), "chainfire-snapshot-"))
  const file = join(folder, "snapshot.db")
  try {
    await inCluster(async (_etcdctl, endpoints) => {
      const [endpoint = ""] = endpoints
      const client = new EtcdClient(endpoint)
      const compacted = await fill(client, 300)
      await etcdctlAt(endpoint, "snapshot", "save", file)
      const status = JSON.parse(await etcdctlAt(endpoint, "snapshot", "status", file, "-w", "json"))
      const revisions = [1, compacted - 1, compacted, compacted + 1, compacted + 40]
      const ours = await contentsOf(client, revisions)
      client.close()
      t.is(status.revision, ours.revision)
      t.true(ours.keys.length > 50 && ours.leases.length === 2)
      const etcd = await Etcd.start({ snapshot: file })
      try {
        t.deepEqual(await contentsOf(etcd.client, revisions), ours)
      } finally {
        await etcd.stop()
      }
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

const withEtcdctl = etcdctlInstalled ? test : test.skip

withEtcdctl(
  "a client that does not read holds up the sweep and nothing else, and only until it goes",
  async (t) => {
    t.timeout(120_000)
    await inCluster(async (_etcdctl, [endpoint = ""]) => {
      const client = new EtcdClient(endpoint)
      const key = new TextEncoder().encode("k")
      const value = new Uint8Array(200_000)
      for (let count = 0; count < 100; count++) answer(await client.call(KV.put, { key, value }))
      const reader = new Client(endpoint, credentials.createInsecure())
      const stream = reader.makeServerStreamRequest(
        MAINTENANCE.snapshot.path,
        () => Buffer.from(SnapshotRequest.encode({})),
        (bytes: Buffer) => bytes,
        {}
      )
      stream.on("error", () => {})
      // The first piece, and no more.
      await new Promise((resolve) => stream.once("data", resolve))
      stream.pause()
      const { header } = answer(await client.call(KV.put, { key, value }))
      const compaction = CompactionRequest.make({ revision: header?.revision ?? 0, physical: true })
      let isCompacted = false
      const compacting = client.call(KV.compact, compaction).then((called) => {
        isCompacted = true
        return called
      })
      // Others are served meanwhile, at their usual pace.
      for (let count = 0; count < 30; count++) {
        answer(await client.call(KV.put, { key, value: new Uint8Array(1) }))
        answer(await client.call(KV.range, { key }))
      }
      t.false(isCompacted)
      stream.cancel()
      answer(await compacting)
      t.true(answer(await client.call(MAINTENANCE.status, {})).dbSizeInUse < 2_000_000)
      reader.close()
      client.close()
    })
  }
)
