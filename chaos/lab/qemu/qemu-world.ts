/**
 * The world of QEMU guests: real kernels, a switch between them, and disks that lose what was not flushed.
 *
 * A machine boots as the copy of a guest that was running, with its own disk, so that power comes back within
 * seconds. What it writes is recorded; when its power is cut, the disk is built anew from what was flushed and a part
 * of the rest, drawn by the seed. A machine that is reset, or a node that is killed, loses nothing of its disk.
 */
import { existsSync, mkdirSync, mkdtempSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { Clock, Effect, Layer, Logger, Schedule, type Scope } from "effect"
import { type Finding, unknown } from "#chaos/checkers/evidence.ts"
import { type Action, type ActionTag, describeAction } from "#chaos/faults/action.ts"
import { ActorFailed, InjectCrash } from "#protocols/runtime.ts"
import { live } from "#supervisors/live.ts"
import { crashCheck, leftOut, lookIntoCrashes } from "../disks/crash-check.ts"
import { DiskRecorder } from "../disks/disk-recorder.ts"
import { labName } from "../lab-door.ts"
import type { RealClients } from "../real-clients.ts"
import { type LabRecord, openRecord } from "../reaper.ts"
import { employ } from "../workloads-actor.ts"
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
import { memoryMebibytes } from "./guest-copy.ts"
import { type GuestDisk, Guests } from "./guests.ts"
import { type Lab, linksPort, openLab } from "./lab.ts"
import { BreakDisk, GuestNoted, Pause, Resume, ThrottleDisk } from "./machine.ts"
import { NodeNetwork } from "./node-network.ts"
import { MachineFailed } from "./qemu-process.ts"
import { SetWeather } from "./switch-actor.ts"

const nodesMax = 9
const readyMillisMax = 240_000
const lookMillis = 200
/** How often a moment is noted at which a power cut may be drawn later. */
const momentMillis = 250
const writesMax = 500_000
/** For power cuts that are looked into when the run is over. */
const crashesMillisMax = 20_000
/** Images are built in memory where that is possible. */
const workRoot = existsSync("/dev/shm") ? "/dev/shm" : tmpdir()
/** A guest without so much does not live. */
const mebibytesMin = 128

export interface QemuWorldOptions {
  /** Of the sources that the guests run; this repository's unless stated. */
  readonly root?: string
  /** Told each time before a machine boots, of the disk that it will have: with a new log, from what is there. */
  readonly onBoot?: (disk: GuestDisk) => void
}

export const qemuWorld = (given: QemuWorldOptions = {}): WorldMaker => ({
  kind: "qemu",
  cannot,
  open: (options) => open(options, given)
})

export const cannot = (action: ActionTag): string | undefined =>
  action === "ReplaceNode" ? "that is asked of the group, not of a machine" : undefined

const failed = (doing: string) => (fault: { readonly message: string }) =>
  new WorldFailed({ world: "qemu", doing, reason: fault.message })

const open = (
  options: WorldOptions,
  { onBoot, root }: QemuWorldOptions
): Effect.Effect<World, WorldBlocked | WorldFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const { note, seed, shape } = options
    const count = shape.nodes + shape.spares
    if (count < 1 || count > nodesMax)
      return yield* failed("begin")(new RangeError(`${count} nodes are not within 1 to ${nodesMax}`))
    const record = yield* Effect.mapError(
      openRecord(note),
      ({ message, path }) =>
        new WorldBlocked({ world: "qemu", missing: message, remedy: `chmod 700 ${path}` })
    )
    const folder = mkdtempSync(join(tmpdir(), "ultracloud-qemu-"))
    record.folder(folder)
    const names = Array.from({ length: count }, (_, index) => nodeName(index + 1))
    const slowness = slownessOf(count)
    const services = yield* Layer.build(Layer.merge(live, Logger.remove(Logger.defaultLogger)))
    const lab = yield* openLab({
      nodes: names.map((name, index) => ({ name, joins: index >= shape.nodes })),
      zones: shape.zones,
      roles: shape.roles,
      timing: {
        chainfire: { electionMillis: 1_000 * slowness, heartbeatMillis: 100 * slowness },
        membership: { probeIntervalMillis: 1_000 * slowness, probeTimeoutMillis: 200 * slowness }
      },
      seed,
      slowness,
      folder,
      consoles: consolesIn(options.folder ?? folder),
      record,
      ...(root !== undefined && { root }),
      note
    }).pipe(
      Effect.provide(services),
      Effect.catchTag("LabBlocked", ({ missing, remedy }) =>
        Effect.fail(new WorldBlocked({ world: "qemu", missing, remedy }))
      ),
      Effect.mapError((fault) => (fault instanceof WorldBlocked ? fault : failed("open")(fault)))
    )
    const { clients } = lab
    const guests = new Guests(lab, seed)
    const recorder = new DiskRecorder(
      names.slice(0, shape.nodes).map((name) => guests.disk(name)),
      writesMax
    )
    guests.onBoot = (disk) => {
      onBoot?.(disk)
      if (recorder.has(disk.name)) recorder.logBegins(disk.name)
    }
    const complaints = yield* complaintsOf(lab, guests)
    const fromMillis = yield* Clock.currentTimeMillis
    yield* Effect.forEach(
      names,
      (name, index) =>
        Effect.gen(function* () {
          yield* guests.powerOn(name)
          if (index >= shape.nodes) return
          yield* guests.start(name)
          yield* ready(clients, name)
        }),
      { concurrency: "unbounded", discard: true }
    ).pipe(Effect.mapError(failed("begin")))
    const tookMillis = (yield* Clock.currentTimeMillis) - fromMillis
    note(`${shape.nodes} guests had power, and nodes that answer, after ${(tookMillis / 1_000).toFixed(1)} s`)
    yield* Effect.forkScoped(
      Effect.repeat(
        Effect.sync(() => recorder.moment()),
        Schedule.spaced(momentMillis)
      )
    )
    yield* Effect.forkScoped(guests.keepLogsShort(note))
    const network = new NodeNetwork(names)
    const world: World = {
      kind: "qemu",
      nodes: names,
      slowness,
      facts: {
        accelerator: lab.guests.accelerator,
        kernel: lab.guests.image.release,
        node: process.version,
        processors: String(availableParallelism()),
        memory: `${memoryMebibytes} MiB for each guest`
      },
      ask: clients.ask,
      etcd: recorder.watched(clients.etcd),
      employ: (name, workload) => employ(lab.system, name, workload),
      strike: (action) =>
        Effect.mapError(
          strike(lab, guests, network, clients, action),
          failed(`do this: ${describeAction(action)}`)
        ),
      peerUrl: (node) => `https://${lab.host(node)}:${linksPort}`,
      residentBytes: (node) => residentBytes(lab, node),
      complaints: () => complaints,
      afterwards: Effect.suspend(() => {
        const said = leftOut({ cuts: guests.cuts, spares: shape.spares, isFull: recorder.isFull })
        return said === undefined
          ? Effect.map(crashesOf(guests, recorder, options, record), (finding) => [finding])
          : Effect.succeed(said)
      })
    }
    return world
  })

/** After all machines are off, which takes their logs to an end. */
const crashesOf = (
  guests: Guests,
  recorder: DiskRecorder,
  { folder, seed, shape }: WorldOptions,
  record: LabRecord
): Effect.Effect<Finding> =>
  Effect.gen(function* () {
    const nodes = Array.from({ length: shape.nodes }, (_, index) => nodeName(index + 1))
    yield* Effect.forEach(nodes, (name) => guests.halt(name))
    const workFolder = mkdtempSync(join(workRoot, "ultracloud-crashes-"))
    record.folder(workFolder)
    const recording = { ...recorder.recording, disks: nodes.map((name) => guests.disk(name)) }
    return yield* lookIntoCrashes(recording, {
      ...{ seed, workFolder, keepFolder: folder },
      millisMax: crashesMillisMax
    })
  }).pipe(Effect.catchAll(({ message }) => Effect.succeed(unknown(crashCheck, message))))

/** Without KVM a guest is many times slower than this machine, and all of them share it. */
const slownessOf = (count: number): number => Math.max(3, (2 * (count + 1)) / availableParallelism())

const consolesIn = (folder: string): string => {
  mkdirSync(folder, { recursive: true })
  return folder
}

const ready = (clients: RealClients, name: NodeName): Effect.Effect<void, MachineFailed> =>
  clients.isReady(name).pipe(
    Effect.repeat({ until: (isReady) => isReady, schedule: Schedule.spaced(lookMillis) }),
    Effect.timeoutFail({
      duration: readyMillisMax,
      onTimeout: () =>
        new MachineFailed({
          machine: name,
          doing: "answer a read",
          reason: `not within ${readyMillisMax} ms`
        })
    }),
    Effect.asVoid
  )

const strike = (
  lab: Lab,
  guests: Guests,
  network: NodeNetwork,
  clients: RealClients,
  action: Action
): Effect.Effect<void, { readonly message: string }> => {
  switch (action._tag) {
    case "PowerOff":
      return guests.powerOff(action.node)
    case "PowerOn":
      return Effect.zipRight(guests.powerOn(action.node), guests.start(action.node))
    case "ShutDown":
      return guests.shutDown(action.node)
    case "Reset":
      return guests.reset(action.node)
    case "Kill":
      return guests.end(action.node, "kill")
    case "Stop":
      return guests.end(action.node, "stop")
    case "Start":
      return guests.start(action.node)
    case "Pause":
      return lab.machine(action.node, new Pause())
    case "Resume":
      return lab.machine(action.node, new Resume())
    case "Cut":
    case "Mend":
    case "Network":
      return lab.network(new SetWeather({ links: network.change(action) }))
    case "SlowDisk": {
      const writesPerSecond = Math.max(1, Math.round(1_000 / Math.max(1, action.syncMillis)))
      return lab.machine(action.node, new ThrottleDisk({ writesPerSecond, bytesPerSecond: 0 }))
    }
    case "BrokenDisk":
      return lab.machine(action.node, new BreakDisk())
    case "FullDisk":
      return guests.fullDisk(action.node)
    case "FairDisk":
      return guests.fairDisk(action.node)
    case "ClockJump":
      return Effect.asVoid(lab.execute(action.node, `/usr/bin/perl /lab/clock add ${action.millis / 1_000}`))
    case "ClockRate":
      return Effect.asVoid(lab.execute(action.node, `adjtimex -q -t ${tickOf(action.rate)}`))
    case "MemoryPressure":
      return guests.takeMemory(action.node, Math.min(action.mebibytes, memoryMebibytes - mebibytesMin))
    case "Crash": {
      const { node, path } = action
      const crash = new InjectCrash({ path, by: "chaos", reason: "a scenario of the chaos suite" })
      return clients.ask(node, `/${node}/cluster/introspection`, crash).pipe(
        Effect.asVoid,
        Effect.mapError(({ reason }) => new Error(reason))
      )
    }
    case "ReplaceNode":
      return Effect.fail(new Error("that is asked of the group, not of a machine"))
  }
}

/** A kernel can be told to take a tick for up to a tenth more or less than it is: further than that no clock goes here. */
const tickOf = (rate: number): number => Math.round(10_000 * Math.min(1.1, Math.max(0.9, rate)))

const machinesPath = `/${labName}/machines/`

const complaintsOf = (lab: Lab, guests: Guests) =>
  Effect.gen(function* () {
    const complaints: Array<Complaint> = []
    const clock = yield* Effect.clock
    const complain = (node: NodeName, what: string) =>
      complaints.push({ atMillis: clock.unsafeCurrentTimeMillis(), node, what })
    const listen = () =>
      lab.system.events.subscribe(
        (event) => {
          if (event instanceof GuestNoted && guests.isToRun(event.machine)) {
            complain(event.machine, event.line)
          }
          if (event instanceof ActorFailed && event.path.startsWith(machinesPath)) {
            const node = event.path.split("/").at(-1) ?? event.path
            guests.lost(node)
            complain(node, event.cause)
          }
        },
        [GuestNoted._tag, ActorFailed._tag]
      )
    yield* Effect.acquireRelease(Effect.sync(listen), (end) => Effect.sync(end))
    return complaints
  })

const pageBytes = 4_096

/** Of the node's process, as its guest sees it. */
const residentBytes = (lab: Lab, node: NodeName): Effect.Effect<number | undefined> =>
  lab.execute(node, "awk '{ print $2 }' /proc/$(cat /run/node.pid)/statm", 5_000).pipe(
    Effect.map((pages) => Number(pages) * pageBytes),
    Effect.orElseSucceed(() => undefined)
  )
