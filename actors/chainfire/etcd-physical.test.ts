import test from "ava"
import { KV, MAINTENANCE } from "#protocols/wire/etcd/methods.ts"
import { answer } from "./fixtures/contents.ts"
import { EtcdClient } from "./fixtures/etcd.ts"
import { etcdctlAt, etcdctlInstalled, inCluster } from "./fixtures/etcdctl.ts"

const withEtcdctl = etcdctlInstalled ? test : test.skip
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

withEtcdctl("a physical compaction is answered when what it frees is gone", async (t) => {
  t.timeout(120_000)
  await inCluster(async (_etcdctl, endpoints) => {
    for (const endpoint of endpoints) {
      const client = new EtcdClient(endpoint)
      const value = new Uint8Array(10_000)
      for (let number = 0; number < 150; number++)
        answer(await client.call(KV.put, { key: utf8("k"), value }))
      const { header } = answer(await client.call(KV.put, { key: utf8("k"), value: utf8("1") }))
      await etcdctlAt(endpoint, "compaction", `${header?.revision}`, "--physical")
      const { dbSizeInUse } = answer(await client.call(MAINTENANCE.status, {}))
      t.true(dbSizeInUse < 500_000, `${dbSizeInUse} of at least 1.5 MB are left`)
      client.close()
    }
  })
})

withEtcdctl("one that is refused is refused at once", async (t) => {
  t.timeout(120_000)
  await inCluster(async (_etcdctl, [endpoint = ""]) => {
    const client = new EtcdClient(endpoint)
    t.deepEqual(await client.call(KV.compact, { revision: 4_000, physical: true }), {
      code: 11,
      message: "etcdserver: mvcc: required revision is a future revision"
    })
    client.close()
  })
})
