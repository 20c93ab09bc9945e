import test from "ava"
import { etcdctlInstalled, inCluster } from "./fixtures/etcdctl.ts"

const withEtcdctl = etcdctlInstalled ? test : test.skip

withEtcdctl(
  "leases are granted, kept alive, looked at on every member, and revoked with their keys",
  async (t) => {
    t.timeout(120_000)
    await inCluster(async (etcdctl, endpoints) => {
      const granted = await etcdctl("lease", "grant", "60")
      const lease = /lease (\w+) granted with TTL\(60s\)/.exec(granted)?.[1] ?? ""
      t.regex(lease, /^[0-9a-f]{16}$/)
      await etcdctl("put", "leased", "v", `--lease=${lease}`)
      t.regex(await etcdctl("lease", "timetolive", lease, "--keys"), /attached keys\(\[leased\]\)/)
      for (const endpoint of endpoints) {
        const left = await etcdctl("lease", "timetolive", lease, `--endpoints=${endpoint}`)
        t.regex(
          left,
          /granted with TTL\(60s\), remaining\((5\d|60)s\)/,
          "every member says what the leader counts"
        )
      }
      t.regex(await etcdctl("lease", "keep-alive", "--once", lease), /keepalived with TTL\(60\)/)
      t.regex(await etcdctl("lease", "revoke", lease), /revoked/)
      t.is(await etcdctl("get", "leased"), "")
    })
  }
)
