/** Real nodes as whoever runs a machine sees them: their boot, their health, their numbers, and how they stop. */
import test from "ava"
import { LeanClient } from "#actors/chainfire/fixtures/lean-grpc.ts"
import { eventually } from "#actors/kernel/fixtures/eventually.ts"
import { KV, MAINTENANCE } from "#protocols/wire/etcd/methods.ts"
import { readExposition } from "#protocols/wire/fixtures/exposition-reader.ts"
import { type OperatedNode, withNodes } from "./fixtures/operated-cluster.ts"

const utf8 = new TextEncoder()

test("a node boots in order, says when it is ready, tells its health and its numbers, and stops in reverse order", async (t) => {
  t.timeout(120_000)
  await withNodes(1, async (start) => {
    const node = start("node01")
    const ready = await node.says(/^ready \d+ ms after the process began$/)
    t.like(ready, { level: "info", node: "node01", fields: { ready: true } })
    const started = node.lines.filter(({ message }) => /has started in \d+ ms$/.test(message))
    t.deepEqual(
      started.map(({ fields }) => fields?.["component"]),
      ["cluster", "chainfire", "roles"]
    )
    t.true(started.every((line) => node.lines.indexOf(line) < node.lines.indexOf(ready)))

    t.deepEqual(await node.asked("/healthz"), { status: 200, text: "ok\n" })
    t.deepEqual(await node.asked("/readyz"), { status: 200, text: "ok\n" })
    const verbose = await node.asked("/readyz?verbose")
    t.regex(verbose.text, /^\[\+\]chainfire ok$/m)
    t.is((await node.asked("/readyz", "POST")).status, 405)
    t.is((await node.asked("/etc/passwd")).status, 404)
    t.is(await node.askedAs("localhost:7790", "/readyz"), 200)
    t.is(await node.askedAs("rebound.example:7790", "/readyz"), 421)

    const { status, text } = await node.asked("/metrics")
    t.is(status, 200)
    const families = new Map(readExposition(text).map((family) => [family.name, family.samples]))
    t.is(families.get("ultracloud_ready")?.[0]?.value, 1)
    t.is(families.get("etcd_server_has_leader")?.[0]?.value, 1)
    t.true((families.get("process_resident_memory_bytes")?.[0]?.value ?? 0) > 1e7)
    t.true((families.get("ultracloud_messages_handled_total")?.[0]?.value ?? 0) > 0)
    t.truthy(
      families.get("ultracloud_actor_up")?.find(({ labels }) => labels["path"] === "/node01/chainfire/member")
    )

    // Scraped without a pause it is asked once a second.
    const texts = await Promise.all(Array.from({ length: 40 }, () => node.asked("/metrics")))
    t.true(new Set(texts.map((answer) => answer.text)).size <= 2)

    node.process.kill("SIGTERM")
    t.is(await node.ended, 0)
    const stopped = node.lines.filter(({ message }) => /has stopped$/.test(message))
    t.deepEqual(
      stopped.map(({ fields }) => fields?.["component"]),
      ["roles", "chainfire", "cluster"]
    )
    t.regex(node.lines.at(-1)?.message ?? "", /^stopped in order in \d+ ms$/)
    t.is(node.errors, "")
  })
})

test("one of three that is alone is alive and not ready, and says why; with another one both are", async (t) => {
  t.timeout(120_000)
  await withNodes(3, async (start) => {
    const first = start("node01")
    await eventually(
      () => `the first one waits for a leader: ${JSON.stringify(first.lines)}`,
      async () => {
        const { status, text } = await first.asked("/readyz")
        return status === 503 && /^\[-\]chainfire: no leader is known/m.test(text) ? true : undefined
      }
    )
    t.is((await first.asked("/healthz")).status, 200)
    t.regex((await first.asked("/metrics")).text, /^ultracloud_ready 0$/m)
    const second = start("node02")
    await Promise.all([first.says(/^ready /), second.says(/^ready /)])

    // Without its peer it is not ready any more, and both the port and the log say so.
    second.process.kill("SIGKILL")
    const line = await first.says(/^not ready any more: chainfire: no leader is known/)
    t.like(line, { level: "warn", fields: { ready: false } })
    t.is((await first.asked("/readyz")).status, 503)
  })
})

test("a leader that gets SIGTERM hands over: nothing acknowledged is lost, and writes go on at once", async (t) => {
  t.timeout(180_000)
  await withNodes(3, async (start) => {
    const nodes = ["node01", "node02", "node03"].map((name) => start(name))
    await Promise.all(nodes.map((node) => node.says(/^ready /)))
    const leader = await leaderOf(nodes)
    const [other] = nodes.filter((node) => node !== leader)
    if (other === undefined) throw new Error("there are three")

    const client = new LeanClient(other.etcd)
    const acknowledged: Array<{ readonly count: number; readonly atMillis: number }> = []
    let writes = true
    const writing = (async () => {
      for (let count = 0; writes; count++) {
        const put = client.call(KV.put, { key: utf8.encode(`k/${count}`), value: utf8.encode("x") }, 5_000)
        await put.then(
          () => acknowledged.push({ count, atMillis: performance.now() }),
          // Refused or left open: nothing was promised.
          () => new Promise((resolve) => setTimeout(resolve, 5))
        )
      }
    })()
    await eventually(
      () => "some writes",
      () => (acknowledged.length > 100 ? true : undefined)
    )
    leader.process.kill("SIGTERM")
    t.is(await leader.ended, 0)
    const handed = leader.lines.find(({ message }) => /leads chainfire now$/.test(message))
    t.truthy(handed, JSON.stringify(leader.lines))
    const before = acknowledged.length
    await eventually(
      () => "writes after it is gone",
      () => (acknowledged.length > before + 100 ? true : undefined)
    )
    writes = false
    await writing

    let gapMillis = 0
    for (const [index, { atMillis }] of acknowledged.entries()) {
      const last = acknowledged[index - 1]
      if (last !== undefined) gapMillis = Math.max(gapMillis, atMillis - last.atMillis)
    }
    t.log(`${acknowledged.length} writes, the longest wait between two ${gapMillis.toFixed(0)} ms`)
    // About 100 ms where nothing else runs; an election begins only after 1,000 to 2,000 ms of silence.
    t.true(gapMillis < 2_000, `${gapMillis} ms: as long as an election`)
    for (const { count } of acknowledged) {
      const { kvs } = await client.call(KV.range, { key: utf8.encode(`k/${count}`) }, 5_000)
      if (kvs.length !== 1) t.fail(`k/${count} was acknowledged, and is gone`)
    }
    client.close()
  })
})

test("past its deadline a stop names who did not end, and the process exits with 3", async (t) => {
  t.timeout(120_000)
  await withNodes(
    1,
    async (start) => {
      const node = start("node01")
      await node.says(/^ready /)
      node.process.kill("SIGINT")
      const draining = await eventually(
        () => "it is not ready while it stops",
        async () => {
          const answer = await node.asked("/readyz")
          return answer.status === 503 ? answer : undefined
        }
      )
      t.regex(draining.text, /^\[-\]node: node01 (was told to stop|is stopping)/)
      t.is(await node.ended, 3)
      t.is(node.errors, "ultracloud: node01 did not stop within 3000 ms: /node01/clinging had not ended\n")
    },
    { hangs: true, stopMillis: 3_000 }
  )
})

test("SIGTERM while it boots stops in order what has started, and the next start works", async (t) => {
  t.timeout(120_000)
  await withNodes(1, async (start) => {
    const first = start("node01")
    await first.says(/^cluster has started/)
    t.false(first.lines.some(({ message }) => /^ready /.test(message)))
    first.process.kill("SIGTERM")
    t.is(await first.ended, 0)
    const said = first.lines.map(({ message }) => message)
    t.true(said.includes("is told to stop: it takes no new work"), said.join("\n"))
    const stopped = said.filter((message) => / has stopped$/.test(message))
    t.is(stopped.at(-1), "cluster has stopped", said.join("\n"))
    t.regex(said.at(-1) ?? "", /^stopped in order in \d+ ms$/)
    t.deepEqual(
      first.lines.filter(({ level }) => level === "warn" || level === "error"),
      []
    )
    t.is(first.errors, "")

    const next = start("node01")
    await next.says(/^ready /)
    next.process.kill("SIGTERM")
    t.is(await next.ended, 0)
    t.is(next.errors, "")
  })
})

test("a second signal ends it at once", async (t) => {
  t.timeout(120_000)
  await withNodes(
    1,
    async (start) => {
      const node = start("node01")
      await node.says(/^ready /)
      node.process.kill("SIGTERM")
      await node.says(/^is told to stop/)
      node.process.kill("SIGTERM")
      t.is(await node.ended, null)
      t.is(node.process.signalCode, "SIGTERM")
    },
    { hangs: true }
  )
})

const leaderOf = async (nodes: ReadonlyArray<OperatedNode>): Promise<OperatedNode> =>
  eventually(
    () => "a leader",
    async () => {
      for (const node of nodes) {
        const client = new LeanClient(node.etcd)
        const { header, leader } = await client.call(MAINTENANCE.status, {}, 2_000)
        client.close()
        if (leader !== 0n && header?.memberId === leader) return node
      }
      return undefined
    }
  )
