/**
 * The simulator as a world for scenarios: whole nodes in one process, in virtual time, all chance from one seed.
 *
 *   const run = inSimulation(seed, (maker) => play(scenario, maker))
 *
 * Whoever plays in it has to run inside, since its time passes only there: everything that waits by Effect's clock
 * waits in virtual time. The same seed and the same program give the same run, byte for byte.
 */
import { Cause, Effect, Either, Exit, GlobalValue, Schedule, type Scope } from "effect"
import { askWith, type Success } from "#actors/kernel/ask.ts"
import {
  type ClusterShape,
  type Complaint,
  type EtcdAccess,
  type NodeName,
  nodeName,
  Unanswered,
  type World,
  WorldFailed,
  type WorldMaker,
  type WorldOptions
} from "#chaos/lab/world.ts"
import { address } from "#protocols/address.ts"
import { classOf } from "#protocols/client/codecs.ts"
import { KV } from "#protocols/wire/etcd/methods.ts"
import { simEtcdAccess } from "./sim-etcd-access.ts"
import { SimGrpc } from "./sim-grpc.ts"
import { SimLinks } from "./sim-links.ts"
import { addressesOf, SimMachine, type Surroundings } from "./sim-machine.ts"
import { cannot, strike } from "./sim-strikes.ts"
import { SimWorld } from "./world.ts"

const clusterName = "simulation"
const answerMillis = 5_000
const clientLatencyMillisMax = 3
const openMillisMax = 60_000
const lookMillis = 100

/** Runs to its end, in a world that ends with it. Throws what it fails with. */
export const inSimulation = <A, E>(
  seed: number,
  program: (maker: WorldMaker) => Effect.Effect<A, E, Scope.Scope>,
  limitMillis = 30 * 86_400_000
): A => {
  const world = new SimWorld(seed)
  const maker: WorldMaker = { kind: "sim", cannot, open: (options) => open(world, options) }
  const before = new Set(roots)
  try {
    return world.run(Effect.scoped(program(maker)), { limitMillis, isOutside: true })
  } finally {
    for (const fiber of roots) if (!before.has(fiber)) roots.delete(fiber)
  }
}

const rootsName = "effect/FiberScope/Global"

/**
 * Effect's list of fibers without a parent, which holds each until it ends. Fibers of a machine that has lost its
 * power never end, and each would keep its whole world in memory. While a simulation runs nobody else starts any.
 *
 * It is private to Effect: a release may move it, and a list of our own in its place would free nothing.
 */
const { roots } = GlobalValue.globalValue(Symbol.for(rootsName), (): { readonly roots: Set<unknown> } => {
  throw new Error(
    `this Effect keeps no ${rootsName}, so simulations cannot let go of fibers that never end: look in its internal/fiberScope where it keeps them now`
  )
})

const open = (world: SimWorld, options: WorldOptions): Effect.Effect<World, WorldFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const { note, seed } = options
    if (seed !== world.seed) return yield* failed(`this simulation has the seed ${world.seed}, not ${seed}`)
    const links = new SimLinks(world)
    const grpc = new SimGrpc(world)
    const etcd = simEtcdAccess(grpc, world.outsideClock.alarm)
    const complaints: Array<Complaint> = []
    const complain = (complaint: Complaint) => void complaints.push(complaint)
    const machines = machinesOf({ world, links, grpc, complain }, options.shape)
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        for (const machine of machines.values()) machine.powerOff()
      })
    )
    const nodes = [...machines.keys()]
    const members = nodes.slice(0, options.shape.nodes)
    for (const name of members) yield* machines.get(name)?.start ?? Effect.void
    for (const name of members) yield* untilItReads(etcd, name)
    return {
      kind: "sim",
      nodes,
      slowness: 1,
      facts: { seed: `${seed}`, time: "virtual" },
      etcd,
      ask: asOperator(machines, world),
      peerUrl: (node) => `http://${addressesOf(node).links}`,
      residentBytes: () => Effect.succeed(undefined),
      strike: (action) => strike({ world, machines, links, note }, action),
      complaints: () => complaints
    }
  })

const failed = (reason: string) => new WorldFailed({ world: "sim", doing: "open", reason })

const machinesOf = (around: Surroundings, shape: ClusterShape): ReadonlyMap<NodeName, SimMachine> => {
  const { nodes, roles, spares, zones } = shape
  const names = Array.from({ length: nodes + spares }, (_, at) => nodeName(at + 1))
  const members = names.slice(0, nodes)
  const initial = members.map((name) => ({ name, ...addressesOf(name) }))
  return new Map(
    names.map((name, at) => {
      const options = {
        name,
        cluster: clusterName,
        zone: zones[at % zones.length] ?? "",
        seeds: initial.map(({ links }) => links),
        chainfire: { initial, joins: !members.includes(name) },
        work: [],
        roles
      }
      return [name, new SimMachine(around, options)]
    })
  )
}

/** A linearizable read of a key that nobody has written. */
const untilItReads = (etcd: EtcdAccess, node: NodeName): Effect.Effect<void, WorldFailed> =>
  Effect.async<void, string>((resume) =>
    etcd.call(node, KV.range, { key: Uint8Array.of(0) }, (answer) =>
      resume(Either.isRight(answer) ? Effect.void : Effect.fail(answer.left.message))
    )
  ).pipe(
    Effect.timeoutFail({ duration: answerMillis, onTimeout: () => "no answer" }),
    Effect.retry(Schedule.spaced(lookMillis).pipe(Schedule.upTo(openMillisMax))),
    Effect.mapError((reason) => failed(`${node} answers no reads within ${openMillisMax} ms: ${reason}`))
  )

const asOperator =
  (machines: ReadonlyMap<NodeName, SimMachine>, world: SimWorld): World["ask"] =>
  <Asked extends Parameters<World["ask"]>[2]>(node: NodeName, path: string, request: Asked) =>
    Effect.async<Success<Asked>, Unanswered>((resume) => {
      const { alarm } = world.outsideClock
      const ended = (outcome: Effect.Effect<Success<Asked>, Unanswered>) => {
        stopWaiting()
        resume(outcome)
      }
      const unanswered = (reason: string) => ended(Effect.fail(new Unanswered({ node, reason })))
      const stopWaiting = alarm(answerMillis, () => unanswered(`no answer within ${answerMillis} ms`))
      const stay = alarm(world.prng.next() * clientLatencyMillisMax, () => {
        const system = machines.get(node)?.system
        if (system === undefined) return unanswered("it is not running")
        const known = classOf(request)
        if (known === undefined) return unanswered("what is asked is not an instance of a message class")
        askWith<Asked>(system.at(address(path, known)), request, answerMillis, (answered) => {
          if (Exit.isSuccess(answered)) ended(Effect.succeed(answered.value))
          else unanswered(messageOf(Cause.squash(answered.cause)))
        })
      })
      const cancel = () => {
        stopWaiting()
        stay()
      }
      return Effect.sync(cancel)
    })

const messageOf = (fault: unknown): string => (fault instanceof Error ? fault.message : String(fault))
