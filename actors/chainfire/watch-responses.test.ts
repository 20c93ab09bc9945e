import test from "ava"
import { EventType } from "#protocols/wire/etcd/kv.ts"
import { KeyValue } from "#protocols/wire/etcd/kv-fast.ts"
import { WatchResponse } from "#protocols/wire/etcd/watch.ts"
import { headerAt } from "./kv-write.ts"
import type { WatchEvent } from "./watch-hub.ts"
import { WatchResponses } from "./watch-responses.ts"

const event = (number: number, bytes: number): WatchEvent => ({
  type: number % 3 === 0 ? "delete" : "put",
  kv: { ...KeyValue.make({ key: Uint8Array.of(number), value: new Uint8Array(bytes) }), sub: 0 },
  prevKv: undefined
})

const header = () => headerAt(7)

test("one event is one response, and the same bytes for every watch of that number", (t) => {
  const responses = new WatchResponses(1_000)
  const events = [event(1, 10)]
  const [first] = responses.of(events, 0, false, header)
  t.is(responses.of(events, 0, false, () => t.fail() ?? headerAt(0))[0], first)
  const [other] = responses.of(events, 3, false, header)
  t.is(WatchResponse.decode(other ?? new Uint8Array(0)).watchId, 3)
  // Another array is another response, also for the same events.
  t.not(responses.of([...events], 0, false, header)[0], first)
  t.like(WatchResponse.decode(first ?? new Uint8Array(0)), { watchId: 0, fragment: false })
  t.is(WatchResponse.decode(first ?? new Uint8Array(0)).events[0]?.type, EventType.put)
})

test("what is too long is split for those who can put it together, and for nobody else", (t) => {
  const responses = new WatchResponses(1_000)
  const events = Array.from({ length: 20 }, (_, number) => event(number, number === 5 ? 3_000 : 120))
  const whole = responses.of(events, 0, false, header)
  t.is(whole.length, 1)
  const pieces = responses.of(events, 0, true, header)
  const decoded = pieces.map((piece) => WatchResponse.decode(piece))
  t.true(pieces.length > 3)
  for (const [place, { events: own, fragment, header: head }] of decoded.entries()) {
    t.is(fragment, place < pieces.length - 1)
    t.is(head?.revision, 7)
    t.true(own.length === 1 || (pieces[place]?.length ?? 0) < 1_000)
  }
  t.deepEqual(
    decoded.flatMap((response) => response.events),
    WatchResponse.decode(whole[0] ?? new Uint8Array(0)).events
  )
  // What fits is not.
  t.is(responses.of(events.slice(0, 2), 0, true, header).length, 1)
})
