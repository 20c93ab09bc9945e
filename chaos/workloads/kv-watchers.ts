/**
 * Clients that watch: they write down each event, and when their node dies, or they have had enough of it, they
 * go on at another one behind the last revision that they have seen.
 *
 * Where somebody compacts, what a watch is to see next may be gone. It is told so, with the revision from where there
 * is more, and begins anew there: a watch of its own, that is complete from that revision on.
 */
import { Effect } from "effect"
import type { ChangeSeen, WatchSeen } from "#chaos/checkers/watch-completeness.ts"
import type { EtcdAccess, NodeName } from "#chaos/lab/world.ts"
import type { Prng } from "#chaos/sim/prng.ts"
import type { WatchResponse } from "#protocols/wire/etcd/watch.ts"
import { bytesOf, changesOf } from "./etcd-requests.ts"

export interface WatcherOptions {
  readonly name: string
  /** It watches all keys from the first to the last. */
  readonly first: string
  readonly last: string
  readonly nodes: ReadonlyArray<NodeName>
  readonly slowMillisMax: number
  /** How long it stays with one node, at most. */
  readonly stayMillisMax: number
  /** With so many it has seen enough. */
  readonly eventsMax: number
  /** Whether somebody compacts; if nobody does, being too late is a problem. */
  readonly isCompacted: boolean
  readonly isOver: () => boolean
}

const lookMillis = 50
const betweenMillisMax = 100
const problemsMax = 10

export class KvWatcher {
  readonly #etcd: EtcdAccess
  readonly #prng: Prng
  readonly #options: WatcherOptions
  #events: Array<ChangeSeen> = []
  #fromRevision = 1
  /** Those that compaction has ended. */
  readonly #ended: Array<WatchSeen> = []
  #endedEvents = 0
  readonly problems: Array<string> = []
  /** What it is to see next has been compacted. */
  #isTooLate = false
  /** How often it began, the first time included. */
  beginnings = 0
  #lastRevision = 0

  constructor(etcd: EtcdAccess, prng: Prng, options: WatcherOptions) {
    this.#etcd = etcd
    this.#prng = prng
    this.#options = options
  }

  /** Without a revision it may have been about to see more. */
  seen(throughRevision?: number): ReadonlyArray<WatchSeen> {
    const had = throughRevision === undefined || this.#isDone ? {} : { throughRevision }
    return [...this.#ended, { ...this.#now, ...had }]
  }

  /** Up to here it has seen all. */
  get lastRevision(): number {
    return this.#lastRevision
  }

  get #now(): WatchSeen {
    const { first, last, name } = this.#options
    return { name, first, last, fromRevision: this.#fromRevision, events: [...this.#events] }
  }

  get run(): Effect.Effect<void> {
    const { isOver, stayMillisMax } = this.#options
    return Effect.gen(this, function* () {
      while (!isOver() && !this.#isDone) {
        yield* this.#watch(this.#anyNode(), this.#prng.next() * stayMillisMax, isOver)
        yield* Effect.sleep(this.#prng.next() * betweenMillisMax)
      }
    })
  }

  /**
   * Anew at one node after the other, since one may be no member any more, until it has seen that revision. That may be one of keys which it does not watch, so it
   * is enough that some of them have told nothing more for so long.
   */
  catchUp(revision: number, silenceMillis: number): Effect.Effect<void> {
    const hasSeen = () => this.#lastRevision >= revision
    return Effect.gen(this, function* () {
      for (const node of this.#options.nodes) {
        if (hasSeen() || this.#isDone) return
        for (let told = -1; told < this.#events.length && !hasSeen(); ) {
          told = this.#events.length
          yield* this.#watch(node, silenceMillis, hasSeen)
        }
      }
    })
  }

  /** At one node, until that one ends it, or for so long. */
  #watch(node: NodeName, stayMillis: number, isEnough: () => boolean): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      const { first, last, slowMillisMax } = this.#options
      let open = true
      this.beginnings++
      const cancel = this.#etcd.watch({
        node,
        request: {
          key: bytesOf(first),
          rangeEnd: bytesOf(first === last ? "" : `${last}\0`),
          startRevision: this.#lastRevision + 1
        },
        slowMillisMax,
        onResponse: (response) => {
          if (open) this.#take(response)
        },
        onEnd: () => {
          open = false
        }
      })
      const leave = () => {
        open = false
        cancel()
        stopLooking()
      }
      const look = (leftMillis: number): (() => void) =>
        this.#etcd.after(lookMillis, () => {
          if (open && !isEnough() && !this.#isDone && leftMillis > lookMillis)
            stopLooking = look(leftMillis - lookMillis)
          else {
            leave()
            resume(Effect.void)
          }
        })
      let stopLooking = look(stayMillis)
      return Effect.sync(leave)
    })
  }

  /** Whole, since the changes of one revision come in one response. */
  #take({ canceled, cancelReason, compactRevision, events }: WatchResponse): void {
    if (canceled && compactRevision > 0 && this.#options.isCompacted) {
      this.#ended.push(this.#now)
      this.#endedEvents += this.#events.length
      this.#events = []
      this.#fromRevision = compactRevision
      this.#lastRevision = compactRevision - 1
    } else if (canceled) {
      this.#isTooLate ||= compactRevision > 0
      if (this.problems.length < problemsMax)
        this.problems.push(`watch ${this.#options.name} was cancelled: ${cancelReason}`)
    }
    for (const change of changesOf(events)) {
      this.#events.push(change)
      this.#lastRevision = Math.max(this.#lastRevision, change.revision)
    }
  }

  get #isDone(): boolean {
    return this.#isTooLate || this.#endedEvents + this.#events.length >= this.#options.eventsMax
  }

  #anyNode(): NodeName {
    const { nodes } = this.#options
    return nodes[this.#prng.below(nodes.length)] ?? ""
  }
}
