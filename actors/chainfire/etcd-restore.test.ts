/** From a snapshot everything comes back, whoever took it; and what is no snapshot is refused. */
import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import test from "ava"
import { Prng } from "#chaos/sim/prng.ts"
import { BboltCorrupt } from "#protocols/wire/bbolt/bbolt-format.ts"
import { sourceOf, written } from "#protocols/wire/bbolt/fixtures/files.ts"
import { AuthUserAddRequest, User } from "#protocols/wire/etcd/auth.ts"
import { encodeRevisionKey } from "#protocols/wire/etcd/backend.ts"
import { CompactionRequest } from "#protocols/wire/etcd/kv.ts"
import { DeleteRangeRequest, KeyValue, PutRequest } from "#protocols/wire/etcd/kv-fast.ts"
import { LeaseGrantRequest, LeaseRevokeRequest } from "#protocols/wire/etcd/lease.ts"
import { restoreChainfire } from "#supervisors/chainfire-restore.ts"
import { type RestoreOptions, RestoreRefused, restoring } from "./etcd-restore.ts"
import { contentsOf, fill } from "./fixtures/contents.ts"
import { Etcd, EtcdClient, etcdInstalled } from "./fixtures/etcd.ts"
import { etcdctlAt, etcdctlInstalled, inCluster } from "./fixtures/etcdctl.ts"
import { Local, memoryState } from "./fixtures/local.ts"
import { drive, takeSnapshot } from "./fixtures/snapshot-file.ts"
import { StateMachine } from "./state-machine.ts"
import { Sweeper } from "./sweeper.ts"

const seed = Number(process.env["UC_SEED"] ?? 1)
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

/** A state machine with a history by seed. */
const somewhat = (prng: Prng, operations: number): Local => {
  const local = new Local()
  const step = () => {
    const key = utf8(`k${prng.below(12)}`)
    const dice = prng.next()
    if (dice < 0.6) {
      const value = new Uint8Array(prng.chance(0.05) ? 9_000 : prng.below(50)).fill(prng.below(256))
      local.put(PutRequest.make({ key, value, lease: prng.chance(0.3) ? BigInt(prng.below(4)) : 0n }))
    } else if (dice < 0.8) {
      const rangeEnd = prng.chance(0.3) ? utf8("l") : new Uint8Array(0)
      local.deleteRange(DeleteRangeRequest.make({ key, rangeEnd }))
    } else if (dice < 0.9)
      local.grant(LeaseGrantRequest.make({ ID: BigInt(prng.below(4)), TTL: 5 + prng.below(99) }))
    else if (dice < 0.95) local.revoke(LeaseRevokeRequest.make({ ID: BigInt(prng.below(4)) }))
    else local.compact(CompactionRequest.make({ revision: prng.below(local.machine.mvcc.revision + 1) }))
  }
  for (let count = 0; count < operations; count++) step()
  return local
}

const rowsOf = ({ attachments, changes, current, history, leases }: ReturnType<typeof memoryState>) =>
  [current, history, changes, leases, attachments].map((table) =>
    [...table.range(new Uint8Array(0), undefined)].map(([key, value]) =>
      [key, value].map((bytes) => Buffer.from(bytes).toString("hex")).join(" ")
    )
  )

const nothing = new Uint8Array(0)

const restored = (file: Uint8Array, options: RestoreOptions = {}, tables = memoryState()) => {
  const outcome = drive(restoring(sourceOf(file), tables, () => {}, options))
  return { tables, outcome }
}

test("users and roles come along, and a store that was closed is closed again", (t) => {
  const local = new Local()
  const { auth } = local.machine
  for (const name of ["root", "ann"])
    auth.addUser(AuthUserAddRequest.make({ name, hashedPassword: `scrypt$4$8$1$salt$${name}` }))
  auth.addRole("root")
  auth.grantRole("root", "root")
  t.is(auth.enable(), undefined)
  const { tables } = restored(takeSnapshot(local.machine, local.tables).file)
  const again = new StateMachine(tables, 2, () => 0, { changed: () => {} })
  t.true(again.auth.enabled)
  t.is(again.auth.revision, auth.revision)
  t.deepEqual([...tables.users.range(nothing, undefined)], [...local.tables.users.range(nothing, undefined)])
  const { revision } = again.auth
  t.is(again.auth.refuses({ user: "root", revision }, "write", utf8("a")), undefined)
  t.is(
    again.auth.refuses({ user: "ann", revision }, "read", utf8("a"))?.message,
    "etcdserver: permission denied"
  )
})

test("what is written, compacted and swept while a snapshot is taken is not in it, and all before is", (t) => {
  const prng = new Prng(seed)
  for (let round = 0; round < 60; round++) {
    const local = somewhat(prng, 20 + prng.below(400))
    const { machine, tables } = local
    const sweeper = new Sweeper(machine.mvcc)
    const isSwept = prng.chance(0.5)
    while (isSwept && !sweeper.isDone) sweeper.step(5)
    const expected = rowsOf(tables)
    const { compactRevision, revision } = machine.mvcc
    const meanwhile = () => {
      local.put(PutRequest.make({ key: utf8(`k${prng.below(20)}`), value: utf8("later") }))
      if (prng.chance(0.2)) local.compact(CompactionRequest.make({ revision: machine.mvcc.revision }))
      sweeper.step(50)
    }
    const { blobs, file } = takeSnapshot(machine, tables, { meanwhile, sweeper })
    t.is(blobs.at(-1)?.remainingBytes, 0)
    t.is(blobs.at(-1)?.bytes, 32)
    t.is(blobs.at(-2)?.remainingBytes, 0)
    const back = restored(file)
    t.deepEqual(rowsOf(back.tables), expected, `UC_SEED=${seed}, round ${round}`)
    t.like(back.outcome, { revision, compactRevision })
    const again = new StateMachine(back.tables, 2, () => 0, { changed: () => {} })
    t.is(again.mvcc.revision, revision)
    t.is(again.appliedIndex, 1)
  }
})

const sample = takeSnapshot(...machineAndTables(somewhat(new Prng(5), 300))).file

function machineAndTables({ machine, tables }: Local) {
  return [machine, tables] as const
}

const refusal = (file: Uint8Array, options: RestoreOptions = {}, tables = memoryState()): string => {
  try {
    restored(file, options, tables)
    return "restored"
  } catch (problem) {
    if (problem instanceof RestoreRefused || problem instanceof BboltCorrupt) return problem.message
    throw problem
  }
}

test("damage anywhere is found by the hash, and without the hash it is harmless or found", (t) => {
  const prng = new Prng(seed)
  let found = 0
  for (let round = 0; round < 600; round++) {
    const damaged = sample.slice()
    const at = prng.below(damaged.length)
    damaged[at] = (damaged[at] ?? 0) ^ (1 << prng.below(8))
    t.regex(refusal(damaged), /its hash is another one/)
    const more = damaged.slice()
    for (let each = 0; each < 20; each++) more[prng.below(more.length)] = prng.below(256)
    if (refusal(more, { skipsHash: true }) !== "restored") found++
  }
  t.true(found > 100, `${found}`)
  t.regex(refusal(sample.subarray(0, sample.length - 32)), /no hash at its end/)
  t.is(refusal(sample.subarray(0, sample.length - 32), { skipsHash: true }), "restored")
})

test("a store that has something in it is left as it is", (t) => {
  const local = somewhat(new Prng(3), 50)
  const before = rowsOf(local.tables)
  t.regex(refusal(sample, {}, local.tables), /there is something in the store already/)
  t.deepEqual(rowsOf(local.tables), before)
})

test("one that was cut short is no store to start on, and is restored by the next try", (t) => {
  const large = takeSnapshot(...machineAndTables(somewhat(new Prng(9), 6_000))).file
  const tables = memoryState()
  const first = restoring(sourceOf(large), tables, () => {})
  for (let steps = 0; tables.current.size === 0; steps++) {
    t.true(steps < 100)
    first.next()
  }
  t.throws(() => new StateMachine(tables, 2, () => 0, { changed: () => {} }), { name: "RestoreUnfinished" })
  restored(large, {}, tables)
  t.deepEqual(rowsOf(tables), rowsOf(restored(large).tables))
  t.notThrows(() => new StateMachine(tables, 2, () => 0, { changed: () => {} }))
})

test("files that are none of etcd's, or that ask for what cannot be kept, are refused with the reason", (t) => {
  const skipsHash = true
  const keyed = (key: Uint8Array, value: Uint8Array) =>
    refusal(written([{ name: "key", pairs: [{ key, value }] }]), { skipsHash })
  const revision = encodeRevisionKey({ main: 2, sub: 0, isTombstone: false })
  const kv = { key: utf8("a"), createRevision: 2, modRevision: 2, version: 1 }
  t.is(keyed(revision, KeyValue.encode(KeyValue.make(kv))), "restored")
  t.regex(keyed(utf8("what"), utf8("ever")), /is no revision/)
  t.regex(keyed(revision, utf8("what")), /a record in it is damaged/)
  t.regex(keyed(revision, KeyValue.encode(KeyValue.make({ ...kv, modRevision: 3 }))), /does not fit/)
  t.regex(
    keyed(revision, KeyValue.encode(KeyValue.make({ ...kv, key: new Uint8Array(2_000) }))),
    /2000 bytes/
  )
  t.regex(refusal(written([{ name: "other", pairs: [] }]), { skipsHash }), /none of etcd 3/)
  const auth = { name: "auth", pairs: [{ key: utf8("authEnabled"), value: Uint8Array.of(1) }] }
  const user = User.encode(User.make({ name: utf8("root"), password: utf8("$2a$10$bcrypt") }))
  const users = { name: "authUsers", pairs: [{ key: utf8("root"), value: user }] }
  t.regex(
    refusal(written([auth, users, { name: "key", pairs: [] }]), { skipsHash }),
    /authentication enabled/
  )
})

const live = etcdInstalled() && etcdctlInstalled ? test : test.skip

const inFolder = async (body: (folder: string) => Promise<void>): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "chainfire-restore-"))
  try {
    await body(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

live("three members start from a snapshot of etcd, and one of theirs is the same again", async (t) => {
  t.timeout(180_000)
  await inFolder(async (folder) => {
    const [first, second] = [join(folder, "of-etcd"), join(folder, "of-ours")]
    const etcd = await Etcd.start()
    let theirs: Awaited<ReturnType<typeof contentsOf>>
    let revisions: ReadonlyArray<number> = []
    try {
      const compacted = await fill(etcd.client, 200)
      revisions = [compacted - 1, compacted, compacted + 1, compacted + 20]
      theirs = await contentsOf(etcd.client, revisions)
      execFileSync("etcdctl", ["--endpoints", etcd.address, "snapshot", "save", first], {
        env: { ...process.env, ETCDCTL_API: "3" },
        stdio: "ignore"
      })
    } finally {
      await etcd.stop()
    }
    // The sign of life of the fixture is one key more.
    const same = async (endpoint: string) => {
      const client = new EtcdClient(endpoint)
      const { revision, ...ours } = await contentsOf(client, revisions)
      client.close()
      const keys = ours.keys.filter((key) => !key.startsWith("settled "))
      t.deepEqual({ ...ours, keys }, { past: theirs.past, keys: theirs.keys, leases: theirs.leases })
      t.true((revision ?? 0) > (theirs.revision ?? 0))
    }
    await inCluster(
      async (_etcdctl, endpoints) => {
        for (const endpoint of endpoints) await same(endpoint)
        await etcdctlAt(endpoints[1] ?? "", "snapshot", "save", second)
      },
      { prepare: restoreChainfire(first) }
    )
    await inCluster(
      async (_etcdctl, endpoints) => {
        for (const endpoint of endpoints) await same(endpoint)
      },
      { prepare: restoreChainfire(second) }
    )
  })
})
