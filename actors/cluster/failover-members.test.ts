import test from "ava"
import {
  MemberFailed,
  MemberJoined,
  MemberLeft,
  type MemberRecord,
  MemberSuspected,
  Metadata
} from "#protocols/membership.ts"
import { FailoverMembers } from "./failover-members.ts"

test("it begins with those who are there, and not with the dead", (t) => {
  const members = new FailoverMembers(0)
  members.begin([
    record("n1"),
    record("n2", 1, "suspect"),
    record("n3", 1, "failed"),
    record("n4", 1, "left")
  ])
  t.deepEqual(members.liveNames, ["n1", "n2"])
  t.is(members.situation.get("n2")?.status, "suspect")
})

test("without grace a failed member is gone at once, with grace it counts as suspect until that is over", (t) => {
  const hasty = begun(0)
  hasty.observe(failed("n1"), 100)
  t.false(hasty.has("n1"))
  const patient = begun(5_000)
  patient.observe(failed("n1"), 100)
  t.true(patient.inGrace("n1"))
  t.false(patient.isLive("n1"))
  t.is(patient.situation.get("n1")?.status, "suspect")
  t.is(patient.wakeMillis, 5_100)
  patient.expire(5_099)
  t.true(patient.has("n1"))
  patient.expire(5_100)
  t.false(patient.has("n1"))
})

test("one that is back within its grace is as if nothing had been", (t) => {
  const members = begun(5_000)
  members.observe(failed("n1"), 100)
  members.observe(new MemberJoined({ member: record("n1", 2), evidence }), 200)
  t.true(members.isLive("n1"))
  t.is(members.wakeMillis, Number.POSITIVE_INFINITY)
})

test("one that leaves is gone at once in spite of any grace", (t) => {
  const members = begun(5_000)
  members.observe(new MemberLeft({ member: record("n1"), evidence }), 100)
  t.false(members.has("n1"))
})

test("what is older than what it knows says nothing", (t) => {
  const members = begun(0)
  members.observe(new MemberJoined({ member: record("n1", 5), evidence }), 0)
  t.false(members.observe(failed("n1"), 100))
  t.true(members.isLive("n1"))
  t.true(members.observe(new MemberSuspected({ member: record("n1", 5), evidence }), 100))
  t.is(members.situation.get("n1")?.status, "suspect")
})

const evidence = { source: "test", what: "probe" as const, confirmations: 0 }

const record = (name: string, incarnation = 1, status: MemberRecord["status"] = "alive"): MemberRecord => {
  const metadata = new Metadata({ roles: [], zone: "a", version: "1", ports: {} })
  return { name, address: name, bootId: `${name}#1`, incarnation, status, metadata }
}

const failed = (name: string) => new MemberFailed({ member: record(name, 1, "failed"), evidence })

const begun = (graceMillis: number) => {
  const members = new FailoverMembers(graceMillis)
  members.begin([record("n1"), record("n2")])
  return members
}
