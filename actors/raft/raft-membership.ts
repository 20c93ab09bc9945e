/**
 * Who belongs to a group, and what counts as a quorum of it.
 *
 * A change of one voter needs no joint phase: any majority before and any majority after share a member.
 * A change of more goes through a *joint* membership, in which `outgoing` are the voters before and
 * every decision takes a majority of both; the leader leaves it by itself once it is committed.
 *
 * A membership holds from the moment it is in the log of a member, committed or not (dissertation 4.1),
 * so an entry carries all of it and not the difference, and a log that is cut back goes back to the one
 * before. `Memberships` is that history.
 */
import { ByteReader, ByteWriter, numberBytes, RaftCodecError } from "./raft-bytes.ts"
import { check } from "./raft-check.ts"
import type { Entry, NodeId } from "./raft-messages.ts"

export type MemberChange =
  /** Gets the log and does not vote; a voter is demoted to that. */
  | { readonly _tag: "AddLearner"; readonly node: NodeId }
  /** Promotes a learner that has caught up. */
  | { readonly _tag: "AddVoter"; readonly node: NodeId }
  | { readonly _tag: "Remove"; readonly node: NodeId }

export type Verdict = "won" | "lost" | "pending"

const membersMax = 1_000

export class Membership {
  readonly voters: ReadonlyArray<NodeId>
  /** The voters before, while the change is under way; else nobody. */
  readonly outgoing: ReadonlyArray<NodeId>
  /** May name a voter of `outgoing`, that becomes one. */
  readonly learners: ReadonlyArray<NodeId>

  constructor(
    voters: ReadonlyArray<NodeId>,
    learners: ReadonlyArray<NodeId> = [],
    outgoing: ReadonlyArray<NodeId> = []
  ) {
    this.voters = sorted(voters)
    this.learners = sorted(learners)
    this.outgoing = sorted(outgoing)
  }

  get isJoint(): boolean {
    return this.outgoing.length > 0
  }

  isVoter(node: NodeId): boolean {
    return this.voters.includes(node) || this.outgoing.includes(node)
  }

  has(node: NodeId): boolean {
    return this.isVoter(node) || this.learners.includes(node)
  }

  get members(): ReadonlyArray<NodeId> {
    return sorted([...this.voters, ...this.outgoing, ...this.learners])
  }

  /** The largest value that a quorum has reached, of both sides if it is joint. */
  reached(valueOf: (node: NodeId) => number): number {
    const incoming = reachedBy(this.voters, valueOf)
    return this.isJoint ? Math.min(incoming, reachedBy(this.outgoing, valueOf)) : incoming
  }

  verdict(votes: ReadonlyMap<NodeId, boolean>): Verdict {
    const incoming = verdictOf(this.voters, votes)
    if (!this.isJoint || incoming === "lost") return incoming
    const outgoing = verdictOf(this.outgoing, votes)
    return outgoing === "won" ? incoming : outgoing
  }

  changed(changes: ReadonlyArray<MemberChange>): Membership {
    const voters = new Set(this.voters)
    const learners = new Set(this.learners)
    for (const { _tag, node } of changes) {
      voters.delete(node)
      learners.delete(node)
      if (_tag === "AddVoter") voters.add(node)
      if (_tag === "AddLearner") learners.add(node)
    }
    const isSmall =
      [...voters].filter((node) => !this.voters.includes(node)).length +
        this.voters.filter((node) => !voters.has(node)).length <=
      1
    return new Membership([...voters], [...learners], isSmall ? [] : this.voters)
  }

  /** What it becomes when the joint phase ends. */
  left(): Membership {
    return new Membership(this.voters, this.learners)
  }

  equals(other: Membership): boolean {
    return `${this}` === `${other}`
  }

  toString(): string {
    const out = this.isJoint ? ` from ${this.outgoing}` : ""
    return `voters ${this.voters}${out}${this.learners.length > 0 ? ` learners ${this.learners}` : ""}`
  }
}

/** The memberships that the log has had since it was compacted, oldest first. */
export class Memberships {
  readonly #held: Array<{ readonly index: number; readonly membership: Membership }>

  constructor(index: number, membership: Membership) {
    this.#held = [{ index, membership }]
  }

  get current(): Membership {
    return this.#newest.membership
  }

  /** The entry that made the current one. */
  get index(): number {
    return this.#newest.index
  }

  at(index: number): Membership {
    const held = this.#held.findLast((one) => one.index <= index)
    check(held !== undefined, "a membership is asked for within the log")
    return held.membership
  }

  add({ data, index }: Entry): void {
    check(index > this.index, "memberships come in the order of the log")
    this.#held.push({ index, membership: decodeMembership(data) })
  }

  truncateFrom(index: number): boolean {
    let isChanged = false
    while (this.#held.length > 1 && this.index >= index) {
      this.#held.pop()
      isChanged = true
    }
    return isChanged
  }

  compact(index: number): void {
    while ((this.#held[1]?.index ?? Number.POSITIVE_INFINITY) <= index) this.#held.shift()
  }

  restore(index: number, membership: Membership): void {
    this.#held.length = 0
    this.#held.push({ index, membership })
  }

  get #newest() {
    const newest = this.#held.at(-1)
    check(newest !== undefined, "a group always has a membership")
    return newest
  }
}

export const membershipBytes = ({ learners, outgoing, voters }: Membership): number =>
  [voters, learners, outgoing].reduce(
    (bytes, nodes) =>
      bytes + numberBytes(nodes.length) + nodes.reduce((sum, node) => sum + numberBytes(node), 0),
    0
  )

export const writeMembership = (writer: ByteWriter, { learners, outgoing, voters }: Membership): void => {
  for (const nodes of [voters, learners, outgoing]) {
    writer.number(nodes.length)
    for (const node of nodes) writer.number(node)
  }
}

export const readMembership = (reader: ByteReader): Membership => {
  const nodes = (): ReadonlyArray<NodeId> => {
    const count = reader.count(1)
    if (count > membersMax) throw new RaftCodecError(`a group of ${count} is more than ${membersMax}`)
    return Array.from({ length: count }, () => reader.number())
  }
  const voters = nodes()
  const learners = nodes()
  return new Membership(voters, learners, nodes())
}

export const encodeMembership = (membership: Membership): Uint8Array => {
  const writer = new ByteWriter(membershipBytes(membership))
  writeMembership(writer, membership)
  return writer.bytes
}

export const decodeMembership = (bytes: Uint8Array): Membership => {
  const reader = new ByteReader(bytes)
  const membership = readMembership(reader)
  reader.end()
  return membership
}

const sorted = (nodes: ReadonlyArray<NodeId>): ReadonlyArray<NodeId> =>
  [...new Set(nodes)].toSorted((one, other) => one - other)

/** Groups are small: inserting beats sorting. Nobody is no quorum of anything. */
const reachedBy = (nodes: ReadonlyArray<NodeId>, valueOf: (node: NodeId) => number): number => {
  const values: Array<number> = []
  for (const node of nodes) {
    const value = valueOf(node)
    let at = values.length
    values.push(value)
    for (; at > 0; at--) {
      const before = values[at - 1] as number
      if (before >= value) break
      values[at] = before
    }
    values[at] = value
  }
  return values[nodes.length >> 1] ?? 0
}

const verdictOf = (nodes: ReadonlyArray<NodeId>, votes: ReadonlyMap<NodeId, boolean>): Verdict => {
  const majority = (nodes.length >> 1) + 1
  const granted = nodes.filter((node) => votes.get(node) === true).length
  if (granted >= majority) return "won"
  const refused = nodes.filter((node) => votes.get(node) === false).length
  return nodes.length - refused < majority ? "lost" : "pending"
}
