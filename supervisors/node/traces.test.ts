/** A request that crosses nodes is one trace at the collector, and a collector that is slow or gone slows nobody. */
import { execFile, spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { promisify } from "node:util"
import test from "ava"
import { Effect, Either, Fiber, type Scope, Stream, type Tracer } from "effect"
import { LeanClient } from "#actors/chainfire/fixtures/lean-grpc.ts"
import { eventually } from "#actors/kernel/fixtures/eventually.ts"
import { connect } from "#protocols/client/client.ts"
import { Crash, Total } from "#protocols/demonstration.ts"
import { ActorEnded } from "#protocols/runtime.ts"
import { MAINTENANCE } from "#protocols/wire/etcd/methods.ts"
import { readEnvironment } from "./environment.ts"
import { type CollectedSpan, type Collector, withCollector } from "./fixtures/collector.ts"
import { type OperatedNode, withNodes } from "./fixtures/operated-cluster.ts"
import { openTraces } from "./traces.ts"

const installed = spawnSync("etcdctl", ["version"]).status === 0
const withEtcdctl = installed ? test : test.skip
const names = ["node01", "node02", "node03"]
const labels = { node: "node01", cluster: "test", version: "0" }

withEtcdctl("a put of etcdctl to one of three nodes is one trace, with spans of all of them", async (t) => {
  t.timeout(180_000)
  await withCollector(async (collector) => {
    await withNodes(
      3,
      async (start) => {
        const nodes = names.map((name) => start(name))
        await Promise.all(nodes.map((node) => node.says(/^ready /)))
        const asked = await follower(nodes)
        const { stdout } = await promisify(execFile)(
          "etcdctl",
          ["--endpoints", asked.etcd, "put", "a", "1"],
          {
            env: { ...process.env, ETCDCTL_API: "3" }
          }
        )
        t.is(stdout.trim(), "OK")

        const spans = await eventually(
          () => `a trace of all three: ${JSON.stringify(collector)}`,
          () => traceOfPut(collector)
        )
        const call = spans.find(({ name }) => name === "etcdserverpb.KV/Put")
        t.like(call, { node: asked.name, kind: 2, status: { code: 1 } })
        t.is(call?.parentSpanId, undefined)
        const parts = spans.filter((span) => span !== call)
        t.true(parts.every(({ parentSpanId }) => parentSpanId === call?.spanId))
        const proposed = parts.filter(({ name }) => name === "chainfire propose")
        t.is(proposed.length, 1)
        t.not(proposed[0]?.node, asked.name, "the leader has proposed it")
        const applied = parts.filter(({ name }) => name === "chainfire apply")
        t.deepEqual(applied.map(({ node }) => node).toSorted(), names)
        t.deepEqual(collector.problems, [])
        t.false(JSON.stringify(collector.spans).includes('"a"'), "what the client sent is in no span")
      },
      { traces: { endpoint: collector.endpoint, intervalMillis: 200 } }
    )
  })
})

test("what a client asks of one node, and that of others, is one trace; so is a stream, from its begin to its end", async (t) => {
  t.timeout(180_000)
  await withCollector(async (collector) => {
    await withNodes(
      3,
      async (start) => {
        const nodes = names.map((name) => start(name))
        await Promise.all(nodes.map((node) => node.says(/^ready /)))
        const [{ links = "", tokenFile = "" } = {}] = nodes
        const token = readFileSync(tokenFile, "utf8").trim()
        const asked = await inTrace("asking", (trace) =>
          Effect.gen(function* () {
            const cloud = yield* connect({ url: `http://${links}`, token })
            t.is(yield* cloud.ask("/node02/courier", new Total({ key: "node03" }), "10 seconds"), 0)
            return trace
          })
        )
        const { chain, tell } = await eventually(
          () => `a trace of all three: ${JSON.stringify(collector)}`,
          () => traceOfAsk(collector, asked.traceId)
        )
        // Who relays, who is asked, what that asks, who is asked there.
        t.deepEqual(
          chain.map(({ kind, node }) => `${node} ${kind}`),
          ["node01 2", "node02 2", "node02 1", "node03 2"]
        )
        t.is(chain[0]?.parentSpanId, asked.spanId, "the client's own is above them all")
        t.like(tell, { node: "node01", kind: 2, status: { code: 1 } })
        t.is(tell?.parentSpanId, chain.at(-1)?.spanId, "what the last one told the first")

        const streamed = await inTrace("following", (trace) =>
          Effect.gen(function* () {
            const cloud = yield* connect({ url: `http://${links}`, token })
            const ends = yield* Effect.fork(
              cloud.subscribe("/node03", [ActorEnded]).pipe(Stream.take(1), Stream.runCount)
            )
            // It is there before what follows: both take the same way.
            yield* cloud.ask("/node03/courier", new Total({ key: "" }), "10 seconds")
            yield* cloud.tell("/node03/courier", new Crash({ why: "to see it end" }))
            t.is(yield* Fiber.join(ends), 1)
            // The stream's end has arrived when this is answered; a link that is gone would be another end.
            yield* cloud.ask("/node01/courier", new Total({ key: "" }), "10 seconds")
            return trace
          })
        )
        const streams = await eventually(
          () => `the stream on both nodes: ${JSON.stringify(collector)}`,
          () => {
            const found = collector.spans.filter(
              ({ name, traceId }) => name === "subscribe" && traceId === streamed.traceId
            )
            return found.length === 2 ? found : undefined
          }
        )
        const [near, far] = streams.toSorted((one, other) => (one.node < other.node ? -1 : 1))
        t.like(near, { node: "node01", parentSpanId: streamed.spanId, status: { code: 1 } })
        t.like(far, { node: "node03", parentSpanId: near?.spanId, status: { code: 1 } })
        for (const span of streams)
          t.deepEqual(span.attributes.find(({ key }) => key === "stream.items")?.value, { intValue: 1 })
        t.true(Number(far?.endTimeUnixNano) > Number(far?.startTimeUnixNano))
        t.deepEqual(collector.problems, [])
      },
      { traces: { endpoint: collector.endpoint, intervalMillis: 200 } }
    )
  })
})

test("a collector that is not there costs nothing but its spans", async (t) => {
  await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const clock = { nowMillis: () => 0, wallMillis: () => 0, alarm: () => () => {} }
        const randomness = { next: () => 0.5 }
        const nowhere = { endpoint: "http://127.0.0.1:9", intervalMillis: 50 }
        const always = yield* openTraces(nowhere, labels, { clock, randomness })
        let begun = 0
        for (let count = 0; count < 100_000; count++) {
          const span = always.begin("a", "server", undefined)
          span?.end()
          if (span !== undefined) begun++
        }
        t.is(begun, 200, "so many a second, and no more")

        const half = yield* openTraces({ ...nowhere, ratio: 0.5 }, labels, { clock, randomness })
        t.is(half.begin("a", "server", undefined), undefined, "not of its share")
        const parent = { traceId: "1".repeat(32), spanId: "2".repeat(16) }
        t.is(half.begin("a", "internal", parent)?.context.traceId, parent.traceId, "what is part of one is")
      })
    )
  )
})

test("whoever gives the environment something else is told what to give", (t) => {
  const read = (variables: Record<string, string>) =>
    Effect.runSync(Effect.either(readEnvironment(variables))).pipe(
      Either.match({ onLeft: ({ message }) => message, onRight: (given) => given })
    )
  t.like(read({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318", OTEL_TRACES_SAMPLER_ARG: "0.1" }), {
    endpoint: "http://collector:4318",
    ratio: 0.1
  })
  t.like(read({ ULTRACLOUD_LOG_LEVEL: "debug", ULTRACLOUD_LOG_FORMAT: "" }), {
    logLevel: "debug",
    logFormat: undefined
  })
  t.is(
    read({ ULTRACLOUD_LOG_LEVEL: "loud" }),
    'the environment variable ULTRACLOUD_LOG_LEVEL is "loud": give debug, info, warn or error'
  )
  t.regex(String(read({ OTEL_EXPORTER_OTLP_ENDPOINT: "collector" })), /is no address of a collector/)
  t.regex(String(read({ OTEL_TRACES_SAMPLER_ARG: "2" })), /give a number from 0 to 1$/)
})

/** Of the call and of all three members, once they are there. */
const traceOfPut = ({ spans }: Collector) => {
  const call = spans.find(({ name }) => name === "etcdserverpb.KV/Put")
  const all = spans.filter(({ traceId }) => traceId === call?.traceId)
  const applied = all.filter(({ name }) => name === "chainfire apply")
  return call !== undefined && applied.length === 3 && all.length >= 5 ? all : undefined
}

/** The asks in the order in which one led to the other, and the tell that was the last of it; once they are there. */
const traceOfAsk = ({ spans }: Collector, traceId: string) => {
  const all = spans.filter((span) => span.traceId === traceId)
  const asks = all.filter(({ name }) => name === "ask Total")
  const chain: Array<CollectedSpan> = []
  for (let next = asks.find(({ parentSpanId }) => !asks.some((one) => one.spanId === parentSpanId)); next; ) {
    chain.push(next)
    const { spanId } = next
    next = asks.find(({ parentSpanId }) => parentSpanId === spanId)
  }
  const tell = all.find(({ name }) => name === "tell Write")
  return tell !== undefined && chain.length === 4 ? { chain, tell } : undefined
}

/** As a program does that traces what it does. */
const inTrace = <A, E>(
  name: string,
  body: (trace: Tracer.Span) => Effect.Effect<A, E, Scope.Scope>
): Promise<A> =>
  Effect.runPromise(Effect.flatMap(Effect.currentSpan, body).pipe(Effect.scoped, Effect.withSpan(name)))

const follower = (nodes: ReadonlyArray<OperatedNode>): Promise<OperatedNode> =>
  eventually(
    () => "one that does not lead",
    async () => {
      for (const node of nodes) {
        const client = new LeanClient(node.etcd)
        const { header, leader } = await client.call(MAINTENANCE.status, {}, 2_000)
        client.close()
        if (leader !== 0n && header?.memberId !== leader) return node
      }
      return undefined
    }
  )
