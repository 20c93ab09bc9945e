/**
 * What the network between nodes is like, out of cuts and weather that come and go on their own: for each directed
 * pair of nodes what the switch is to do. Nothing here is about the gateway, so clients are not cut off. Pure.
 */
import { Cut, fairNetwork, type Mend, type Network } from "#chaos/faults/action.ts"
import type { Weather } from "./frame-switch.ts"

export interface LinkWeather extends Weather {
  readonly from: string
  readonly to: string
}

export class NodeNetwork {
  readonly #nodes: ReadonlyArray<string>
  readonly #cuts = new Set<string>()
  #network: Network = fairNetwork

  constructor(nodes: ReadonlyArray<string>) {
    this.#nodes = nodes
  }

  /** The weather of all links after that. */
  change(action: Cut | Mend | Network): ReadonlyArray<LinkWeather> {
    if (action._tag === "Network") this.#network = action
    else
      for (const from of action.from)
        for (const to of action.to) {
          if (action instanceof Cut) this.#cuts.add(pair(from, to))
          else this.#cuts.delete(pair(from, to))
        }
    return this.#nodes.flatMap((from) =>
      this.#nodes.filter((to) => to !== from).map((to) => this.#weather(from, to))
    )
  }

  #weather(from: string, to: string): LinkWeather {
    const { bytesPerSecond, delayMillis, duplicate, jitterMillis, loss, reorder } = this.#network
    const shares = { bytesPerSecond, delayMillis, duplicate, jitterMillis, loss, reorder }
    return { from, to, cut: this.#cuts.has(pair(from, to)), ...shares }
  }
}

const pair = (from: string, to: string): string => `${from} ${to}`
