/**
 * Who watches what: passes each transaction to the watchers whose keys it changed, and lets those that
 * cannot keep up catch up later from the store. A core without I/O.
 *
 *              delivered, and there is room
 *            ┌──────────────────────────────┐
 *            ▼                              │
 *   synced ──┴── the watcher is full ──► parked ── room again, reads the store ──► catching up ──► synced
 *
 * A parked watcher costs its place and one revision, however much it misses: nothing is queued for it.
 * Only when compaction takes away what it still has to see is it cancelled, as etcd does.
 */
import { type Change, Compacted, type KeyRange, type Mvcc } from "./mvcc.ts"
import { compareBytes, equalBytes, type KeyValue } from "./record.ts"

export interface WatchOptions {
  readonly range: KeyRange
  /** The first revision to see; 0 is the next one. */
  readonly startRevision: number
  readonly prevKv: boolean
  readonly noPut: boolean
  readonly noDelete: boolean
}

export interface WatchEvent {
  readonly type: "put" | "delete"
  readonly kv: KeyValue
  readonly prevKv: KeyValue | undefined
}

export interface WatchSink {
  /**
   * All events of it up to and with a revision. False: take a pause, `resume` says when it is over. Those who get the
   * same events get the same array, and the same objects in it.
   */
  readonly deliver: (watch: number, revision: number, events: ReadonlyArray<WatchEvent>) => boolean
  /** It is parked although it had room: `resume` it. */
  readonly behind: (watch: number) => void
  /** What it has not seen is gone. It is over. */
  readonly compacted: (watch: number, compactRevision: number) => void
}

interface Watcher {
  readonly id: number
  readonly options: WatchOptions
  readonly sink: WatchSink
  readonly end: Uint8Array | undefined
  /** While it is not synced: the first revision that it has not seen. */
  nextRevision: number
  state: "synced" | "parked"
}

export interface WatchStatus {
  readonly id: number
  readonly state: "synced" | "parked"
  /** How many revisions it is behind. */
  readonly lag: number
}

/** Revisions that a watcher which catches up reads at once, so that others get their turn. */
const catchUpRevisions = 1_000

export class WatchHub {
  readonly #mvcc: Mvcc
  readonly #watchers = new Map<number, Watcher>()
  /** Synced ones of a single key, by the key in Latin-1. */
  readonly #byKey = new Map<string, Set<Watcher>>()
  /** Synced ones of more than one key. */
  readonly #byRange = new Set<Watcher>()

  constructor(mvcc: Mvcc) {
    this.#mvcc = mvcc
  }

  get size(): number {
    return this.#watchers.size
  }

  get statuses(): ReadonlyArray<WatchStatus> {
    const { revision } = this.#mvcc
    return [...this.#watchers.values()].map(({ id, nextRevision, state }) => ({
      id,
      state,
      lag: state === "synced" ? 0 : Math.max(0, revision + 1 - nextRevision)
    }))
  }

  /** Begins a watch; with a start revision in the past it has first to be caught up by `resume`. */
  add(id: number, options: WatchOptions, sink: WatchSink): void {
    if (this.#watchers.has(id)) throw new Error(`there is a watch ${id} already`)
    const now = this.#mvcc.revision
    const nextRevision = options.startRevision === 0 ? now + 1 : options.startRevision
    const { rangeEnd } = options.range
    const end = rangeEnd.length === 0 ? undefined : rangeEnd
    const watcher: Watcher = { id, options, sink, end, nextRevision, state: "parked" }
    this.#watchers.set(id, watcher)
    // One of a revision to come waits among the synced: earlier ones pass it by.
    if (nextRevision > now) this.#sync(watcher)
  }

  remove(id: number): boolean {
    const watcher = this.#watchers.get(id)
    if (watcher === undefined) return false
    this.#watchers.delete(id)
    this.#unsync(watcher)
    return true
  }

  /** Whether it has been told everything up to now. */
  isSynced(id: number): boolean {
    return this.#watchers.get(id)?.state === "synced"
  }

  /** A transaction was committed: whoever is synced and watches one of its keys sees it now. */
  publish(revision: number, changes: ReadonlyArray<Change>): void {
    if (this.#watchers.size === 0) return
    const events = new Map<Watcher, ReadonlyArray<WatchEvent>>()
    for (const change of changes) {
      const forms = new Forms(change)
      const watchers = this.#byKey.get(latin1(change.kv.key))
      if (watchers !== undefined) for (const watcher of watchers) collect(watcher, forms, revision, events)
      for (const watcher of this.#byRange) {
        if (contains(watcher, change.kv.key)) collect(watcher, forms, revision, events)
      }
    }
    for (const [watcher, seen] of events) {
      if (watcher.sink.deliver(watcher.id, revision, seen)) continue
      watcher.nextRevision = revision + 1
      this.#unsync(watcher)
    }
  }

  /**
   * Lets a watcher go on: reads what it has missed, until it is synced, full again, or has had its turn.
   * True: it wants another turn.
   */
  resume(id: number): boolean {
    const watcher = this.#watchers.get(id)
    if (watcher === undefined || watcher.state === "synced") return false
    const now = this.#mvcc.revision
    if (watcher.nextRevision > now) {
      this.#sync(watcher)
      return false
    }
    const to = Math.min(now, watcher.nextRevision + catchUpRevisions - 1)
    try {
      if (!this.#catchUp(watcher, to)) return false
    } catch (problem) {
      if (!(problem instanceof Compacted)) throw problem
      this.remove(id)
      watcher.sink.compacted(id, problem.compactRevision)
      return false
    }
    if (to < now) return true
    // What it was told may have ended it.
    if (this.#watchers.get(id) === watcher) this.#sync(watcher)
    return false
  }

  /** False: it is full. */
  #catchUp(watcher: Watcher, to: number): boolean {
    let revision = 0
    let events: Array<WatchEvent> = []
    const { prevKv } = watcher.options
    for (const change of this.#mvcc.changes(watcher.nextRevision, to, prevKv)) {
      const { main } = change.revision
      if (main !== revision && events.length > 0) {
        watcher.nextRevision = revision + 1
        if (!watcher.sink.deliver(watcher.id, revision, events)) return false
        events = []
      }
      revision = main
      if (contains(watcher, change.kv.key) && !filtered(watcher, change))
        events.push(eventOf(watcher, change))
    }
    watcher.nextRevision = to + 1
    return events.length === 0 || watcher.sink.deliver(watcher.id, revision, events)
  }

  /** The store has gone ahead from a revision without telling what changed: everybody has to read it. */
  skipped(revision: number): void {
    for (const watcher of [...this.#watchers.values()]) {
      if (watcher.state === "synced") {
        watcher.nextRevision = Math.max(watcher.nextRevision, revision + 1)
        this.#unsync(watcher)
      }
      watcher.sink.behind(watcher.id)
    }
  }

  #sync(watcher: Watcher): void {
    watcher.state = "synced"
    if (watcher.end !== undefined) {
      this.#byRange.add(watcher)
      return
    }
    const key = latin1(watcher.options.range.key)
    const watchers = this.#byKey.get(key)
    if (watchers === undefined) this.#byKey.set(key, new Set([watcher]))
    else watchers.add(watcher)
  }

  #unsync(watcher: Watcher): void {
    watcher.state = "parked"
    this.#byRange.delete(watcher)
    const key = latin1(watcher.options.range.key)
    const watchers = this.#byKey.get(key)
    watchers?.delete(watcher)
    if (watchers?.size === 0) this.#byKey.delete(key)
  }
}

/** What is told of one change: to all that want it with the previous value the same, and to all others. */
class Forms {
  readonly change: Change
  #plain: ReadonlyArray<WatchEvent> | undefined
  #withPrevious: ReadonlyArray<WatchEvent> | undefined

  constructor(change: Change) {
    this.change = change
  }

  for({ options }: Watcher): ReadonlyArray<WatchEvent> {
    const { kv, prevKv, type } = this.change
    if (options.prevKv) {
      this.#withPrevious ??= [{ type, kv, prevKv }]
      return this.#withPrevious
    }
    this.#plain ??= [{ type, kv, prevKv: undefined }]
    return this.#plain
  }
}

const collect = (
  watcher: Watcher,
  forms: Forms,
  revision: number,
  events: Map<Watcher, ReadonlyArray<WatchEvent>>
): void => {
  if (revision < watcher.nextRevision || filtered(watcher, forms.change)) return
  const seen = events.get(watcher)
  const event = forms.for(watcher)
  events.set(watcher, seen === undefined ? event : [...seen, ...event])
}

const contains = ({ end, options }: Watcher, key: Uint8Array): boolean => {
  const start = options.range.key
  if (end === undefined) return equalBytes(key, start)
  if (compareBytes(key, start) < 0) return false
  return (end.length === 1 && end[0] === 0) || compareBytes(key, end) < 0
}

const filtered = ({ options }: Watcher, { type }: Change): boolean =>
  type === "put" ? options.noPut : options.noDelete

const eventOf = ({ options }: Watcher, { kv, prevKv, type }: Change): WatchEvent => ({
  type,
  kv,
  prevKv: options.prevKv ? prevKv : undefined
})

/** A string for a map: one character a byte. */
const latin1 = (key: Uint8Array): string => {
  let text = ""
  for (const byte of key) text += String.fromCharCode(byte)
  return text
}
