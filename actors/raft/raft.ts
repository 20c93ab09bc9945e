/**
 * Raft (Ongaro 2014) as a state machine with nothing attached: one member of one group.
 *
 * Events go in with `step`, requests with `propose`, `change`, `read` and `transfer`; what is to be done comes out
 * of `take`, in one batch per turn of the shell, however many events the turn had. Time is an argument, from a
 * clock that does not jump back; dice are an argument too.
 *
 * The shell owes it:
 *
 * 1. Batches are carried out in the order in which they were taken; of one batch: stage `chunks`, `install`,
 *    `entries` (cutting the journal off at the first one's index), `hardState`; make it durable; only then step
 *    `Persisted(seq)`, if it `writes`. Batches may share one fsync.
 * 2. `messages` may leave at once. `persistedMessages` leave after this batch and all before it are durable.
 *    Messages may be lost, doubled, late and out of order; they may not be altered.
 * 3. `committed` is applied in order, after `install` brought what was before it, and then `Applied` is stepped.
 *    It needs no wait for the disk: it is durable already.
 * 4. A `Readable` read is answered from a state that has applied its index.
 * 5. `entriesWanted` and `chunksWanted` are answered, each by its event, whenever; with nothing if it is gone.
 * 6. `Tick` is stepped when `wakeMillis` has come.
 * 7. After a crash it gives the constructor exactly what is durable.
 * 8. If groups may fall asleep (`quiesceMillis`), it steps PeerDown and PeerUp, as it sees nodes go and come.
 *
 * Rules that only the leader knows are in raft-leader.ts, those of all members in raft-replica.ts.
 */
import type { Batch, ReadRefusal, Role, RoleChange } from "./raft-batch.ts"
import { check } from "./raft-check.ts"
import { checkConfig, type RaftConfig } from "./raft-config.ts"
import { ElectionClock, Votes } from "./raft-election.ts"
import { Leader } from "./raft-leader.ts"
import type { MemberChange, Membership } from "./raft-membership.ts"
import {
  type Append,
  type Chunk,
  type Entry,
  type Heartbeat,
  isFromLeader,
  type Message,
  type NodeId,
  nobody,
  type ReadIndex,
  type Snapshot,
  type Vote,
  type VoteReply
} from "./raft-messages.ts"
import type { Progress } from "./raft-progress.ts"
import type { Proposed, Refusal } from "./raft-proposals.ts"
import { ForwardedReads, isOwn } from "./raft-reads.ts"
import { type Remembered, Replica } from "./raft-replica.ts"
import { SnapshotReceiver } from "./raft-snapshots.ts"

export type RaftEvent =
  | { readonly _tag: "Tick" }
  | { readonly _tag: "Received"; readonly message: Message }
  | { readonly _tag: "Persisted"; readonly seq: number }
  | { readonly _tag: "Applied"; readonly index: number }
  /** At least one of what was wanted from `from` on. */
  | { readonly _tag: "Entries"; readonly from: number; readonly entries: ReadonlyArray<Entry> }
  | {
      readonly _tag: "SnapshotRead"
      readonly to: NodeId
      readonly snapshot: Snapshot
      readonly offset: number
      readonly data: Uint8Array | undefined
    }
  /** There is a durable snapshot of what has been applied up to `index`. */
  | { readonly _tag: "Snapshotted"; readonly index: number; readonly id: number; readonly bytes: number }
  /** The journal drops its entries up to `index`, which a snapshot has. */
  | { readonly _tag: "Compact"; readonly index: number }
  /** A message to it could not be sent. */
  | { readonly _tag: "Unreachable"; readonly node: NodeId }
  | { readonly _tag: "PeerDown"; readonly node: NodeId }
  | { readonly _tag: "PeerUp"; readonly node: NodeId }
  /** Ask for votes now, unless it, or the others, stick to a leader. */
  | { readonly _tag: "Campaign" }

export interface RaftStatus {
  readonly id: NodeId
  readonly role: Role
  readonly term: number
  readonly leader: NodeId
  readonly membership: Membership
  readonly commit: number
  readonly lastIndex: number
  readonly durableIndex: number
  readonly compactedIndex: number
  readonly snapshotIndex: number
  readonly memoryEntries: number
  readonly memoryBytes: number
  readonly uncommittedBytes: number
  readonly isQuiesced: boolean
  readonly transferringTo: NodeId | undefined
  /** Of a leader. */
  readonly progress: ReadonlyMap<NodeId, Progress> | undefined
}

interface Candidacy {
  readonly votes: Votes
  readonly isPre: boolean
  readonly isTransfer: boolean
}

export class Raft {
  readonly #replica: Replica
  readonly #clock: ElectionClock
  readonly #forwarded: ForwardedReads
  readonly #receiver: SnapshotReceiver
  readonly #down = new Set<NodeId>()
  #leader: NodeId = nobody
  #candidacy: Candidacy | undefined
  #leadership: Leader | undefined
  #told: RoleChange

  constructor(
    id: NodeId,
    config: RaftConfig,
    remembered: Remembered,
    nowMillis: number,
    random: () => number
  ) {
    checkConfig(config)
    check(Number.isSafeInteger(id) && id > nobody, "a member has a positive whole number")
    this.#replica = new Replica(id, config, remembered)
    this.#clock = new ElectionClock(config, random, nowMillis, this.#replica.term === 0)
    this.#forwarded = new ForwardedReads(Math.floor(random() * 2 ** 47))
    this.#receiver = new SnapshotReceiver(remembered.staged)
    this.#told = { role: "follower", term: this.#replica.term, leader: nobody }
    if (this.#isAlone || this.#replica.isFirstOfAll) this.#clock.ring(nowMillis)
  }

  get id(): NodeId {
    return this.#replica.id
  }

  get term(): number {
    return this.#replica.term
  }

  get role(): Role {
    if (this.#leadership !== undefined) return "leader"
    return this.#candidacy === undefined ? "follower" : this.#candidacy.isPre ? "pre-candidate" : "candidate"
  }

  get leader(): NodeId {
    return this.#leader
  }

  get commit(): number {
    return this.#replica.commit
  }

  get membership(): Membership {
    return this.#replica.membership
  }

  get isQuiesced(): boolean {
    return this.#leadership?.isQuiesced ?? this.#clock.isStopped
  }

  /** When it wants its next `Tick`. */
  get wakeMillis(): number {
    if (this.#leadership !== undefined) return this.#leadership.wakeMillis
    return Math.min(this.#clock.deadlineMillis, this.#forwarded.wakeMillis)
  }

  /** There is nothing to take before `wakeMillis`, as after most heartbeats; a leader is never sure of that. */
  get isAtRest(): boolean {
    const mayAct = this.#leadership !== undefined || this.#forwarded.size > 0
    return !mayAct && this.#isTold && this.#replica.isAtRest
  }

  get status(): RaftStatus {
    const { commit, durableIndex, id, log, membership, snapshot, term } = this.#replica
    return {
      id,
      role: this.role,
      term,
      leader: this.#leader,
      membership,
      commit,
      lastIndex: log.lastIndex,
      durableIndex,
      compactedIndex: log.baseIndex,
      snapshotIndex: snapshot.index,
      memoryEntries: log.memoryEntries,
      memoryBytes: log.memoryBytes,
      uncommittedBytes: this.#leadership?.uncommittedBytes ?? 0,
      isQuiesced: this.isQuiesced,
      transferringTo: this.#leadership?.transferringTo,
      progress: this.#leadership?.progress
    }
  }

  /** Of what is compacted or not there, nothing is known. */
  termOf(index: number): number | undefined {
    return this.#replica.log.termOf(index)
  }

  /** What a snapshot at `index` has to keep. */
  membershipAt(index: number): Membership {
    return this.#replica.memberships.at(index)
  }

  // Requests

  propose(data: Uint8Array, nowMillis: number): Proposed | Refusal {
    return this.#leadership?.propose(data, nowMillis) ?? this.#notLeader
  }

  change(changes: ReadonlyArray<MemberChange>, nowMillis: number): Proposed | Refusal {
    return this.#leadership?.change(changes, nowMillis) ?? this.#notLeader
  }

  /** To the member that has most of the log, unless one is named. */
  transfer(to: NodeId | undefined, nowMillis: number): Proposed | Refusal {
    return this.#leadership?.transfer(to, nowMillis) ?? this.#notLeader
  }

  /** The outcome comes in a batch, under the number that the shell gives here. */
  read(read: number, nowMillis: number): void {
    const { config, out } = this.#replica
    const refuse = (reason: ReadRefusal) => out.read({ _tag: "Refused", read, reason })
    if ((this.#leadership?.reads ?? this.#forwarded).size >= config.readsMax) return refuse("Overloaded")
    if (this.#leadership !== undefined) this.#leadership.read({ from: nobody, request: read }, nowMillis)
    else if (this.#leader !== nobody) this.#forwarded.add(read)
    else refuse("NoLeader")
  }

  step(event: RaftEvent, nowMillis: number): void {
    const leadership = this.#leadership
    switch (event._tag) {
      case "Tick":
        this.#tick(nowMillis)
        break
      case "Received":
        this.#receive(event.message, nowMillis)
        break
      case "Persisted":
        this.#replica.persisted(event.seq)
        leadership?.persisted(nowMillis)
        this.#countOwnVote(nowMillis)
        break
      case "Applied":
        this.#replica.applied(event.index)
        break
      case "Entries":
        this.#replica.entriesRead(event.from, event.entries)
        leadership?.entriesRead(event.from, event.entries)
        break
      case "SnapshotRead":
        leadership?.chunkRead(event.to, event.snapshot, event.offset, event.data, nowMillis)
        break
      case "Snapshotted":
        this.#replica.snapshotted(event.index, event.id, event.bytes)
        break
      case "Compact":
        this.#replica.compact(event.index)
        leadership?.compacted(nowMillis)
        break
      case "Unreachable":
        leadership?.unreachable(event.node)
        break
      case "PeerDown":
        this.#down.add(event.node)
        leadership?.peerChanged(event.node, nowMillis)
        if (leadership === undefined && event.node === this.#leader) this.#clock.lost(nowMillis)
        break
      case "PeerUp":
        this.#down.delete(event.node)
        leadership?.peerChanged(event.node, nowMillis)
        break
      case "Campaign":
        if (leadership === undefined && !this.#clock.sticks(nowMillis)) this.#campaign(true, false, nowMillis)
        break
    }
    if (this.#leadership?.isOver === true) this.#becomeFollower(this.term, nobody, nowMillis)
  }

  /** Everything to be done since the last time, if there is anything. */
  take(nowMillis: number): Batch | undefined {
    const { config, id, out, term } = this.#replica
    this.#leadership?.flush(nowMillis)
    const request = this.#forwarded.send(nowMillis + config.electionMillis)
    if (request !== undefined) out.send({ _tag: "ReadIndex", from: id, to: this.#leader, term, request })
    return this.#replica.take(this.#roleChange())
  }

  get #notLeader(): Refusal {
    return { _tag: "NotLeader", leader: this.#leader }
  }

  get #isAlone(): boolean {
    const { id, membership } = this.#replica
    return membership.voters.length === 1 && membership.voters[0] === id && !membership.isJoint
  }

  get #isTold(): boolean {
    const { leader, role, term } = this.#told
    return leader === this.#leader && role === this.role && term === this.term
  }

  #roleChange(): RoleChange | undefined {
    if (this.#isTold) return undefined
    this.#told = { role: this.role, term: this.term, leader: this.#leader }
    return this.#told
  }

  // Elections

  #tick(nowMillis: number): void {
    if (this.#leadership !== undefined) return this.#leadership.tick(nowMillis)
    for (const outcome of this.#forwarded.overdue(nowMillis)) this.#replica.out.read(outcome)
    if (nowMillis >= this.#clock.deadlineMillis) this.#campaign(true, false, nowMillis)
  }

  #campaign(isPre: boolean, isTransfer: boolean, nowMillis: number): void {
    const { id, log, membership, out } = this.#replica
    this.#clock.restart(nowMillis)
    if (isPre && this.#replica.isFirstOfAll) this.#clock.askAgainSoon(nowMillis)
    if (!this.#replica.mayCampaign) return
    this.#setLeader(nobody)
    this.#candidacy = { votes: new Votes(), isPre, isTransfer }
    if (!isPre) this.#replica.setTerm(this.term + 1, id)
    const term = isPre ? this.term + 1 : this.term
    for (const to of membership.members) {
      if (to === id || !membership.isVoter(to)) continue
      const { lastIndex, lastTerm } = log
      const vote: Vote = {
        _tag: "Vote",
        from: id,
        to,
        term,
        pre: isPre,
        transfer: isTransfer,
        lastIndex,
        lastTerm
      }
      // What it says of its log, and its vote for itself, must not be forgotten while others act upon it.
      if (isPre) out.send(vote)
      else out.sendPersisted(vote)
    }
    this.#countOwnVote(nowMillis)
  }

  #countOwnVote(nowMillis: number): void {
    const candidacy = this.#candidacy
    if (candidacy === undefined || !(candidacy.isPre || this.#replica.hasDurableVote)) return
    candidacy.votes.add(this.id, true)
    this.#judge(candidacy, nowMillis)
  }

  #judge({ isPre, isTransfer, votes }: Candidacy, nowMillis: number): void {
    const verdict = votes.verdict(this.membership)
    if (verdict === "lost") {
      this.#candidacy = undefined
    } else if (verdict === "won" && isPre) this.#campaign(false, isTransfer, nowMillis)
    else if (verdict === "won") {
      this.#candidacy = undefined
      this.#setLeader(this.id)
      this.#leadership = new Leader(this.#replica, this.#down, nowMillis)
      // The others are to learn at once who won.
      this.#leadership.tick(nowMillis)
    }
  }

  #becomeFollower(term: number, leader: NodeId, nowMillis: number): void {
    if (term > this.term) this.#replica.setTerm(term, nobody)
    this.#candidacy = undefined
    if (this.#leadership !== undefined) {
      const { id, out } = this.#replica
      for (const read of this.#leadership.reads.takeAll()) {
        const { from: to, request } = read
        if (isOwn(read)) out.read({ _tag: "Refused", read: request, reason: "LeaderLost" })
        else
          out.send({
            _tag: "ReadIndexReply",
            from: id,
            to,
            term: this.term,
            request,
            index: 0,
            refused: true
          })
      }
      this.#leadership = undefined
      this.#clock.restart(nowMillis)
    }
    this.#setLeader(leader)
  }

  #setLeader(leader: NodeId): void {
    if (leader === this.#leader) return
    this.#leader = leader
    for (const outcome of this.#forwarded.takeAll("LeaderLost")) this.#replica.out.read(outcome)
  }

  // Receiving

  #receive(message: Message, nowMillis: number): void {
    const { from, term } = message
    if (message.to !== this.id) return
    if (message._tag === "Vote" && !message.transfer && this.#sticksTo(from, nowMillis)) {
      this.#doubt(nowMillis)
      return
    }
    if (term > this.term) {
      const isAboutNext =
        (message._tag === "Vote" && message.pre) ||
        (message._tag === "VoteReply" && message.pre && message.granted)
      if (!isAboutNext) this.#becomeFollower(term, isFromLeader(message) ? from : nobody, nowMillis)
    } else if (term < this.term) {
      // A leader of old, or one who asks in its ignorance, learns of the term.
      if (isFromLeader(message)) this.#answerAwake(from)
      else if (message._tag === "Vote") this.#replyVote(message, false)
      else if (message._tag === "ReadIndex") this.#refuseRead(message)
      return
    }
    this.#dispatch(message, nowMillis)
  }

  #dispatch(message: Message, nowMillis: number): void {
    const leadership = this.#leadership
    switch (message._tag) {
      case "Vote":
        return this.#vote(message, nowMillis)
      case "VoteReply":
        return this.#voted(message, nowMillis)
      case "Append":
        return this.#append(message, nowMillis)
      case "AppendReply":
        leadership?.wake(nowMillis)
        return leadership?.appendReply(message, nowMillis)
      case "Heartbeat":
        return this.#heartbeat(message, nowMillis)
      case "HeartbeatReply":
        return leadership?.heartbeatReply(message, nowMillis)
      case "Chunk":
        return this.#chunk(message, nowMillis)
      case "ChunkReply":
        return leadership?.chunkReply(message, nowMillis)
      case "TimeoutNow":
        if (leadership === undefined) this.#campaign(false, true, nowMillis)
        return
      case "ReadIndex":
        if (leadership === undefined || leadership.reads.size >= this.#replica.config.readsMax)
          return this.#refuseRead(message)
        return leadership.read({ from: message.from, request: message.request }, nowMillis)
      case "ReadIndexReply":
        for (const outcome of this.#forwarded.answered(message.request, message.index, message.refused))
          this.#replica.out.read(outcome)
        return
    }
  }

  /** A candidate that we take for the leader is not that any more. */
  #sticksTo(candidate: NodeId, nowMillis: number): boolean {
    if (this.#leadership !== undefined) return true
    return candidate !== this.#leader && this.#clock.sticks(nowMillis)
  }

  /** Somebody misses the leader of a group that is asleep: wake it, and mind our own clock. */
  #doubt(nowMillis: number): void {
    this.#leadership?.wake(nowMillis)
    if (this.#leadership !== undefined || !this.#clock.isStopped) return
    this.#clock.heard(nowMillis)
    if (this.#leader !== nobody) this.#answerAwake(this.#leader)
  }

  /** Tells a leader the term, and that it is not asleep. It confirms no round. */
  #answerAwake(to: NodeId): void {
    const { id, out, term } = this.#replica
    out.send({ _tag: "HeartbeatReply", from: id, to, term, round: 0, quiesced: false })
  }

  #vote(message: Vote, nowMillis: number): void {
    const { from, lastIndex, lastTerm, pre, term } = message
    const mayVote =
      (pre && term > this.term) ||
      (this.#replica.mayVoteFor(from) && (this.#leader === nobody || this.#leader === from))
    const granted = mayVote && this.#replica.log.isUpToDate(lastIndex, lastTerm)
    if (granted && !pre) {
      this.#replica.setTerm(term, from)
      this.#candidacy = undefined
      this.#clock.restart(nowMillis)
    }
    this.#replyVote(message, granted)
  }

  #replyVote({ from: to, pre, term }: Vote, granted: boolean): void {
    const { id, out } = this.#replica
    const about = granted ? term : this.term
    const reply: VoteReply = { _tag: "VoteReply", from: id, to, term: about, pre, granted }
    if (granted && !pre) out.sendPersisted(reply)
    else out.send(reply)
  }

  #voted({ from, granted, pre, term }: VoteReply, nowMillis: number): void {
    const candidacy = this.#candidacy
    if (candidacy === undefined || candidacy.isPre !== pre) return
    if (granted && term !== (pre ? this.term + 1 : this.term)) return
    candidacy.votes.add(from, granted)
    this.#judge(candidacy, nowMillis)
  }

  // Following

  #follow(leader: NodeId, nowMillis: number): void {
    check(this.#leadership === undefined, "a term has one leader")
    if (this.#candidacy !== undefined || this.#leader !== leader)
      this.#becomeFollower(this.term, leader, nowMillis)
    this.#clock.heard(nowMillis)
  }

  #append({ commit, entries, from, prevIndex, prevTerm, round }: Append, nowMillis: number): void {
    this.#follow(from, nowMillis)
    const { log } = this.#replica
    const isKnown = log.matches(prevIndex, prevTerm)
    if (!isKnown && prevIndex > this.commit) {
      const hintIndex = log.hint(prevIndex, prevTerm)
      const hintTerm = log.termOf(hintIndex) ?? 0
      return this.#replyAppend(from, { index: prevIndex, rejected: true, hintIndex, hintTerm, round })
    }
    check(isKnown || prevIndex < log.baseIndex, "what is committed here is in the leader's log")
    const lastIndex = prevIndex + entries.length
    if (this.#replica.accept(entries) && this.#isAlone) this.#clock.restart(nowMillis)
    if (lastIndex >= log.baseIndex) this.#replica.commitTo(Math.min(commit, lastIndex))
    this.#accepted(from, Math.max(lastIndex, this.commit), round)
  }

  #accepted(leader: NodeId, index: number, round: number): void {
    this.#replyAppend(leader, { index, rejected: false, hintIndex: 0, hintTerm: 0, round })
  }

  #replyAppend(
    to: NodeId,
    reply: {
      readonly index: number
      readonly rejected: boolean
      readonly hintIndex: number
      readonly hintTerm: number
      readonly round: number
    }
  ): void {
    const { id, out, term } = this.#replica
    const message: Message = { _tag: "AppendReply", from: id, to, term, ...reply }
    // A lease may rest on the round, and whoever comes back without the term takes itself for new and sticks to nobody.
    if (reply.rejected) out.send(this.#replica.hasDurableTerm ? message : { ...message, round: 0 })
    else out.sendPersisted(message)
  }

  #heartbeat({ commit, from, quiesce, round }: Heartbeat, nowMillis: number): void {
    this.#follow(from, nowMillis)
    const { hasDurableTerm, id, log, out, term } = this.#replica
    check(commit <= log.lastIndex, "a leader counts on no more than is durable here")
    this.#replica.commitTo(commit)
    const quiesced = quiesce && log.lastIndex === commit && this.#replica.isSettled && !this.#down.has(from)
    if (quiesced) this.#clock.stop()
    if (round === 0) return
    const reply: Message = { _tag: "HeartbeatReply", from: id, to: from, term, round, quiesced }
    // As with AppendReply, for the sake of leases.
    if (hasDurableTerm) out.send(reply)
    else out.sendPersisted(reply)
  }

  #chunk(message: Chunk, nowMillis: number): void {
    const { from, snapshot } = message
    this.#follow(from, nowMillis)
    const { id, log, out, term } = this.#replica
    if (snapshot.index <= this.commit || log.matches(snapshot.index, snapshot.term)) {
      this.#receiver.clear()
      this.#replica.commitTo(snapshot.index)
      return this.#accepted(from, this.commit, 0)
    }
    const reception = this.#receiver.receive(message)
    const rejected = reception === "rejected"
    const { offset } = this.#receiver
    const { id: snapshotId, index } = snapshot
    if (!rejected) out.stage({ snapshot, offset: message.offset, data: message.data })
    out.send({ _tag: "ChunkReply", from: id, to: from, term, index, id: snapshotId, offset, rejected })
    if (reception !== "complete") return
    this.#receiver.clear()
    this.#replica.install(snapshot)
    this.#accepted(from, snapshot.index, 0)
  }

  #refuseRead({ from: to, request }: ReadIndex): void {
    const { id, out, term } = this.#replica
    out.send({ _tag: "ReadIndexReply", from: id, to, term, request, index: 0, refused: true })
  }
}
