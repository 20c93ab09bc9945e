import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { inspect } from "node:util"
import test from "ava"
import { Effect, Either } from "effect"
import { SimWorld } from "#chaos/sim/world.ts"
import {
  AuthEnableRequest,
  AuthUserAddRequest,
  AuthUserDeleteRequest,
  AuthUserGrantRoleRequest
} from "#protocols/wire/etcd/auth.ts"
import { PutRequest } from "#protocols/wire/etcd/kv-fast.ts"
import { AUTH, KV } from "#protocols/wire/etcd/methods.ts"
import { AuthenticateCommand, encodeCommand } from "./command.ts"
import { EtcdClient } from "./fixtures/etcd.ts"
import { type Etcdctl, etcdctlInstalled, inCluster } from "./fixtures/etcdctl.ts"
import { MemberCluster } from "./fixtures/member-cluster.ts"
import type { Member } from "./member.ts"

const withEtcdctl = etcdctlInstalled ? test : test.skip

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

withEtcdctl("etcdctl sets up users and roles, and from then on each may do what is his", async (t) => {
  t.timeout(120_000)
  const lines: Array<string> = []
  const secrets = ["root's-own-secret", "reader's-own-secret", "writer's-own-secret"]
  const [rootsSecret, readersSecret, writersSecret] = secrets
  await inCluster(
    async (etcdctl, endpoints, { members }) => {
      const refused = async (...args: ReadonlyArray<string>) => String(await t.throwsAsync(etcdctl(...args)))
      await etcdctl("user", "add", `root:${rootsSecret}`)
      await etcdctl("user", "add", `reader:${readersSecret}`)
      await etcdctl("user", "add", `writer:${writersSecret}`)
      await etcdctl("user", "add", "machine", "--no-password")
      await etcdctl("role", "add", "reads-app")
      await etcdctl("role", "grant-permission", "reads-app", "read", "app/", "--prefix")
      await etcdctl("role", "add", "writes-app")
      await etcdctl("role", "grant-permission", "writes-app", "readwrite", "app/", "--prefix")
      await etcdctl("user", "grant-role", "reader", "reads-app")
      await etcdctl("user", "grant-role", "writer", "writes-app")
      t.is(await etcdctl("--user=reader:wrong", "get", "app/a"), "", "until then nobody is asked")
      t.is(await etcdctl("auth", "enable"), "Authentication Enabled")

      const root = `--user=root:${rootsSecret}`
      const reader = `--user=reader:${readersSecret}`
      const writer = `--user=writer:${writersSecret}`
      t.is(await etcdctl(writer, "put", "app/a", "1"), "OK")
      t.is(await etcdctl(reader, "get", "app/a"), "app/a\n1")
      t.is(await etcdctl(reader, "get", "app/", "--prefix", "--keys-only"), "app/a")
      t.regex(await refused(reader, "put", "app/a", "2"), /permission denied/)
      t.regex(await refused(reader, "get", "b"), /permission denied/)
      t.regex(await refused(reader, "get", "app/", "--from-key"), /permission denied/)
      t.regex(await refused(reader, "del", "app/a"), /permission denied/)
      t.regex(await refused("get", "app/a"), /user name is empty/)
      t.regex(await refused("--user=reader:wrong", "get", "app/a"), /invalid user ID or password/)
      t.regex(await refused("--user=nobody:wrong", "get", "app/a"), /invalid user ID or password/)
      t.regex(await refused("--user=machine:any", "get", "app/a"), /password was given for no password user/)
      for (const endpoint of endpoints)
        t.is(await etcdctl(`--endpoints=${endpoint}`, reader, "get", "app/a"), "app/a\n1")

      t.is(await etcdctl(root, "put", "anything", "goes"), "OK")
      t.is(await etcdctl(root, "user", "list"), "machine\nreader\nroot\nwriter")
      t.regex(await etcdctl(reader, "user", "get", "reader"), /Roles: reads-app/)
      t.regex(await refused(reader, "user", "get", "writer"), /permission denied/)
      t.regex(await etcdctl(reader, "role", "get", "reads-app"), /KV Read:\s+\[app\/, app0\)/)
      t.regex(await refused(reader, "user", "add", "eve:x"), /permission denied/)
      t.regex(await refused(root, "user", "delete", "root"), /invalid auth management/)
      const peer = "--peer-urls=http://127.0.0.1:9"
      t.regex(await refused(reader, "member", "add", "another", peer), /permission denied/)
      t.regex(await refused("member", "remove", "1"), /user name is empty/)
      t.is((await etcdctl("member", "list")).split("\n").length, 3, "who they are is no secret, as in etcd")

      t.is(await etcdctl(writer, "lock", "app/lock", "echo", "held"), "held", "locks are keys like others")
      t.regex(await refused(reader, "lock", "app/lock", "echo", "held"), /permission denied/)

      await etcdctl(root, "role", "revoke-permission", "writes-app", "app/", "--prefix")
      t.regex(await refused(writer, "put", "app/a", "3"), /permission denied/)
      await etcdctl(root, "role", "grant-permission", "writes-app", "readwrite", "app/", "--prefix")
      t.is(await etcdctl(writer, "put", "app/a", "3"), "OK")

      const lease = /lease (\w+) granted/.exec(await etcdctl(writer, "lease", "grant", "2"))?.[1] ?? ""
      await etcdctl(writer, "put", "app/short", "lived", `--lease=${lease}`)
      const untilMillis = performance.now() + 20_000
      while ((await etcdctl(reader, "get", "app/short")) !== "" && performance.now() < untilMillis)
        await new Promise((resolve) => setTimeout(resolve, 100))
      t.is(await etcdctl(reader, "get", "app/short"), "", "a lease ends though nobody has asked for it")

      t.is(await etcdctl(root, "auth", "disable"), "Authentication Disabled")
      t.is(await etcdctl("get", "app/a"), "app/a\n3")

      for (const { data } of members) {
        t.true(await isOnDisk(data, "reads-app"), "what is kept can be found")
        for (const secret of secrets) t.false(await isOnDisk(data, secret), "and no password is in it")
      }
    },
    { log: (line) => lines.push(line) }
  )
  t.false(
    secrets.some((secret) => lines.some((line) => line.includes(secret))),
    "and none is in a line of the log"
  )
})

const isOnDisk = async (folder: string, secret: string): Promise<boolean> => {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && (await readFile(join(entry.parentPath, entry.name))).includes(secret)) return true
  }
  return false
}

withEtcdctl(
  "a token of one member is good at the others at once, and with it goes the password that was changed",
  async (t) => {
    t.timeout(120_000)
    const lines: Array<string> = []
    let last = ""
    const body = async (etcdctl: Etcdctl, endpoints: ReadonlyArray<string>) => {
      await etcdctl("user", "add", "root:secret")
      await etcdctl("auth", "enable")
      const clients = endpoints.map((endpoint) => new EtcdClient(endpoint))
      try {
        for (let count = 0; count < 60; count++) {
          const [here, there] = [clients[count % 3], clients[(count + 1) % 3]]
          const given = await here?.call(AUTH.authenticate, { name: "root", password: "secret" })
          if (given === undefined || !("response" in given)) return t.fail(`no token: ${inspect(given)}`)
          last = given.response.token
          t.regex(last, /^[a-zA-Z]{16}\.\d+$/)
          const method = count % 2 === 0 ? KV.put : KV.range
          const called = await there?.call<object, object>(method, { key: bytes("k") }, last)
          t.true(called !== undefined && "response" in called, `${count}: ${inspect(called)}`)
        }
        const change = { name: "root", password: "other" }
        t.true("response" in ((await clients[0]?.call(AUTH.userChangePassword, change, last)) ?? {}))
        for (const client of clients) {
          const called = await client.call(KV.range, { key: bytes("k") }, last)
          t.like(called, { code: 16, message: "etcdserver: invalid auth token" })
          // Of an entry that may still come: it is waited for, and not forever.
          const future = await client.call(KV.put, { key: bytes("k") }, "abcdefghijklmnop.999999999")
          t.like(future, { code: 16 })
        }
      } finally {
        for (const client of clients) client.close()
      }
    }
    await inCluster(body, { log: (line) => lines.push(line) })
    t.false(
      lines.some((line) => line.includes(last)),
      "no token is in a line of the log"
    )
  }
)

const proposed = (member: Member | undefined, command: Uint8Array): Effect.Effect<void> =>
  Effect.async((resume) =>
    member?.propose(command, (answer) => {
      if (answer._tag !== "Applied" || Either.isLeft(answer.outcome)) throw new Error("not applied")
      resume(Effect.void)
    })
  )

const added = (name: string): Uint8Array =>
  encodeCommand("UserAdd", AuthUserAddRequest.encode(AuthUserAddRequest.make({ name, hashedPassword: "h" })))
const asRoot = encodeCommand("UserGrantRole", AuthUserGrantRoleRequest.encode({ user: "root", role: "root" }))
const enabled = encodeCommand("AuthEnable", AuthEnableRequest.encode({}))
const assigned = (name: string, authRevision: number): Uint8Array =>
  encodeCommand("Authenticate", AuthenticateCommand.encode({ name, tokenPrefix: "letters", authRevision }))

test("a member that loses its power knows the users again, and no token", (t) => {
  const world = new SimWorld(3)
  const cluster = new MemberCluster(world, 1)
  const seen = world.run(
    Effect.gen(function* () {
      yield* cluster.start(1)
      yield* Effect.sleep("1 second")
      for (const command of [added("root"), asRoot, enabled, assigned("root", 3)])
        yield* proposed(cluster.member(1), command)
      const before = cluster.member(1)?.machine.tokens.count
      // Long enough for its store to be flushed.
      yield* Effect.sleep("1 minute")
      cluster.powerOff(1)
      yield* cluster.start(1)
      yield* Effect.sleep("5 seconds")
      const { auth, tokens } = cluster.member(1)?.machine ?? {}
      return {
        before,
        names: auth?.userNames,
        enabled: auth?.enabled,
        revision: auth?.revision,
        after: tokens?.count
      }
    })
  )
  t.deepEqual(seen, { before: 1, names: ["root"], enabled: true, revision: 3, after: 0 })
})

test("a member that was too far behind has the users from a snapshot, and forgets tokens that may be gone", (t) => {
  const world = new SimWorld(4)
  const cluster = new MemberCluster(world, 3, {}, { entriesMax: 50, tailEntries: 10 })
  const seen = world.run(
    Effect.gen(function* () {
      yield* Effect.forEach(cluster.ids, (id) => cluster.start(id))
      yield* Effect.sleep("5 seconds")
      const { leader } = cluster
      const behind = cluster.ids.find((id) => id !== leader?.id) ?? 0
      for (const command of [added("root"), asRoot, added("gone"), enabled, assigned("gone", 4)])
        yield* proposed(leader, command)
      yield* Effect.sleep("1 second")
      const before = cluster.member(behind)?.machine.tokens.count
      cluster.partition([behind])
      const asker = { user: "root", revision: 4 }
      const gone = AuthUserDeleteRequest.encode({ name: "gone" })
      yield* proposed(leader, encodeCommand("UserDelete", gone, asker))
      const key = PutRequest.encode(PutRequest.make({ key: bytes("k") }))
      for (let count = 0; count < 200; count++)
        yield* proposed(leader, encodeCommand("Put", key, { ...asker, revision: 5 }))
      yield* Effect.sleep("10 seconds")
      cluster.heal()
      yield* Effect.sleep("10 seconds")
      const { installs, machine } = cluster.member(behind) ?? {}
      return {
        before,
        installs,
        names: machine?.auth.userNames,
        enabled: machine?.auth.enabled,
        revision: machine?.auth.revision,
        after: machine?.tokens.count
      }
    })
  )
  t.deepEqual(seen, { before: 1, installs: 1, names: ["root"], enabled: true, revision: 5, after: 0 })
})
