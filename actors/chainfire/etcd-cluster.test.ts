import test from "ava"
import { etcdctlInstalled, inCluster } from "./fixtures/etcdctl.ts"

const withEtcdctl = etcdctlInstalled ? test : test.skip

withEtcdctl("every member names all members", async (t) => {
  t.timeout(120_000)
  await inCluster(async (etcdctl, endpoints) => {
    for (const endpoint of endpoints) {
      const listed = await etcdctl("member", "list", `--endpoints=${endpoint}`)
      t.is(listed.split("\n").length, 3)
      for (const name of ["node01", "node02", "node03"]) t.regex(listed, new RegExp(`started, ${name}, http`))
    }
  })
})
