import test from "ava"
import { Metrics } from "#actors/kernel/metrics.ts"
import { StorageFull } from "#actors/kernel/ports/storage-faults.ts"
import type { ReadRefusal } from "#actors/raft/raft-batch.ts"
import { EtcdHttp, type HttpFacts } from "./etcd-http.ts"
import { PlainRecorder, plainRequest } from "./fixtures/plain.ts"
import { routed } from "./http-routes.ts"

/** A member that leads and whose reads succeed, unless something else is said. */
const asked = (
  path: string,
  facts: Partial<Omit<HttpFacts, "member">> & { readonly member?: Partial<HttpFacts["member"]> } = {}
): { readonly reply: PlainRecorder; readonly http: EtcdHttp } => {
  const member = { failed: undefined, leader: 1, read: succeeds, ...facts.member }
  const http = new EtcdHttp({
    alarms: () => [],
    metrics: new Metrics(),
    nowMillis: () => 0,
    ...facts,
    member
  })
  const reply = new PlainRecorder()
  routed(http.routes, [])(plainRequest(path, "", "GET"), reply)
  return { reply, http }
}

const succeeds = (done: (refused: ReadRefusal | undefined) => void): void => done(undefined)

test("a member that serves is healthy", (t) => {
  for (const path of ["/health", "/healthz"]) {
    t.like(asked(path).reply, { status: 200, text: '{"health":"true"}', isOver: true })
  }
})

test("a member that cannot serve is not, and says why", (t) => {
  const full = new StorageFull({ path: "journal", reason: "no space is left", definite: true })
  for (const [facts, reason] of [
    [{ member: { leader: 0 } }, "RAFT NO LEADER"],
    [{ member: { failed: full } }, `DISK ${full.message}`],
    [{ alarms: () => ["NOSPACE"] }, "ALARM NOSPACE"],
    [{ member: { read: (done) => done("NoLeader") } }, "RANGE ERROR:NoLeader"]
  ] satisfies ReadonlyArray<readonly [Parameters<typeof asked>[1], string]>) {
    const { reply } = asked("/health", facts)
    t.is(reply.status, 503)
    t.deepEqual(JSON.parse(reply.text), { health: "false", reason })
    t.true(reply.text.endsWith("\n"))
  }
})

test("an alarm that somebody knows of already can be left out", (t) => {
  const alarms = () => ["NOSPACE", "CORRUPT"]
  t.regex(asked("/health?exclude=NOSPACE", { alarms }).reply.text, /ALARM CORRUPT/)
  t.is(asked("/health?exclude=NOSPACE&exclude=CORRUPT", { alarms }).reply.status, 200)
})

test("a read that does not get through in a second is answered for, once", (t) => {
  let nowMillis = 0
  const reads: Array<(refused: ReadRefusal | undefined) => void> = []
  const { http, reply } = asked("/health", {
    nowMillis: () => nowMillis,
    member: { read: (done) => void reads.push(done) }
  })
  nowMillis = 999
  http.tick()
  t.false(reply.isOver)
  nowMillis = 1_000
  http.tick()
  t.is(reply.status, 503)
  t.notThrows(() => reads[0]?.(undefined))
})

test("a member that stops says so to whoever waits", (t) => {
  const { http, reply } = asked("/health", { member: { read: () => {} } })
  http.close()
  t.deepEqual(JSON.parse(reply.text), { health: "false", reason: "STOPPED" })
})

test("a check whose client went away is answered by nobody", (t) => {
  const reads: Array<(refused: ReadRefusal | undefined) => void> = []
  const { reply } = asked("/health", { member: { read: (done) => void reads.push(done) } })
  reply.onCancel?.()
  reads[0]?.(undefined)
  t.is(reply.status, undefined)
})

test("the version is that of the etcd whose answers these are", (t) => {
  t.is(asked("/version").reply.text, '{"etcdserver":"3.4.23","etcdcluster":"3.4.0"}')
})
