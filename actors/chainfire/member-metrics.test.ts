import test from "ava"
import { Effect } from "effect"
import { Metrics } from "#actors/kernel/metrics.ts"
import { SimWorld } from "#chaos/sim/world.ts"
import { PutRequest } from "#protocols/wire/etcd/kv-fast.ts"
import { readExposition } from "#protocols/wire/fixtures/exposition-reader.ts"
import { encodeCommand } from "./command.ts"
import { MemberCluster } from "./fixtures/member-cluster.ts"
import { showMember } from "./member-metrics.ts"

test("numbers are those of the member, before a leader, with one, and without it again", (t) => {
  const world = new SimWorld(3)
  const cluster = new MemberCluster(world, 3)
  world.run(
    Effect.gen(function* () {
      yield* Effect.forEach(cluster.ids, (id) => cluster.start(id))
      const member = cluster.member(1)
      if (member === undefined) throw new Error("there is no member 1")
      const metrics = new Metrics()
      showMember(metrics, { member, storeBytes: () => 4_096 })
      const read = () =>
        new Map(readExposition(metrics.text()).map(({ name, samples }) => [name, samples.at(-1)?.value]))
      t.is(read().get("etcd_server_has_leader"), 0)
      yield* Effect.sleep("5 seconds")
      const { leader } = cluster
      const put = PutRequest.encode(PutRequest.make({ key: Uint8Array.of(1) }))
      for (let count = 0; count < 5; count++) leader?.propose(encodeCommand("Put", put), () => {})
      yield* Effect.sleep("1 second")
      const led = read()
      t.is(led.get("etcd_server_has_leader"), 1)
      t.is(led.get("etcd_server_is_leader"), Number(leader === member))
      t.true((led.get("etcd_server_leader_changes_seen_total") ?? 0) >= 1)
      t.is(led.get("etcd_server_proposals_applied_total"), member.machine.appliedIndex)
      t.is(led.get("etcd_mvcc_put_total"), 5)
      t.is(led.get("etcd_debugging_mvcc_current_revision"), 6)
      t.is(led.get("etcd_mvcc_db_total_size_in_bytes"), 4_096)
      t.true((led.get("etcd_disk_wal_fsync_duration_seconds") ?? 0) >= 2)
      t.is(led.get("etcd_server_proposals_failed_total"), 0)
      cluster.partition([member.id])
      for (let count = 0; count < 3; count++) member.propose(encodeCommand("Put", put), () => {})
      yield* Effect.sleep("20 seconds")
      const cut = read()
      t.is(cut.get("etcd_server_has_leader"), 0)
      t.is(cut.get("etcd_server_proposals_pending"), 0)
      t.is(cut.get("etcd_server_proposals_failed_total"), leader === member ? 3 : 0)
    })
  )
})
