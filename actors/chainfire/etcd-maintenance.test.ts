/** What operators do with etcdctl, on three members, and beside a real etcd where that can be compared. */
import test from "ava"
import { eventually } from "#actors/kernel/fixtures/eventually.ts"
import { AlarmAction, AlarmType } from "#protocols/wire/etcd/cluster.ts"
import { CompactionRequest } from "#protocols/wire/etcd/kv.ts"
import { CLUSTER, KV, LEASE, MAINTENANCE } from "#protocols/wire/etcd/methods.ts"
import { TxnRequest } from "#protocols/wire/etcd/txn-fast.ts"
import { answer } from "./fixtures/contents.ts"
import { type Called, Etcd, EtcdClient, etcdInstalled } from "./fixtures/etcd.ts"
import { etcdctlAt, etcdctlInstalled, inCluster } from "./fixtures/etcdctl.ts"

const withEtcdctl = etcdctlInstalled ? test : test.skip
const beside = etcdctlInstalled && etcdInstalled() ? test : test.skip
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

interface EndpointStatus {
  readonly Endpoint: string
  readonly Status: {
    readonly header: { readonly member_id: number }
    readonly leader: number
    readonly raftIndex: number
    readonly dbSize: number
    readonly dbSizeInUse: number
    readonly errors?: ReadonlyArray<string>
  }
}

withEtcdctl("every member says the same leader, and how far it has come", async (t) => {
  t.timeout(120_000)
  await inCluster(async (etcdctl) => {
    const statuses: ReadonlyArray<EndpointStatus> = JSON.parse(
      await etcdctl("endpoint", "status", "--write-out=json")
    )
    t.is(statuses.length, 3)
    t.is(new Set(statuses.map(({ Status }) => Status.leader)).size, 1)
    for (const { Status } of statuses) t.true(Status.raftIndex > 0 && Status.dbSize > 0)
  })
})

withEtcdctl("the leadership goes where it is told to, and nowhere else", async (t) => {
  t.timeout(120_000)
  await inCluster(async (_etcdctl, endpoints) => {
    const clients = endpoints.map((endpoint) => new EtcdClient(endpoint))
    const { members } = answer(await clients[0]!.call(CLUSTER.memberList, {}))
    const leads = async () => answer(await clients[0]!.call(MAINTENANCE.status, {})).leader
    const clientOf = (id: bigint) => clients[members.findIndex(({ ID }) => ID === id)]!
    const endpointOf = (id: bigint) => endpoints[members.findIndex(({ ID }) => ID === id)] ?? ""
    const before = await leads()
    const other = members.find(({ ID }) => ID !== before)?.ID ?? 0n
    t.deepEqual(await clientOf(other).call(MAINTENANCE.moveLeader, { targetID: other }), {
      code: 9,
      message: "etcdserver: not leader"
    })
    t.deepEqual(await clientOf(before).call(MAINTENANCE.moveLeader, { targetID: 4711n }), {
      code: 9,
      message: "etcdserver: bad leader transferee"
    })
    t.deepEqual(await clientOf(before).call(MAINTENANCE.moveLeader, { targetID: before }), {
      response: { header: undefined }
    })
    t.is(await leads(), before)
    const said = await etcdctlAt(endpointOf(before), "move-leader", other.toString(16))
    t.regex(said, /Leadership transferred/)
    t.is(answer(await clientOf(other).call(MAINTENANCE.status, {})).leader, other)
    // And it takes writes at once.
    for (const client of clients) answer(await client.call(KV.put, { key: utf8("after"), value: utf8("1") }))
    for (const client of clients) client.close()
  })
})

withEtcdctl("all members hash alike, also when one of them has not swept yet", async (t) => {
  t.timeout(120_000)
  await inCluster(async (etcdctl, endpoints) => {
    const clients = endpoints.map((endpoint) => new EtcdClient(endpoint))
    const [first] = clients
    for (let number = 0; number < 60; number++)
      answer(await first!.call(KV.put, { key: utf8(`k${number % 7}`), value: utf8(`${number}`) }))
    answer(await first!.call(KV.deleteRange, { key: utf8("k3") }))
    await etcdctl("compaction", "40", "--physical")
    await eventually("every member has applied it", async () => {
      const said: ReadonlyArray<{ HashKV: { hash: number; compact_revision: number } }> = JSON.parse(
        await etcdctl("endpoint", "hashkv", "--write-out=json")
      )
      const [one, ...others] = said.map(({ HashKV }) => `${HashKV.hash} ${HashKV.compact_revision}`)
      return others.length === 2 && others.every((other) => other === one) && (one?.endsWith(" 40") ?? false)
    })
    const at = async (revision: number) =>
      new Set(
        await Promise.all(
          clients.map(async (client) => {
            const called = await client.call(MAINTENANCE.hashKV, { revision })
            return "response" in called ? `${called.response.hash}` : `${called.code} ${called.message}`
          })
        )
      )
    t.is((await at(41)).size, 1)
    t.deepEqual([...(await at(40))], ["11 etcdserver: mvcc: required revision has been compacted"])
    t.deepEqual([...(await at(4_000))], ["11 etcdserver: mvcc: required revision is a future revision"])
    t.true(answer(await first!.call(MAINTENANCE.hash, {})).hash > 0)
    for (const client of clients) client.close()
  })
})

const shown = <Response extends object>(called: Called<Response>): string =>
  "response" in called ? "taken" : `${called.code} ${called.message}`

/** What is tried while there is no space, and what comes of it. */
const tried = async (client: EtcdClient): Promise<Record<string, string>> => {
  const key = utf8("tried")
  const none = { requestRange: undefined, requestDeleteRange: undefined, requestTxn: undefined }
  const requestPut = KV.put.request.make({ key })
  const revision = answer(await client.call(KV.range, { key })).header?.revision ?? 0
  const compaction = CompactionRequest.make({ revision })
  return {
    put: shown(await client.call(KV.put, { key, value: utf8("1") })),
    txn: shown(await client.call(KV.txn, TxnRequest.make({ success: [{ ...none, requestPut }] }))),
    grant: shown(await client.call(LEASE.grant, { ID: 1n, TTL: 100 })),
    range: shown(await client.call(KV.range, { key })),
    delete: shown(await client.call(KV.deleteRange, { key })),
    compact: shown(await client.call(KV.compact, compaction)),
    readingTxn: shown(await client.call(KV.txn, TxnRequest.make({})))
  }
}

const alarmsOf = async (client: EtcdClient) =>
  answer(await client.call(MAINTENANCE.alarm, { action: AlarmAction.get })).alarms

const quotaBytes = 1024 * 1024

/** Puts until there is no space, and tells how that was said. */
const filled = async (client: EtcdClient): Promise<string> => {
  const value = new Uint8Array(50_000)
  for (let number = 0; number < 200; number++) {
    const called = await client.call(KV.put, { key: utf8(`big ${number}`), value })
    if (!("response" in called)) return shown(called)
  }
  return "everything was taken"
}

beside(
  "a full store raises the alarm; then what needs space is refused as by etcd, and the rest works",
  async (t) => {
    t.timeout(120_000)
    const etcd = await Etcd.start({ args: ["--quota-backend-bytes", `${quotaBytes}`] })
    try {
      await inCluster(
        async (etcdctl, endpoints) => {
          const clients = endpoints.map((endpoint) => new EtcdClient(endpoint))
          const [first, second] = clients
          t.is(await filled(first!), await filled(etcd.client))
          const raised = await alarmsOf(second!)
          // Of one member, or of each that has seen that its own store is full.
          t.true(raised.length > 0 && raised.every(({ alarm }) => alarm === AlarmType.noSpace))
          t.regex(await etcdctl("alarm", "list"), /^memberID:\d+ alarm:NOSPACE/)
          const theirs = await tried(etcd.client)
          for (const client of clients) {
            t.deepEqual({ ...(await tried(client)), compact: "" }, { ...theirs, compact: "" })
            const { errors } = answer(await client.call(MAINTENANCE.status, {}))
            t.true(errors.includes(`memberID:${raised[0]?.memberID} alarm:NOSPACE `), errors.join())
          }
          t.is(theirs["compact"], "taken")

          // Room is made, and the alarm disarmed: everything is taken again.
          const prefix = { key: utf8("big"), rangeEnd: utf8("bih") }
          const { header } = answer(await first!.call(KV.deleteRange, prefix))
          await etcdctlAt(endpoints[0] ?? "", "compaction", `${header?.revision}`, "--physical")
          await eventually("every member has less", async () => {
            for (const endpoint of endpoints) t.regex(await etcdctlAt(endpoint, "defrag"), /Finished/)
            const statuses: ReadonlyArray<EndpointStatus> = JSON.parse(
              await etcdctl("endpoint", "status", "--write-out=json")
            )
            return statuses.every(({ Status }) => Status.dbSizeInUse < quotaBytes / 2)
          })
          t.regex(await etcdctl("alarm", "disarm"), /alarm:NOSPACE/)
          t.deepEqual(await alarmsOf(second!), [])
          for (const client of clients) t.is((await tried(client))["put"], "taken")
          for (const client of clients) client.close()
        },
        { settings: { quotaBytes } }
      )
    } finally {
      await etcd.stop()
    }
  }
)

beside(
  "alarms are raised, listed and disarmed as in etcd; with CORRUPT nothing changes any more",
  async (t) => {
    t.timeout(120_000)
    const etcd = await Etcd.start()
    try {
      await inCluster(async (_etcdctl, endpoints) => {
        const clients = endpoints.map((endpoint) => new EtcdClient(endpoint))
        const [first, second] = clients
        const story = async (one: EtcdClient, other: EtcdClient) => {
          const told: Array<unknown> = []
          const alarm = async (client: EtcdClient, action: number, kind: number, memberID: bigint) =>
            told.push(answer(await client.call(MAINTENANCE.alarm, { action, memberID, alarm: kind })).alarms)
          await alarm(one, AlarmAction.activate, AlarmType.corrupt, 5n)
          await alarm(one, AlarmAction.activate, AlarmType.corrupt, 5n)
          await alarm(other, AlarmAction.get, AlarmType.none, 0n)
          await alarm(other, AlarmAction.get, AlarmType.noSpace, 0n)
          told.push(await tried(other))
          await alarm(other, AlarmAction.deactivate, AlarmType.noSpace, 5n)
          await alarm(other, AlarmAction.deactivate, AlarmType.corrupt, 5n)
          await alarm(other, AlarmAction.deactivate, AlarmType.corrupt, 5n)
          told.push((await tried(one))["put"])
          return told
        }
        t.deepEqual(await story(first!, second!), await story(etcd.client, etcd.client))
        for (const client of clients) client.close()
      })
    } finally {
      await etcd.stop()
    }
  }
)
