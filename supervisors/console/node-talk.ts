/**
 * Talks to the actors of the cluster as a client does, without leaving the process: the frames of a client go to a
 * peer of this node, behind the gate of whoever is logged in. So what a page may do is what the same token may do in
 * a shell, and messages reach other nodes the same way.
 */
import type { Peer, PeerOptions } from "#actors/kernel/peer.ts"
import type { Frame } from "#protocols/wire/frames.ts"

/** How an ask ended; `lost` when this end was closed before. */
export type Ended =
  | readonly ["reply", value: unknown]
  | readonly ["failed", fault: unknown]
  | readonly ["died" | "lost", reason: string]

export interface FeedListener {
  readonly event: (encoded: unknown) => void
  readonly missed: (count: number) => void
  /** Nothing follows. */
  readonly over: (reason: string) => void
}

export interface Feed {
  /** So many more events may come. */
  readonly more: (count: number) => void
  readonly end: () => void
}

/** Asks of one page that are under way; more are refused at once. */
const askedMax = 256

export class NodeTalk {
  readonly #peer: Peer
  readonly #asked = new Map<number, (ended: Ended) => void>()
  readonly #feeds = new Map<number, FeedListener>()
  #ids = 0
  #closed: string | undefined

  constructor(open: (options: PeerOptions) => Peer, gate: PeerOptions["gate"]) {
    const send = (batch: ReadonlyArray<Frame>) => this.#take(batch)
    this.#peer = open({ send, ...(gate !== undefined && { gate }) })
  }

  ask(path: string, request: unknown, deadlineMillis: number): Promise<Ended> {
    if (this.#closed !== undefined) return Promise.resolve(["lost", this.#closed])
    if (this.#asked.size >= askedMax) {
      return Promise.resolve(["lost", `${askedMax} requests are under way already: wait for some of them`])
    }
    return new Promise((resolve) => {
      const id = ++this.#ids
      this.#asked.set(id, resolve)
      this.#peer.receive([["ask", id, path, deadlineMillis, request]])
    })
  }

  subscribe(path: string, tags: ReadonlyArray<string>, credit: number, listener: FeedListener): Feed {
    const id = ++this.#ids
    this.#feeds.set(id, listener)
    this.#peer.receive([["subscribe", id, path, tags, credit]])
    return {
      more: (count) => {
        if (this.#feeds.has(id)) this.#peer.receive([["more", id, count]])
      },
      end: () => {
        if (this.#feeds.delete(id)) this.#peer.receive([["unsubscribe", id]])
      }
    }
  }

  close(reason: string): void {
    if (this.#closed !== undefined) return
    this.#closed = reason
    this.#peer.close(reason)
    const asked = [...this.#asked.values()]
    this.#asked.clear()
    this.#feeds.clear()
    for (const resolve of asked) resolve(["lost", reason])
  }

  /** Everything is dealt with as it comes, and the peer is told so. */
  #take(batch: ReadonlyArray<Frame>): void {
    let taken = 0
    for (const frame of batch) {
      if (frame[0] === "taken") continue
      taken++
      this.#takeFrame(frame)
    }
    if (taken > 0 && this.#closed === undefined) this.#peer.receive([["taken", taken]])
  }

  #takeFrame(frame: Frame): void {
    switch (frame[0]) {
      case "reply":
        return this.#end(frame[1], ["reply", frame[2]])
      case "failed":
        return this.#end(frame[1], ["failed", frame[2]])
      case "died":
        return this.#end(frame[1], ["died", frame[2]])
      case "event":
        return this.#feeds.get(frame[1])?.event(frame[2])
      case "missed":
        return this.#feeds.get(frame[1])?.missed(frame[2])
    }
  }

  #end(id: number, ended: Ended): void {
    const feed = this.#feeds.get(id)
    if (feed !== undefined) {
      this.#feeds.delete(id)
      return feed.over(ended[0] === "failed" ? "it is not permitted, or nobody is there" : String(ended[1]))
    }
    const resolve = this.#asked.get(id)
    this.#asked.delete(id)
    resolve?.(ended)
  }
}
