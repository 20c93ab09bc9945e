import { spawn } from "node:child_process"
import { once } from "node:events"
import test from "ava"
import { etcdctlInstalled, inCluster } from "./fixtures/etcdctl.ts"

const withEtcdctl = etcdctlInstalled ? test : test.skip

withEtcdctl("etcdctl puts, gets, counts, deletes, and reads the past", async (t) => {
  t.timeout(120_000)
  await inCluster(async (etcdctl) => {
    t.is(await etcdctl("put", "a", "1"), "OK")
    t.is(await etcdctl("put", "a", "2", "--prev-kv"), "OK\na\n1")
    t.is(await etcdctl("put", "b", "3"), "OK")
    t.is(await etcdctl("get", "a"), "a\n2")
    t.is(await etcdctl("get", "", "--from-key", "--keys-only"), "a\n\nb\n\nsettled")
    t.is(await etcdctl("get", "a", "z", "--limit=1", "--order=DESCEND", "--keys-only"), "settled")
    const { header } = JSON.parse(await etcdctl("get", "a", "--write-out=json"))
    t.is(await etcdctl("get", "a", `--rev=${header.revision - 2}`), "a\n1")
    t.is(await etcdctl("del", "a", "c"), "2")
    t.is(await etcdctl("get", "a"), "")
  })
})

withEtcdctl("etcdctl's transactions and compaction work", async (t) => {
  t.timeout(120_000)
  await inCluster(async (etcdctl, endpoints) => {
    await etcdctl("put", "x", "1")
    const txn = spawn("etcdctl", ["--endpoints", endpoints.join(), "txn"], {
      env: { ...process.env, ETCDCTL_API: "3" }
    })
    const printed: Array<string> = []
    txn.stdout.on("data", (chunk) => printed.push(String(chunk)))
    txn.stdin.end('value("x") = "1"\n\nput y then\n\nput y else\n\n')
    await once(txn, "exit")
    t.regex(printed.join(""), /SUCCESS/)
    t.is(await etcdctl("get", "y"), "y\nthen")
    const { header } = JSON.parse(await etcdctl("get", "x", "--write-out=json"))
    t.is(await etcdctl("compaction", `${header.revision}`), `compacted revision ${header.revision}`)
    const refused = await t.throwsAsync(etcdctl("get", "x", "--rev=1"))
    t.regex(String(refused), /required revision has been compacted/)
  })
})
