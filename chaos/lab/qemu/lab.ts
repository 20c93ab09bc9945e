/**
 * A cluster of guests, as one supervision tree:
 *
 *   lab          rest for one: what has lost its port of the switch is started again
 *     switch     frames between guests, and what happens to them
 *     gateway    how programs of this host reach guests
 *     machines   one for one; a machine that ends by itself is off, and somebody has to turn it on
 *     clients    of the nodes, by the gateway
 *     workloads  what they do
 *     cluster    how an operator's shell gets in; see lab-door.ts
 *
 * Each guest has a disk of its own with the file of the cluster, its certificate and its data. Guests are
 * 10.0.0.1, 10.0.0.2 and so on.
 */
import { mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Clock, Effect, Exit, FiberSet, type Scope } from "effect"
import { ask, type Request, type Success } from "#actors/kernel/ask.ts"
import type { InitContext } from "#actors/kernel/context.ts"
import type { ActorRef } from "#actors/kernel/ref.ts"
import * as ActorSystem from "#actors/kernel/system.ts"
import { type KeyFileRefused, keyFileName, openTokens, tokenFileName } from "#actors/platform/tokens.ts"
import type { ListenFailed, NeedsTls } from "#protocols/links.ts"
import type { StartFailed } from "#protocols/runtime.ts"
import type { ClusterSpec, NodeSpec } from "#supervisors/cluster-spec.ts"
import * as Supervisor from "#supervisors/engine/supervisor.ts"
import { child } from "#supervisors/engine/tree.ts"
import type { Live } from "#supervisors/live.ts"
import type { NodeTiming } from "#supervisors/trees/node.ts"
import { type BundleFailed, bundleNode } from "../bundle.ts"
import { authorityIn, type CertificateFailed } from "../certificates.ts"
import { Clients, type GetTraffic, LabClients } from "../clients-actor.ts"
import { labName, openLabDoor } from "../lab-door.ts"
import { alarmsOf, realClients } from "../real-clients.ts"
import type { LabRecord } from "../reaper.ts"
import { Workloads } from "../workloads-actor.ts"
import { accelerator } from "./accelerator.ts"
import { Gateway, GetForwards } from "./gateway-actor.ts"
import { type GuestCopy, guestCopy, memoryMebibytes } from "./guest-copy.ts"
import { certificateFiles, dataDirectory, makeDisk } from "./guest-disk.ts"
import { type GuestImage, guestImage, type ImageFailed } from "./guest-image.ts"
import { Execute, type MachineRequest, PowerOn } from "./machine.ts"
import { Machine } from "./machine-actor.ts"
import type { Accelerator } from "./machine-arguments.ts"
import { type LabBlocked, program } from "./programs.ts"
import { MachineFailed } from "./qemu-process.ts"
import { type SetWeather, Switch } from "./switch-actor.ts"

export interface LabOptions {
  readonly nodes: ReadonlyArray<LabNode>
  readonly zones: ReadonlyArray<string>
  /** That one node at a time has. */
  readonly roles: ReadonlyArray<string>
  readonly timing: NodeTiming
  readonly seed: number
  readonly slowness: number
  /** Disks, keys and certificates; the caller's to remove. */
  readonly folder: string
  /** Where each machine has a file with what its guest has printed. */
  readonly consoles: string
  /** Of what is to be ended by whoever comes next, should this process be killed. */
  readonly record: LabRecord
  /** Of the sources; this repository's unless stated. */
  readonly root?: string
  readonly note: (line: string) => void
}

export interface LabNode {
  readonly name: string
  /** It is to be added to the group before it starts. */
  readonly joins: boolean
}

const clusterName = "lab"
export const etcdPort = 2_379
export const linksPort = 7_700

/** What all guests are made of: cached, so the second time this takes no time. */
export interface Guests {
  readonly image: GuestImage
  readonly copy: GuestCopy
  readonly accelerator: Accelerator
}

export type LabFault =
  | KeyFileRefused
  | LabBlocked
  | ImageFailed
  | BundleFailed
  | CertificateFailed
  | MachineFailed

export const prepareGuests = (
  root: string | undefined,
  note: (line: string) => void
): Effect.Effect<Guests, LabFault> =>
  Effect.gen(function* () {
    const bundle = yield* bundleNode(root)
    const image = yield* guestImage(bundle)
    const chosen = yield* accelerator(image)
    note(`guests run ${image.release} under ${chosen}`)
    const copy = yield* guestCopy(image, chosen)
    return { image, copy, accelerator: chosen }
  })

export interface Lab {
  readonly guests: Guests
  readonly system: ActorSystem.ActorSystem
  /** Of the nodes, from outside of the cluster. */
  readonly clients: LabClients
  /** Of a node in the guests' network. */
  readonly host: (name: string) => string
  readonly diskPath: (name: string) => string
  readonly machine: <Asked extends MachineRequest & Request>(
    name: string,
    request: Asked
  ) => Effect.Effect<Success<Asked>, MachineFailed>
  readonly network: (weather: SetWeather) => Effect.Effect<void, MachineFailed>
  /** Turns a machine on and tells it who it is. Its node does not run yet. */
  readonly boot: (name: string, options: BootOptions) => Effect.Effect<void, MachineFailed>
  /** Runs a command in a guest, and fails unless that succeeds. */
  readonly execute: (
    name: string,
    command: string,
    millisMax?: number
  ) => Effect.Effect<string, MachineFailed>
}

export interface BootOptions {
  readonly from: "copy" | "kernel"
  /** Where writes to its disk are recorded. */
  readonly log?: string
}

const commandMillisMax = 60_000
const bootMillisMax = 180_000
const askMillisMax = 240_000

export const openLab = (
  options: LabOptions
): Effect.Effect<Lab, LabFault | StartFailed | ListenFailed | NeedsTls, Scope.Scope | Live> =>
  Effect.gen(function* () {
    const { consoles, folder, nodes, note, record, root, seed, slowness } = options
    const guests = yield* prepareGuests(root, note)
    const setpriv = yield* program("setpriv")
    const qemu = yield* program("qemu-system-x86_64")
    const certificates = join(folder, "certificates")
    mkdirSync(certificates, { recursive: true, mode: 0o700 })
    const authority = yield* authorityIn(certificates, yield* program("openssl"), 30)
    const names = nodes.map(({ name }) => name)
    const numberOf = (name: string) => names.indexOf(name) + 1
    const hostOf = (name: string) => `10.0.0.${numberOf(name)}`
    const diskPath = (name: string) => join(folder, `${name}.disk`)

    const cluster = clusterOf(options, hostOf)
    const keys = join(folder, "keys")
    yield* openTokens(keys, clusterName)
    const secret = (name: string) => readFileSync(join(keys, name), "utf8")
    const clusterKey = secret(keyFileName)
    yield* Effect.forEach(names, (name) =>
      Effect.flatMap(authority.issue(name, [hostOf(name)]), (tls) =>
        makeDisk(diskPath(name), { cluster, tls, clusterKey })
      )
    )

    const [switchPath, gatewayPath] = [`/${labName}/switch`, `/${labName}/gateway`]
    const machines = names.map((name) =>
      child(Machine, {
        name,
        args: {
          name,
          setpriv,
          qemu,
          shape: {
            ...guests.image,
            accelerator: guests.accelerator,
            memoryMebibytes,
            mac: `52:54:00:00:00:${numberOf(name).toString(16).padStart(2, "0")}`,
            disk: { path: diskPath(name), log: undefined }
          },
          copy: guests.copy,
          consolePath: join(consoles, `${name}.console`),
          record,
          switchPath
        }
      })
    )
    const forwards = names.flatMap((name) =>
      [etcdPort, linksPort].map((port) => ({ host: hostOf(name), port }))
    )
    const clients = new LabClients(alarmsOf(yield* FiberSet.makeRuntime<never>()))
    const connect = (context: InitContext<GetTraffic>) =>
      Effect.gen(function* () {
        const gateway = theOne("gateway", context.lookup(gatewayPath, Gateway))
        const forwarded = yield* asked("gateway", gateway, new GetForwards())
        const at = (name: string, port: number) =>
          theOne(
            `${name}:${port}`,
            forwarded.find((each) => each.host === hostOf(name) && each.port === port)
          ).at
        return yield* realClients({
          nodes: names.map((name) => ({ name, links: at(name, linksPort), etcd: at(name, etcdPort) })),
          token: secret(tokenFileName).trim(),
          tls: { ca: authority.ca },
          seed,
          slowness
        })
      })
    const door = yield* openLabDoor(folder, note)
    const tree = Supervisor.make(labName, {
      strategy: "rest-for-one",
      intensity: { restarts: 3, within: "1 minute" },
      children: [
        child(Switch, { args: { seed } }),
        child(Gateway, { args: { setpriv, qemu, forwards, record, switchPath } }),
        child(
          Supervisor.make("machines", {
            strategy: "one-for-one",
            intensity: { restarts: 100, within: "1 minute" },
            children: machines
          })
        ),
        child(Clients, { args: { clients, connect } }),
        child(Workloads),
        door.entrance
      ]
    })
    const system = yield* Effect.provide(ActorSystem.make(labName, tree), door.services)
    const theSwitch = theOne("switch", system.lookup(switchPath, Switch))
    const machine: Lab["machine"] = (name, request) =>
      asked(name, theOne(name, system.lookup(`/${labName}/machines/${name}`, Machine)), request)
    const execute: Lab["execute"] = (name, command, forMillis = commandMillisMax) =>
      Effect.flatMap(machine(name, new Execute({ command, forMillis })), ({ output, status }) =>
        status === 0
          ? Effect.succeed(output)
          : new MachineFailed({ machine: name, doing: command, reason: `status ${status}: ${output}` })
      )
    return {
      guests,
      system,
      clients,
      host: hostOf,
      diskPath,
      machine,
      network: (request) => asked("switch", theSwitch, request),
      boot: (name, { from, log = null }) =>
        Effect.gen(function* () {
          yield* machine(name, new PowerOn({ from, log }))
          yield* execute(name, ":", bootMillisMax)
          const seconds = (yield* Clock.currentTimeMillis) / 1_000
          yield* execute(name, `sh /lab/begin ${name} ${numberOf(name)} ${names.length} ${seconds}`)
        }),
      execute
    }
  })

const clusterOf = (
  { nodes, roles, timing, zones }: LabOptions,
  hostOf: (name: string) => string
): ClusterSpec => {
  const [first, ...others] = nodes.map(
    ({ joins, name }, index): NodeSpec => ({
      name,
      host: hostOf(name),
      links: linksPort,
      etcd: etcdPort,
      zone: zones[index % zones.length] ?? "zone-a",
      dataDirectory,
      tls: { ...certificateFiles, clientCertificates: "optional" },
      console: 0,
      joins
    })
  )
  return { cluster: clusterName, nodes: [theOne("node", first), ...others], roles, timing }
}

const theOne = <A>(what: string, found: A | undefined): A => {
  if (found === undefined) throw new Error(`the lab has no ${what}`)
  return found
}

/** What a message to an actor of the lab itself meets on its way is the lab's failure like all others. */
const asked = <Asked extends Request>(name: string, ref: ActorRef<Asked>, request: Asked) =>
  Effect.flatMap(
    Effect.exit(ask(ref, request, askMillisMax)),
    (exit): Effect.Effect<Success<Asked>, MachineFailed> => {
      if (Exit.isSuccess(exit)) return Effect.succeed(exit.value)
      const fault = exit.cause._tag === "Fail" ? exit.cause.error : exit.cause
      if (fault instanceof MachineFailed) return Effect.fail(fault)
      const reason = fault instanceof Error ? fault.message : String(fault)
      return Effect.fail(new MachineFailed({ machine: name, doing: request._tag, reason }))
    }
  )
