import test from "ava"
import { SwimRelays } from "./swim-relays.ts"

const relay = { askerAddress: "a", askerSeq: 7, target: "t", nackMillis: 100, endMillis: 400 }

test("an ack goes to whoever asked, once", (t) => {
  const relays = new SwimRelays()
  relays.add(1, relay)
  t.is(relays.take(2), undefined)
  t.is(relays.take(1)?.askerSeq, 7)
  t.is(relays.take(1), undefined)
})

test("a nack is due once, and an ack that comes after it is still passed on", (t) => {
  const relays = new SwimRelays()
  relays.add(1, relay)
  t.is(relays.nextMillis, 100)
  t.deepEqual(relays.overdue(99), [])
  t.is(relays.overdue(100).length, 1)
  t.deepEqual(relays.overdue(200), [])
  t.is(relays.nextMillis, 400)
  t.is(relays.take(1)?.askerAddress, "a")
})

test("a relay is forgotten at its end", (t) => {
  const relays = new SwimRelays()
  relays.add(1, relay)
  relays.overdue(400)
  t.is(relays.size, 0)
  t.is(relays.nextMillis, Number.POSITIVE_INFINITY)
})

test("there are never more than a thousand", (t) => {
  const relays = new SwimRelays()
  const taken = Array.from({ length: 1_500 }, (_, seq) => relays.add(seq, relay))
  t.is(taken.filter(Boolean).length, 1_000)
  t.is(relays.size, 1_000)
})
