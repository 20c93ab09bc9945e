/** Hashes by which members are compared: etcd's own, for the same history. */
import test from "ava"
import { Prng } from "#chaos/sim/prng.ts"
import { CompactionRequest } from "#protocols/wire/etcd/kv.ts"
import { DeleteRangeRequest, PutRequest } from "#protocols/wire/etcd/kv-fast.ts"
import { KV, MAINTENANCE } from "#protocols/wire/etcd/methods.ts"
import { answer } from "./fixtures/contents.ts"
import { Etcd, etcdInstalled } from "./fixtures/etcd.ts"
import { Local } from "./fixtures/local.ts"
import { drive } from "./fixtures/snapshot-file.ts"
import { hashBackend, hashKv } from "./kv-hash.ts"
import { Sweeper } from "./sweeper.ts"

const seed = Number(process.env["UC_SEED"] ?? 1)
const oracle = etcdInstalled() ? test : test.skip
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

const hashOf = ({ machine }: Local, revision: number): number =>
  drive(hashKv(machine.mvcc, revision, machine.mvcc.compactRevision))

const put = (key: string, value: string) => PutRequest.make({ key: utf8(key), value: utf8(value) })
const remove = (key: string, end = "") => DeleteRangeRequest.make({ key: utf8(key), rangeEnd: utf8(end) })

/** The same is done to both, and what the hashes are after it is compared. */
class Both {
  readonly ours = new Local()
  readonly etcd: Etcd

  constructor(etcd: Etcd) {
    this.etcd = etcd
  }

  get revision(): number {
    return this.ours.machine.mvcc.revision
  }

  get compactRevision(): number {
    return this.ours.machine.mvcc.compactRevision
  }

  async put(key: string, value: string): Promise<void> {
    this.ours.put(put(key, value))
    answer(await this.etcd.client.call(KV.put, put(key, value)))
  }

  async remove(key: string, end?: string): Promise<void> {
    this.ours.deleteRange(remove(key, end))
    answer(await this.etcd.client.call(KV.deleteRange, remove(key, end)))
  }

  async compact(revision: number): Promise<void> {
    const request = CompactionRequest.make({ revision, physical: true })
    this.ours.compact(request)
    answer(await this.etcd.client.call(KV.compact, request))
  }

  async hashes(revision: number): Promise<readonly [ours: number, theirs: number]> {
    const { compactRevision, hash } = answer(await this.etcd.client.call(MAINTENANCE.hashKV, { revision }))
    if (compactRevision !== this.compactRevision) throw new Error("compacted differently")
    return [hashOf(this.ours, revision === 0 ? this.revision : revision), hash]
  }
}

oracle(
  "at every revision the hash of a random history is etcd's, before and after compactions",
  async (t) => {
    t.timeout(120_000)
    const etcd = await Etcd.start()
    try {
      const prng = new Prng(seed)
      const both = new Both(etcd)
      let compared = 0
      for (let round = 0; round < 12; round++) {
        for (let step = 0; step < 40; step++) {
          const key = `k${prng.below(9)}`
          const dice = prng.next()
          if (dice < 0.65) await both.put(key, "v".repeat(prng.below(200)))
          else if (dice < 0.95) await both.remove(key)
          else await both.remove(key, "l")
        }
        const compare = async (when: string) => {
          const first = Math.max(2, both.compactRevision + 1)
          for (let revision = first; revision <= both.revision; revision += 1 + prng.below(4)) {
            const [ours, theirs] = await both.hashes(revision)
            t.is(ours, theirs, `UC_SEED=${seed}, round ${round}, ${when}, revision ${revision}`)
            compared++
          }
          const [ours, theirs] = await both.hashes(0)
          t.is(ours, theirs, `UC_SEED=${seed}, round ${round}, ${when}, now`)
        }
        await compare("before")
        await both.compact(
          both.compactRevision + 1 + prng.below(both.revision - Math.max(0, both.compactRevision))
        )
        await compare("after")
        const sweeper = new Sweeper(both.ours.machine.mvcc)
        while (!sweeper.isDone && prng.chance(0.9)) sweeper.step(7)
        await compare("swept")
      }
      t.true(compared > 300, `${compared}`)
    } finally {
      await etcd.stop()
    }
  }
)

oracle("also where nothing is left of what a compaction has kept", async (t) => {
  t.timeout(60_000)
  const etcd = await Etcd.start()
  try {
    const both = new Both(etcd)
    await both.put("a", "1")
    await both.put("a", "2")
    await both.put("b", "1")
    await both.compact(both.revision)
    await both.remove("a", "z")
    for (const revision of [0, both.revision]) {
      const [ours, theirs] = await both.hashes(revision)
      t.is(ours, theirs)
    }
    await both.compact(both.revision)
    const [ours, theirs] = await both.hashes(0)
    t.is(ours, theirs)
  } finally {
    await etcd.stop()
  }
})

test("what was swept and what was not hash alike", (t) => {
  const local = new Local()
  for (let round = 0; round < 50; round++) local.put(put(`k${round % 5}`, `${round}`))
  local.deleteRange(remove("k3"))
  local.compact(CompactionRequest.make({ revision: 40 }))
  const before = hashOf(local, 45)
  const sweeper = new Sweeper(local.machine.mvcc)
  while (!sweeper.isDone) sweeper.step(3)
  t.is(hashOf(local, 45), before)
  t.not(hashOf(local, 46), before)
})

test("the hash of all there is does not depend on how far the log was applied", (t) => {
  const buckets = (index: number) => [
    { name: "key" as const, pairs: () => [{ key: utf8("a"), value: utf8("b") }, undefined] },
    { name: "meta" as const, pairs: () => [{ key: utf8("consistent_index"), value: Uint8Array.of(index) }] }
  ]
  t.is(drive(hashBackend(buckets(1))), drive(hashBackend(buckets(2))))
  t.not(drive(hashBackend(buckets(1).slice(1))), drive(hashBackend(buckets(1))))
})
