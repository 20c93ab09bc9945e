/**
 * The event stream of an actor system: publish and subscribe within one process.
 *
 * It carries the runtime's own events and whatever tagged messages actors publish. Publishing without
 * a subscriber costs a comparison, so callers ask `heard` before they build an event.
 */
import type { Tagged } from "./ask.ts"

export type Listener = (event: Tagged) => void

export class EventStream {
  readonly #report: (defect: unknown) => void
  readonly #everything = new Set<Listener>()
  readonly #byTag = new Map<string, Set<Listener>>()

  /** `report` hears what a listener throws: neither the publisher nor the other listeners can do anything about it. */
  constructor(report: (defect: unknown) => void) {
    this.#report = report
  }

  heard(tag: string): boolean {
    return this.#everything.size > 0 || this.#byTag.has(tag)
  }

  publish(event: Tagged): void {
    for (const listener of this.#everything) this.#call(listener, event)
    const listeners = this.#byTag.get(event._tag)
    if (listeners !== undefined) for (const listener of listeners) this.#call(listener, event)
  }

  #call(listener: Listener, event: Tagged): void {
    try {
      listener(event)
    } catch (defect) {
      this.#report(defect)
    }
  }

  /** All events, or only those with one of the tags. Returns what ends the subscription. */
  subscribe(listener: Listener, tags?: ReadonlyArray<string>): () => void {
    if (tags === undefined) {
      this.#everything.add(listener)
      return () => void this.#everything.delete(listener)
    }
    for (const tag of tags) {
      const listeners = this.#byTag.get(tag) ?? new Set()
      this.#byTag.set(tag, listeners.add(listener))
    }
    return () => {
      for (const tag of tags) {
        const listeners = this.#byTag.get(tag)
        listeners?.delete(listener)
        if (listeners?.size === 0) this.#byTag.delete(tag)
      }
    }
  }
}
