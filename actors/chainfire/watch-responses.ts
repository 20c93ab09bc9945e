/**
 * Events as clients of watches get them, encoded once however many watch: an event is the same bytes for all who
 * want it in the same form, and a whole response for all whose watch has the same number on its stream, which
 * for most is the first one.
 *
 * What is too long for one message is split, for clients that say they can put it together again (`fragment`).
 */
import type { ResponseHeader } from "#protocols/wire/etcd/kv.ts"
import { EventType } from "#protocols/wire/etcd/kv.ts"
import { encodeEvent, encodeWatchEvents, WatchResponse } from "#protocols/wire/etcd/watch.ts"
import type { WatchEvent } from "./watch-hub.ts"

/** What a length and a tag take up in front of an event, at most. */
const eventHeadBytes = 6
/** The header of a response, and all its numbers. */
const responseHeadBytes = 80

interface Made {
  readonly events: ReadonlyArray<WatchEvent>
  readonly watchId: number
  readonly responses: ReadonlyArray<Uint8Array>
}

export class WatchResponses {
  readonly #fragmentBytes: number
  readonly #events = new WeakMap<WatchEvent, Uint8Array>()
  /** The one that was made last. */
  #last: Made | undefined

  constructor(fragmentBytes: number) {
    this.#fragmentBytes = fragmentBytes
  }

  /** `header` is asked for when there is something to encode. The events of one array are always the same. */
  of(
    events: ReadonlyArray<WatchEvent>,
    watchId: number,
    splits: boolean,
    header: () => ResponseHeader
  ): ReadonlyArray<Uint8Array> {
    const mayBeSplit = splits && events.length > 1
    const last = this.#last
    if (!mayBeSplit && last?.events === events && last.watchId === watchId) return last.responses
    const encoded = events.map((event) => this.#encoded(event))
    const pieces = mayBeSplit ? split(encoded, this.#fragmentBytes) : [encoded]
    const head = WatchResponse.make({ header: header(), watchId })
    const responses = pieces.map((piece, place) =>
      encodeWatchEvents({ ...head, fragment: place < pieces.length - 1 }, piece)
    )
    if (!mayBeSplit) this.#last = { events, watchId, responses }
    return responses
  }

  #encoded(event: WatchEvent): Uint8Array {
    const known = this.#events.get(event)
    if (known !== undefined) return known
    const { kv, prevKv, type } = event
    const encoded = encodeEvent({ type: type === "put" ? EventType.put : EventType.delete, kv, prevKv })
    this.#events.set(event, encoded)
    return encoded
  }
}

/** An event that is too long by itself is a piece of its own. */
const split = (
  events: ReadonlyArray<Uint8Array>,
  bytesMax: number
): ReadonlyArray<ReadonlyArray<Uint8Array>> => {
  const pieces: Array<Array<Uint8Array>> = []
  let bytes = Number.POSITIVE_INFINITY
  for (const event of events) {
    const added = event.length + eventHeadBytes
    if (bytes + added >= bytesMax) {
      pieces.push([])
      bytes = responseHeadBytes
    }
    pieces.at(-1)?.push(event)
    bytes += added
  }
  return pieces
}
