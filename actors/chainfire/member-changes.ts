/**
 * Who the members are, and how that changes while the group serves. Only the leader changes anything, one voter
 * at a time, each change through the log.
 *
 *   add ──► record ──► learner ──► announces itself ──► has caught up ──► voter
 *   remove ──► no quorum would be lost ──► out of raft's membership ──► record dropped
 *
 * Whoever is added gets the log first and votes once it has it, also when its client asked for a voter at once:
 * a member that has nothing counts for the quorum and cannot help it (etcd issue 10537). What a crash of the
 * leader leaves in the middle, the next one finds in the records and brings to its end: `tend`.
 */
import { Either } from "effect"
import type { MemberChange, Membership } from "#actors/raft/raft-membership.ts"
import type { NodeId } from "#actors/raft/raft-messages.ts"
import type { Replacement } from "#protocols/chainfire.ts"
import { MemberRemoveRequest } from "#protocols/wire/etcd/cluster.ts"
import { type EtcdError, etcdErrors } from "#protocols/wire/etcd/errors.ts"
import { type Command, encodeCommand } from "./command.ts"
import type { Member, Proposed } from "./member.ts"
import { MemberRecord } from "./member-records.ts"
import {
  aborted,
  begin,
  canAbort,
  decide,
  encodeReplacement,
  isUnderWay,
  type ReplacementAction
} from "./replacement.ts"

/** etcd allows one. Each gets all of the log. */
const learnersMax = 3
const leftMax = 100
const urlsMax = 10
const urlBytesMax = 512
/** What is proposed again if nothing came of it. */
const againMillis = 5_000
/** In entries: while others write, nobody is ever wholly level. */
const readyLagMax = 100

export type Done = (refused: EtcdError | undefined) => void

export interface MemberChangesPorts {
  /** Monotonic. */
  readonly nowMillis: () => number
  /** Milliseconds since 1970, for people. */
  readonly wallMillis: () => number
  readonly random: () => number
}

/** What raft knows of a member that the leader replicates to. */
export interface Followed {
  readonly isAlive: boolean
  readonly match: number
}

export class MemberChanges {
  readonly #member: Member
  /** As the group was configured: known from the first moment, until there are records. */
  readonly #initial: ReadonlyMap<NodeId, MemberRecord>
  readonly #ports: MemberChangesPorts
  #records: ReadonlyMap<NodeId, MemberRecord> = new Map()
  #recordsVersion = -1
  /** Members whose addition has begun here. */
  readonly #adding = new Set<NodeId>()
  /** Where those lived that are members no more. */
  readonly #left = new Map<NodeId, string>()
  #againMillis = 0
  #replacement: Replacement | undefined
  #replacementVersion = -1
  /** The replacement for which a read was linearizable here. */
  #readFor = 0

  constructor(member: Member, initial: ReadonlyArray<MemberRecord>, ports: MemberChangesPorts) {
    this.#member = member
    this.#initial = new Map(initial.map((record) => [Number(record.ID), record]))
    this.#ports = ports
  }

  get #known(): ReadonlyMap<NodeId, MemberRecord> {
    const { machine } = this.#member
    if (this.#recordsVersion !== machine.membersVersion) {
      const before = this.#records
      this.#records = machine.memberRecords
      for (const [id, record] of before) if (!this.#records.has(id)) this.#left.set(id, record.name)
      for (const id of this.#left.keys()) if (this.#left.size > leftMax) this.#left.delete(id)
      this.#recordsVersion = machine.membersVersion
    }
    return this.#records
  }

  /** In the order of their ids. */
  get members(): ReadonlyArray<MemberRecord> {
    const { membership } = this.#member
    return membership.members.map((id) => {
      const isLearner = !membership.isVoter(id)
      return { ...(this.record(id) ?? MemberRecord.make({ ID: BigInt(id) })), isLearner }
    })
  }

  record(id: NodeId): MemberRecord | undefined {
    return this.#known.get(id) ?? this.#initial.get(id)
  }

  /** Of the node that it lives on; undefined until it has announced itself. */
  nameOf(id: NodeId): string | undefined {
    const name = this.record(id)?.name
    return name === "" ? undefined : name
  }

  /**
   * The node of a sender that was removed and does not know it, since nobody replicates to it any more. Only a
   * leader can tell, and only of messages of its own term or an earlier one.
   */
  expelled(from: NodeId, term: number): string | undefined {
    const { leads, membership } = this.#member
    if (!leads || term > this.#member.term || membership.has(from)) return undefined
    return this.#left.get(from) ?? this.#initial.get(from)?.name
  }

  // Changes, on the leader

  /** Gives the member, which is a learner yet. */
  add(
    given: { readonly peerURLs: ReadonlyArray<string>; readonly isLearner: boolean },
    done: (outcome: Either.Either<MemberRecord, EtcdError>) => void
  ): void {
    const { isLearner, peerURLs } = given
    const { membership } = this.#member
    if (!areUrls(peerURLs)) return done(Either.left(etcdErrors.memberBadUrls))
    const taken = new Set(this.members.flatMap((member) => member.peerURLs))
    if (peerURLs.some((url) => taken.has(url))) return done(Either.left(etcdErrors.peerUrlExists))
    if (membership.learners.length >= learnersMax) return done(Either.left(etcdErrors.tooManyLearners))
    const id = 1 + Math.floor(this.#ports.random() * (2 ** 53 - 2))
    const record = MemberRecord.make({ ID: BigInt(id), peerURLs: [...peerURLs], isLearner })
    this.#adding.add(id)
    const ended = (refused: EtcdError | undefined) => {
      this.#adding.delete(id)
      done(refused === undefined ? Either.right({ ...record, isLearner: true }) : Either.left(refused))
    }
    this.#set(record, (refused) => {
      if (refused !== undefined) return ended(refused)
      this.#change({ _tag: "AddLearner", node: id }, ended)
    })
  }

  /** Refused unless it has nearly all of the log and answers. */
  promote(id: NodeId, done: Done): void {
    const { membership } = this.#member
    const record = this.record(id)
    if (!membership.has(id)) return done(etcdErrors.memberNotFound)
    if (membership.isVoter(id)) return done(etcdErrors.memberNotLearner)
    if (record === undefined || record.name === "") return done(etcdErrors.learnerNotReady)
    this.#change({ _tag: "AddVoter", node: id }, (refused) => {
      if (refused !== undefined) return done(refused)
      this.#set({ ...record, isLearner: false }, done)
    })
  }

  /** Refused when what is left of the voters, as far as they answer, would be no quorum. */
  remove(id: NodeId, done: Done): void {
    const { membership } = this.#member
    if (!membership.has(id)) return done(etcdErrors.memberNotFound)
    if (membership.isVoter(id) && !this.keepsQuorum(id)) return done(etcdErrors.memberNotEnoughStarted)
    this.#change({ _tag: "Remove", node: id }, (refused) => {
      if (refused !== undefined) return done(refused)
      this.#propose("DropMember", MemberRemoveRequest.encode({ ID: BigInt(id) }), () => done(undefined))
    })
  }

  update(id: NodeId, peerURLs: ReadonlyArray<string>, done: Done): void {
    const record = this.record(id)
    if (record === undefined || !this.#member.membership.has(id)) return done(etcdErrors.memberNotFound)
    if (!areUrls(peerURLs)) return done(etcdErrors.memberBadUrls)
    const others = this.members.filter((member) => member.ID !== record.ID)
    if (others.some((member) => member.peerURLs.some((url) => peerURLs.includes(url))))
      return done(etcdErrors.peerUrlExists)
    this.#set({ ...record, peerURLs: [...peerURLs] }, done)
  }

  /** A node that was added says who it is. It is known by one of its URLs. */
  announce(
    given: {
      readonly name: string
      readonly peerUrl: string
      readonly clientUrl: string
      readonly dataId: string
    },
    done: (outcome: Either.Either<MemberRecord, EtcdError>) => void
  ): void {
    const { clientUrl, dataId, name, peerUrl } = given
    const found = this.members.find(({ peerURLs }) => peerURLs.includes(peerUrl))
    if (found === undefined) return done(Either.left(etcdErrors.memberNotFound))
    // It may have voted, and has forgotten it.
    if (found.dataId !== "" && found.dataId !== dataId) return done(Either.left(etcdErrors.memberExists))
    const isMeantToLearn = this.record(Number(found.ID))?.isLearner ?? false
    const record = { ...found, name, clientURLs: [clientUrl], isLearner: isMeantToLearn, dataId }
    if (found.name === name && found.clientURLs.includes(clientUrl) && found.dataId !== "")
      return done(Either.right(record))
    this.#set(record, (refused) => done(refused === undefined ? Either.right(record) : Either.left(refused)))
  }

  /** Whether the group could still commit without this voter. */
  keepsQuorum(without: NodeId): boolean {
    const { id, membership } = this.#member
    const left = membership.voters.filter((voter) => voter !== without)
    const alive = left.filter((voter) => voter === id || this.followed(voter)?.isAlive === true)
    return left.length > 0 && alive.length >= (left.length >> 1) + 1
  }

  followed(id: NodeId): Followed | undefined {
    return this.#member.followed(id)
  }

  // What is left to do

  /** Called now and then on every member; the leader brings to an end what was begun. */
  tend(): void {
    if (!this.#member.leads || this.#ports.nowMillis() < this.#againMillis) return
    const replacement = this.replacement
    if (replacement !== undefined && isUnderWay(replacement) && this.#advance(replacement)) return
    const { membership } = this.#member
    const known = this.#known
    const unnamed = membership.members.find((id) => !known.has(id) && this.#initial.has(id))
    const orphan = [...known.keys()].find((id) => !membership.has(id) && !this.#adding.has(id))
    const grown = membership.learners.find((id) => this.#isReady(id, membership))
    if (unnamed !== undefined)
      this.#later((done) => this.#set(this.#initial.get(unnamed) as MemberRecord, done))
    else if (orphan !== undefined) {
      const request = MemberRemoveRequest.encode({ ID: BigInt(orphan) })
      this.#later((done) => this.#propose("DropMember", request, done))
    } else if (grown !== undefined) this.#later((done) => this.promote(grown, done))
  }

  // Replacing one by another

  get replacement(): Replacement | undefined {
    const { machine } = this.#member
    if (this.#replacementVersion !== machine.membersVersion) {
      this.#replacement = machine.replacement
      this.#replacementVersion = machine.membersVersion
    }
    return this.#replacement
  }

  replace(
    old: NodeId,
    peerUrl: string,
    done: (outcome: Either.Either<Replacement, EtcdError | string>) => void
  ): void {
    const { replacement } = this
    if (replacement !== undefined && isUnderWay(replacement))
      return done(Either.left(`member ${replacement.old} is being replaced by ${replacement.peerUrl}`))
    if (!this.#member.membership.has(old)) return done(Either.left(etcdErrors.memberNotFound))
    if (!areUrls([peerUrl])) return done(Either.left(etcdErrors.memberBadUrls))
    if (this.members.some(({ peerURLs }) => peerURLs.includes(peerUrl)))
      return done(Either.left(etcdErrors.peerUrlExists))
    const begun = begin((replacement?.id ?? 0) + 1, old, peerUrl, this.#ports.wallMillis())
    this.#record(begun, (refused) => done(refused === undefined ? Either.right(begun) : Either.left(refused)))
  }

  abortReplacement(done: (outcome: Either.Either<Replacement, EtcdError | string>) => void): void {
    const { replacement } = this
    if (replacement === undefined || !isUnderWay(replacement)) return done(Either.left("none is under way"))
    if (!canAbort(replacement)) return done(Either.left(`member ${replacement.added} has a vote already`))
    const over = aborted(replacement, this.#ports.wallMillis(), this.#member.status.commit)
    this.#record(over, (refused) => {
      if (refused !== undefined) return done(Either.left(refused))
      const added = this.#withUrl(replacement.peerUrl)
      if (added === undefined) return done(Either.right(over))
      this.remove(added, (kept) => done(kept === undefined ? Either.right(over) : Either.left(kept)))
    })
  }

  /** Whether there was something to do. */
  #advance(replacement: Replacement): boolean {
    const { id, old, peerUrl } = replacement
    const { machine, membership, status } = this.#member
    const added = this.#withUrl(peerUrl)
    const followed = added === undefined ? undefined : this.followed(added)
    // Whoever leads has all there is.
    const match =
      added === this.#member.id ? status.commit : followed?.isAlive === true ? followed.match : undefined
    const action = decide(replacement, {
      atMillis: this.#ports.wallMillis(),
      commit: status.commit,
      revision: machine.mvcc.revision,
      added,
      isNamed: added !== undefined && this.nameOf(added) !== undefined,
      isVoter: added !== undefined && membership.isVoter(added),
      isOldMember: membership.has(old),
      match,
      keepsQuorum: this.keepsQuorum(old),
      hasRead: this.#readFor === id
    })
    const begin = this.#actionOf(action, replacement, added)
    if (begin !== undefined) this.#later(begin)
    return begin !== undefined
  }

  #actionOf(
    action: ReplacementAction,
    { id, old, peerUrl }: Replacement,
    added: NodeId | undefined
  ): ((done: Done) => void) | undefined {
    switch (action._tag) {
      case "Wait":
        return undefined
      case "Record":
        return (done) => this.#record(action.next, done)
      case "Add":
        return (done) =>
          this.add({ peerURLs: [peerUrl], isLearner: true }, (outcome) =>
            done(Either.isLeft(outcome) ? outcome.left : undefined)
          )
      case "Promote":
        return added === undefined ? undefined : (done) => this.promote(added, done)
      case "Remove":
        return (done) => this.remove(old, done)
      case "Read":
        return (done) =>
          this.#member.read((refused) => {
            if (refused === undefined) this.#readFor = id
            done(refused === undefined ? undefined : etcdErrors.timeout)
          })
    }
  }

  #record(replacement: Replacement, done: Done): void {
    this.#propose("SetReplacement", encodeReplacement(replacement), done)
  }

  #withUrl(peerUrl: string): NodeId | undefined {
    const found = this.members.find(({ peerURLs }) => peerURLs.includes(peerUrl))
    return found === undefined ? undefined : Number(found.ID)
  }

  /** A learner that was meant to vote, and may. */
  #isReady(id: NodeId, { voters }: Membership): boolean {
    const record = this.record(id)
    const { status } = this.#member
    const followed = this.followed(id)
    if (record === undefined || record.isLearner || record.name === "" || followed?.isAlive !== true)
      return false
    const alive = voters.filter(
      (voter) => voter === this.#member.id || this.followed(voter)?.isAlive === true
    )
    return (
      followed.match > 0 &&
      followed.match >= status.commit - readyLagMax &&
      alive.length + 1 >= ((voters.length + 1) >> 1) + 1
    )
  }

  #later(begin: (done: Done) => void): void {
    this.#againMillis = this.#ports.nowMillis() + againMillis
    begin((refused) => {
      if (refused === undefined) this.#againMillis = 0
    })
  }

  #set(record: MemberRecord, done: Done): void {
    this.#propose("SetMember", MemberRecord.encode(record), done)
  }

  #propose(kind: Command["_tag"], request: Uint8Array, done: Done): void {
    this.#member.propose(encodeCommand(kind, request), (proposed) => done(faultOf(proposed)))
  }

  #change(change: MemberChange, done: Done): void {
    this.#member.change([change], (proposed) => done(faultOf(proposed)))
  }
}

const faultOf = (proposed: Proposed): EtcdError | undefined => {
  switch (proposed._tag) {
    case "Applied":
      return Either.isLeft(proposed.outcome) ? proposed.outcome.left : undefined
    case "Superseded":
      return etcdErrors.leaderChanged
    case "TimedOut":
      return etcdErrors.timeout
    case "Failed":
      return etcdErrors.stopped
    case "Refused":
      switch (proposed.refusal._tag) {
        case "NotCaughtUp":
          return etcdErrors.learnerNotReady
        case "NotLeader":
          return etcdErrors.notLeader
        case "InvalidChange":
          return etcdErrors.memberNotEnoughStarted
        default:
          return etcdErrors.unhealthy
      }
  }
}

/** `http://host:port`, without a path, as etcd has it. */
const areUrls = (urls: ReadonlyArray<string>): boolean =>
  urls.length > 0 &&
  urls.length <= urlsMax &&
  urls.every(
    (url) => url.length <= urlBytesMax && /^https?:\/\/(\[[0-9a-fA-F:.]+\]|[^\s/:[\]]+):\d{1,5}$/.test(url)
  )
