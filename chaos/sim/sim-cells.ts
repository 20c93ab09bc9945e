/**
 * Cells in the simulator: each is an actor system of its own in the same world, behind a link that takes
 * time and loses what is under way when the cell dies.
 *
 * Batches cross as JSON, as they do between processes, so that a message whose schema does not survive it
 * is found here. A killed cell stops at once: its actors get no further turn, and nothing of it is closed.
 */
import { Cause, Effect, Exit, Fiber, Layer, Scope } from "effect"
import type { Actor } from "#actors/kernel/actor.ts"
import * as Cell from "#actors/kernel/cell.ts"
import {
  type CellBatch,
  type CellListener,
  type CellSpec,
  CellStartFailed,
  Cells
} from "#actors/kernel/ports/cell.ts"
import { describeCause } from "#actors/kernel/ref.ts"
import type { World } from "#actors/kernel/system.ts"
import { Compartment } from "./compartment.ts"
import type { SimWorld } from "./world.ts"

const latencyMillisMax = 3
const deathNoticedMillisMax = 50
const startMillisMax = 300

/** What cells may host, by the name under which its module exports it. */
export type Declarations = Readonly<Record<string, Actor<never, void, World>>>

export class SimCells {
  readonly #world: SimWorld
  readonly #declarations: Declarations
  readonly #living = new Map<number, (reason: string) => void>()
  #pids = 1_000

  constructor(world: SimWorld, declarations: Declarations) {
    this.#world = world
    this.#declarations = declarations
  }

  get layer(): Layer.Layer<Cells> {
    return Layer.succeed(Cells, { start: (spec, listener) => this.#start(spec, listener) })
  }

  /** What `kill -9` does. */
  kill(pid: number): void {
    this.#living.get(pid)?.("killed by SIGKILL")
  }

  get pids(): ReadonlyArray<number> {
    return [...this.#living.keys()]
  }

  #start(spec: CellSpec, listener: CellListener) {
    return Effect.gen(this, function* () {
      const argument = yield* Cell.decodeArgument(spec.argument)
      const declared = this.#declarations[argument.export]
      if (declared === undefined) {
        const reason = `${argument.module} exports no actor named ${argument.export}; export its declaration under that name`
        return yield* new CellStartFailed({ name: spec.name, reason })
      }
      yield* Effect.sleep(this.#world.prng.next() * startMillisMax)
      const pid = this.#pids++
      // Everything inside runs in a compartment of the world that can be switched off.
      const compartment = new Compartment(this.#world)
      const inward = this.#channel()
      const outward = this.#channel()
      let receive = (_batch: CellBatch): void => {}
      outward.onBatch = listener.onBatch
      inward.onBatch = (batch) => receive(batch)
      const die = (reason: string) => {
        if (!this.#living.delete(pid)) return
        compartment.powerOff()
        inward.cut()
        outward.cut()
        this.#world.clock.alarm(this.#world.prng.next() * deathNoticedMillisMax, () =>
          listener.onExit(reason)
        )
      }
      this.#living.set(pid, die)
      const scope = yield* Scope.make()
      const hosted = Cell.host(declared, argument.path, {
        send: outward.send,
        onBatch: (heard) => {
          receive = heard
        }
      }).pipe(Effect.provideService(Scope.Scope, scope), Effect.provide(compartment.layer))
      const exit = yield* Effect.exit(hosted)
      if (Exit.isFailure(exit)) {
        this.#living.delete(pid)
        return yield* new CellStartFailed({ name: spec.name, reason: describeCause(exit.cause) })
      }
      const ending = yield* Effect.forkDaemon(
        Effect.flatMap(exit.value.ended, ({ cause }) =>
          Effect.sync(() => die(Cause.isEmpty(cause) ? "exited with code 0" : "exited with code 1"))
        )
      )
      yield* Effect.addFinalizer(() =>
        Effect.zipRight(
          Fiber.interruptFork(ending),
          Effect.sync(() => die("stopped"))
        )
      )
      return { pid, threadId: 0, send: inward.send, kill: () => die("killed") }
    }).pipe(
      Effect.mapError((failed) =>
        failed instanceof CellStartFailed
          ? failed
          : new CellStartFailed({ name: spec.name, reason: describeCause(Cause.fail(failed)) })
      )
    )
  }

  /** One direction of a link: in order, each batch once, until it is cut. */
  #channel() {
    let open = true
    let arrivesMillis = 0
    const channel = {
      onBatch: (_batch: CellBatch): void => {},
      send: (batch: CellBatch): void => {
        const copy: CellBatch = JSON.parse(JSON.stringify(batch))
        const { clock, nowMillis, prng } = this.#world
        arrivesMillis = Math.max(arrivesMillis, nowMillis + prng.next() * latencyMillisMax)
        clock.alarm(arrivesMillis - nowMillis, () => {
          if (open) channel.onBatch(copy)
        })
      },
      cut: () => {
        open = false
      }
    }
    return channel
  }
}
