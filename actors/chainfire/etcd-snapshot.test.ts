/** Snapshots go to etcd, whose own tools nobody here wrote, and are the same there. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import test from "ava"
import { contentsOf, fill } from "./fixtures/contents.ts"
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
