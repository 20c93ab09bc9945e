/** The ref of an actor of this process: forwards to its instance. */
import type { Ask, Tagged } from "./ask.ts"
import type { Instance } from "./instance.ts"
import type { ActorRef, Watcher } from "./ref.ts"

export class LocalRef implements ActorRef<Tagged> {
  /** For the kernel. */
  readonly instance: Instance

  constructor(instance: Instance) {
    this.instance = instance
  }

  get path(): string {
    return this.instance.path
  }
  get messages() {
    return this.instance.definition.messages
  }
  tell(message: Tagged): void {
    this.instance.tell(message)
  }
  deliver(ask: Ask): void {
    this.instance.deliver(ask)
  }
  addWatcher(watcher: Watcher): void {
    this.instance.addWatcher(watcher)
  }
  removeWatcher(watcher: Watcher): void {
    this.instance.removeWatcher(watcher)
  }
}
