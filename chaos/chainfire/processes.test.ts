/**
 * The same clients as in the simulator, on real processes, sockets and disks: leaders are killed with kill -9, and
 * stopped for seconds so that others follow and they come back believing that they lead.
 */
import test from "ava"
import { Effect, Either, Fiber } from "effect"
import { CallFailed } from "#actors/chainfire/fixtures/lean-grpc.ts"
import { type ProcessCluster, withCluster } from "#actors/chainfire/fixtures/process-cluster.ts"
import { Recorder } from "#chaos/checkers/history.ts"
import { checkLinearizability, renderVerdict } from "#chaos/checkers/linearizability.ts"
import { type EtcdAccess, nodeName } from "#chaos/lab/world.ts"
import { type EtcdInput, type EtcdOutput, etcdModel } from "#chaos/models/etcd-model.ts"
import { Prng } from "#chaos/sim/prng.ts"
import { KvClient } from "#chaos/workloads/kv-clients.ts"
import { GrpcCode } from "#protocols/wire/etcd/errors.ts"

const clientsCount = 8
const nodes = [1, 2, 3].map(nodeName)
const patienceMillis = 1_500
const nowMillis = () => performance.now()
const pause = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

const accessTo = ({ members }: ProcessCluster): EtcdAccess => ({
  isDefinite: ({ code }) => definite.has(code),
  watch: () => {
    throw new Error("nobody watches here")
  },
  call: (node, method, request, done) => {
    const member = members[nodes.indexOf(node)]
    if (member === undefined) throw new Error(`there is no ${node}`)
    member.client.call(method, request, patienceMillis).then(
      (answer) => done(Either.right(answer)),
      (problem: unknown) => {
        if (!(problem instanceof CallFailed)) throw problem
        done(Either.left({ code: problem.code, message: problem.message }))
      }
    )
  }
})

/** What was certainly not carried out: it was understood and refused. */
const definite: ReadonlySet<number> = new Set([
  GrpcCode.invalidArgument,
  GrpcCode.failedPrecondition,
  GrpcCode.outOfRange
])

/** What clients saw while `nemesis` went about it. */
const recorded = (cluster: ProcessCluster, seed: number, nemesis: () => Promise<void>) => {
  const recorder = new Recorder<EtcdInput, EtcdOutput>({ nowMillis, operationsMax: 200_000 })
  let isOver = false
  const clients = Array.from(
    { length: clientsCount },
    (_, index) =>
      new KvClient(accessTo(cluster), recorder, new Prng(seed + index), {
        name: `client ${index + 1}`,
        nodes,
        onlyReads: index % 4 === 3,
        patienceMillis,
        pauseMillisMax: 20,
        isOver: () => isOver
      })
  )
  return Effect.gen(function* () {
    const running = yield* Effect.fork(
      Effect.forEach(clients, (client) => client.run, { concurrency: "unbounded", discard: true })
    )
    yield* Effect.promise(nemesis)
    isOver = true
    yield* Fiber.join(running)
    return recorder.history
  }).pipe(Effect.runPromise)
}

test("leaders that are killed, and leaders that stand still and come back, leave one history behind", async (t) => {
  t.timeout(240_000)
  await withCluster("chainfire", 3, async (cluster) => {
    const history = await recorded(cluster, 1, async () => {
      await pause(1_000)
      for (let round = 0; round < 2; round++) {
        const killed = await cluster.leader()
        await killed.kill()
        await pause(1_500)
        await killed.start()
        const stopped = await cluster.leader()
        stopped.pause()
        await pause(3_500)
        stopped.resume()
        await pause(1_500)
      }
    })
    const answered = history.filter(({ ending }) => ending._tag === "Ok").length
    const unknown = history.filter(({ ending }) => ending._tag === "Unknown").length
    t.log(`${answered} answered, ${unknown} of unknown outcome`)
    t.true(answered > 500 && unknown > 0)
    const bounds = { nowMillis, millisMax: 60_000, cacheEntriesMax: 2_000_000 }
    const verdict = checkLinearizability(etcdModel, history, bounds)
    t.is(verdict._tag, "Linearizable", renderVerdict(etcdModel, verdict).join("\n"))
  })
})
