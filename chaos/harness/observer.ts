/**
 * Whoever looks at the nodes while a run goes on: who leads, often; and what their trees, their memberships and
 * their breakers say, now and then. What it has seen is what a schedule acts on, so that nobody else has to ask.
 */
import { Clock, Effect, Either, Option } from "effect"
import type { NodeStatus, Sight } from "#chaos/checkers/evidence.ts"
import type { ReplaceNode } from "#chaos/faults/action.ts"
import type { View } from "#chaos/faults/schedule.ts"
import { type NodeName, type World, WorldFailed } from "#chaos/lab/world.ts"
import type { Pace } from "#chaos/scenarios/scenario.ts"
import { callEtcd } from "#chaos/workloads/etcd-call.ts"
import { GetFleetBreaker } from "#protocols/breakers.ts"
import { GetReplacement, ReplaceMember } from "#protocols/chainfire.ts"
import { Members } from "#protocols/membership.ts"
import { type ActorSnapshot, GetTree } from "#protocols/runtime.ts"
import type { StatusResponse } from "#protocols/wire/etcd/cluster.ts"
import { MAINTENANCE } from "#protocols/wire/etcd/methods.ts"

export const usualPace: Pace = { statusMillis: 100, treeMillis: 1_000 }
const patienceMillis = 1_000
/** Of these the newest are kept. */
const sightsMax = 100_000

type Slow = Pick<NodeStatus, "residentBytes" | "restartsByPath" | "members" | "fleetBreaker">

const nothingSlow: Slow = {
  residentBytes: undefined,
  restartsByPath: {},
  members: {},
  fleetBreaker: undefined
}

export class Observer {
  readonly sights: Array<Sight> = []
  readonly #world: World
  readonly #pace: Pace
  readonly #beganMillis: number
  readonly #acknowledged: () => number
  /** Of chainfire's members, by node. */
  readonly #ids = new Map<NodeName, bigint>()
  readonly #latest = new Map<NodeName, NodeStatus | undefined>()
  readonly #slow = new Map<NodeName, Slow>()

  private constructor(world: World, pace: Pace, beganMillis: number, acknowledged: () => number) {
    this.#world = world
    this.#pace = pace
    this.#beganMillis = beganMillis
    this.#acknowledged = acknowledged
  }

  static make(world: World, pace: Pace, acknowledged: () => number): Effect.Effect<Observer> {
    return Effect.map(
      Clock.currentTimeMillis,
      (beganMillis) => new Observer(world, pace, beganMillis, acknowledged)
    )
  }

  /** Looks until it is interrupted. */
  get look(): Effect.Effect<never> {
    const { slowness } = this.#world
    const each = (doing: (node: NodeName) => Effect.Effect<void>, everyMillis: number) =>
      Effect.forEach(
        this.#world.nodes,
        (node) => Effect.forever(Effect.delay(doing(node), everyMillis * slowness)),
        {
          concurrency: "unbounded",
          discard: true
        }
      )
    return Effect.zipRight(
      Effect.all(
        [
          each((node) => this.#lookAt(node), this.#pace.statusMillis),
          each((node) => this.#lookInto(node), this.#pace.treeMillis)
        ],
        { concurrency: "unbounded", discard: true }
      ),
      Effect.never
    )
  }

  readonly view = (): View => ({
    leader: this.leader,
    acknowledged: this.#acknowledged(),
    down: this.down
  })

  /** Who answered when they were asked last. */
  get up(): ReadonlyArray<NodeName> {
    return [...this.#latest].flatMap(([node, status]) => (status === undefined ? [] : [node]))
  }

  /** Who has run, and did not answer when it was asked last. */
  get down(): ReadonlyArray<NodeName> {
    return [...this.#latest].flatMap(([node, status]) =>
      status === undefined && this.#ids.has(node) ? [node] : []
    )
  }

  /** Who leads in the latest term, by its own account. */
  get leader(): NodeName | undefined {
    return [...this.#latest]
      .flatMap(([node, status]) => (status?.leader === node ? [{ node, term: status.term }] : []))
      .toSorted((one, other) => other.term - one.term)[0]?.node
  }

  get nodes(): Readonly<Record<NodeName, "leads" | "follows" | "down">> {
    const { leader } = this
    return Object.fromEntries(
      this.#world.nodes.flatMap((node) => {
        if (!this.#ids.has(node)) return []
        const how = this.#latest.get(node) === undefined ? "down" : node === leader ? "leads" : "follows"
        return [[node, how] as const]
      })
    )
  }

  /** By the leader, if one answers; the group goes on with it by itself. */
  replace({ by, node }: ReplaceNode): Effect.Effect<void, WorldFailed> {
    const world = this.#world
    return Effect.gen(this, function* () {
      const old = this.#ids.get(node)
      const at = this.leader ?? world.nodes[0]
      if (old === undefined || at === undefined) return yield* this.#refused(node, by, "nobody leads")
      const path = `/${at}/chainfire/member`
      const request = new ReplaceMember({ old: Number(old), peerUrl: world.peerUrl(by) })
      const answer = yield* Effect.either(world.ask(at, path, request))
      if (Either.isRight(answer)) return
      // The answer may have been lost, and not the order.
      const under = yield* Effect.option(world.ask(at, path, new GetReplacement({})))
      if (Option.getOrNull(under) === null) yield* this.#refused(node, by, answer.left.reason)
    })
  }

  #refused(node: NodeName, by: NodeName, reason: string): Effect.Effect<never, WorldFailed> {
    return Effect.fail(
      new WorldFailed({ world: this.#world.kind, doing: `replace ${node} by ${by}`, reason })
    )
  }

  #lookAt(node: NodeName): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const answer = yield* this.#status(node)
      const status = answer === undefined ? undefined : this.#statusOf(node, answer)
      this.#latest.set(node, status)
      const atMillis = (yield* Clock.currentTimeMillis) - this.#beganMillis
      // A spare that has never run is not down.
      if (status === undefined && !this.#ids.has(node)) return
      this.sights.push({ atMillis, node, status })
      if (this.sights.length > sightsMax) this.sights.splice(0, sightsMax / 10)
    })
  }

  #status(node: NodeName): Effect.Effect<StatusResponse | undefined> {
    const { etcd, slowness } = this.#world
    return callEtcd(etcd, node, MAINTENANCE.status, {}, patienceMillis * slowness).pipe(
      Effect.map(Either.getOrUndefined)
    )
  }

  #statusOf(node: NodeName, { header, leader, raftAppliedIndex, raftTerm }: StatusResponse): NodeStatus {
    if (header !== undefined) this.#ids.set(node, header.memberId)
    const slow = this.#slow.get(node) ?? nothingSlow
    const led = [...this.#ids].find(([, id]) => id === leader)?.[0]
    return { leader: led, term: raftTerm, appliedIndex: raftAppliedIndex, ...slow }
  }

  #lookInto(node: NodeName): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const { ask, residentBytes } = this.#world
      const tree = yield* Effect.option(ask(node, `/${node}/cluster/introspection`, new GetTree({})))
      if (Option.isNone(tree)) return
      const members = yield* Effect.option(ask(node, `/${node}/cluster/membership`, new Members({})))
      const scopes = yield* Effect.option(
        ask(node, `/${node}/cluster/fleet-breaker`, new GetFleetBreaker({}))
      )
      const byName = Option.getOrElse(members, () => []).map(({ name, status }) => [name, status] as const)
      const fleetBreaker = Option.getOrUndefined(
        Option.map(scopes, (all) => (all.some(({ tripped }) => tripped) ? "open" : "closed"))
      )
      this.#slow.set(node, {
        residentBytes: yield* residentBytes(node),
        restartsByPath: Object.fromEntries(restartsOf(tree.value)),
        members: Object.fromEntries(byName),
        fleetBreaker
      })
    })
  }
}

/** Actors that live another life than their first. */
const restartsOf = (tree: ActorSnapshot): ReadonlyArray<readonly [string, number]> => [
  ...(tree.incarnation > 1 ? [[tree.path, tree.incarnation - 1] as const] : []),
  ...tree.children.flatMap(restartsOf)
]
