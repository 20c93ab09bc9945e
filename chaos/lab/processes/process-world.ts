/**
 * The world of processes: nodes as an operator starts them, on the loopback of this machine, as one supervision tree.
 *
 *   lab            one for one
 *     proxy        the way that all links between nodes take
 *     nodes        one for one; a process that ends by itself is started again
 *
 * Node number n listens and dials on 127.0.0.(10+n), and others reach it at a port of the proxy on the same address.
 * Clients go straight to where it listens. Where small file systems can be mounted each node has one for its data.
 */
import { mkdirSync, mkdtempSync, readFileSync, realpathSync } from "node:fs"
import { availableParallelism, release, tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, FiberSet, Layer, Logger, Schedule, type Scope } from "effect"
import { ask } from "#actors/kernel/ask.ts"
import type { ActorRef } from "#actors/kernel/ref.ts"
import * as ActorSystem from "#actors/kernel/system.ts"
import { type Action, type ActionTag, describeAction } from "#chaos/faults/action.ts"
import { Prng } from "#chaos/sim/prng.ts"
import { InjectCrash } from "#protocols/runtime.ts"
import type { ClusterSpec, NodeSpec } from "#supervisors/cluster-spec.ts"
import * as Supervisor from "#supervisors/engine/supervisor.ts"
import { child } from "#supervisors/engine/tree.ts"
import { live } from "#supervisors/live.ts"
import { Clients, type ClientsArgs, LabClients } from "../clients-actor.ts"
import { labName, openLabDoor } from "../lab-door.ts"
import { alarmsOf, type RealClients, realClients } from "../real-clients.ts"
import { type LabRecord, openRecord } from "../reaper.ts"
import { employ, Workloads } from "../workloads-actor.ts"
import {
  type Complaint,
  type NodeName,
  nodeName,
  type World,
  WorldBlocked,
  WorldFailed,
  type WorldMaker,
  type WorldOptions
} from "../world.ts"
import { nodeCommand, writeCluster } from "./cluster-files.ts"
import { freePorts } from "./free-ports.ts"
import {
  FillDisk,
  GetProcess,
  KillNode,
  NodeEnded,
  type NodeOrder,
  NodeProcess,
  type NodeProcessArgs,
  PauseNode,
  ResumeNode,
  StartNode,
  StopNode
} from "./node-process-actor.ts"
import { ChangeNetwork, Proxy } from "./proxy-actor.ts"
import { SmallDisk, whyNoSmallDisks } from "./small-disk.ts"
import type { ProxiedNode } from "./stream-proxy.ts"
import { StreamWeather } from "./stream-weather.ts"

const nodesMax = 200
const readyMillisMax = 90_000
const lookMillis = 50
const lookMillisMax = 1_000
const strikeMillisMax = 60_000

export const processWorld: WorldMaker = {
  kind: "process",
  cannot: (action) => cannot(action),
  open: (options) => open(options)
}

const kernelLives = "the kernel under a process lives on, and keeps what was not flushed"
const noClock = "processes share the clock of this machine"

const cannot = (action: ActionTag): string | undefined => {
  switch (action) {
    case "ShutDown":
      return "a process has no machine of its own that could be shut down"
    case "PowerOff":
    case "PowerOn":
    case "Reset":
      return kernelLives
    case "SlowDisk":
    case "BrokenDisk":
      return "the disk under a process is this machine's, and well"
    case "FullDisk":
    case "FairDisk":
      return whyNoSmallDisks()
    case "ClockJump":
    case "ClockRate":
      return noClock
    case "MemoryPressure":
      return "processes share the memory of this machine"
    default:
      return undefined
  }
}

const blocked = (missing: string, remedy: string) => new WorldBlocked({ world: "process", missing, remedy })
const failed = (doing: string) => (fault: { readonly message: string }) =>
  new WorldFailed({ world: "process", doing, reason: fault.message })

const open = (options: WorldOptions): Effect.Effect<World, WorldBlocked | WorldFailed, Scope.Scope> =>
  Effect.gen(function* () {
    if (process.platform !== "linux")
      return yield* blocked("it needs addresses 127.0.0.11 and on, and /proc", "run it on Linux")
    const record = yield* Effect.mapError(openRecord(options.note), ({ message, path }) =>
      blocked(message, `chmod 700 ${path}`)
    )
    const lab = yield* layOut(options, record)
    // Each of them, and the clients, would like a processor.
    const slowness = Math.max(1, (lab.nodes.length + 1) / availableParallelism())
    const complaints: Array<Complaint> = []
    const clients = new LabClients(alarmsOf(yield* FiberSet.makeRuntime<never>()))
    const connect = realClients({
      nodes: lab.nodes.map(({ etcd, host, links, name }) => ({
        name,
        links: `${host}:${links}`,
        etcd: `${host}:${etcd}`
      })),
      token: lab.token,
      tls: undefined,
      seed: options.seed,
      slowness
    })
    const system = yield* startLab(lab, { clients, connect: () => connect }, complaints, options.note)
    yield* Effect.forEach(
      lab.nodes.slice(0, options.shape.nodes),
      ({ name }) => ready(clients, name, complaints),
      { concurrency: "unbounded", discard: true }
    )
    const world: World = {
      kind: "process",
      nodes: lab.nodes.map(({ name }) => name),
      slowness,
      facts: {
        kernel: release(),
        node: process.version,
        processors: String(availableParallelism()),
        disks: lab.disks === undefined ? "this machine's" : "ext4 in a file for each node"
      },
      ask: clients.ask,
      etcd: clients.etcd,
      employ: (name, workload) => employ(system, name, workload),
      strike: (action) => strike(system, clients, action),
      peerUrl: (node) => `http://${lab.reachedAt(node)}`,
      residentBytes: (node) => residentBytes(system, node),
      complaints: () => complaints
    }
    return world
  })

// Files, ports and disks

interface Lab {
  /** Where everything of it is. */
  readonly folder: string
  readonly nodes: ReadonlyArray<NodeSpec>
  readonly reachedAt: (node: NodeName) => string
  readonly disks: ReadonlyMap<NodeName, SmallDisk> | undefined
  readonly proxied: ReadonlyArray<ProxiedNode>
  readonly processes: ReadonlyArray<NodeProcessArgs>
  readonly token: string
  readonly weather: StreamWeather
}

const layOut = (
  { folder: given, note, seed, shape }: WorldOptions,
  record: LabRecord
): Effect.Effect<Lab, WorldFailed> =>
  Effect.gen(function* () {
    const count = shape.nodes + shape.spares
    if (count < 1 || count > nodesMax)
      return yield* new WorldFailed({
        world: "process",
        doing: "begin",
        reason: `${count} nodes are not within 1 to ${nodesMax}`
      })
    // Resolved, as the kernel lists what is mounted in it.
    const folder = realpathSync(mkdtempSync(join(tmpdir(), "ultracloud-lab-")))
    record.folder(folder)
    const logs = given ?? folder
    mkdirSync(logs, { recursive: true })
    const disks = whyNoSmallDisks() === undefined ? new Map<NodeName, SmallDisk>() : undefined
    const hosts = Array.from({ length: count }, (_, index) => `127.0.0.${11 + index}`)
    const [links = 0, etcd = 0, reached = 0] = yield* freePorts(3, hosts)
    const nodes = yield* Effect.forEach(hosts, (host, index) =>
      Effect.gen(function* () {
        const name = nodeName(index + 1)
        const data = join(folder, name)
        if (disks !== undefined) disks.set(name, yield* SmallDisk.mount(`${data}.ext4`, data, record))
        const spec: NodeSpec = {
          ...{ name, host, links, etcd, dialFrom: host },
          advertise: { links: reached },
          zone: shape.zones[index % shape.zones.length] ?? "zone-a",
          dataDirectory: join(data, "data"),
          console: 0,
          joins: index >= shape.nodes
        }
        return spec
      })
    ).pipe(Effect.mapError(failed("mount disks")))
    const [first, ...others] = nodes
    if (first === undefined) throw new Error("there is at least one")
    const spec: ClusterSpec = { cluster: "chaos", nodes: [first, ...others], roles: shape.roles }
    const files = yield* Effect.mapError(writeCluster(folder, spec), failed("write its files"))
    note(`${count} nodes, their data in ${folder}`)
    return {
      folder,
      nodes,
      reachedAt: (node) => `${nodes.find(({ name }) => name === node)?.host}:${reached}`,
      disks,
      proxied: nodes.map(({ host, links, name }) => ({
        name,
        reachedAt: { host, port: reached },
        listensAt: { host, port: links },
        dialsFrom: host
      })),
      processes: nodes.map(({ joins, name }) => ({
        name,
        command: nodeCommand(files, name),
        logPath: join(logs, `${name}.log`),
        record,
        disk: disks?.get(name),
        startsAtOnce: !joins
      })),
      token: files.token,
      weather: new StreamWeather(new Prng(seed))
    }
  })

// The tree

const startLab = (
  lab: Lab,
  clients: ClientsArgs,
  complaints: Array<Complaint>,
  note: (line: string) => void
) =>
  Effect.gen(function* () {
    const services = yield* Layer.build(Layer.merge(live, Logger.remove(Logger.defaultLogger)))
    const door = yield* openLabDoor(lab.folder, note).pipe(Effect.mapError(failed("open a door for shells")))
    const often = { restarts: 1_000, within: "1 minute" } as const
    const tree = Supervisor.make(labName, {
      strategy: "one-for-one",
      children: [
        child(Proxy, { args: { nodes: lab.proxied, weather: lab.weather } }),
        child(
          Supervisor.make("nodes", {
            strategy: "one-for-one",
            intensity: often,
            children: lab.processes.map((args) => child(NodeProcess, { name: args.name, args }))
          })
        ),
        child(Clients, { args: clients }),
        child(Workloads),
        door.entrance
      ]
    })
    const system = yield* ActorSystem.make(labName, tree).pipe(
      Effect.provide(door.services),
      Effect.provide(services),
      Effect.mapError(failed("start"))
    )
    const clock = yield* Effect.clock
    yield* Effect.acquireRelease(
      Effect.sync(() =>
        system.events.subscribe(
          (event) => {
            if (!(event instanceof NodeEnded)) return
            const what = `its process has ended by itself (${event.how}): ${event.lastWords}`
            complaints.push({ atMillis: clock.unsafeCurrentTimeMillis(), node: event.node, what })
          },
          [NodeEnded._tag]
        )
      ),
      (end) => Effect.sync(end)
    )
    return system
  })

const ready = (clients: RealClients, name: NodeName, complaints: ReadonlyArray<Complaint>) =>
  clients.isReady(name).pipe(
    Effect.repeat({ until: (isReady) => isReady, schedule: Schedule.spaced(lookMillis) }),
    Effect.timeoutFail({
      duration: readyMillisMax,
      onTimeout: () => {
        const said = complaints.filter(({ node }) => node === name).map(({ what }) => what)
        const reason = `${name} answered no read within ${readyMillisMax} ms. ${said.slice(-3).join("; ")}`
        return new WorldFailed({ world: "process", doing: "begin", reason })
      }
    })
  )

const nodeOf = (system: ActorSystem.ActorSystem, name: NodeName) => {
  const found = system.lookup(`/lab/nodes/${name}`, NodeProcess)
  if (found === undefined) throw new Error(`there is no node ${name}`)
  return found
}

const pageBytes = 4_096

const residentBytes = (system: ActorSystem.ActorSystem, node: NodeName): Effect.Effect<number | undefined> =>
  ask(nodeOf(system, node), new GetProcess(), lookMillisMax).pipe(
    Effect.map(({ pid }) => (pid === null ? undefined : residentOf(pid))),
    Effect.orElseSucceed(() => undefined)
  )

/** Undefined for one that ends just now. */
const residentOf = (pid: number): number | undefined => {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * pageBytes
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined
    throw cause
  }
}

// Strikes

const strike = (
  system: ActorSystem.ActorSystem,
  clients: RealClients,
  action: Action
): Effect.Effect<void, WorldFailed> => {
  const failing = failed(`do this: ${describeAction(action)}`)
  const reason = cannot(action._tag)
  if (reason !== undefined) return Effect.fail(failing(new Error(reason)))
  const order = (name: NodeName, asked: NodeOrder) =>
    Effect.mapError(ask(nodeOf(system, name), asked, strikeMillisMax), failing)
  switch (action._tag) {
    case "Kill":
      return order(action.node, new KillNode())
    case "Stop":
      return order(action.node, new StopNode())
    case "Start":
      return order(action.node, new StartNode())
    case "Pause":
      return order(action.node, new PauseNode())
    case "Resume":
      return order(action.node, new ResumeNode())
    case "FullDisk":
    case "FairDisk":
      return order(action.node, new FillDisk({ full: action._tag === "FullDisk" }))
    case "Cut":
    case "Mend":
    case "Network":
      return changeNetwork(system, action).pipe(Effect.mapError(failing))
    case "Crash": {
      const crash = new InjectCrash({
        path: action.path,
        by: "chaos",
        reason: "a scenario of the chaos suite"
      })
      const asking = clients.ask(action.node, `/${action.node}/cluster/introspection`, crash)
      return Effect.asVoid(Effect.mapError(asking, ({ reason }) => failing(new Error(reason))))
    }
    default:
      return Effect.fail(failing(new Error("that is not for a world to do")))
  }
}

const changeNetwork = (system: ActorSystem.ActorSystem, action: ChangeNetwork["action"]) => {
  const proxy: ActorRef<ChangeNetwork> | undefined = system.lookup("/lab/proxy", Proxy)
  if (proxy === undefined) throw new Error("the lab has no proxy")
  return ask(proxy, new ChangeNetwork({ action }), strikeMillisMax)
}
