import test from "ava"
import { type MemberRecord, type MemberStatus, Metadata, type News } from "#protocols/membership.ts"
import { defaultConfig, type SwimConfig } from "./swim-config.ts"
import { SwimMembers } from "./swim-members.ts"

const statuses: ReadonlyArray<MemberStatus> = ["alive", "suspect", "failed", "left"]

// What is believed after hearing a statement, by what was believed before: a row per known status.
const table: Record<MemberStatus, Record<MemberStatus, string>> = {
  alive: { alive: "alive", suspect: "suspect Suspected", failed: "failed Failed", left: "left Left" },
  suspect: { alive: "suspect", suspect: "suspect", failed: "failed Failed", left: "left Left" },
  failed: { alive: "failed", suspect: "failed", failed: "failed", left: "left" },
  left: { alive: "left", suspect: "left", failed: "left", left: "left" }
}

const louder: Record<MemberStatus, Record<MemberStatus, string>> = {
  alive: { alive: "alive", suspect: "suspect Suspected", failed: "failed Failed", left: "left Left" },
  suspect: {
    alive: "alive Recovered",
    suspect: "suspect Recovered Suspected",
    failed: "failed Failed",
    left: "left Left"
  },
  failed: { alive: "alive Joined", suspect: "suspect Joined Suspected", failed: "failed", left: "left" },
  left: { alive: "alive Joined", suspect: "suspect Joined Suspected", failed: "failed", left: "left" }
}

for (const known of statuses) {
  test(`of two statements with one incarnation the worse wins: what is heard of one that is ${known}`, (t) => {
    for (const heard of statuses) t.is(outcome(known, heard, 5), table[known][heard], heard)
  })

  test(`a higher incarnation wins whatever it says of one that is ${known}`, (t) => {
    for (const heard of statuses) t.is(outcome(known, heard, 6), louder[known][heard], heard)
  })

  test(`a lower incarnation says nothing about one that is ${known}`, (t) => {
    for (const heard of statuses) t.is(outcome(known, heard, 4), known, heard)
  })
}

test("a stranger that is gone is remembered and not announced", (t) => {
  for (const status of ["failed", "left"] as const) {
    const { events, members } = view()
    members.learn(record({ status }), "b", "gossip", 0)
    members.learn(record({}), "b", "gossip", 0)
    t.deepEqual(events, [])
    t.is(members.get("x")?.record.status, status)
  }
})

test("another boot id with a higher incarnation is another life: the known one failed, the new one joined", (t) => {
  const { events, members } = view()
  members.learn(record({}), "b", "gossip", 0)
  members.learn(record({ bootId: "2", incarnation: 6 }), "b", "gossip", 0)
  t.deepEqual(events, ["Joined", "Failed", "Joined"])
  t.is(members.get("x")?.record.bootId, "2")
})

test("the last word of a former life does not touch the new one", (t) => {
  const { events, members } = view()
  members.learn(record({ bootId: "2", incarnation: 6 }), "b", "gossip", 0)
  members.learn(record({ status: "left" }), "b", "gossip", 0)
  t.deepEqual(events, ["Joined"])
})

test("changed metadata is an update, with a recovery where it refutes as well", (t) => {
  const { events, members } = view()
  members.learn(record({}), "b", "gossip", 0)
  const metadata = new Metadata({ roles: ["db"], zone: "a", version: "1", ports: {} })
  members.learn(record({ incarnation: 6, metadata }), "b", "gossip", 0)
  members.learn(record({ incarnation: 6, metadata, status: "suspect" }), "b", "gossip", 0)
  members.learn(record({ incarnation: 7 }), "b", "gossip", 0)
  t.deepEqual(events, ["Joined", "Updated", "Suspected", "Recovered", "Updated"])
})

test("a failure in a full state is held against the member, not believed", (t) => {
  const { charged, events, members } = view()
  members.learn(record({}), "b", "gossip", 0)
  members.learn(record({ status: "failed" }), "c", "sync", 0)
  t.deepEqual(events, ["Joined"])
  t.deepEqual(charged, ["x"])
  t.like(members.heldAgainst("x"), { by: "c", record: { status: "failed" } })
  members.learn(record({ incarnation: 6 }), "x", "gossip", 0)
  t.is(members.heldAgainst("x"), undefined)
})

test("a suspicion falls after its patience and three unanswered questions", (t) => {
  const { events, members } = view()
  for (const name of ["x", "y", "z"]) members.learn(record({ name }), "b", "gossip", 0)
  const member = members.get("x")
  if (member === undefined) return t.fail()
  members.suspect(member, "self", "probe", 0)
  let asked = 0
  for (let nowMillis = 0; nowMillis <= 24_600; nowMillis += 100) {
    if (nowMillis === 24_600) t.is(member.record.status, "suspect")
    members.judge(nowMillis, () => void asked++)
  }
  t.is(asked, 3)
  t.is(member.record.status, "failed")
  t.is(events.at(-1), "Failed")
})

test("each independent confirmation shortens a suspicion, the same one twice does not", (t) => {
  const until = (by: ReadonlyArray<string>) => {
    const { members } = view()
    for (const name of ["x", "y", "z"]) members.learn(record({ name }), "b", "gossip", 0)
    const suspected = record({ status: "suspect" })
    for (const one of by) members.learn(suspected, one, "gossip", 0)
    return Math.round(members.nextMillis)
  }
  t.is(until(["a"]), 24_000)
  t.is(until(["a", "a"]), 24_000)
  t.true(until(["a", "b"]) < 12_000)
  t.is(until(["a", "b", "c"]), 4_000)
  t.is(until(["a", "b", "c", "d"]), 4_000)
})

test("a suspicion waits for as long as we slept", (t) => {
  const { members } = view()
  members.learn(record({}), "b", "gossip", 0)
  members.learn(record({ status: "suspect" }), "b", "gossip", 1_000)
  const beforeMillis = members.nextMillis
  members.delaySuspicions(60_000, 61_000)
  t.is(members.nextMillis, beforeMillis + 60_000)
})

test("whoever suspects a member that has left or refuted is told so", (t) => {
  const { members, repeated } = view()
  members.learn(record({ incarnation: 6 }), "x", "gossip", 0)
  members.learn(record({ status: "suspect" }), "b", "gossip", 0)
  t.like(repeated.at(-1)?.record, { incarnation: 6, status: "alive" })
  members.learn(record({ incarnation: 6, status: "left" }), "x", "gossip", 0)
  members.learn(record({ incarnation: 6, status: "suspect" }), "b", "gossip", 0)
  t.like(repeated.at(-1)?.record, { status: "left" })
  t.is(repeated.length, 2)
})

test("whoever is gone is forgotten after a day, and told of for half of one only", (t) => {
  const { members } = view()
  const day = defaultConfig.forgetAfterMillis
  members.learn(record({}), "b", "gossip", 0)
  members.learn(record({ status: "failed" }), "b", "gossip", 0)
  t.is(members.worthTelling(day / 2 - 1).length, 1)
  t.is(members.worthTelling(day / 2).length, 0)
  members.forget(day)
  t.is(members.size, 1)
  members.forget(day + 1)
  t.is(members.size, 0)
})

test("two nodes do not remind each other of the dead for ever", (t) => {
  const [one, other] = [view().members, view().members]
  one.learn(record({}), "b", "gossip", 0)
  one.learn(record({ status: "failed" }), "b", "gossip", 0)
  const hour = 3_600_000
  for (let nowMillis = 0; nowMillis <= 48 * hour; nowMillis += hour) {
    one.forget(nowMillis)
    other.forget(nowMillis)
    for (const told of one.worthTelling(nowMillis)) other.learn(told, "one", "sync", nowMillis)
    for (const told of other.worthTelling(nowMillis)) one.learn(told, "other", "sync", nowMillis)
  }
  t.is(one.size + other.size, 0)
})

test("members are bounded: the longest gone makes room, and nobody who is there", (t) => {
  const { members } = view({ ...defaultConfig, membersMax: 3 })
  for (const name of ["a", "b", "c"]) members.learn(record({ name }), name, "gossip", 0)
  members.learn(record({ name: "d" }), "d", "gossip", 0)
  t.is(members.get("d"), undefined)
  members.learn(record({ name: "c", status: "failed" }), "a", "gossip", 1)
  members.learn(record({ name: "b", status: "left" }), "b", "gossip", 2)
  members.learn(record({ name: "d" }), "d", "gossip", 3)
  t.deepEqual(
    members.records.map(({ name }) => name),
    ["a", "b", "d"]
  )
})

test("a pick takes nobody twice and leaves out whom it should", (t) => {
  const { members } = view()
  for (let index = 0; index < 12; index++) members.learn(record({ name: `n${index}` }), "b", "gossip", 0)
  for (let round = 0; round < 100; round++) {
    const picked = members.pick(20, "n3").map(({ name }) => name)
    t.is(new Set(picked).size, 11)
    t.false(picked.includes("n3"))
  }
})

/** What is believed of one that was `known` with incarnation 5, and what was announced, after hearing. */
const outcome = (known: MemberStatus, heard: MemberStatus, incarnation: number): string => {
  const { events, members } = view()
  members.learn(record({}), "b", "gossip", 0)
  members.learn(record({ status: known }), "b", "gossip", 0)
  events.length = 0
  members.learn(record({ status: heard, incarnation }), "b", "gossip", 0)
  return [members.get("x")?.record.status, ...events].join(" ")
}

const view = (config: SwimConfig = defaultConfig) => {
  const events: Array<string> = []
  const repeated: Array<News> = []
  const charged: Array<string> = []
  let rolled = 0
  const dice = () => (rolled = (rolled + 0.381) % 1)
  const members = new SwimMembers("self", config, dice, {
    publish: ({ _tag }) => void events.push(_tag.replace("Member", "")),
    spread: () => {},
    repeat: (news) => void repeated.push(news),
    met: () => {},
    charged: (name) => void charged.push(name),
    forgot: () => {}
  })
  return { members, events, repeated, charged }
}

const record = (changes: Partial<MemberRecord>): MemberRecord => ({
  name: "x",
  address: changes.name ?? "x",
  bootId: "1",
  incarnation: 5,
  status: "alive",
  metadata: new Metadata({ roles: [], zone: "a", version: "1", ports: {} }),
  ...changes
})
