/**
 * One machine of a simulated cluster: its disk and clocks, its power, and the process of a whole node on it, the
 * production tree on simulated ports.
 *
 *   no power ──on──► booting ──► running ──► ended by itself ──a second──► running
 *      ▲                            │ killed, stopped
 *      └────────────off─────────────┴──► down ──start──► running
 *
 * What keeps the process running is an init system: one that ends without being told to is started again after a
 * second, and somebody complains.
 */
import { Cause, Effect, Exit, Fiber, Layer, Logger, Scope } from "effect"
import { describeCause } from "#actors/kernel/ref.ts"
import * as ActorSystem from "#actors/kernel/system.ts"
import type { Complaint, NodeName } from "#chaos/lab/world.ts"
import type { Introduction } from "#protocols/links.ts"
import { SupervisorEscalated } from "#protocols/runtime.ts"
import { protocolVersion } from "#protocols/wire/frames.ts"
import { SupervisionLive } from "#supervisors/engine/supervisor.ts"
import { type Addresses, type NodeTreeOptions, nodeTree } from "#supervisors/trees/node.ts"
import { Compartment } from "./compartment.ts"
import { MachineClock } from "./machine-clock.ts"
import { SimCells } from "./sim-cells.ts"
import { SimDisk } from "./sim-disk.ts"
import type { SimGrpc } from "./sim-grpc.ts"
import type { SimLinks } from "./sim-links.ts"
import { simSecrets } from "./sim-secrets.ts"
import type { SimWorld } from "./world.ts"

/** From power to a process. */
const bootMillis = 1_000
const againMillis = 1_000
const stopMillisMax = 15_000
const lookMillis = 50

export const addressesOf = (node: NodeName): Addresses => ({ links: `${node}:7700`, etcd: `${node}:2379` })

export interface Surroundings {
  readonly world: SimWorld
  readonly links: SimLinks
  readonly grpc: SimGrpc
  readonly complain: (complaint: Complaint) => void
}

interface Process {
  readonly compartment: Compartment
  readonly scope: Scope.CloseableScope
  /** Its end in order, once for all who want it: a scope that is being closed does not wait for a second closer. */
  readonly closing: Effect.Effect<Fiber.RuntimeFiber<void>>
  /** Once its root has started. */
  system: ActorSystem.ActorSystem | undefined
}

export class SimMachine {
  readonly name: NodeName
  readonly disk: SimDisk
  readonly clock: MachineClock
  readonly #around: Surroundings
  readonly #options: NodeTreeOptions
  #hasPower = true
  #isWanted = false
  #starts = 0
  #process: Process | undefined

  constructor(around: Surroundings, options: NodeTreeOptions) {
    this.name = options.name
    this.#around = around
    this.#options = options
    this.disk = new SimDisk(around.world)
    this.clock = new MachineClock(around.world)
  }

  /** Of its node, while that runs. */
  get system(): ActorSystem.ActorSystem | undefined {
    return this.#process?.system
  }

  // Power

  powerOff(): void {
    if (!this.#hasPower) return
    this.#hasPower = false
    this.#isWanted = false
    const { grpc, links } = this.#around
    const { etcd, links: address } = addressesOf(this.name)
    this.#end()
    links.powerOff(address)
    grpc.powerOff(etcd)
    this.disk.powerOff()
  }

  /** The process ends in order first. */
  get shutDown(): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      yield* Effect.forkDaemon(this.stop)
      while (this.#process !== undefined) yield* Effect.sleep(lookMillis)
      this.powerOff()
    })
  }

  get powerOn(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.#hasPower) return Effect.void
      this.#hasPower = true
      this.disk.powerOn()
      return this.#keepRunning(bootMillis)
    })
  }

  // The process

  /** What `kill -9` does. */
  kill(): void {
    this.#isWanted = false
    this.#killed()
  }

  get start(): Effect.Effect<void> {
    return Effect.suspend(() => (this.#hasPower ? this.#keepRunning(0) : Effect.void))
  }

  /** In order, for as long as an init system waits for that. */
  get stop(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#isWanted = false
      const running = this.#process
      return running === undefined ? Effect.void : this.#closed(running)
    })
  }

  pause(): void {
    if (this.#process === undefined) return
    this.#process.compartment.pause()
    this.#around.links.pause(addressesOf(this.name).links)
  }

  resume(): void {
    this.#around.links.resume(addressesOf(this.name).links)
    this.#process?.compartment.resume()
  }

  /** Nothing of it happens any more. */
  #end(): void {
    this.#process?.compartment.powerOff()
    this.#process = undefined
  }

  #killed(): void {
    const { grpc, links } = this.#around
    const { etcd, links: address } = addressesOf(this.name)
    this.#end()
    links.kill(address)
    grpc.kill(etcd)
    this.disk.kill()
  }

  #keepRunning(afterMillis: number): Effect.Effect<void> {
    if (this.#isWanted) return Effect.void
    this.#isWanted = true
    const start = ++this.#starts
    const isOurs = () => this.#isWanted && this.#starts === start
    return Effect.asVoid(
      Effect.forkDaemon(
        Effect.gen(this, function* () {
          yield* Effect.sleep(afterMillis)
          while (isOurs()) {
            // One that is being stopped still has the disk.
            while (this.#process !== undefined) yield* Effect.sleep(lookMillis)
            if (!isOurs()) return
            const why = yield* this.#life
            if (!isOurs()) return
            this.#complain(`it ended by itself: ${why}`)
            yield* Effect.sleep(againMillis)
          }
        }).pipe(
          // Whoever starts it may be doing so while nothing interrupts it, which is nothing to a process.
          Effect.interruptible
        )
      )
    )
  }

  /** From its start to its end, and why it ended. Of one that is killed it says nothing more. */
  get #life(): Effect.Effect<string> {
    return Effect.gen(this, function* () {
      const compartment = new Compartment(this.#around.world, this.clock.process())
      const scope = yield* Scope.make()
      const closing = yield* Effect.cached(Effect.forkDaemon(Scope.close(scope, Exit.void)))
      const running: Process = { compartment, scope, closing, system: undefined }
      this.#process = running
      this.disk.tell = (task) => compartment.run(task)
      const ended = yield* Effect.exit(
        this.#run(running).pipe(
          Effect.provideService(Scope.Scope, scope),
          Effect.withScheduler(compartment.scheduler)
        )
      )
      yield* this.#closed(running)
      const cause = Exit.isFailure(ended) ? ended.cause : ended.value.cause
      return Cause.isEmpty(cause) ? "its root has stopped" : describeCause(cause)
    })
  }

  #run(running: Process) {
    return Effect.gen(this, function* () {
      const { grpc, links, world } = this.#around
      const addresses = addressesOf(this.name)
      const self: Introduction = {
        protocol: protocolVersion,
        cluster: this.#options.cluster,
        name: this.name,
        bootId: `${this.name}#${Math.floor(world.prng.next() * 2 ** 32)}`,
        address: addresses.links
      }
      const { compartment } = running
      const tell = (task: () => void) => compartment.run(task)
      const node = nodeTree(this.#options)
      const ports = Layer.mergeAll(
        links.layer(self, undefined, tell),
        grpc.layer(addresses.etcd, tell),
        this.disk.layer(),
        simSecrets(world, tell),
        new SimCells(world, {}).layer,
        node.services,
        SupervisionLive,
        Logger.remove(Logger.defaultLogger)
      ).pipe(Layer.provideMerge(compartment.layer))
      const tree = node.tree({ self, addresses, scheme: "http" })
      const system = yield* Effect.provide(ActorSystem.make(this.name, tree), yield* Layer.build(ports))
      running.system = system
      system.events.subscribe(
        (event) => {
          if (event instanceof SupervisorEscalated) this.#complain(`${event.path} gave up: ${event.reason}`)
        },
        [SupervisorEscalated._tag]
      )
      return yield* system.ended
    })
  }

  #closed(running: Process): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const closing = yield* running.closing
      yield* Effect.timeoutOption(Fiber.join(closing), stopMillisMax)
      // The kernel closes what it has left open, or it was too slow.
      if (this.#process === running) this.#killed()
    })
  }

  #complain(what: string): void {
    const { complain, world } = this.#around
    complain({ atMillis: world.clock.wallMillis(), node: this.name, what })
  }
}
