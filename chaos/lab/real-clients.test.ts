/** One real node, clients that come to it, and what they see of it while it is killed and comes back. */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import test from "ava"
import { Effect, Either, Schedule } from "effect"
import { withCluster } from "#actors/chainfire/fixtures/process-cluster.ts"
import { comesAbout } from "#actors/kernel/fixtures/eventually.ts"
import type { GrpcStatus } from "#actors/kernel/ports/grpc.ts"
import { authority } from "#actors/platform/fixtures/grpc-visits.ts"
import { tokenFileName } from "#actors/platform/tokens.ts"
import { GetTree } from "#protocols/runtime.ts"
import { KV } from "#protocols/wire/etcd/methods.ts"
import type { WatchResponse } from "#protocols/wire/etcd/watch.ts"
import { type RealClients, realClients } from "./real-clients.ts"

const node = "node01"
const key = new TextEncoder().encode("a")

/** Its revision, or why there is none. */
const put = ({ etcd }: RealClients): Effect.Effect<Either.Either<number, GrpcStatus>> =>
  Effect.async((resume) =>
    etcd.call(node, KV.put, { key, value: key }, (answer) =>
      resume(Effect.succeed(Either.map(answer, ({ header }) => header?.revision ?? 0)))
    )
  )

test("clients call, watch as slowly as they like, and ask as an operator; a node that is dead is known to be", async (t) => {
  t.timeout(120_000)
  await withCluster("chainfire", 1, async ({ folder, members: [member] }) => {
    if (member === undefined) throw new Error("there is one member")
    const token = readFileSync(join(folder, node, tokenFileName), "utf8").trim()
    const nodes = [{ name: node, links: member.links, etcd: member.endpoint }]
    await Effect.gen(function* () {
      const clients = yield* realClients({ nodes, token, tls: undefined, seed: 1, slowness: 1 })
      t.true(yield* clients.isReady(node))
      // What cannot be interrupted may ask first, and the clients close all the same.
      const tree = yield* Effect.uninterruptible(
        clients.ask(node, `/${node}/cluster/introspection`, new GetTree({ depth: 1 }))
      )
      t.is(tree.path, `/${node}`)

      const responses: Array<WatchResponse> = []
      let ends = 0
      clients.etcd.watch({
        node,
        request: { key, startRevision: 1 },
        slowMillisMax: 50,
        onResponse: (response) => void responses.push(response),
        onEnd: () => void ends++
      })
      const cancel = clients.etcd.watch({
        node,
        request: { key },
        slowMillisMax: 0,
        onResponse: cancelAtOnce,
        onEnd: () => t.fail("it was cancelled")
      })
      function cancelAtOnce() {
        cancel()
      }
      const revisions = yield* Effect.replicateEffect(Effect.flatten(put(clients)), 20)
      const seen = yield* comesAbout("all changes were seen", () => {
        const events = responses.flatMap((response) => response.events)
        return events.length >= 20 ? events.map(({ kv }) => kv?.modRevision) : undefined
      })
      t.deepEqual(seen, revisions)

      yield* Effect.promise(() => member.kill())
      yield* comesAbout("the watch ended", () => (ends === 1 ? true : undefined))
      // The first of them may still find the connection that is just breaking, and then nobody knows what came of it.
      const refused = yield* Effect.flip(Effect.flatten(put(clients))).pipe(
        Effect.zipLeft(Effect.sleep(20)),
        Effect.repeat({ until: clients.etcd.isDefinite }),
        Effect.timeout("20 seconds")
      )
      t.regex(refused.message, /^no connection was made for it: .*ECONNREFUSED/)
      t.true(clients.etcd.isDefinite(refused))
      t.false(yield* clients.isReady(node))
      const unanswered = yield* Effect.flip(
        clients.ask(node, `/${node}/cluster/introspection`, new GetTree({}))
      )
      t.is(unanswered._tag, "Unanswered")

      yield* Effect.promise(() => member.start())
      yield* clients
        .isReady(node)
        .pipe(Effect.repeat({ until: (ready) => ready, schedule: Schedule.spaced(50) }))
      t.true(Either.isRight(yield* put(clients)))
      const again = yield* Effect.retry(
        clients.ask(node, `/${node}/cluster/introspection`, new GetTree({ depth: 0 })),
        Schedule.recurs(5)
      )
      t.is(again.path, `/${node}`)
      t.is(ends, 1)
    }).pipe(Effect.scoped, Effect.runPromise)
  })
})

const withOpenssl = spawnSync("openssl", ["version"]).status === 0 ? test : test.skip

withOpenssl("under TLS they show a certificate, and a node is who its own one says", async (t) => {
  t.timeout(120_000)
  const folder = mkdtempSync(join(tmpdir(), "real-clients-tls-"))
  const signer = authority("west")
  try {
    const issue = (name: string) => {
      const { ca, cert, key } = signer.issue(name)
      const files = { certificate: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) }
      writeFileSync(files.certificate, cert)
      writeFileSync(files.key, key, { mode: 0o600 })
      writeFileSync(join(folder, "ca.pem"), ca)
      return { ...files, authority: join(folder, "ca.pem"), clientCertificates: "needed" as const }
    }
    const serve = { tls: issue }
    await withCluster(
      "chainfire",
      1,
      ({ folder, members: [member] }) =>
        Effect.gen(function* () {
          if (member === undefined) throw new Error("there is one member")
          const token = readFileSync(join(folder, node, tokenFileName), "utf8").trim()
          const nodes = [{ name: node, links: member.links, etcd: member.endpoint }]
          const clients = yield* realClients({ nodes, token, tls: signer.issue("ann"), seed: 1, slowness: 1 })
          yield* clients
            .isReady(node)
            .pipe(
              Effect.repeat({ until: (ready) => ready, schedule: Schedule.spaced(50) }),
              Effect.timeout("60 seconds")
            )
          const tree = yield* clients.ask(node, `/${node}/cluster/introspection`, new GetTree({ depth: 0 }))
          t.is(tree.path, `/${node}`)
          const { ca } = signer.issue("nobody")
          const bare = yield* realClients({ nodes, token, tls: { ca }, seed: 1, slowness: 1 })
          t.false(yield* bare.isReady(node))
        }).pipe(Effect.scoped, Effect.runPromise),
      serve
    )
  } finally {
    signer.remove()
    rmSync(folder, { recursive: true, force: true })
  }
})
