import test from "ava"
import { type MemberRecord, Metadata, type News } from "#protocols/membership.ts"
import { GossipQueue, sendsMax } from "./gossip-queue.ts"

test("news is sent a number of times that grows with the logarithm of the cluster, then dropped", (t) => {
  for (const [members, times] of [
    [3, 4],
    [50, 8],
    [500, 12]
  ] as const) {
    const queue = new GossipQueue()
    queue.add(about("a"))
    let sent = 0
    while (queue.take(10, members).length > 0) sent++
    t.is(sent, times)
    t.is(sent, sendsMax(members))
    t.is(queue.size, 0)
  }
})

test("a later statement about a member replaces the earlier one and starts anew", (t) => {
  const queue = new GossipQueue()
  queue.add(about("a", 1))
  queue.take(10, 3)
  queue.add(about("a", 2))
  t.is(queue.size, 1)
  const taken = Array.from({ length: 4 }, () => queue.take(10, 3)[0]?.record.incarnation)
  t.deepEqual(taken, [2, 2, 2, 2])
})

test("what was sent least goes first when a packet cannot take everything", (t) => {
  const queue = new GossipQueue()
  for (const name of ["a", "b", "c"]) queue.add(about(name))
  t.deepEqual(names(queue.take(2, 50)), ["a", "b"])
  t.deepEqual(names(queue.take(2, 50)), ["c", "a"])
  queue.add(about("d"))
  t.deepEqual(names(queue.take(1, 50)), ["d"])
})

test("a packet never takes more than its share", (t) => {
  const queue = new GossipQueue()
  for (let index = 0; index < 1_000; index++) queue.add(about(`node${index}`))
  t.is(queue.take(12, 1_000).length, 12)
})

test("what is removed or cleared is not sent", (t) => {
  const queue = new GossipQueue()
  for (const name of ["a", "b", "c"]) queue.add(about(name))
  queue.remove("b")
  t.false(queue.has("b"))
  t.deepEqual(names(queue.take(10, 3)), ["a", "c"])
  queue.clear()
  t.is(queue.size, 0)
})

const names = (news: ReadonlyArray<News>) => news.map(({ record }) => record.name)

const about = (name: string, incarnation = 1): News => ({ record: record(name, incarnation), by: name })

const record = (name: string, incarnation: number): MemberRecord => ({
  name,
  address: name,
  bootId: "1",
  incarnation,
  status: "alive",
  metadata: new Metadata({ roles: [], zone: "a", version: "1", ports: {} })
})
