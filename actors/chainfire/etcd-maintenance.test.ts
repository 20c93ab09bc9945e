import test from "ava"
import { etcdctlInstalled, inCluster } from "./fixtures/etcdctl.ts"

const withEtcdctl = etcdctlInstalled ? test : test.skip

withEtcdctl("every member says the same leader, and how far it has come", async (t) => {
  t.timeout(120_000)
  await inCluster(async (etcdctl) => {
    const statuses: ReadonlyArray<{ Status: { leader: number; raftIndex: number; dbSize: number } }> =
      JSON.parse(await etcdctl("endpoint", "status", "--write-out=json"))
    t.is(statuses.length, 3)
    t.is(new Set(statuses.map(({ Status }) => Status.leader)).size, 1)
    for (const { Status } of statuses) t.true(Status.raftIndex > 0 && Status.dbSize > 0)
  })
})
