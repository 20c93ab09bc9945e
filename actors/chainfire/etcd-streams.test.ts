import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import test from "ava"
import { etcdctlInstalled, inCluster } from "./fixtures/etcdctl.ts"

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
