/**
 * The ref of an actor on the other side of a link.
 *
 * Like a local ref it names a place, not a life: it looks for the link at each use, so that it reaches
 * the cell that a supervisor has started anew. Between the two it answers at once.
 */
import { Exit } from "effect"
import { ActorUnavailable } from "#protocols/delivery.ts"
import type { Definition } from "./actor.ts"
import type { Ask, Tagged } from "./ask.ts"
import { lost } from "./peer.ts"
import type { ActorRef, Watcher } from "./ref.ts"
import type { ActorSystem } from "./system.ts"

export class RemoteRef implements ActorRef<Tagged> {
  readonly path: string
  readonly #system: ActorSystem
  readonly #messages: Definition["messages"]

  constructor(system: ActorSystem, path: string, definition: Definition) {
    this.#system = system
    this.path = path
    this.#messages = definition.messages
  }

  tell(message: Tagged): void {
    const peer = this.#system.peerOf(this.path)
    if (peer !== undefined) peer.tell(this.path, this.#messages, message)
    else this.#system.deadLetters.add(this.path, message._tag, "restarting")
  }

  deliver(ask: Ask): void {
    const peer = this.#system.peerOf(this.path)
    if (peer !== undefined) return peer.ask(this.path, this.#messages, ask)
    const target = { path: this.path, request: ask.request._tag }
    ask.settle(Exit.fail(new ActorUnavailable({ ...target, why: "restarting" })))
  }

  addWatcher(watcher: Watcher): void {
    const peer = this.#system.peerOf(this.path)
    if (peer !== undefined) peer.watch(this.path, watcher)
    else watcher.notice(lost(this.path, "the link is down"))
  }

  removeWatcher(watcher: Watcher): void {
    this.#system.peerOf(this.path)?.unwatch(watcher)
  }
}
