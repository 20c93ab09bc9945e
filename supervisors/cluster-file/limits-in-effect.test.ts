/** What the file says of watches, links, origins, clients, shells and roles is what a node's process does to whoever comes. */
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { type IncomingMessage, request } from "node:http"
import { connect as connectHttp2 } from "node:http2"
import { connect as connectSocket } from "node:net"
import { join } from "node:path"
import test from "ava"
import { Effect } from "effect"
import { type MemberProcess, withCluster } from "#actors/chainfire/fixtures/process-cluster.ts"
import { Watching } from "#actors/chainfire/fixtures/watching.ts"
import { eventually } from "#actors/kernel/fixtures/eventually.ts"
import { tokenFileName } from "#actors/platform/tokens.ts"
import { address } from "#protocols/address.ts"
import { type ConnectOptions, connect } from "#protocols/client/client.ts"
import { MessageTooLarge } from "#protocols/delivery.ts"
import { GetFailover } from "#protocols/failover.ts"
import { TooManyClients } from "#protocols/links.ts"
import { GetTree, Inspect } from "#protocols/runtime.ts"

const introspection = address("/node01/cluster/introspection", GetTree, Inspect)

test("watches, connections, streams, origins, clients, sizes, shells and roles are as the file says", async (t) => {
  t.timeout(180_000)
  const file = {
    components: { chainfire: { watchesMax: 2, watchProgressMillis: 300 } },
    limits: {
      etcd: { streamsPerConnectionMax: 7 },
      links: { connectionsMax: 10 },
      clients: { clientsMax: 1, messageBytesMax: 65_536 },
      shells: { clientsMax: 1 }
    },
    origins: ["https://dashboard.example"],
    roles: ["printer"]
  }
  await withCluster(
    "chainfire",
    1,
    async ({ folder, members: [member] }) => {
      if (member === undefined) throw new Error("there is one")
      const token = readFileSync(join(folder, member.name, tokenFileName), "utf8").trim()
      const door = (entrance: "actors" | "ops"): ConnectOptions => ({
        url: `http://${member.links}`,
        token,
        entrance
      })

      // A stream takes two watches; one that asks for it is told how far it is, though nothing happens.
      const watching = new Watching(member.endpoint)
      const key = new Uint8Array([1])
      await watching.create({ key })
      await watching.create({ key, progressNotify: true })
      await watching.create({ key })
      t.like(watching.responses.at(-1), {
        canceled: true,
        cancelReason: "etcdserver: a stream has at most 2 watches"
      })
      await watching.until(() =>
        watching.responses.some(
          ({ canceled, created, events, watchId }) =>
            !created && !canceled && events.length === 0 && watchId === 1
        )
      )
      watching.close()

      t.is(await streamsOffered(member), 7)

      t.is(await answerTo("https://dashboard.example", member), 101)
      t.is(await answerTo("https://elsewhere.example", member), 400)

      // One client and one shell; a message of the client is so large at most.
      for (const entrance of ["actors", "ops"] as const) {
        const refused = Effect.flip(Effect.scoped(connect(door(entrance))))
        const { second, tooLarge } = await Effect.runPromise(
          Effect.scoped(
            Effect.gen(function* () {
              const first = yield* connect(door(entrance))
              const large = new Inspect({ path: `/${"x".repeat(70_000)}` })
              const tooLarge = yield* Effect.flip(first.ask(introspection, large, "10 seconds"))
              return { second: yield* refused, tooLarge }
            })
          )
        )
        t.true(second instanceof TooManyClients, `${second}`)
        if (entrance === "actors") {
          t.true(tooLarge instanceof MessageTooLarge, `${tooLarge}`)
          t.like(tooLarge, { bytesMax: 65_536, definite: true })
        } else t.false(tooLarge instanceof MessageTooLarge, "that is for clients")
      }

      const roles = await eventually(
        () => "who has which role",
        () =>
          Effect.gen(function* () {
            const cloud = yield* connect(door("actors"))
            const coordinator = address("/node01/roles/failover-candidate/failover", GetFailover)
            const { roles } = yield* cloud.ask(coordinator, new GetFailover(), "5 seconds")
            return roles.length > 0 ? roles : undefined
          }).pipe(
            Effect.scoped,
            // It is being elected, or the client before is not forgotten yet.
            Effect.orElseSucceed(() => undefined),
            Effect.runPromise
          )
      )
      t.true(JSON.stringify(roles).includes('"printer"'), JSON.stringify(roles))

      await closesBeyond(10, member)
    },
    { file }
  )
  t.pass()
})

/** Of one connection, as the node says when it begins. */
const streamsOffered = async ({ endpoint }: MemberProcess): Promise<number | undefined> => {
  const session = connectHttp2(`http://${endpoint}`)
  try {
    const [settings] = await once(session, "remoteSettings")
    return settings.maxConcurrentStreams
  } finally {
    session.destroy()
  }
}

/** The status with which a browser's page of that origin is let in, or is not. */
const answerTo = (origin: string, { links }: MemberProcess): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const headers = {
      origin,
      connection: "upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="
    }
    const asked = request(`http://${links}/socket.io/?EIO=4&transport=websocket`, { headers })
    const answered = ({ statusCode, socket }: IncomingMessage) => {
      socket.destroy()
      resolve(statusCode)
    }
    asked.once("upgrade", answered).once("response", answered).once("error", reject).end()
  })

/** Of twice as many connections to the port for links. */
const closesBeyond = async (connectionsMax: number, { links }: MemberProcess): Promise<void> => {
  const [host = "", port] = links.split(":")
  const sockets = Array.from({ length: 2 * connectionsMax }, () =>
    connectSocket(Number(port), host).on("error", () => {})
  )
  try {
    await eventually(
      () => `no more than ${connectionsMax} are open, and most of these are`,
      () => {
        const open = sockets.filter(({ closed, connecting }) => !closed && !connecting).length
        return (connectionsMax / 2 < open && open <= connectionsMax) || undefined
      }
    )
  } finally {
    for (const socket of sockets) {
      if (socket.closed) continue
      const closed = once(socket, "close")
      socket.destroy()
      await closed
    }
  }
}
