/** Three nodes as an operator starts them, each a process with its own file, disk and certificate. */
import { execFile, spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import test from "ava"
import { withCluster } from "#actors/chainfire/fixtures/process-cluster.ts"
import { eventually } from "#actors/kernel/fixtures/eventually.ts"
import { authority } from "#actors/platform/fixtures/grpc-visits.ts"
import { keyFileName } from "#actors/platform/tokens.ts"

const installed = ["etcdctl", "openssl"].every((program) => spawnSync(program, ["version"]).status === 0)
const withPrograms = installed ? test : test.skip
const run = promisify(execFile)

const etcdctl = async (...args: ReadonlyArray<string>): Promise<string> => {
  const { stdout } = await run("etcdctl", [...args], {
    env: { ...process.env, ETCDCTL_API: "3" },
    timeout: 20_000
  })
  return stdout.trim()
}

withPrograms(
  "under TLS nodes find each other by their certificates, and clients without one are not served",
  async (t) => {
    t.timeout(180_000)
    const folder = mkdtempSync(join(tmpdir(), "cluster-tls-"))
    const signer = authority("west")
    try {
      const issue = (name: string) => {
        const { ca, cert, key } = signer.issue(name)
        const files = { certificate: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) }
        writeFileSync(files.certificate, cert)
        writeFileSync(files.key, key, { mode: 0o600 })
        writeFileSync(join(folder, "ca.pem"), ca)
        return { ...files, authority: join(folder, "ca.pem"), clientCertificates: "needed" as const }
      }
      await withCluster(
        "chainfire",
        3,
        async ({ endpoints }) => {
          const client = issue("ann")
          const all = `--endpoints=${endpoints.map((endpoint) => `https://${endpoint}`).join()}`
          const known = [
            `--cacert=${client.authority}`,
            `--cert=${client.certificate}`,
            `--key=${client.key}`
          ]
          // Refused until there is a leader.
          const put = () => etcdctl(all, ...known, "put", "a", "1").catch(() => "")
          await eventually("a write", async () => (await put()) === "OK")
          for (const endpoint of endpoints) {
            t.is(await etcdctl(`--endpoints=https://${endpoint}`, ...known, "get", "a"), "a\n1")
          }
          t.is((await etcdctl(all, ...known, "member", "list")).match(/https:/g)?.length, 6)
          await t.throwsAsync(
            etcdctl(all, `--cacert=${client.authority}`, "--command-timeout=2s", "get", "a")
          )
        },
        { tls: issue }
      )
    } finally {
      signer.remove()
      rmSync(folder, { recursive: true, force: true })
    }
  }
)

withPrograms("a member that lost its disk is kept out, until it is removed; the others serve", async (t) => {
  t.timeout(180_000)
  await withCluster("chainfire", 3, async ({ endpoints, folder, members }) => {
    const all = `--endpoints=${endpoints.slice(0, 2).join()}`
    const lost = members[2]
    if (lost === undefined) throw new Error("there are three members")
    t.is(await etcdctl(all, "put", "a", "1"), "OK")
    await eventually("all have said with which data they began", async () => {
      const metrics = await (await fetch(`http://${endpoints[0]}/metrics`)).text()
      return /^chainfire_members_announced 3$/m.test(metrics)
    })
    await lost.kill()
    const data = join(folder, lost.name)
    for (const name of readdirSync(data))
      if (name !== keyFileName) rmSync(join(data, name), { recursive: true })
    lost.spawn()
    await eventually("it says why", async () => /was there with other data/.test(lost.logTail()))
    t.is(await etcdctl(all, "put", "a", "2"), "OK")
    await t.throwsAsync(etcdctl(`--endpoints=${lost.endpoint}`, "--command-timeout=2s", "get", "a"))
  })
})
