/**
 * A feed: the events of one subscription between the link and their consumer.
 *
 *   link ─► decode ─► at most `capacity` waiting ─► consumer
 *     ◄──────── credit for as much room as there is ◄──┘
 *
 * What has been granted and not used yet, and what waits here, are never more than the capacity together.
 * So a consumer that is slow, or has stopped, costs the node nothing: the node leaves events out and says
 * how many. That arrives here in its place among the events, as `Missed`. When the link was lost and is
 * back, nobody knows what happened in between: `Resumed`.
 */
import { Data, Either } from "effect"
import type { DeliveryFault } from "../delivery.ts"

/** So many events were left out here, since they came faster than they were taken. */
export class Missed extends Data.TaggedClass("Missed")<{ readonly count: number }> {}

/** The link was lost and is back. Events in between may be missing: read the state again. */
export class Resumed extends Data.TaggedClass("Resumed")<{ readonly reason: string }> {}

export type Item<Event> = Event | Missed | Resumed

export interface FeedOptions<Event> {
  readonly path: string
  readonly tags: ReadonlyArray<string>
  readonly capacity: number
  readonly decode: (encoded: unknown) => Either.Either<Event, unknown>
}

export class Feed<Event> {
  readonly path: string
  readonly tags: ReadonlyArray<string>
  readonly #capacity: number
  readonly #decode: (encoded: unknown) => Either.Either<Event, unknown>
  #waiting: Array<Item<Event>> = []
  /** Of those that wait, how many are events. */
  #events = 0
  /** Granted to the other end, and not used by it yet. */
  #outstanding = 0
  #fault: DeliveryFault | undefined
  /** Called once when there is something to take, or nothing will follow. */
  onReady: (() => void) | undefined

  constructor({ capacity, decode, path, tags }: FeedOptions<Event>) {
    this.path = path
    this.tags = tags
    this.#capacity = Math.max(1, Math.min(capacity, capacityMax))
    this.#decode = decode
  }

  // The link's side

  /** A link is there: how many may come for a start. */
  begin(): number {
    this.#outstanding = this.#capacity - this.#events
    return this.#outstanding
  }

  /** False if it was not asked for, or is not understood. */
  event(encoded: unknown): boolean {
    if (this.#outstanding === 0) {
      this.missed(1)
      return false
    }
    this.#outstanding--
    const decoded = this.#decode(encoded)
    if (Either.isLeft(decoded)) return false
    this.#waiting.push(decoded.right)
    this.#events++
    this.#ready()
    return true
  }

  /** One that came and is not kept. */
  tooLarge(): void {
    this.#outstanding = Math.max(0, this.#outstanding - 1)
    this.missed(1)
  }

  missed(count: number): void {
    if (count === 0) return
    const last = this.#waiting.at(-1)
    if (last instanceof Missed) {
      this.#waiting.pop()
      this.#waiting.push(new Missed({ count: last.count + count }))
    } else this.#waiting.push(new Missed({ count }))
    this.#ready()
  }

  /** However often the link comes and goes, between two events there are at most three markers. */
  resumed(reason: string): void {
    const last = this.#waiting.at(-1)
    if (last instanceof Missed && this.#waiting.at(-2) instanceof Resumed) this.#waiting.pop()
    if (this.#waiting.at(-1) instanceof Resumed) this.#waiting.pop()
    this.#waiting.push(new Resumed({ reason }))
    this.#ready()
  }

  /** Nothing follows what waits here already. */
  over(fault: DeliveryFault): void {
    this.#fault ??= fault
    this.#ready()
  }

  /** How many more to grant; nothing while it is not worth a frame. */
  grant(): number {
    const room = this.#capacity - this.#events - this.#outstanding
    if (room < Math.max(1, this.#capacity / 2)) return 0
    this.#outstanding += room
    return room
  }

  #ready(): void {
    const { onReady } = this
    this.onReady = undefined
    onReady?.()
  }

  // The consumer's side

  take(max: number): ReadonlyArray<Item<Event>> {
    const taken = this.#waiting.splice(0, max)
    for (const item of taken) if (!(item instanceof Missed || item instanceof Resumed)) this.#events--
    return taken
  }

  /** Why nothing follows, once everything was taken. */
  get fault(): DeliveryFault | undefined {
    return this.#waiting.length === 0 ? this.#fault : undefined
  }
}

const capacityMax = 65_536
