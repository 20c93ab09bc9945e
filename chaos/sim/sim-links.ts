/**
 * Links in the simulator: between nodes of one world, with latency, partitions and nodes that die.
 *
 * A link behaves as TCP does. What is sent into a cut waits, and arrives in order if the cut heals within
 * the time that silence is borne; otherwise both ends give the link up. A process that is killed is missed
 * at once, since its kernel says so; a machine that loses its power only by its silence. Batches cross as
 * structured clones, so what no wire would carry is found here.
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
import type { Prng } from "./prng.ts"
import type { SimWorld } from "./world.ts"

const dialMillisMax = 5_000
const killNoticedMillisMax = 50

export const simPacking: Packing = { pack: serialize, unpack: (bytes) => deserialize(bytes) }

interface SimNode {
  readonly caller: Caller
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
  readonly #world: SimWorld
  readonly #prng: Prng
  readonly #nodes = new Map<string, SimNode>()
  readonly #cuts = new Set<string>()
  /** Batches that arrived. */
  delivered = 0

  constructor(world: SimWorld) {
    this.#world = world
    this.#prng = world.prng.fork()
  }

  /** The port of a node or client with that introduction; its address is where others dial it. */
  layer(introduction: Introduction, identity: Identity = nodeIdentity(introduction)): Layer.Layer<Links> {
    return Layer.scoped(
      Links,
      Effect.map(
        Effect.acquireRelease(
          Effect.sync(() => this.#start({ introduction, identity })),
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
      const from = this.#nodes.get(caller.introduction.address) ?? newNode(caller)
      this.#after(() => {
        if (over) return
        const target = this.#nodes.get(address)
        if (target === undefined) {
          const refused = new Unreachable({ address, reason: "connection refused" })
          return this.#after(() => answer(Effect.fail(refused)))
        }
        if (this.#isCut(from, target) || this.#isCut(target, from)) return
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
      })
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
    this.#cuts.add(pair(from, to))
    this.#world.clock.alarm(silenceMillisMax, () => {
      if (!this.#cuts.has(pair(from, to))) return
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
    for (const { ends } of this.#nodes.values()) {
      for (const end of ends) {
        const { held } = end
        end.held = []
        for (const arrive of held) this.#arrive(end, arrive)
      }
    }
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

  #start(caller: Caller): SimNode {
    const node = newNode(caller)
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
        this.#arrive(end, () => {
          const receiver = end.other()
          if (receiver === undefined || receiver.closed || !receiver.node.on) return
          this.delivered++
          receiver.listener?.onBatch(copy)
        })
      },
      close: (reason) => this.#close(end, reason)
    }
  }

  /** In order behind all that was sent from this end before. */
  #arrive(end: End, arrive: () => void): void {
    const to = end.other()
    if (to !== undefined && this.#isCut(end.node, to.node)) return void end.held.push(arrive)
    const { nowMillis } = this.#world
    end.arrivesMillis = Math.max(end.arrivesMillis, nowMillis + this.#prng.next() * this.latencyMillisMax)
    this.#world.clock.alarm(end.arrivesMillis - nowMillis, arrive)
  }

  #close(end: End, reason: string): void {
    if (end.closed) return
    this.#lose(end, reason)
    this.#arrive(end, () => {
      const other = end.other()
      if (other !== undefined) this.#lose(other, reason)
    })
  }

  #lose(end: End, reason: string): void {
    if (end.closed) return
    end.closed = true
    end.held = []
    end.node.ends.delete(end)
    if (end.node.on) end.listener?.onClosed(reason)
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
    this.#world.clock.alarm(this.#prng.next() * this.latencyMillisMax, task)
  }
}

const newNode = (caller: Caller): SimNode => ({ caller, doorkeepers: new Map(), ends: new Set(), on: true })

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
