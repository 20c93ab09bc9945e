/**
 * The network between nodes, as streams see it: when what went in on one side comes out on the other. Pure: who
 * carries the bytes says what time it is.
 *
 *   cut        what is on its way waits, as it does in TCP, which sends again until somebody loses patience
 *   delay      all of it comes later, in order
 *   loss       what is sent again comes later by the time that takes, and all behind it waits
 *   rate       one after the other, for each directed pair of nodes over all of their connections
 *
 * Duplicates and packets out of order never reach who reads a stream, so they are nothing here. Acknowledgements
 * go the other way: where that is cut, a sender gets rid of one window and then waits as well.
 */
import type { Network } from "#chaos/faults/action.ts"
import { fairNetwork } from "#chaos/faults/action.ts"
import type { NodeName } from "#chaos/lab/world.ts"
import type { Prng } from "#chaos/sim/prng.ts"

export interface Pair {
  readonly from: NodeName
  readonly to: NodeName
}

/** Of a packet on Ethernet. */
const packetBytes = 1_460
/** For the first time; then twice as long each. */
const retransmitMillis = 200
/** So often at most; more is a cut. */
const retransmitsMax = 6
/** What goes out without an acknowledgement. */
export const windowBytes = 64 * 1024

const keyOf = ({ from, to }: Pair): string => `${from}>${to}`

export class StreamWeather {
  readonly #prng: Prng
  readonly #cuts = new Map<string, Pair>()
  /** When the line of a pair is free again. */
  readonly #freeMillis = new Map<string, number>()
  #network: Network = fairNetwork

  constructor(prng: Prng) {
    this.#prng = prng
  }

  get network(): Network {
    return this.#network
  }

  get cuts(): ReadonlyArray<Pair> {
    return [...this.#cuts.values()]
  }

  set(network: Network): void {
    this.#network = network
    if (network.bytesPerSecond === 0) this.#freeMillis.clear()
  }

  cut(pairs: ReadonlyArray<Pair>): void {
    for (const pair of pairs) this.#cuts.set(keyOf(pair), pair)
  }

  mend(pairs: ReadonlyArray<Pair>): void {
    for (const pair of pairs) this.#cuts.delete(keyOf(pair))
  }

  isCut(pair: Pair): boolean {
    return this.#cuts.has(keyOf(pair))
  }

  /** Whether so many bytes may come out now, of which `unacknowledged` have since the other way was cut. */
  passes(pair: Pair, unacknowledged: number): boolean {
    if (this.isCut(pair)) return false
    return !this.isCut({ from: pair.to, to: pair.from }) || unacknowledged < windowBytes
  }

  /** A connection takes a packet each way. */
  connects(pair: Pair): boolean {
    return !this.isCut(pair) && !this.isCut({ from: pair.to, to: pair.from })
  }

  /** When bytes that go in now come out, behind those that do at `behindMillis`. */
  arrivalMillis(pair: Pair, bytes: number, nowMillis: number, behindMillis: number): number {
    const { bytesPerSecond, delayMillis, jitterMillis } = this.#network
    let sentMillis = nowMillis
    if (bytesPerSecond > 0) {
      const key = keyOf(pair)
      sentMillis = Math.max(nowMillis, this.#freeMillis.get(key) ?? 0) + (bytes / bytesPerSecond) * 1_000
      this.#freeMillis.set(key, sentMillis)
    }
    const jitter = jitterMillis > 0 ? this.#prng.next() * jitterMillis : 0
    return Math.max(behindMillis, sentMillis + delayMillis + jitter + this.#lostMillis(bytes))
  }

  /** Of all its packets, the one that was unlucky most often. */
  #lostMillis(bytes: number): number {
    const { loss } = this.#network
    if (loss === 0) return 0
    let worst = 0
    for (let packet = 0; packet * packetBytes < bytes; packet++) {
      let times = 0
      while (times < retransmitsMax && this.#prng.next() < loss) times++
      worst = Math.max(worst, times)
    }
    return retransmitMillis * (2 ** worst - 1)
  }
}

/** All directed pairs from any of the one to any of the others. */
export const pairsOf = (from: ReadonlyArray<NodeName>, to: ReadonlyArray<NodeName>): ReadonlyArray<Pair> =>
  from.flatMap((one) => to.filter((other) => other !== one).map((other) => ({ from: one, to: other })))
