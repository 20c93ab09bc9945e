import { once } from "node:events"
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import test from "ava"
import { Deferred, Effect, Fiber, Logger, Option, Schedule } from "effect"
import { ask } from "#actors/kernel/ask.ts"
import { Coordination } from "#actors/kernel/ports/coordination.ts"
import type { ActorSystem } from "#actors/kernel/system.ts"
import { keyFileName, openTokens } from "#actors/platform/tokens.ts"
import { address } from "#protocols/address.ts"
import { GetFailover, GetLeaderRole } from "#protocols/failover.ts"
import { runNode } from "../node.ts"

test("of three nodes one coordinates failover, and when it stops another does, in a later term", async (t) => {
  t.timeout(120_000)
  await inCluster((nodes) =>
    Effect.gen(function* () {
      const first = yield* leader(nodes)
      const coordinator = address(`/${first.name}/roles/failover-candidate/failover`, GetFailover)
      const asked = nodes.find(({ name }) => name !== first.name)
      if (asked === undefined) throw new Error("there is one node only")
      const failover = yield* ask(asked.system.at(coordinator), new GetFailover(), "10 seconds")
      t.is(failover.term, first.epoch)

      // Components reach the same store by the service, whichever node they are on.
      const store = asked.system.service(Coordination)
      const key = new TextEncoder().encode("ultracloud/leases/failover")
      t.is(Option.getOrThrow(yield* store.get(key)).modRevision, first.epoch)

      const leading = nodes.find(({ name }) => name === first.name)
      if (leading !== undefined) yield* Fiber.interrupt(leading.running)
      const second = yield* leader(nodes.filter((node) => node !== leading))
      t.not(second.name, first.name)
      t.true(second.epoch > first.epoch)
    })
  )
})

// Fixtures

interface RunningNode {
  readonly name: string
  readonly system: ActorSystem
  readonly running: Fiber.RuntimeFiber<void, unknown>
}

/** Who leads failover, once somebody does. */
const leader = (nodes: ReadonlyArray<RunningNode>) =>
  Effect.gen(function* () {
    for (const { name, system } of nodes) {
      const candidate = system.at(address(`/${name}/roles/failover-candidate`, GetLeaderRole))
      const { epoch, phase } = yield* ask(candidate, new GetLeaderRole({}), "5 seconds")
      if (phase === "leading" && epoch !== null) return { name, epoch }
    }
    return yield* Effect.fail("nobody leads yet")
  }).pipe(Effect.retry({ times: 300, schedule: Schedule.spaced("100 millis") }))

const inCluster = (body: (nodes: ReadonlyArray<RunningNode>) => Effect.Effect<void, unknown>) =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "roles-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
    )
    const ports = yield* Effect.promise(() => freePorts(6))
    const initial = ["node01", "node02", "node03"].map((name, index) => ({
      name,
      links: `127.0.0.1:${ports[2 * index]}`,
      etcd: `127.0.0.1:${ports[2 * index + 1]}`
    }))
    yield* openTokens(join(folder, "node01"), "test")
    const nodes = yield* Effect.forEach(initial, ({ etcd, links, name }) =>
      Effect.gen(function* () {
        const dataDirectory = join(folder, name)
        mkdirSync(dataDirectory, { recursive: true, mode: 0o700 })
        if (name !== "node01")
          copyFileSync(join(folder, "node01", keyFileName), join(dataDirectory, keyFileName))
        const started = yield* Deferred.make<ActorSystem>()
        const running = yield* Effect.forkScoped(
          runNode(
            {
              name,
              cluster: "test",
              dataDirectory,
              port: Number(links.split(":")[1]),
              clientPort: Number(etcd.split(":")[1]),
              seeds: initial.map((one) => one.links),
              zone: "a",
              chainfire: { initial },
              work: []
            },
            (system) => Deferred.succeed(started, system)
          )
        )
        return { name, running, system: yield* Deferred.await(started) }
      })
    )
    yield* body(nodes)
  }).pipe(Effect.scoped, Effect.provide(Logger.remove(Logger.defaultLogger)), Effect.runPromise)

const freePorts = async (count: number): Promise<ReadonlyArray<number>> => {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, "127.0.0.1")
      await once(server, "listening")
      return server
    })
  )
  const ports = servers.map((server) => {
    const where = server.address()
    return typeof where === "object" && where !== null ? where.port : 0
  })
  for (const server of servers) {
    server.close()
    await once(server, "close")
  }
  return ports
}
