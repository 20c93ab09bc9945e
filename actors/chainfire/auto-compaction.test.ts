import test from "ava"
import { CompactionRequest } from "#protocols/wire/etcd/kv.ts"
import { KV } from "#protocols/wire/etcd/methods.ts"
import {
  type AutoCompactor,
  autoCompactorOf,
  PeriodicCompactor,
  RevisionCompactor
} from "./auto-compaction.ts"
import { answer } from "./fixtures/contents.ts"
import { EtcdClient } from "./fixtures/etcd.ts"
import { etcdctlInstalled, inCluster } from "./fixtures/etcdctl.ts"

const minute = 60_000
const hour = 60 * minute

interface Compacted {
  readonly minute: number
  readonly revision: number
}

/** One revision a minute, looked at every second; the revision is the minute plus one. */
const story = (
  compactor: AutoCompactor,
  minutes: number,
  {
    leads = () => true,
    fails = () => false
  }: { leads?: (minute: number) => boolean; fails?: (minute: number) => boolean } = {}
): ReadonlyArray<Compacted> => {
  const compacted: Array<Compacted> = []
  for (let second = 0; second <= minutes * 60; second++) {
    const now = Math.floor(second / 60)
    const due = compactor.look(second * 1_000, now + 1, leads(now))
    if (due === undefined || fails(now)) continue
    compacted.push({ minute: now, revision: due })
    compactor.done(second * 1_000, due)
  }
  return compacted
}

test("with a period of two hours, nothing for two hours, and then every hour what is older than that", (t) => {
  t.deepEqual(story(new PeriodicCompactor(2 * hour), 300), [
    { minute: 120, revision: 1 },
    { minute: 180, revision: 55 },
    { minute: 240, revision: 115 },
    { minute: 300, revision: 175 }
  ])
})

test("with a period of less than an hour, as often as that", (t) => {
  t.deepEqual(story(new PeriodicCompactor(10 * minute), 40), [
    { minute: 10, revision: 1 },
    { minute: 20, revision: 10 },
    { minute: 30, revision: 20 },
    { minute: 40, revision: 30 }
  ])
})

test("what went wrong is tried again after a tenth, and the window goes on meanwhile", (t) => {
  const fails = (now: number) => now < 125
  t.deepEqual(story(new PeriodicCompactor(2 * hour), 190, { fails }), [
    { minute: 126, revision: 1 },
    { minute: 186, revision: 61 }
  ])
})

test("who comes to lead has watched the revisions pass, and compacts what is old enough", (t) => {
  const leads = (now: number) => now > 200
  const [first] = story(new PeriodicCompactor(2 * hour), 250, { leads })
  t.deepEqual(first, { minute: 204, revision: 79 })
})

test("by number, every five minutes all but so many, if there are so many", (t) => {
  t.deepEqual(story(new RevisionCompactor(10), 22), [
    { minute: 10, revision: 1 },
    { minute: 15, revision: 6 },
    { minute: 20, revision: 11 }
  ])
  const quiet = new RevisionCompactor(10)
  t.is(quiet.look(0, 100, true), undefined)
  t.is(quiet.look(5 * minute, 100, true), 90)
  quiet.done(5 * minute, 90)
  t.is(quiet.look(10 * minute, 100, true), undefined)
  t.is(quiet.look(15 * minute, 101, false), undefined)
  t.is(quiet.look(20 * minute, 101, true), 91)
})

test("retentions are written as etcd's flag has them", (t) => {
  const of = (autoCompactionMode: "periodic" | "revision", autoCompactionRetention: string) =>
    autoCompactorOf({ autoCompactionMode, autoCompactionRetention })
  t.is(of("periodic", "0"), undefined)
  t.is(of("revision", "0"), undefined)
  t.true(of("revision", "1000") instanceof RevisionCompactor)
  // Whole numbers are hours.
  t.deepEqual(story(of("periodic", "1") ?? t.fail(), 60).length, 1)
  t.deepEqual(story(of("periodic", "1h30m") ?? t.fail(), 90), [{ minute: 90, revision: 1 }])
  for (const wrong of ["", "soon", "-1", "5x", "1h 30m"])
    t.throws(() => of("periodic", wrong), { message: /with the mode periodic set it to hours/ })
  t.throws(() => of("revision", "1h"), { message: /a number of revisions/ })
})

const withEtcdctl = etcdctlInstalled ? test : test.skip

withEtcdctl(
  "a group of which the period is a second forgets what is older, and all members alike",
  async (t) => {
    t.timeout(120_000)
    await inCluster(
      async (_etcdctl, endpoints) => {
        const clients = endpoints.map((endpoint) => new EtcdClient(endpoint))
        const key = new TextEncoder().encode("k")
        const untilMillis = performance.now() + 20_000
        const forgotten = new Set<EtcdClient>()
        while (forgotten.size < clients.length && performance.now() < untilMillis) {
          answer(await clients[0]!.call(KV.put, { key }))
          for (const client of clients) {
            const read = await client.call(KV.range, { key, revision: 2, serializable: true })
            if (!("response" in read) && /has been compacted/.test(read.message)) forgotten.add(client)
          }
        }
        t.is(forgotten.size, clients.length)
        // An operator may still compact further.
        const now = answer(await clients[0]!.call(KV.put, { key })).header?.revision ?? 0
        answer(await clients[0]!.call(KV.compact, CompactionRequest.make({ revision: now })))
        for (const client of clients) client.close()
      },
      { settings: { autoCompactionMode: "periodic", autoCompactionRetention: "1s" } }
    )
  }
)
