/**
 * One page that looks: a stream of server-sent events that never waits for its reader and never grows without end.
 *
 *   trees    what changed; one that does not read is left out, and gets the tree whole when it reads again
 *   events   as many as there is credit for, which is given as they are read; the node counts what it left out
 *
 * One that has read nothing for half a minute is let go: its browser comes back by itself.
 */
import type { ServerResponse } from "node:http"
import { Option, Schema } from "effect"
import type { Gate } from "#actors/kernel/gate.ts"
import type { Feed, NodeTalk } from "./node-talk.ts"
import type { Hello, NodeState, StreamMessages, TreeChange } from "./page/wire.ts"
import { answerLimits, shown } from "./shown.ts"

/** Of what was written and not taken by the network. */
const waitingBytesMax = 1024 * 1024
const silentMillisMax = 30_000
/** Then its browser comes again, and is asked again who it is. */
const lookingMillisMax = 300_000
/** Events ahead of a reader. */
const creditMax = 256

const Tagged = Schema.Struct({ _tag: Schema.String }, { key: Schema.String, value: Schema.Unknown })
const decodeTagged = Schema.decodeUnknownOption(Tagged)

/** What says nothing that the failure before it did not say. */
const isEcho = (event: typeof Tagged.Type): boolean =>
  event._tag === "ActorEnded" && event["reason"] === "crashed"

export interface ViewerOptions {
  readonly response: ServerResponse
  readonly gate: Gate
  readonly talk: NodeTalk
  readonly tags: ReadonlyArray<string>
  readonly nowMillis: number
  /** Whether the session that it looks in lasts. */
  readonly isLoggedIn: () => boolean
}

export class Viewer {
  readonly gate: Gate
  readonly talk: NodeTalk
  readonly isLoggedIn: () => boolean
  readonly #response: ServerResponse
  readonly #tags: ReadonlyArray<string>
  /** Nodes whose tree it has, up to the last change. */
  readonly #current = new Set<string>()
  readonly #feeds = new Map<string, { readonly feed: Feed; used: number }>()
  readonly #beganMillis: number
  #readMillis: number
  #nodesText = ""
  /** Trees that it did not get, since it did not read. */
  leftOut = 0

  constructor({ gate, isLoggedIn, nowMillis, response, tags, talk }: ViewerOptions) {
    this.gate = gate
    this.talk = talk
    this.isLoggedIn = isLoggedIn
    this.#response = response
    this.#tags = tags
    this.#beganMillis = nowMillis
    this.#readMillis = nowMillis
  }

  begin(hello: Hello): void {
    this.#response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" })
    this.#response.write("retry: 1000\n\n")
    this.#send("hello", hello)
  }

  /** The same that a shell needs for `tree`. */
  seesTree(node: string): boolean {
    return this.gate.observes(`/${node}/cluster/introspection`)
  }

  /** Only what differs from what it was told last: one that does not read is told once it reads again. */
  nodes(states: ReadonlyArray<NodeState>): void {
    if (this.#isBehind) return
    const seen = states.filter(({ node }) => this.seesTree(node) || this.gate.observes(`/${node}`))
    const text = JSON.stringify(seen)
    if (text === this.#nodesText) return
    this.#nodesText = text
    this.#write("nodes", text)
  }

  /** `changeText` is the change as JSON, written once for all viewers. */
  tree(node: string, changeText: string, whole: () => TreeChange): void {
    if (!this.seesTree(node)) return
    if (this.#isBehind) {
      this.leftOut++
      this.#current.delete(node)
    } else if (this.#current.has(node)) this.#write("tree", changeText)
    else {
      this.#current.add(node)
      this.#send("tree", whole())
    }
  }

  /** Hears the events of these nodes from now on, of others no longer. Asked again, it mends what was lost. */
  hear(nodes: ReadonlySet<string>): void {
    for (const [node, { feed }] of this.#feeds) {
      if (nodes.has(node)) continue
      feed.end()
      this.#feeds.delete(node)
    }
    for (const node of nodes) {
      if (this.#feeds.has(node) || !this.gate.observes(`/${node}`)) continue
      const feed = this.talk.subscribe(`/${node}`, this.#tags, creditMax, {
        event: (encoded) => this.event(node, encoded),
        missed: (count) => this.#send("missed", { node, count }),
        over: () => this.#feeds.delete(node)
      })
      this.#feeds.set(node, { feed, used: 0 })
    }
  }

  event(node: string, encoded: unknown): void {
    const heard = this.#feeds.get(node)
    if (heard !== undefined) heard.used++
    const event = decodeTagged(encoded)
    if (Option.isNone(event) || isEcho(event.value)) return
    this.#write("event", JSON.stringify({ node, event: shown(event.value, answerLimits) }))
  }

  /** Gives credit to whoever was read; false: its time is over, or it has read nothing for too long. */
  tick(nowMillis: number): boolean {
    if (nowMillis - this.#beganMillis > lookingMillisMax) return false
    if (this.#isBehind) return nowMillis - this.#readMillis < silentMillisMax
    this.#readMillis = nowMillis
    for (const heard of this.#feeds.values()) {
      if (heard.used === 0) continue
      heard.feed.more(heard.used)
      heard.used = 0
    }
    // Tells both ends that the connection lives.
    this.#response.write(": \n\n")
    return true
  }

  end(): void {
    this.#feeds.clear()
    this.#response.end()
    if (this.#isBehind) this.#response.destroy()
  }

  get #isBehind(): boolean {
    return this.#response.writableLength > waitingBytesMax
  }

  #send<Name extends keyof StreamMessages>(name: Name, message: StreamMessages[Name]): void {
    this.#write(name, JSON.stringify(message))
  }

  #write(name: keyof StreamMessages, json: string): void {
    this.#response.write(`event: ${name}\ndata: ${json}\n\n`)
  }
}
