/**
 * Links in the simulator: between nodes of one world, with latency, partitions and nodes that die.
 *
 * A link behaves as TCP does. What is sent into a cut waits, and arrives in order if the cut heals within
 * the time that silence is borne; otherwise both ends give the link up. A process that is killed is missed
 * at once, since its kernel says so; a machine that loses its power only by its silence, and so is a process that
 * stands still. Packets that get lost are sent again, so a bad network is a slow one. Batches cross as structured
 * clones, so what no wire would carry is found here.
 */
import { deserialize, serialize } from "node:v8"
import { Effect, Layer } from "effect"
import {
  type Caller,
  type Doorkeeper,
  type Entrance,
  type Link,
  type LinkListener,
  Links,
  type Opened,
  type Packing,
  silenceMillisMax
} from "#actors/kernel/ports/links.ts"
import { type Identity, type Introduction, type LinkFault, mismatch, Unreachable } from "#protocols/links.ts"
import { approximateBytes } from "#protocols/wire/frames.ts"
import type { Prng } from "./prng.ts"
import type { SimWorld } from "./world.ts"

const dialMillisMax = 5_000
const killNoticedMillisMax = 50

export const simPacking: Packing = { pack: serialize, unpack: (bytes) => deserialize(bytes) }

/** What the network does to all that goes over it; as `Network` in chaos/faults/action.ts has it. */
export interface LinkWeather {
  /** Each of these shares of packets has to be sent again, or is waited for by those behind it. */
  readonly loss: number
  readonly reorder: number
  readonly delayMillis: number
  readonly jitterMillis: number
  /** Of each direction between two addresses; 0 is no bound. */
  readonly bytesPerSecond: number
}

export const fairLinks: LinkWeather = {
  loss: 0,
  reorder: 0,
  delayMillis: 0,
  jitterMillis: 0,
  bytesPerSecond: 0
}

/** As Linux does: 200 ms, and twice as long each time. */
const retransmissionMillis = 200
const retransmissionsMax = 6

interface SimNode {
  readonly caller: Caller
  /** How its process hears of what arrives: later when it stands still. */
  readonly tell: (task: () => void) => void
  /** Which of its pauses it is in. */
  pause: object | undefined
  readonly doorkeepers: Map<Entrance, Doorkeeper>
  readonly ends: Set<End>
  on: boolean
}

/** One end of a link. What it sends travels to the other, in order. */
interface End {
  readonly node: SimNode
  readonly other: () => End | undefined
  listener: LinkListener | undefined
  closed: boolean
  /** When the last batch sent from here arrives. */
  arrivesMillis: number
  /** What was sent into a cut. */
  held: Array<() => void>
}

export class SimLinks {
  latencyMillisMax = 3
  weather: LinkWeather = fairLinks
  readonly #world: SimWorld
  readonly #prng: Prng
  readonly #nodes = new Map<string, SimNode>()
  /** Each with what tells it from a later one. */
  readonly #cuts = new Map<string, object>()
  /** Until when the wire between two is busy. */
  readonly #busyMillis = new Map<string, number>()
  /** Batches that arrived. */
  delivered = 0

  constructor(world: SimWorld) {
    this.#world = world
    this.#prng = world.prng.fork()
  }

  /** The port of a node or client with that introduction; its address is where others dial it. */
  layer(
    introduction: Introduction,
    identity: Identity = nodeIdentity(introduction),
    tell: (task: () => void) => void = now
  ): Layer.Layer<Links> {
    return Layer.scoped(
      Links,
      Effect.map(
        Effect.acquireRelease(
          Effect.sync(() => this.#start({ introduction, identity }, tell)),
          (node) => Effect.sync(() => this.#stop(node))
        ),
        (node) => ({
          self: introduction,
          packing: simPacking,
          admit: (entrance: Entrance, doorkeeper: Doorkeeper) =>
            Effect.acquireRelease(
              Effect.sync(() => void node.doorkeepers.set(entrance, doorkeeper)),
              () =>
                Effect.sync(() => {
                  if (node.doorkeepers.get(entrance) === doorkeeper) node.doorkeepers.delete(entrance)
                })
            ),
          dial: (address: string, opened: Opened) => this.dial(node.caller, address, "nodes", opened)
        })
      )
    )
  }

  /** Also for tests that come as somebody without a node. */
  dial(caller: Caller, address: string, entrance: Entrance, opened: Opened): Effect.Effect<Link, LinkFault> {
    return Effect.async<Link, LinkFault>((resume) => {
      let over = false
      const answer = (effect: Effect.Effect<Link, LinkFault>) => {
        if (over) return
        over = true
        resume(effect)
      }
      const from = this.#nodes.get(caller.introduction.address) ?? newNode(caller, now)
      this.#after(() => {
        if (over) return
        const target = this.#nodes.get(address)
        if (target === undefined) {
          const refused = new Unreachable({ address, reason: "connection refused" })
          return this.#after(() => answer(Effect.fail(refused)))
        }
        if (this.#isCut(from, target) || this.#isCut(target, from)) return
        target.tell(() => knock(target))
      })
      const knock = (target: SimNode) => {
        const keeper = target.doorkeepers.get(entrance)
        if (keeper === undefined) {
          const closed = new Unreachable({ address, reason: "nobody is let in there yet" })
          return this.#after(() => answer(Effect.fail(closed)))
        }
        const fault = mismatch(target.caller.introduction, caller.introduction) ?? keeper.refuses(caller)
        if (fault !== undefined) return this.#after(() => answer(Effect.fail(fault)))
        const [near, far] = this.#connect(from, target)
        this.#arrive(far, () => {
          if (over || near.closed || !from.on) return this.#close(near, "nobody waits for it any more")
          const link = this.#linkOf(near, target.caller)
          near.listener = opened(link)
          answer(Effect.succeed(link))
        })
        far.listener = keeper.opened(this.#linkOf(far, caller))
      }
      const timeout = this.#world.clock.alarm(dialMillisMax, () =>
        answer(Effect.fail(new Unreachable({ address, reason: `no answer within ${dialMillisMax} ms` })))
      )
      return Effect.sync(() => {
        over = true
        timeout()
      })
    })
  }

  // Weather

  /** Nothing gets from one address to the other. */
  cut(from: string, to: string): void {
    if (this.#cuts.has(pair(from, to))) return
    const cut = {}
    this.#cuts.set(pair(from, to), cut)
    this.#world.clock.alarm(silenceMillisMax, () => {
      if (this.#cuts.get(pair(from, to)) !== cut) return
      for (const end of this.#endsBetween(from, to))
        this.#lose(end, `no sign of it for ${silenceMillisMax} ms`)
    })
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
    for (const { ends } of this.#nodes.values()) for (const end of ends) this.#release(end)
  }

  /** What was sent meanwhile arrives now. */
  mend(from: string, to: string): void {
    this.#cuts.delete(pair(from, to))
    for (const end of this.#nodes.get(from)?.ends ?? [])
      if (end.other()?.node.caller.introduction.address === to) this.#release(end)
  }

  /** It stands still: others hear nothing of it, until they give it up. */
  pause(address: string): void {
    const node = this.#nodes.get(address)
    if (node === undefined) return
    const pause = {}
    node.pause = pause
    this.#world.clock.alarm(silenceMillisMax, () => {
      if (node.pause !== pause) return
      for (const end of [...node.ends]) {
        const other = end.other()
        if (other !== undefined) this.#close(other, `no sign of it for ${silenceMillisMax} ms`)
      }
    })
  }

  resume(address: string): void {
    const node = this.#nodes.get(address)
    if (node !== undefined) node.pause = undefined
  }

  /** What `kill -9` does: the kernel lives on and resets the connections. */
  kill(address: string): void {
    this.#die(address, () => this.#prng.next() * killNoticedMillisMax, "connection reset")
  }

  /** What a loss of power does: nobody is told. */
  powerOff(address: string): void {
    this.#die(address, () => silenceMillisMax, `no sign of it for ${silenceMillisMax} ms`)
  }

  // Inside

  #start(caller: Caller, tell: (task: () => void) => void): SimNode {
    const node = newNode(caller, tell)
    this.#nodes.set(caller.introduction.address, node)
    return node
  }

  #stop(node: SimNode): void {
    for (const end of [...node.ends]) this.#close(end, "the node stopped")
    const { address } = node.caller.introduction
    if (this.#nodes.get(address) === node) this.#nodes.delete(address)
  }

  #die(address: string, noticedAfterMillis: () => number, reason: string): void {
    const node = this.#nodes.get(address)
    if (node === undefined) return
    node.on = false
    this.#nodes.delete(address)
    for (const end of node.ends) {
      end.closed = true
      const other = end.other()
      if (other !== undefined) this.#world.clock.alarm(noticedAfterMillis(), () => this.#lose(other, reason))
    }
    node.ends.clear()
  }

  #connect(from: SimNode, target: SimNode): readonly [near: End, far: End] {
    const near = newEnd(from, () => far)
    const far: End = newEnd(target, () => near)
    from.ends.add(near)
    target.ends.add(far)
    return [near, far]
  }

  #linkOf(end: End, other: Caller): Link {
    return {
      ...other,
      send: (batch) => {
        if (end.closed) return
        const copy: unknown = structuredClone(batch)
        this.#arrive(
          end,
          () => {
            const receiver = end.other()
            if (receiver === undefined || receiver.closed || !receiver.node.on) return
            this.delivered++
            receiver.node.tell(() => receiver.listener?.onBatch(copy))
          },
          copy
        )
      },
      close: (reason) => this.#close(end, reason)
    }
  }

  /** In order behind all that was sent from this end before. */
  #arrive(end: End, arrive: () => void, batch?: unknown): void {
    const to = end.other()
    if (to !== undefined && this.#isCut(end.node, to.node)) return void end.held.push(arrive)
    const { nowMillis } = this.#world
    const wireMillis = to === undefined ? 0 : this.#onWireMillis(end.node, to.node, batch)
    end.arrivesMillis = Math.max(end.arrivesMillis, nowMillis + wireMillis + this.#latency())
    this.#world.clock.alarm(end.arrivesMillis - nowMillis, arrive)
  }

  #release(end: End): void {
    const { held } = end
    end.held = []
    for (const arrive of held) this.#arrive(end, arrive)
  }

  #latency(): number {
    const latencyMillis = this.#prng.next() * this.latencyMillisMax
    const { weather } = this
    if (weather === fairLinks) return latencyMillis
    const { delayMillis, jitterMillis, loss, reorder } = weather
    const delayedMillis = latencyMillis + delayMillis + this.#prng.next() * jitterMillis
    // Those behind it have arrived, and are waited for no more than it is.
    const overtakenMillis = this.#prng.chance(reorder) ? this.#prng.next() * (delayedMillis + 1) : 0
    let resentMillis = 0
    for (let sent = 0; sent < retransmissionsMax && this.#prng.chance(loss); sent++)
      resentMillis += retransmissionMillis * 2 ** sent
    return delayedMillis + overtakenMillis + resentMillis
  }

  /** How long it is until the last byte is on the wire. */
  #onWireMillis(from: SimNode, to: SimNode, batch: unknown): number {
    const { bytesPerSecond } = this.weather
    if (bytesPerSecond === 0) return 0
    const { nowMillis } = this.#world
    const wire = pair(from.caller.introduction.address, to.caller.introduction.address)
    const beginsMillis = Math.max(nowMillis, this.#busyMillis.get(wire) ?? 0)
    const endsMillis = beginsMillis + (approximateBytes(batch) / bytesPerSecond) * 1_000
    this.#busyMillis.set(wire, endsMillis)
    return endsMillis - nowMillis
  }

  #close(end: End, reason: string): void {
    if (end.closed) return
    this.#lose(end, reason)
    const other = end.other()
    if (other === undefined) return
    // Nobody sends the last word again: who did not get it hears nothing more.
    if (this.#isCut(end.node, other.node))
      this.#world.clock.alarm(silenceMillisMax, () =>
        this.#lose(other, `no sign of it for ${silenceMillisMax} ms`)
      )
    else this.#arrive(end, () => this.#lose(other, reason))
  }

  #lose(end: End, reason: string): void {
    if (end.closed) return
    end.closed = true
    end.held = []
    end.node.ends.delete(end)
    if (end.node.on) end.node.tell(() => end.listener?.onClosed(reason))
  }

  #endsBetween(one: string, two: string): ReadonlyArray<End> {
    const ends = [...(this.#nodes.get(one)?.ends ?? [])]
    return ends
      .filter((end) => end.other()?.node.caller.introduction.address === two)
      .flatMap((end) => [end, end.other()].filter((found) => found !== undefined))
  }

  #isCut(from: SimNode, to: SimNode): boolean {
    return this.#cuts.has(pair(from.caller.introduction.address, to.caller.introduction.address))
  }

  #after(task: () => void): void {
    this.#world.clock.alarm(this.#latency(), task)
  }
}

const now = (task: () => void): void => task()

const newNode = (caller: Caller, tell: (task: () => void) => void): SimNode => ({
  caller,
  tell,
  pause: undefined,
  doorkeepers: new Map(),
  ends: new Set(),
  on: true
})

const newEnd = (node: SimNode, other: () => End | undefined): End => ({
  node,
  other,
  listener: undefined,
  closed: false,
  arrivesMillis: 0,
  held: []
})

const nodeIdentity = ({ name }: Introduction): Identity => ({
  actorId: `SYSTEM::${name}`,
  grants: [{ permission: "admin", prefix: "/" }]
})

const pair = (from: string, to: string): string => JSON.stringify([from, to])
