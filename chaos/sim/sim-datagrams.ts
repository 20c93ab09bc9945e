/**
 * Datagrams between the nodes of a simulated world: lost, late, doubled and out of order as the weather
 * has it, over links that can be cut one way or both.
 *
 * A packet travels as JSON text, so that whoever sends what is no JSON value is found here.
 */
import { Effect, Layer } from "effect"
import { Datagrams } from "#actors/kernel/ports/datagrams.ts"
import type { Prng } from "./prng.ts"
import type { SimWorld } from "./world.ts"

export interface DatagramWeather {
  /** The share of packets that vanish. */
  readonly loss: number
  /** The share that arrives twice. */
  readonly duplicate: number
  readonly delayMillisMax: number
}

type Receive = (fromAddress: string, packet: unknown) => void

export class SimDatagrams {
  weather: DatagramWeather = { loss: 0, duplicate: 0, delayMillisMax: 5 }
  sent = 0
  lost = 0
  readonly #world: SimWorld
  readonly #prng: Prng
  readonly #listeners = new Map<string, Receive>()
  readonly #cuts = new Set<string>()

  constructor(world: SimWorld) {
    this.#world = world
    this.#prng = world.prng.fork()
  }

  /** The port of the node at that address. */
  layer(address: string): Layer.Layer<Datagrams> {
    return Layer.succeed(Datagrams, {
      send: (to, packet) => this.send(address, to, packet),
      listen: (receive) =>
        Effect.acquireRelease(
          Effect.sync(() => void this.#listeners.set(address, receive)),
          () =>
            Effect.sync(() => {
              if (this.#listeners.get(address) === receive) this.#listeners.delete(address)
            })
        )
    })
  }

  /** Also for tests that send what no node would. */
  send(from: string, to: string, packet: unknown): void {
    const text = JSON.stringify(packet)
    const { delayMillisMax, duplicate, loss } = this.weather
    for (let copies = this.#prng.chance(duplicate) ? 2 : 1; copies > 0; copies--) {
      this.sent++
      if (this.#cuts.has(link(from, to)) || this.#prng.chance(loss)) {
        this.lost++
        continue
      }
      this.#world.clock.alarm(this.#prng.next() * delayMillisMax, () =>
        this.#listeners.get(to)?.(from, JSON.parse(text))
      )
    }
  }

  /** Packets from `from` to `to` vanish. */
  cut(from: string, to: string): void {
    this.#cuts.add(link(from, to))
  }

  /** Both ways, between each of one side and each of the other. */
  partition(side: ReadonlyArray<string>, other: ReadonlyArray<string>): void {
    for (const one of side) {
      for (const two of other) {
        this.cut(one, two)
        this.cut(two, one)
      }
    }
  }

  heal(): void {
    this.#cuts.clear()
  }

  /** Nobody listens there any more: what a loss of power does. */
  unplug(address: string): void {
    this.#listeners.delete(address)
  }
}

const link = (from: string, to: string): string => JSON.stringify([from, to])
