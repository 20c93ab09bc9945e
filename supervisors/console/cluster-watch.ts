/**
 * The whole cluster as viewers see it: which nodes there are, the tree of each in samples, and their events.
 *
 * Nothing is asked while nobody looks. A tree is asked for again once it was answered, after a pause that grows with
 * its size and with what taking it in has cost, so that a cluster of any size costs its nodes about the same.
 */
import { Either, Schema } from "effect"
import { compile } from "#actors/kernel/codec.ts"
import { MemberRecord } from "#protocols/membership.ts"
import { ActorSnapshot } from "#protocols/runtime.ts"
import type { NodeTalk } from "./node-talk.ts"
import type { NodeState } from "./page/wire.ts"
import { TreeTable } from "./tree-table.ts"
import type { Viewer } from "./viewer.ts"

export const viewersMax = 16
const nodesMax = 64
const membersMillis = 2_000
const askMillis = 5_000
/** The shortest pause between two samples of a node. */
const pauseMillis = 1_000
/** Actors that are worth a millisecond of pause. */
const actorsPerMilli = 2.5
/** Taking samples in costs one part in so many of the time. */
const costShare = 20

/** What the codec has looked through is of the schema's type. */
const decoder = <A, I>(schema: Schema.Schema<A, I>) => {
  const codec = compile(schema)
  return (encoded: unknown) => codec.decode(encoded) as Either.Either<A, string>
}

const decodeTree = decoder(ActorSnapshot)
const decodeMembers = decoder(Schema.Array(MemberRecord))

interface Watched {
  readonly table: TreeTable
  /** A sample is under way. */
  asked: boolean
  nextMillis: number
  unreachable: string
  /** As membership says; nobody is asked who would not answer. */
  hasFailed: boolean
}

export class ClusterWatch {
  readonly #own: string
  readonly #talk: NodeTalk
  readonly #nowMillis: () => number
  readonly #viewers = new Set<Viewer>()
  readonly #nodes = new Map<string, Watched>()
  #membersMillis = Number.NEGATIVE_INFINITY

  constructor(own: string, talk: NodeTalk, nowMillis: () => number) {
    this.#own = own
    this.#talk = talk
    this.#nowMillis = nowMillis
  }

  get viewers(): number {
    return this.#viewers.size
  }

  get actors(): number {
    let sum = 0
    for (const { table } of this.#nodes.values()) sum += table.size
    return sum
  }

  join(viewer: Viewer): void {
    this.#viewers.add(viewer)
    const names = this.#names()
    viewer.nodes(this.#states())
    viewer.hear(names)
    for (const { table } of this.#nodes.values()) {
      if (table.size > 0) viewer.tree(table.node, "", () => table.whole())
    }
    this.tick()
  }

  leave(viewer: Viewer): void {
    if (!this.#viewers.delete(viewer)) return
    viewer.end()
    viewer.talk.close("the page was closed")
    // Nobody looks: what was known grows old, and is learned anew.
    if (this.#viewers.size === 0) this.#nodes.clear()
  }

  /** Those whose session has ended look no longer. */
  letGo(): void {
    for (const viewer of this.#viewers) if (!viewer.isLoggedIn()) this.leave(viewer)
  }

  /** To be called about once a second. */
  tick(): void {
    const nowMillis = this.#nowMillis()
    this.letGo()
    for (const viewer of this.#viewers) if (!viewer.tick(nowMillis)) this.leave(viewer)
    if (this.#viewers.size === 0) return
    if (!this.#nodes.has(this.#own)) this.#watch(this.#own)
    if (nowMillis >= this.#membersMillis) {
      this.#membersMillis = nowMillis + membersMillis
      void this.#lookForMembers()
    }
    for (const watched of this.#nodes.values()) {
      if (!watched.asked && !watched.hasFailed && nowMillis >= watched.nextMillis) void this.#sample(watched)
    }
    this.#tellNodes()
  }

  close(): void {
    for (const viewer of [...this.#viewers]) this.leave(viewer)
  }

  async #lookForMembers(): Promise<void> {
    const ended = await this.#talk.ask(`/${this.#own}/cluster/membership`, { _tag: "Members" }, askMillis)
    const members = ended[0] === "reply" ? decodeMembers(ended[1]) : Either.left("")
    if (Either.isLeft(members) || this.#viewers.size === 0) return
    const there = new Map(
      members.right
        .filter(({ name, status }) => status !== "left" || name === this.#own)
        .slice(0, nodesMax)
        .map(({ name, status }) => [name, status === "failed"])
    )
    for (const [name, hasFailed] of there) {
      const watched = this.#nodes.get(name) ?? this.#watch(name)
      watched.hasFailed = hasFailed
      if (hasFailed) watched.unreachable = "it has failed"
    }
    for (const name of this.#nodes.keys()) {
      if (name !== this.#own && !there.has(name)) this.#nodes.delete(name)
    }
    this.#tellNodes()
  }

  #watch(name: string): Watched {
    const table = new TreeTable(name)
    const watched = { table, asked: false, nextMillis: 0, unreachable: "", hasFailed: false }
    this.#nodes.set(name, watched)
    return watched
  }

  async #sample(watched: Watched): Promise<void> {
    const { table } = watched
    watched.asked = true
    const ended = await this.#talk.ask(`/${table.node}/cluster/introspection`, { _tag: "GetTree" }, askMillis)
    watched.asked = false
    if (this.#nodes.get(table.node) !== watched) return
    const fromMillis = this.#nowMillis()
    const tree = ended[0] === "reply" ? decodeTree(ended[1]) : Either.left(reasonOf(ended[1]))
    if (Either.isRight(tree)) {
      watched.unreachable = ""
      this.#tell(table, tree.right, fromMillis)
    } else watched.unreachable = tree.left
    const nowMillis = this.#nowMillis()
    watched.nextMillis =
      nowMillis +
      Math.max(pauseMillis, table.size / actorsPerMilli, (nowMillis - fromMillis) * costShare) -
      // Ticks come about once a second: one that comes a little early counts.
      100
    this.#tellNodes()
  }

  #tell(table: TreeTable, tree: ActorSnapshot, atMillis: number): void {
    const change = table.advance(tree, atMillis)
    let text: string | undefined
    for (const viewer of this.#viewers) {
      text ??= JSON.stringify(change)
      viewer.tree(table.node, text, () => table.whole())
    }
  }

  #names(): ReadonlySet<string> {
    return new Set(this.#nodes.keys())
  }

  #states(): ReadonlyArray<NodeState> {
    return [...this.#nodes.values()].map(({ table, unreachable }) => ({ node: table.node, unreachable }))
  }

  #tellNodes(): void {
    const names = this.#names()
    const states = this.#states()
    for (const viewer of this.#viewers) {
      viewer.hear(names)
      viewer.nodes(states)
    }
  }
}

/** Of a fault in its encoded form the tag is what can be said. */
const reasonOf = (fault: unknown): string => {
  if (typeof fault === "string") return fault
  const tag: unknown = typeof fault === "object" && fault !== null ? Reflect.get(fault, "_tag") : undefined
  return typeof tag === "string" ? tag : "it does not answer"
}
