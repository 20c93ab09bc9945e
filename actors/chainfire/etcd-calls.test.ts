import test from "ava"
import { Effect, Either } from "effect"
import type { GrpcStatus, UnaryCall } from "#actors/kernel/ports/grpc.ts"
import { SimWorld } from "#chaos/sim/world.ts"
import { AuthUserAddRequest, AuthUserGrantRoleRequest } from "#protocols/wire/etcd/auth.ts"
import { etcdErrors, GrpcCode, untranslated } from "#protocols/wire/etcd/errors.ts"
import { KV } from "#protocols/wire/etcd/methods.ts"
import { AuthenticateCommand, encodeCommand } from "./command.ts"
import { Calls, unary, upTo } from "./etcd-calls.ts"
import { idleEndpoint } from "./fixtures/idle-endpoint.ts"
import { MemberCluster } from "./fixtures/member-cluster.ts"
import type { Member } from "./member.ts"

/** A call that remembers how it failed. */
const callOf = (
  failures: Array<GrpcStatus>,
  headers: Readonly<Record<string, string>> = {},
  commonName?: string
): UnaryCall => ({
  path: KV.put.path,
  peer: { address: "here:1", identity: undefined, commonName, encrypted: false },
  header: (name) => headers[name],
  deadlineMillis: undefined,
  ended: false,
  onCancel: undefined,
  fail: (status) => void failures.push(status),
  reply: () => {}
})

const callsOf = (member: Member | undefined, nowMillis: () => number): Calls => {
  if (member === undefined) throw new Error("there is no such member")
  return new Calls(idleEndpoint(member, nowMillis, () => 0.5))
}

const propose = (member: Member | undefined, command: Uint8Array): Effect.Effect<void> =>
  Effect.async((resume) =>
    member?.propose(command, (proposed) => {
      if (proposed._tag !== "Applied" || Either.isLeft(proposed.outcome)) throw new Error("not applied")
      resume(Effect.void)
    })
  )

/** Authentication is on; there are root and ann, who may do nothing. */
const setUp = (member: Member | undefined): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (const name of ["root", "ann"]) {
      const request = AuthUserAddRequest.make({ name, hashedPassword: "h" })
      yield* propose(member, encodeCommand("UserAdd", AuthUserAddRequest.encode(request)))
    }
    const granted = AuthUserGrantRoleRequest.encode({ user: "root", role: "root" })
    yield* propose(member, encodeCommand("UserGrantRole", granted))
    yield* propose(member, encodeCommand("AuthEnable", new Uint8Array(0)))
  })

test("a caller is whose token he shows, or whose name is in his certificate, unless it is a gateway's", (t) => {
  const world = new SimWorld(1)
  const cluster = new MemberCluster(world, 1)
  const seen = world.run(
    Effect.gen(function* () {
      yield* cluster.start(1)
      yield* Effect.sleep("1 second")
      const member = cluster.member(1)
      const calls = callsOf(member, () => world.nowMillis)
      const seen: Array<string> = []
      const ask = (what: string, headers: Readonly<Record<string, string>>, commonName?: string) => {
        const failures: Array<GrpcStatus> = []
        calls.asRoot(callOf(failures, headers, commonName), () => seen.push(`${what}: may`))
        for (const { message } of failures) seen.push(`${what}: ${message}`)
      }
      ask("anybody, while it is off", {})
      ask("a bad token, while it is off", { token: "x" })
      yield* setUp(member)
      const authRevision = member?.machine.auth.revision ?? 0
      const request = AuthenticateCommand.encode({ name: "ann", tokenPrefix: "anns", authRevision })
      yield* propose(member, encodeCommand("Authenticate", request))
      const token = `anns.${member?.machine.appliedIndex}`
      ask("nobody", {})
      ask("root's certificate", {}, "root")
      ask("ann's certificate", {}, "ann")
      ask("a stranger's certificate", {}, "eve")
      ask("a name that no user can have", {}, "n".repeat(1_000))
      ask("root's certificate at a gateway", { "grpcgateway-accept": "*/*" }, "root")
      ask("ann's token, shown by root's gateway", { authorization: token }, "root")
      ask("ann's token", { token })
      ask("another's letters", { token: token.replace("anns", "eves") })
      yield* Effect.sleep("6 minutes")
      ask("ann's token, much later", { token })
      return seen
    })
  )
  t.deepEqual(seen, [
    "anybody, while it is off: may",
    "a bad token, while it is off: etcdserver: invalid auth token",
    "nobody: etcdserver: user name is empty",
    "root's certificate: may",
    "ann's certificate: etcdserver: permission denied",
    "a stranger's certificate: etcdserver: user name not found",
    "a name that no user can have: etcdserver: user name is empty",
    "root's certificate at a gateway: etcdserver: user name is empty",
    "ann's token, shown by root's gateway: etcdserver: permission denied",
    "ann's token: etcdserver: permission denied",
    "another's letters: etcdserver: invalid auth token",
    "ann's token, much later: etcdserver: invalid auth token"
  ])
})

test("a member that was cut off finds out about a token before it says that there is none", (t) => {
  const world = new SimWorld(5)
  const cluster = new MemberCluster(world, 3)
  const seen = world.run(
    Effect.gen(function* () {
      yield* Effect.forEach(cluster.ids, (id) => cluster.start(id))
      yield* Effect.sleep("5 seconds")
      const { leader } = cluster
      const behind = cluster.ids.find((id) => id !== leader?.id) ?? 0
      yield* setUp(leader)
      yield* Effect.sleep("1 second")
      cluster.partition([behind])
      const authRevision = leader?.machine.auth.revision ?? 0
      const request = AuthenticateCommand.encode({ name: "root", tokenPrefix: "roots", authRevision })
      yield* propose(leader, encodeCommand("Authenticate", request))
      const token = `roots.${leader?.machine.appliedIndex}`
      const calls = callsOf(cluster.member(behind), () => world.nowMillis)
      const ask = Effect.async<string>((resume) => {
        cluster.heal()
        calls.identify(callOf([], { token }), (who) =>
          resume(Effect.succeed(Either.isLeft(who) ? who.left.message : (who.right?.user ?? "nobody")))
        )
      })
      const known = cluster.member(behind)?.machine.tokens.count
      return { known, found: yield* ask }
    })
  )
  t.deepEqual(seen, { known: 0, found: "root" })
})

test("for Maintenance the refusal is in the words of etcd's auth package", (t) => {
  t.deepEqual(untranslated(etcdErrors.permissionDenied), {
    code: GrpcCode.unknown,
    message: "auth: permission denied"
  })
  t.is(untranslated(etcdErrors.timeout), etcdErrors.timeout)
})

test("what does not decode, or is too large, is refused before anybody looks at it", (t) => {
  const failures: Array<GrpcStatus> = []
  const put = unary(KV.put, () => t.fail("it was looked at"))
  put(Uint8Array.of(0x0a, 0x7f), callOf(failures))
  upTo(10, { put })["put"]?.(new Uint8Array(11), callOf(failures))
  t.deepEqual(failures, [
    { code: GrpcCode.internal, message: "grpc: error while marshaling" },
    etcdErrors.requestTooLarge
  ])
})
