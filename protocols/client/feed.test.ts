import test from "ava"
import { Either } from "effect"
import { LinkLost } from "../delivery.ts"
import { Feed, Missed, Resumed } from "./feed.ts"
import { play } from "./fixtures/test-node.ts"

test("a feed asks for as much as it has room for, and for more as room is made", (t) => {
  const { feed, node, subscription } = subscribed(10)
  node.run()
  t.deepEqual(node.frames[0], ["subscribe", 0, "/n", ["Rang"], 10])
  for (let count = 0; count < 10; count++) node.say(["event", 0, count])
  node.run()
  t.is(node.frames.length, 1, "nothing was taken, so nothing is granted")
  t.deepEqual(feed.take(4), [0, 1, 2, 3])
  subscription.grant()
  node.run()
  t.is(node.frames.length, 1, "too little to be worth a frame")
  feed.take(3)
  subscription.grant()
  node.run()
  t.deepEqual(node.frames[1], ["more", 0, 7])
})

test("events that were left out are marked in their place", (t) => {
  const { feed, node } = subscribed(3)
  node.run()
  node.say(["event", 0, 1], ["missed", 0, 4], ["missed", 0, 2], ["event", 0, 2])
  t.deepEqual(feed.take(9), [1, new Missed({ count: 6 }), 2])
})

test("a node that sends more than it was asked for costs no memory", (t) => {
  const { feed, node, session } = subscribed(3)
  node.run()
  for (let count = 0; count < 1_000; count++) node.say(["event", 0, count])
  t.is(session.skipped, 997)
  t.deepEqual(feed.take(2_000), [0, 1, 2, new Missed({ count: 997 })])
})

test("events that are not understood are skipped, counted, and their room is used again", (t) => {
  const { feed, node, session } = subscribed(4)
  node.run()
  for (let count = 0; count < 8; count++) node.say(["event", 0, "nonsense"])
  node.run()
  t.is(session.skipped, 8)
  t.deepEqual(feed.take(9), [])
  t.deepEqual(
    node.frames.filter(([kind]) => kind === "more").map(([, , credit]) => credit),
    [2, 2, 2, 2]
  )
})

test("after a loss the subscription is made again, and what happened in between is marked as unknown", (t) => {
  const { feed, node } = subscribed(10)
  node.run()
  node.say(["event", 0, 1])
  for (const reason of ["cut", "cut again", "and again"]) {
    node.cut(reason)
    node.link()
    node.run()
    node.say(["missed", 0, 1])
  }
  t.like(node.frames[0], { 0: "subscribe", 4: 9 })
  node.say(["event", 0, 2])
  const resumed = new Resumed({ reason: "and again" })
  t.deepEqual(feed.take(9), [1, resumed, new Missed({ count: 1 }), 2])
})

test("a subscription that is refused or lost over there ends with the fault, after what had come", (t) => {
  const { feed, node } = subscribed(10)
  node.run()
  node.say(["event", 0, 1], ["died", 0, "the node behind is gone"], ["event", 0, 2])
  t.is(feed.fault, undefined)
  t.deepEqual(feed.take(9), [1])
  t.true(feed.fault instanceof LinkLost)
})

const subscribed = (capacity: number) => {
  const { node, session } = play()
  const decode = (encoded: unknown): Either.Either<number, string> =>
    typeof encoded === "number" ? Either.right(encoded) : Either.left("no number")
  const feed = new Feed({ path: "/n", tags: ["Rang"], capacity, decode })
  return { feed, node, session, subscription: session.subscribe(feed) }
}
