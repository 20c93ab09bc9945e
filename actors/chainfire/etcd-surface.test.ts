/** What a scrape of a member finds: well-formed, true, and by the names that dashboards of etcd ask for. */
import test from "ava"
import { readExposition } from "#protocols/wire/fixtures/exposition-reader.ts"
import { amongMembers, ask } from "./fixtures/side-by-side.ts"

const dashboards = [
  ...["etcd_server_has_leader", "etcd_server_is_leader", "etcd_server_leader_changes_seen_total"],
  ...["etcd_server_proposals_committed_total", "etcd_server_proposals_applied_total"],
  ...["etcd_server_proposals_pending", "etcd_server_proposals_failed_total"],
  ...["etcd_disk_wal_fsync_duration_seconds", "etcd_mvcc_db_total_size_in_bytes"],
  ...["etcd_network_client_grpc_received_bytes_total", "etcd_network_client_grpc_sent_bytes_total"],
  ...["etcd_network_peer_received_bytes_total", "etcd_network_peer_sent_bytes_total"],
  ...["grpc_server_started_total", "grpc_server_handled_total"]
]

test("a scrape is well-formed, has what dashboards ask for, and moves with what is done", async (t) => {
  t.timeout(60_000)
  await amongMembers(async (ours) => {
    const scrape = async (address: string) => {
      const { body, type } = await ask(address, { path: "/metrics" })
      t.is(type, "text/plain; version=0.0.4; charset=utf-8")
      return new Map(readExposition(body).map((family) => [family.name, family.samples]))
    }
    for (let write = 0; write < 10; write++) {
      await ask(ours[0] ?? "", { path: "/v3/kv/put", body: '{"key":"YQ==","value":"YQ=="}' })
    }
    await ask(ours[0] ?? "", { path: "/v3/kv/put", body: "{}" })
    const families = await Promise.all(ours.map(scrape))
    for (const found of families) {
      t.deepEqual(
        dashboards.filter((name) => !found.has(name)),
        []
      )
      t.is(found.get("etcd_server_has_leader")?.[0]?.value, 1)
      t.true((found.get("etcd_network_peer_sent_bytes_total")?.[0]?.value ?? 0) > 0)
    }
    const leaders = families.map((found) => found.get("etcd_server_is_leader")?.[0]?.value ?? 0)
    t.deepEqual(leaders.toSorted(), [0, 0, 1])
    const puts = (families[0]?.get("grpc_server_handled_total") ?? []).filter(
      ({ labels }) => labels["grpc_method"] === "Put"
    )
    t.deepEqual(
      puts.map(({ labels, value }) => [labels["grpc_service"], labels["grpc_code"], value]),
      [
        ["etcdserverpb.KV", "OK", 10],
        ["etcdserverpb.KV", "InvalidArgument", 1]
      ]
    )
  })
})
