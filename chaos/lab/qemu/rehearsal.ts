/**
 * What a guest does before it is copied: it runs two nodes that find each other, within its one process, on its
 * loopback, with a file and certificates of its own, as the command line runs them, and writes to both. So what a node needs is not only loaded but compiled,
 * which without KVM takes most of the time of a start. Nothing of it stays but that.
 */
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { connect } from "node:http2"
import { join } from "node:path"
import { Data, Effect, Fiber, Schedule } from "effect"
import { verifyFile } from "#actors/platform/lmdb-stores.ts"
import { keyFileName, openTokens } from "#actors/platform/tokens.ts"
import { KV, type Method } from "#protocols/wire/etcd/methods.ts"
import { stopMillisMax } from "#supervisors/cluster-file/operation-schema.ts"
import type { ClusterSpec, NodeSpec } from "#supervisors/cluster-spec.ts"
import { ultracloud } from "#supervisors/command.ts"
import { names } from "./rehearsal-names.ts"

/** A file system of its own: journals are larger than what a guest has in memory. */
const folder = "/tmp/rehearsal"
const cluster = "rehearsal"
const linksPort = (index: number) => 17_700 + index
const clientPort = (index: number) => 12_379 + index
const healthPort = (index: number) => 17_790 + index
const writes = 10
const millisMax = 240_000

/** The node does not answer, or not well. */
class NotYet extends Data.TaggedError("NotYet")<{ readonly reason: string }> {}

export const rehearse = (certificates: string): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    const ca = readFileSync(join(certificates, "ca.pem"), "utf8")
    const [first, second] = names
    const file = join(folder, "cluster.json")
    writeFileSync(file, JSON.stringify(specOf(certificates)))
    yield* openTokens(join(folder, first), cluster)
    mkdirSync(join(folder, second))
    copyFileSync(join(folder, first, keyFileName), join(folder, second, keyFileName))
    const nodes = yield* Effect.forEach(names, (name) => Effect.fork(ultracloud(nodeArguments(file, name))))
    for (const index of names.keys()) {
      const address = `https://127.0.0.1:${clientPort(index)}`
      const put = call(address, ca, KV.put, { key: Buffer.from("a"), value: Buffer.from("b") })
      const range = call(address, ca, KV.range, { key: Buffer.from("a") })
      yield* Effect.retry(Effect.zipRight(put, range), Schedule.spaced("1 second"))
      for (let write = 0; write < writes; write++) yield* put
    }
    // They get to know each other meanwhile.
    yield* Effect.sleep("3 seconds")
    yield* Effect.forEach(nodes, Fiber.interrupt, { concurrency: "unbounded" })
    // As whoever starts again does first, in a process of its own.
    yield* verifyFile(join(folder, first, "stores", "data.mdb"))
  }).pipe(
    Effect.timeout(millisMax),
    Effect.ensuring(
      Effect.sync(() => {
        for (const name of ["cluster.json", ...names])
          rmSync(join(folder, name), { recursive: true, force: true })
      })
    )
  )

/** The command line of a node. */
export const nodeArguments = (file: string, name: string): ReadonlyArray<string> => [
  ...["node", "ultracloud", "node", "--cluster", file, "--name", name]
]

const specOf = (certificates: string): ClusterSpec => {
  const [first, second] = names.map(
    (name, index): NodeSpec => ({
      name,
      host: "127.0.0.1",
      links: linksPort(index),
      etcd: clientPort(index),
      health: { port: healthPort(index) },
      zone: "zone-a",
      dataDirectory: join(folder, name),
      tls: {
        certificate: join(certificates, `${name}.pem`),
        key: join(certificates, `${name}.key`),
        authority: join(certificates, "ca.pem")
      },
      console: 0
    })
  )
  if (first === undefined || second === undefined) throw new RangeError("two nodes rehearse")
  // A guest is slow, and a node that stops too late takes its process with it.
  return { cluster, nodes: [first, second], roles: ["rehearsed"], stopMillis: stopMillisMax }
}

const call = <Req extends object, Answer extends object>(
  address: string,
  ca: string,
  { path, request }: Method<Req, Answer>,
  asked: Partial<Req>
): Effect.Effect<void, NotYet> =>
  Effect.async<void, NotYet>((resume) => {
    const session = connect(address, { ca })
    const end = (outcome: Effect.Effect<void, NotYet>) => {
      session.destroy()
      resume(outcome)
    }
    const failed = (reason: string) => end(new NotYet({ reason }))
    session.on("error", ({ message }) => failed(message))
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers"
    })
    stream.on("error", ({ message }) => failed(message))
    stream.on("data", () => {})
    stream.on("trailers", (trailers) =>
      trailers["grpc-status"] === "0" ? end(Effect.void) : failed(`status ${trailers["grpc-status"]}`)
    )
    stream.on("close", () => failed("it is closed"))
    const message = request.encode(request.make(asked))
    const head = Buffer.alloc(5)
    head.writeUInt32BE(message.length, 1)
    stream.end(Buffer.concat([head, message]))
    return Effect.sync(() => session.destroy())
  }).pipe(
    Effect.timeoutFail({ duration: "20 seconds", onTimeout: () => new NotYet({ reason: "no answer" }) })
  )
