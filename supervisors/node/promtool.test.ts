/** What Prometheus itself has to say about the numbers of a node: its own reader takes them, and its linter finds nothing that is not so in etcd. */
import { spawnSync } from "node:child_process"
import test from "ava"
import { LeanClient } from "#actors/chainfire/fixtures/lean-grpc.ts"
import { KV } from "#protocols/wire/etcd/methods.ts"
import { withNodes } from "./fixtures/operated-cluster.ts"

const installed = spawnSync("promtool", ["--version"]).status === 0
const withPromtool = installed ? test : test.skip

/** An etcd gets these, too: whoever has a dashboard of it shall find them under their names, and of their type. */
const asEtcdHasThem: ReadonlyArray<string> = [
  ...[
    "etcd_debugging_mvcc_keys_total",
    "etcd_debugging_mvcc_slow_watcher_total",
    "etcd_debugging_mvcc_watcher_total",
    "etcd_server_proposals_applied_total",
    "etcd_server_proposals_committed_total"
  ].map((name) => `${name} non-counter metrics should not have "_total" suffix`),
  "exit code 3"
]

const checked = (input: string): string => {
  const { status, stderr, stdout } = spawnSync("promtool", ["check", "metrics"], { input, encoding: "utf8" })
  return `${stdout}${stderr}${status === 0 ? "" : `exit code ${status}`}`
}

const complaints = (text: string): ReadonlyArray<string> =>
  checked(text)
    .split("\n")
    .filter((line) => line !== "" && !asEtcdHasThem.includes(line))

withPromtool(
  "promtool accepts the numbers of a node, and those at the port for clients of etcd",
  async (t) => {
    t.timeout(120_000)
    t.regex(checked("Camels 1\n"), /camelCase|no help text/i, "it is strict")
    await withNodes(1, async (start) => {
      const node = start("node01")
      await node.says(/^ready /)
      const client = new LeanClient(node.etcd)
      for (let count = 0; count < 20; count++)
        await client.call(KV.put, { key: new Uint8Array([count]) }, 5_000)
      client.close()
      const { text } = await node.asked("/metrics")
      t.deepEqual(complaints(text), [])
      const etcd = await (await fetch(`http://${node.etcd}/metrics`)).text()
      t.deepEqual(complaints(etcd), [])
    })
  }
)
