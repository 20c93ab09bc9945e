/** The same users, roles and requests at a real etcd and at a member of ours, over gRPC, and the same answers. */
import test from "ava"
import { Effect } from "effect"
import { Prng } from "#chaos/sim/prng.ts"
import { GrpcCode } from "#protocols/wire/etcd/errors.ts"
import { AUTH, KV, LEASE, type Method, WATCH } from "#protocols/wire/etcd/methods.ts"
import { AuthRequests, Callers, type Tokens } from "./fixtures/auth-requests.ts"
import { type Called, Etcd, EtcdClient, etcdInstalled } from "./fixtures/etcd.ts"
import { liveCluster } from "./fixtures/live-cluster.ts"

const operations = 3_000
const seed = Number(process.env["UC_SEED"] ?? 1)

const oracle = etcdInstalled() ? test : test.skip

/** Both, and nothing is asked of anybody yet. */
const withBoth = (body: (ours: EtcdClient, theirs: EtcdClient) => Promise<void>): Promise<void> =>
  Effect.gen(function* () {
    const [member] = (yield* liveCluster(1)).members
    if (member === undefined) throw new Error("there is no member")
    yield* Effect.promise(async () => {
      // Its hashes take some 100 ms each otherwise.
      const etcd = await Etcd.start({ args: ["--bcrypt-cost", "4"] })
      const ours = new EtcdClient(member.endpoint)
      try {
        await ready(ours)
        await body(ours, etcd.client)
      } finally {
        ours.close()
        await etcd.stop()
      }
    })
  }).pipe(Effect.scoped, Effect.runPromise)

const ready = async (client: EtcdClient): Promise<void> => {
  const untilMillis = performance.now() + 20_000
  while (performance.now() < untilMillis) {
    const called = await client.call(KV.range, { key: bytes("x") })
    if ("response" in called) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error("no leader after 20 s")
}

oracle(
  `${operations} random requests of all sorts of callers have the same answers as from etcd itself`,
  async (t) => {
    t.timeout(170_000)
    await withBoth(async (ours, theirs) => {
      const prng = new Prng(seed)
      const requests = new AuthRequests(prng)
      const seen = new Map<string, number>()
      const callers = new Callers(prng)
      let enabled = false
      let done = 0

      const same = async (
        what: string,
        call: (client: EtcdClient, token: string | undefined) => Promise<Called<object>>,
        shown?: Tokens
      ): Promise<Called<object>> => {
        const [own, other] = await Promise.all([call(ours, shown?.ours), call(theirs, shown?.theirs)])
        const kind = `${what.split(" ")[0]}: ${"response" in other ? "ok" : `${other.code} ${other.message}`}`
        seen.set(kind, (seen.get(kind) ?? 0) + 1)
        t.deepEqual(plain(own), plain(other), `UC_SEED=${seed}, request ${done}: ${what}`)
        done++
        if ("code" in own && own.code === GrpcCode.unauthenticated) callers.refused(shown)
        return own
      }

      const authenticate = async (name: string, password: string): Promise<void> => {
        const given = { ours: "", theirs: "" }
        await same(`Authenticate ${name} ${password}`, async (client) => {
          const called = await client.call(AUTH.authenticate, { name, password })
          if ("response" in called) given[client === ours ? "ours" : "theirs"] = called.response.token
          return called
        })
        if (given.ours !== "") callers.given(name, given)
      }

      const asRoot = <Request extends object, Response extends object>(
        method: Method<Request, Response>,
        request: Partial<Request>
      ) =>
        same(
          `${method.path.split("/").at(-1)} ${show(request)}`,
          (client, token) => client.call(method, request, token),
          enabled ? callers.last("root") : undefined
        )

      /** As one does it, in order; some of it may be there. */
      const enable = async (): Promise<void> => {
        await asRoot(AUTH.userAdd, { name: "root", password: "one" })
        await asRoot(AUTH.userGrantRole, { user: "root", role: "root" })
        enabled ||= "response" in (await asRoot(AUTH.enable, {}))
      }

      while (done < operations) {
        const dice = prng.next()
        if (!enabled && dice < 0.06) await enable()
        else if (enabled && dice < 0.3 && callers.last("root") === undefined)
          await authenticate("root", requests.password)
        else if (dice < 0.12) await authenticate(requests.user, requests.password)
        else if (dice < 0.124) {
          const outcome = await asRoot(AUTH.disable, {})
          if ("response" in outcome) enabled = false
        } else {
          const request = requests.next()
          const caller = callers.next(enabled)
          if (caller === undefined && enabled && request.needsUser) continue
          await same(`${request.name} ${show(request.request)}`, request.ask, caller)
        }
      }
      t.log(
        [...seen]
          .toSorted()
          .map(([kind, count]) => `${count} × ${kind}`)
          .join("\n")
      )
      t.true(seen.size >= 70, `${seen.size} sorts of answers were compared`)
    })
  }
)

oracle("what etcd 3.4.23 lets pass, and should not, is refused", async (t) => {
  t.timeout(60_000)
  await withBoth(async (ours, theirs) => {
    const ann = { ours: "", theirs: "" }
    for (const client of [ours, theirs]) {
      const which = client === ours ? "ours" : "theirs"
      for (const name of ["root", "ann"]) await client.call(AUTH.userAdd, { name, password: "p" })
      await client.call(AUTH.userGrantRole, { user: "root", role: "root" })
      await client.call(AUTH.roleAdd, { name: "writer" })
      const perm = { key: bytes("w"), rangeEnd: bytes(""), permType: 1 }
      await client.call(AUTH.roleGrantPermission, { name: "writer", perm })
      const readable = { key: bytes("r"), rangeEnd: bytes(""), permType: 0 }
      await client.call(AUTH.roleGrantPermission, { name: "writer", perm: readable })
      await client.call(AUTH.userGrantRole, { user: "ann", role: "writer" })
      await client.call(LEASE.grant, { ID: 5n, TTL: 1_000 })
      await client.call(KV.put, { key: bytes("w"), value: bytes("secret") })
      await client.call(KV.put, { key: bytes("others"), value: bytes("secret"), lease: 5n })
      await client.call(AUTH.enable, {})
      const given = await client.call(AUTH.authenticate, { name: "ann", password: "p" })
      if ("response" in given) ann[which] = given.response.token
    }
    const denied = "7 etcdserver: permission denied"
    const nobody = "3 etcdserver: user name is empty"
    const put = (key: string, more = {}) => ({
      ...noOp,
      requestPut: KV.put.request.make({ key: bytes(key), ...more })
    })
    const txn = (op: object) => KV.txn.request.make({ success: [{ ...noOp, ...op }] })
    const holes: ReadonlyArray<
      readonly [
        string,
        string,
        Tokens | undefined,
        (client: EtcdClient, token?: string) => Promise<Called<object>>
      ]
    > = [
      [
        "a write in a transaction within a transaction",
        denied,
        ann,
        (client, token) => client.call(KV.txn, txn({ requestTxn: txn(put("others")) }), token)
      ],
      [
        "the same by nobody at all",
        nobody,
        undefined,
        (client) => client.call(KV.txn, txn({ requestTxn: txn(put("others")) }))
      ],
      [
        "the value that a put in a transaction replaces",
        denied,
        ann,
        (client, token) => client.call(KV.txn, txn(put("w", { prevKv: true })), token)
      ],
      [
        "another's lease for a key in a transaction",
        denied,
        ann,
        (client, token) => client.call(KV.txn, txn(put("w", { lease: 5n })), token)
      ],
      [
        "the names of others' keys on a lease",
        denied,
        ann,
        (client, token) => client.call(LEASE.timeToLive, { ID: 5n, keys: true }, token)
      ],
      [
        "the same by nobody at all",
        nobody,
        undefined,
        (client) => client.call(LEASE.timeToLive, { ID: 5n, keys: true })
      ],
      ["compaction by nobody", nobody, undefined, (client) => client.call(KV.compact, { revision: 2 })],
      ["a lease for nobody", nobody, undefined, (client) => client.call(LEASE.grant, { ID: 6n, TTL: 1_000 })],
      ["the end of a lease by nobody", nobody, undefined, (client) => client.call(LEASE.revoke, { ID: 6n })]
    ]
    for (const [what, refusal, caller, call] of holes) {
      t.true("response" in (await call(theirs, caller?.theirs)), `etcd: ${what}`)
      const own = await call(ours, caller?.ours)
      t.is("response" in own ? "allowed" : `${own.code} ${own.message}`, refusal, what)
    }
    const watchAllFrom = (client: EtcdClient, token: string) =>
      client.first(
        WATCH.watch,
        {
          createRequest: {
            key: bytes("r"),
            rangeEnd: bytes("\0"),
            startRevision: 0,
            progressNotify: false,
            filters: [],
            prevKv: false,
            watchId: 0,
            fragment: false
          }
        },
        token
      )
    const [own, other] = [await watchAllFrom(ours, ann.ours), await watchAllFrom(theirs, ann.theirs)]
    t.like(other, { response: { canceled: false } }, "etcd: all keys from one on that may be read")
    t.like(own, {
      response: {
        canceled: true,
        cancelReason: "rpc error: code = PermissionDenied desc = etcdserver: permission denied"
      }
    })
  })
})

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const noOp = {
  requestPut: undefined,
  requestRange: undefined,
  requestDeleteRange: undefined,
  requestTxn: undefined
}

/** Who answers, and what each makes up or counts for himself, is not compared. */
const skipped = new Set(["clusterId", "memberId", "raftTerm", "sub", "token", "TTL"])

const plain = (value: unknown, name = ""): unknown => {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("latin1")
  // Among permissions for one key Go's sort leaves any order; leases come in the order in which they end.
  if (Array.isArray(value) && (name === "perm" || name === "leases"))
    return value.map((held) => show(held)).toSorted()
  if (Array.isArray(value)) return value.map((held) => plain(held))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !skipped.has(key))
      .map(([key, inner]) => [key, plain(inner, key)])
  )
}

const show = (request: unknown): string =>
  JSON.stringify(plain(request), (_name, value) => (typeof value === "bigint" ? `${value}` : value))
