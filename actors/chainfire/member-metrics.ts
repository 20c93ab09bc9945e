/**
 * The numbers of a member: what it has counted, and what can be read off it at any moment. They have the names
 * that dashboards and alerts of etcd know where they mean the same, and names of our own where they do not. A
 * number that is not known is not there.
 */
import type { Metrics } from "#actors/kernel/metrics.ts"
import type { Member } from "./member.ts"

export interface MetricFacts {
  readonly member: Member
  readonly storeBytes: () => number
}

export const showMember = (metrics: Metrics, { member, storeBytes }: MetricFacts): void => {
  const { counts, hub, machine } = member
  const { lessor, mvcc } = machine
  const gauge = metrics.gauge.bind(metrics)
  const counter = metrics.counter.bind(metrics)
  // Raft
  gauge("etcd_server_has_leader", "Whether a leader is known.", () => member.leader !== 0)
  gauge("etcd_server_is_leader", "Whether this member leads.", () => member.status.role === "leader")
  counter(
    "etcd_server_leader_changes_seen_total",
    "Leaders that this member has seen come.",
    counts.leaderChanges
  )
  gauge(
    "etcd_server_proposals_committed_total",
    "The index up to which a quorum has the log.",
    () => member.status.commit
  )
  gauge(
    "etcd_server_proposals_applied_total",
    "The index up to which the log was applied.",
    () => machine.appliedIndex
  )
  gauge("etcd_server_proposals_pending", "Commands whose answer is awaited here.", () => member.pending)
  counter(
    "etcd_server_proposals_failed_total",
    "Commands that came to nothing, or of which that is not known.",
    counts.proposalsFailed
  )
  counter(
    "etcd_server_read_indexes_failed_total",
    "Linearizable reads that were refused.",
    counts.readsFailed
  )
  gauge("chainfire_raft_term", "The term of raft.", () => member.term)
  gauge(
    "chainfire_members_announced",
    "Members that have said with which data they began: none of them can come back without it.",
    () => [...machine.memberRecords.values()].filter(({ dataId }) => dataId !== "").length
  )
  gauge(
    "chainfire_snapshots_installed",
    "Snapshots that took the place of this member's state.",
    () => member.installs
  )
  gauge("chainfire_raft_log_entries", "Entries of the log that are not compacted.", () => {
    const { compactedIndex, lastIndex } = member.status
    return lastIndex - compactedIndex
  })
  gauge(
    "chainfire_disk_failed",
    "Whether this member takes part no longer.",
    () => member.failed !== undefined
  )
  metrics.counters("etcd_network_peer_sent_bytes_total", "Bytes to other members.", counts.peerSentBytes)
  metrics.counters(
    "etcd_network_peer_received_bytes_total",
    "Bytes from other members.",
    counts.peerReceivedBytes
  )
  // Storage
  metrics.histogram(
    "etcd_disk_wal_fsync_duration_seconds",
    "How long the journal takes until what was handed to it is durable.",
    counts.syncSeconds
  )
  gauge("etcd_mvcc_db_total_size_in_bytes", "Bytes of the store's file, free pages included.", storeBytes)
  gauge("etcd_debugging_mvcc_current_revision", "The revision of the store.", () => mvcc.revision)
  gauge(
    "etcd_debugging_mvcc_compact_revision",
    "Revisions before it are compacted.",
    () => mvcc.compactRevision
  )
  gauge(
    "etcd_debugging_mvcc_keys_total",
    "Keys in the store, once they are counted.",
    () => counts.keys.known
  )
  counter("etcd_mvcc_put_total", "Keys that were put.", counts.keysPut)
  counter("etcd_mvcc_delete_total", "Keys that were deleted.", counts.keysDeleted)
  // Leases and watches
  gauge("chainfire_leases", "Leases that there are.", () => lessor.ids.length)
  counter("etcd_debugging_lease_granted_total", "Leases that were granted.", counts.leasesGranted)
  counter("etcd_debugging_lease_revoked_total", "Leases that were revoked, or ran out.", counts.leasesRevoked)
  gauge("etcd_debugging_mvcc_watcher_total", "Watches of this member's clients.", () => hub.size)
  gauge(
    "etcd_debugging_mvcc_slow_watcher_total",
    "Of those, behind: they read the store when their client reads again.",
    () => hub.statuses.filter(({ state }) => state === "parked").length
  )
}
