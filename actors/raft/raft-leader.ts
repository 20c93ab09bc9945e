/**
 * A leadership: everything a member has only while it leads, thrown away when it steps down.
 *
 * An event changes what is known; `flush`, once a turn, sends what follows from it, so that all proposals of a
 * turn travel in one Append. Entries go out before they are durable here: the leader's own disk is one
 * of the quorum like any other, and counts once it has them. Only an entry of the own term is committed by
 * counting, and all before it with it (dissertation 3.6.2).
 *
 * A leader that has not heard of a quorum for T steps down, since its followers may have chosen another. One
 * that is removed leads until that is committed, counting itself for nothing, and hands over.
 *
 * Heartbeats go out at their interval, but of a follower that needs nothing only every few are to be answered: round 0
 * wants no answer. One that is not heard of is asked with each.
 */
import { check } from "./raft-check.ts"
import { leaseMillis } from "./raft-config.ts"
import { encodeMembership, type MemberChange, type Membership } from "./raft-membership.ts"
import {
  type AppendReply,
  type ChunkReply,
  type Entry,
  entryBytes,
  type HeartbeatReply,
  isSameSnapshot,
  type NodeId,
  type Snapshot
} from "./raft-messages.ts"
import { Progress } from "./raft-progress.ts"
import type { Proposed, Refusal } from "./raft-proposals.ts"
import { isOwn, type Read, ReadRounds } from "./raft-reads.ts"
import type { Replica } from "./raft-replica.ts"
import type { SnapshotStream } from "./raft-snapshots.ts"

const noData = new Uint8Array(0)
const noEntries: ReadonlyArray<Entry> = []

interface Transfer {
  readonly to: NodeId
  readonly endMillis: number
  isTold: boolean
}

export class Leader {
  readonly reads = new ReadRounds()
  readonly progress = new Map<NodeId, Progress>()
  readonly #replica: Replica
  readonly #down: ReadonlySet<NodeId>
  /** Its first entry; once that is committed, everything before is known to be. */
  readonly #termStart: number
  #transfer: Transfer | undefined
  /** Somebody was told to campaign, and voters do not stick to us for that. The message may arrive late. */
  #isLeaseVoid = false
  #uncommittedBytes = 0
  #nextBeatMillis: number
  #idleMillis: number
  /** Answers to later rounds are about what is the case now. */
  #idleRound = 0
  #isQuiesced = false
  #isOver = false

  constructor(replica: Replica, down: ReadonlySet<NodeId>, nowMillis: number) {
    this.#replica = replica
    this.#down = down
    this.#nextBeatMillis = nowMillis
    this.#idleMillis = nowMillis
    this.#fitProgress(nowMillis)
    this.#termStart = replica.append("noop", noData).index
  }

  /** It has to step down. */
  get isOver(): boolean {
    return this.#isOver
  }

  get isQuiesced(): boolean {
    return this.#isQuiesced
  }

  get transferringTo(): NodeId | undefined {
    return this.#transfer?.to
  }

  get uncommittedBytes(): number {
    return this.#uncommittedBytes
  }

  get wakeMillis(): number {
    if (this.#isQuiesced) return Number.POSITIVE_INFINITY
    const endMillis = this.#transfer?.endMillis ?? Number.POSITIVE_INFINITY
    return this.progress.size === 0 ? endMillis : Math.min(endMillis, this.#nextBeatMillis)
  }

  // Requests

  propose(data: Uint8Array, nowMillis: number): Proposed | Refusal {
    if (this.#transfer !== undefined) return { _tag: "Transferring", to: this.#transfer.to }
    const { uncommittedBytesMax } = this.#replica.config
    if (this.#uncommittedBytes > 0 && this.#uncommittedBytes + data.length > uncommittedBytesMax)
      return { _tag: "Overloaded", uncommittedBytes: this.#uncommittedBytes }
    this.#touch(nowMillis)
    const entry = this.#replica.append("normal", data)
    this.#uncommittedBytes += entryBytes(entry)
    return { _tag: "Proposed", index: entry.index, term: entry.term }
  }

  change(changes: ReadonlyArray<MemberChange>, nowMillis: number): Proposed | Refusal {
    if (this.#transfer !== undefined) return { _tag: "Transferring", to: this.#transfer.to }
    const { commit, config, log, membership, memberships } = this.#replica
    if (commit < this.#termStart || memberships.index > commit || membership.isJoint)
      return { _tag: "ChangeInFlight", index: memberships.index }
    const next = membership.changed(changes)
    if (next.voters.length === 0) return { _tag: "InvalidChange", reason: "nobody would vote" }
    if (next.equals(membership)) return { _tag: "InvalidChange", reason: "it changes nothing" }
    for (const node of next.voters) {
      if (membership.isVoter(node)) continue
      const progress = this.progress.get(node)
      const lag = log.lastIndex - (progress?.match ?? 0)
      const isAlive = progress !== undefined && this.#isHeard(progress, nowMillis)
      if (!isAlive || progress.match === 0 || lag > config.promotionLagMax)
        return { _tag: "NotCaughtUp", node, lag }
    }
    return this.#changeTo(next, nowMillis)
  }

  transfer(to: NodeId | undefined, nowMillis: number): Proposed | Refusal {
    if (this.#transfer !== undefined) return { _tag: "Transferring", to: this.#transfer.to }
    const { config, id, log, membership, term } = this.#replica
    const target = to ?? this.#successor(nowMillis)
    if (target === undefined || target === id || !membership.voters.includes(target))
      return { _tag: "InvalidTransfer", to: target }
    this.#touch(nowMillis)
    this.#transfer = { to: target, endMillis: nowMillis + config.electionMillis, isTold: false }
    this.#advanceTransfer()
    return { _tag: "Proposed", index: log.lastIndex, term }
  }

  read(read: Read, nowMillis: number): void {
    this.#touch(nowMillis)
    this.reads.add(read)
  }

  // News

  tick(nowMillis: number): void {
    if (this.#transfer !== undefined && nowMillis >= this.#transfer.endMillis) this.#transfer = undefined
    if (this.#isQuiesced || nowMillis < this.#nextBeatMillis) return
    const { config, id, membership } = this.#replica
    const heardMillis = membership.reached((node) =>
      node === id ? nowMillis : (this.progress.get(node)?.heardMillis ?? 0)
    )
    if (nowMillis - heardMillis >= config.electionMillis) {
      this.#isOver = true
      return
    }
    this.#nextBeatMillis = (Math.floor(nowMillis / config.heartbeatMillis) + 1) * config.heartbeatMillis
    this.#beat(nowMillis, this.#canQuiesce(nowMillis))
    for (const [node, progress] of this.progress) {
      if (progress.stream?.isStuck(nowMillis, config.electionMillis) && progress.stream.isSent)
        this.#probeInstalled(node, progress.stream)
    }
  }

  appendReply({ from, hintIndex, hintTerm, index, rejected, round }: AppendReply, nowMillis: number): void {
    const progress = this.#heard(from, round, nowMillis)
    if (progress === undefined) return
    const { log } = this.#replica
    if (rejected) progress.rejected(index, log.hint(hintIndex, hintTerm))
    else {
      check(index <= log.lastIndex, "a follower has no more of our log than we have")
      if (progress.accepted(index)) this.#advanceCommit(nowMillis)
      this.#advanceTransfer()
    }
  }

  heartbeatReply({ from, quiesced, round }: HeartbeatReply, nowMillis: number): void {
    if (!quiesced) this.wake(nowMillis)
    const progress = this.#heard(from, round, nowMillis)
    if (progress === undefined) return
    progress.quiesced = quiesced && round > this.#idleRound && this.#canQuiesce(nowMillis)
    if (progress.quiesced) {
      this.#isQuiesced = [...this.progress.values()].every((one) => one.quiesced || one.isDown)
      return
    }
    // The answer shows that the link works: what has not come of earlier messages will not come.
    if (progress.beat()) this.#append(from, progress, noEntries)
  }

  chunkReply({ from, id, index, offset, rejected }: ChunkReply, nowMillis: number): void {
    const stream = this.#heard(from, 0, nowMillis)?.stream
    if (stream?.snapshot.index === index && stream.snapshot.id === id)
      stream.answered(offset, rejected, nowMillis)
  }

  /** What the own disk has. */
  persisted(nowMillis: number): void {
    this.#advanceCommit(nowMillis)
  }

  entriesRead(from: number, entries: ReadonlyArray<Entry>): void {
    for (const [node, progress] of this.progress) {
      if (progress.readingFrom !== from) continue
      progress.readingFrom = 0
      const isUseful = progress.next === from && entries.length > 0 && progress.canTake(this.#replica.config)
      if (isUseful && this.#replica.isOurs(from, entries)) this.#append(node, progress, entries)
    }
  }

  /** No data: the shell has the snapshot no more. */
  chunkRead(to: NodeId, snapshot: Snapshot, offset: number, data: Uint8Array | undefined, now: number): void {
    const progress = this.progress.get(to)
    if (progress?.stream === undefined || !isSameSnapshot(progress.stream.snapshot, snapshot)) return
    if (data === undefined) {
      if (isSameSnapshot(this.#replica.snapshot, snapshot)) progress.stopSnapshot()
      else progress.startSnapshot(this.#replica.snapshot, now)
      return
    }
    const { id, out, term } = this.#replica
    out.send({ _tag: "Chunk", from: id, to, term, snapshot, offset, data })
  }

  /** Streams of a snapshot that the log does not continue any more begin anew with the newest. */
  compacted(nowMillis: number): void {
    const { log, snapshot } = this.#replica
    for (const progress of this.progress.values()) {
      if (progress.stream !== undefined && progress.stream.snapshot.index < log.baseIndex)
        progress.startSnapshot(snapshot, nowMillis)
    }
  }

  unreachable(node: NodeId): void {
    this.progress.get(node)?.lost()
  }

  peerChanged(node: NodeId, nowMillis: number): void {
    const progress = this.progress.get(node)
    if (progress === undefined) return
    progress.isDown = this.#down.has(node)
    this.#touch(nowMillis)
  }

  /** Goes on where it fell asleep. */
  wake(nowMillis: number): void {
    if (this.#isQuiesced) this.#touch(nowMillis)
  }

  /** Once a turn: sends what the turn has led to. */
  flush(nowMillis: number): void {
    this.#flushReads(nowMillis)
    for (const [node, progress] of this.progress) this.#replicate(node, progress, nowMillis)
  }

  // Reads

  #flushReads(nowMillis: number): void {
    if (!this.reads.wantsRound || this.#replica.commit < this.#termStart) return
    if (this.hasLease(nowMillis))
      for (const read of this.reads.takeWaiting()) this.#answer(read, this.#replica.commit)
    else this.#beat(nowMillis, false)
  }

  hasLease(nowMillis: number): boolean {
    const millis = leaseMillis(this.#replica.config)
    return millis > 0 && !this.#isLeaseVoid && nowMillis < this.reads.confirmedMillis + millis
  }

  /** The newest round that a quorum has obeyed. */
  confirmedRound(): number {
    const { id, membership } = this.#replica
    return membership.reached((node) =>
      node === id ? this.reads.round : (this.progress.get(node)?.round ?? 0)
    )
  }

  #confirmReads(): void {
    for (const read of this.reads.confirm(this.confirmedRound())) this.#answer(read, read.index)
  }

  #answer(read: Read, index: number): void {
    const { id, out, term } = this.#replica
    const { from, request } = read
    if (isOwn(read)) out.read({ _tag: "Readable", read: request, index })
    else out.send({ _tag: "ReadIndexReply", from: id, to: from, term, request, index, refused: false })
  }

  #beat(nowMillis: number, quiesce: boolean): void {
    const { commit, id, out, term } = this.#replica
    this.reads.begin(nowMillis, commit >= this.#termStart ? commit : undefined)
    const { round } = this.reads
    for (const [to, progress] of this.progress) {
      progress.quiesced &&= quiesce
      progress.commitSent = Math.min(progress.match, commit)
      out.send({
        _tag: "Heartbeat",
        from: id,
        to,
        term,
        commit: progress.commitSent,
        round: quiesce || this.#wantsAnswer(progress, nowMillis) ? round : 0,
        quiesce: quiesce && !progress.isDown
      })
    }
    this.#confirmReads()
  }

  /** An answer tells nothing new of one that has all of the log and was heard of a moment ago. */
  #wantsAnswer({ heardMillis, match, state }: Progress, nowMillis: number): boolean {
    const { config, log } = this.#replica
    const isCaughtUp = state === "replicate" && match === log.lastIndex
    const isAsked = this.reads.size > 0 || leaseMillis(config) > 0
    return isAsked || !isCaughtUp || nowMillis - heardMillis >= config.electionMillis / 4
  }

  #heard(from: NodeId, round: number, nowMillis: number): Progress | undefined {
    const progress = this.progress.get(from)
    if (progress === undefined) return undefined
    progress.heardMillis = nowMillis
    if (round > progress.round) {
      progress.round = round
      this.#confirmReads()
    }
    return progress
  }

  // Replication

  #replicate(node: NodeId, progress: Progress, nowMillis: number): void {
    const { commit, config, id, log, out, term } = this.#replica
    // Whoever is new is asked what it has, even if there is nothing to send.
    while ((progress.next <= log.lastIndex || progress.state === "probe") && progress.canTake(config)) {
      if (progress.next <= log.baseIndex) {
        this.#startStream(progress, nowMillis)
        break
      }
      const { appendBytesMax, appendEntriesMax } = config
      const entries =
        progress.next > log.lastIndex
          ? noEntries
          : log.slice(progress.next, log.lastIndex, appendEntriesMax, appendBytesMax)
      if (entries === undefined) {
        progress.readingFrom = progress.next
        const to = Math.min(log.memoryFirst - 1, progress.next + appendEntriesMax - 1)
        out.want({ from: progress.next, to, bytesMax: appendBytesMax })
        break
      }
      this.#append(node, progress, entries)
    }
    if (progress.stream !== undefined) {
      for (const offset of progress.stream.next(config)) {
        const { snapshot } = progress.stream
        const bytesMax = Math.min(config.chunkBytes, snapshot.bytes - offset)
        out.wantChunk({ to: node, snapshot, offset, bytesMax })
      }
    }
    const known = Math.min(commit, progress.match)
    if (known > progress.commitSent && progress.state === "replicate") {
      progress.commitSent = known
      out.send({ _tag: "Heartbeat", from: id, to: node, term, commit: known, round: 0, quiesce: false })
    }
  }

  #append(to: NodeId, progress: Progress, entries: ReadonlyArray<Entry>): void {
    const { commit, id, log, out, term } = this.#replica
    const prevIndex = progress.next - 1
    const prevTerm = log.termOf(prevIndex)
    // What it is missing has been compacted away meanwhile.
    if (prevTerm === undefined) return progress.lost()
    const { round } = this.reads
    out.send({ _tag: "Append", from: id, to, term, prevIndex, prevTerm, commit, round, entries })
    const lastIndex = prevIndex + entries.length
    progress.commitSent = Math.max(progress.commitSent, Math.min(commit, lastIndex))
    let bytes = 0
    for (const entry of entries) bytes += entryBytes(entry)
    if (entries.length > 0 || progress.state === "probe") progress.sent(lastIndex, bytes)
  }

  #startStream(progress: Progress, nowMillis: number): void {
    const { config, snapshot } = this.#replica
    let streams = 0
    for (const one of this.progress.values()) if (one.stream !== undefined) streams++
    if (streams < config.streamsMax && this.#isHeard(progress, nowMillis))
      progress.startSnapshot(snapshot, nowMillis)
  }

  /** An empty Append behind the snapshot is accepted by whoever has installed it. */
  #probeInstalled(to: NodeId, { snapshot }: SnapshotStream): void {
    const { commit, id, out, term } = this.#replica
    const { round } = this.reads
    const [prevIndex, prevTerm] = [snapshot.index, snapshot.term]
    out.send({ _tag: "Append", from: id, to, term, prevIndex, prevTerm, commit, round, entries: noEntries })
  }

  // Commit

  #advanceCommit(nowMillis: number): void {
    const { commit, id, log, membership } = this.#replica
    const index = membership.reached((node) =>
      node === id ? this.#replica.durableIndex : (this.progress.get(node)?.match ?? 0)
    )
    if (index <= commit || !this.mayCommit(index)) return
    this.#replica.commitTo(index)
    for (let at = Math.max(commit + 1, this.#termStart + 1); at <= index; at++) {
      const entry = log.entry(at)
      if (entry?.kind === "normal") this.#uncommittedBytes -= entryBytes(entry)
    }
    this.#membershipCommitted(nowMillis)
  }

  mayCommit(index: number): boolean {
    return this.#replica.log.termOf(index) === this.#replica.term
  }

  #membershipCommitted(nowMillis: number): void {
    const { commit, id, isVoter, membership, memberships, out, term } = this.#replica
    if (memberships.index > commit) return
    if (membership.isJoint) {
      this.#changeTo(membership.left(), nowMillis)
      // Whoever votes alone commits it at once, when it is durable.
    } else if (!isVoter) {
      this.flush(nowMillis)
      const to = this.#successor(nowMillis)
      if (to !== undefined) out.send({ _tag: "TimeoutNow", from: id, to, term })
      this.#isOver = true
    }
  }

  #changeTo(membership: Membership, nowMillis: number): Proposed {
    this.#touch(nowMillis)
    const { index, term } = this.#replica.append("change", encodeMembership(membership))
    this.#fitProgress(nowMillis)
    return { _tag: "Proposed", index, term }
  }

  #fitProgress(nowMillis: number): void {
    const { id, log, membership } = this.#replica
    for (const node of this.progress.keys()) if (!membership.has(node)) this.progress.delete(node)
    for (const node of membership.members) {
      if (node === id || this.progress.has(node)) continue
      const progress = new Progress(log.lastIndex + 1, nowMillis)
      progress.isDown = this.#down.has(node)
      this.progress.set(node, progress)
    }
  }

  // Transfer and sleep

  #advanceTransfer(): void {
    const transfer = this.#transfer
    const { id, log, out, term } = this.#replica
    if (transfer === undefined || transfer.isTold) return
    if (this.progress.get(transfer.to)?.match !== log.lastIndex) return
    transfer.isTold = true
    this.#isLeaseVoid = true
    out.send({ _tag: "TimeoutNow", from: id, to: transfer.to, term })
  }

  /** The voter that has most of the log, of those that live. */
  #successor(nowMillis: number): NodeId | undefined {
    let best: NodeId | undefined
    for (const node of this.#replica.membership.voters) {
      const progress = this.progress.get(node)
      if (progress === undefined || !this.#isHeard(progress, nowMillis)) continue
      const bestMatch = best === undefined ? -1 : (this.progress.get(best)?.match ?? -1)
      if (progress.match > bestMatch) best = node
    }
    return best
  }

  #isHeard({ heardMillis }: Progress, nowMillis: number): boolean {
    return nowMillis - heardMillis < this.#replica.config.electionMillis
  }

  #touch(nowMillis: number): void {
    this.#idleMillis = nowMillis
    this.#idleRound = this.reads.round
    for (const progress of this.progress.values()) progress.quiesced = false
    if (!this.#isQuiesced) return
    this.#isQuiesced = false
    this.#nextBeatMillis = nowMillis
    for (const progress of this.progress.values()) progress.heardMillis = nowMillis
  }

  #canQuiesce(nowMillis: number): boolean {
    const { commit, config, id, isSettled, log, membership } = this.#replica
    if (nowMillis - this.#idleMillis < config.quiesceMillis || this.progress.size === 0) return false
    if (!isSettled || commit !== log.lastIndex || membership.isJoint) return false
    if (this.reads.size > 0 || this.#transfer !== undefined) return false
    for (const { isDown, match, state } of this.progress.values())
      if (!isDown && (state !== "replicate" || match !== log.lastIndex)) return false
    return membership.reached((node) => (node === id || !this.progress.get(node)?.isDown ? 1 : 0)) === 1
  }
}
