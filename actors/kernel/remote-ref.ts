/**
 * The ref of an actor on the other side of a link.
 *
 * Like a local ref it names a place, not a life: it finds the link anew whenever links have come or
 * gone, so that it reaches the cell that a supervisor has started again and the node that is back.
 * Between the two it answers at once.
 */
import { Exit } from "effect"
import { ActorUnavailable } from "#protocols/delivery.ts"
import type { Definition } from "./actor.ts"
import type { Ask, Tagged } from "./ask.ts"
import { lost, type Peer } from "./peer.ts"
import type { ActorRef, Watcher } from "./ref.ts"
import type { ActorSystem } from "./system.ts"
import { traceOfNow } from "./tracing.ts"

export class RemoteRef implements ActorRef<Tagged> {
  readonly path: string
  readonly messages: Definition["messages"]
  readonly #system: ActorSystem
  #peer: Peer | undefined
  #foundAt = -1

  constructor(system: ActorSystem, path: string, messages: Definition["messages"]) {
    this.#system = system
    this.path = path
    this.messages = messages
  }

  get #link(): Peer | undefined {
    const { mountings } = this.#system
    if (this.#foundAt !== mountings) {
      this.#foundAt = mountings
      this.#peer = this.#system.peerOf(this.path)
    }
    return this.#peer
  }

  /** A cell will be back; whether a node will, nobody knows. */
  get #why(): "restarting" | "link lost" {
    return this.#system.isOwn(this.path) ? "restarting" : "link lost"
  }

  tell(message: Tagged): void {
    const peer = this.#link
    if (peer !== undefined) peer.tell(this.path, this.messages, message, traceOfNow(this.#system))
    else this.#system.deadLetters.add(this.path, message._tag, this.#why)
  }

  deliver(ask: Ask): void {
    const peer = this.#link
    if (peer !== undefined) return peer.ask(this.path, this.messages, ask)
    const target = { path: this.path, request: ask.request._tag }
    ask.settle(Exit.fail(new ActorUnavailable({ ...target, why: this.#why })))
  }

  addWatcher(watcher: Watcher): void {
    const peer = this.#link
    if (peer !== undefined) peer.watch(this.path, watcher)
    else watcher.notice(lost(this.path, "the link is down"))
  }

  removeWatcher(watcher: Watcher): void {
    this.#link?.unwatch(watcher)
  }
}
