/**
 * One watch for an actor: passes on what the hub delivers for as long as the receiver has given credit, and is
 * parked by the hub when that is used up, at the cost of one revision. A core without I/O.
 */
import type { KeyEvent } from "#protocols/chainfire-keys.ts"
import { keyEvent } from "#protocols/wire/etcd/typed-keys.ts"
import type { WatchEvent, WatchHub, WatchOptions, WatchSink } from "./watch-hub.ts"

export interface KeyWatchPorts {
  /** All events of one revision, for the receiver. */
  readonly tell: (revision: number, events: ReadonlyArray<KeyEvent>) => void
  /** There is something to read and credit for it: call `resume` soon. */
  readonly wake: () => void
  /** What it has not seen is gone. It is over. */
  readonly compacted: (compactRevision: number) => void
  /** The state is being replaced: nothing is to be read. */
  readonly isInstalling: () => boolean
  /** Where the store is. */
  readonly revision: () => number
}

export class KeyWatch implements WatchSink {
  readonly #id: number
  readonly #hub: WatchHub
  readonly #ports: KeyWatchPorts
  #credit: number
  /** What it has not been told yet begins here at the earliest. */
  #next: number
  #isParked = true

  constructor(id: number, hub: WatchHub, options: WatchOptions, credit: number, ports: KeyWatchPorts) {
    this.#id = id
    this.#hub = hub
    this.#ports = ports
    this.#credit = credit
    this.#next = options.startRevision === 0 ? ports.revision() + 1 : options.startRevision
    hub.add(id, options, this)
    this.#wake()
  }

  /** For an operator. */
  get status() {
    const now = this.#ports.revision()
    return {
      credit: this.#credit,
      parked: this.#isParked,
      /** How many revisions of the store it may have to read still: nothing else is queued for it. */
      queueDepth: this.#isParked ? Math.max(0, now + 1 - this.#next) : 0,
      /** 0: it has been told everything. */
      oldestUndelivered: this.#isParked && this.#next <= now ? this.#next : 0
    }
  }

  grant(messages: number): void {
    this.#credit += messages
    this.#wake()
  }

  /** Reads some of what it has missed. */
  resume(): void {
    if (!this.#isParked || this.#credit <= 0 || this.#ports.isInstalling()) return
    // What it was told on the way was not all.
    this.#isParked = this.#hub.resume(this.#id) || this.#credit <= 0
    this.#wake()
  }

  end(): void {
    this.#hub.remove(this.#id)
  }

  #wake(): void {
    if (this.#isParked && this.#credit > 0) this.#ports.wake()
  }

  deliver(_watch: number, revision: number, events: ReadonlyArray<WatchEvent>): boolean {
    this.#credit--
    this.#next = revision + 1
    this.#ports.tell(
      revision,
      events.map(({ kv, prevKv, type }) => keyEvent(type, kv, prevKv))
    )
    this.#isParked = this.#credit <= 0
    return !this.#isParked
  }

  behind(): void {
    this.#isParked = true
    this.#wake()
  }

  compacted(_watch: number, compactRevision: number): void {
    this.#ports.compacted(compactRevision)
  }
}
