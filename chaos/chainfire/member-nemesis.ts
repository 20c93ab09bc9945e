/**
 * What goes wrong with members of chainfire, and who starts them again. A seed draws which faults a run has and
 * then when each strikes whom; every fault ends by itself, or when the nemesis makes peace.
 */
import { Cause, Effect, Exit } from "effect"
import type { MemberCluster } from "#actors/chainfire/fixtures/member-cluster.ts"
import type { NodeId } from "#actors/raft/raft-messages.ts"
import type { Prng } from "#chaos/sim/prng.ts"
import { fairDisk } from "#chaos/sim/sim-disk.ts"

export const faults = [
  "power cut",
  "kill",
  "power cut of all",
  "leader alone",
  "halves",
  "bridge",
  "one way",
  "pause",
  "clock jump",
  "slow clock",
  "fast clock",
  "slow disk",
  "full disk",
  "broken disk",
  "bad network"
] as const
export type Fault = (typeof faults)[number]

const calmWeather = { loss: 0, latencyMillisMax: 5 }
const lookMillis = 20

export class MemberNemesis {
  readonly #cluster: MemberCluster
  readonly #prng: Prng
  /** Until when a member stays as it is, after it died. */
  readonly #downUntil = new Map<NodeId, number>()
  readonly #nowMillis: () => number
  readonly strikes = new Map<Fault, number>()
  /** How often each member was started again. */
  readonly restarts = new Map<NodeId, number>()
  readonly #whyDown = new Map<NodeId, string>()
  isOver = false

  constructor(cluster: MemberCluster, prng: Prng, nowMillis: () => number) {
    this.#cluster = cluster
    this.#prng = prng
    this.#nowMillis = nowMillis
  }

  /** For as many rounds; in each a fault strikes, and some of those before it may end. */
  torment(chosen: ReadonlyArray<Fault>, rounds: number): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      for (let round = 0; round < rounds; round++) {
        yield* Effect.sleep(100 + this.#prng.next() * 800)
        const fault = chosen[this.#prng.below(chosen.length)]
        if (fault !== undefined) yield* this.#strike(fault)
        yield* Effect.sleep(this.#prng.next() * 1_200)
        if (this.#prng.chance(0.6)) this.#cluster.heal()
        if (this.#prng.chance(0.5)) this.#calm()
      }
    })
  }

  /** Members that do not start, and why: after peace there are none. */
  get down(): ReadonlyArray<string> {
    return this.#cluster.ids.flatMap((id) =>
      this.#cluster.member(id) === undefined
        ? [`member ${id} does not start: ${this.#whyDown.get(id) ?? "nobody knows why"}`]
        : []
    )
  }

  /** Ends all that was begun. Whoever is down is started soon. */
  peace(): void {
    this.#cluster.heal()
    this.#calm()
    for (const id of this.#cluster.ids) this.#cluster.resume(id)
    this.#downUntil.clear()
  }

  /** One for each member: starts it whenever it is down, as a supervisor does, and ends it when its disk fails. */
  supervise(id: NodeId): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      while (!this.isOver) {
        const member = this.#cluster.member(id)
        if (member?.failed !== undefined) {
          this.#cluster.kill(id)
          this.#downUntil.set(id, this.#nowMillis() + 50 + this.#prng.next() * 300)
        }
        if (this.#cluster.member(id) === undefined && (this.#downUntil.get(id) ?? 0) <= this.#nowMillis())
          yield* this.#start(id)
        yield* Effect.sleep(lookMillis)
      }
    })
  }

  /** A start may end with a fault of its disk, and never end when the power is cut meanwhile. */
  #start(id: NodeId): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      this.restarts.set(id, (this.restarts.get(id) ?? -1) + 1)
      const life = this.#cluster.life(id) + 1
      let isUnderWay = true
      // A daemon, since nobody can wait for the end of one that hangs on a disk without power.
      yield* Effect.forkDaemon(
        Effect.map(Effect.exit(this.#cluster.start(id)), (exit) => {
          isUnderWay = false
          if (Exit.isFailure(exit)) this.#whyDown.set(id, Cause.pretty(exit.cause).split("\n")[0] ?? "")
        })
      )
      while (isUnderWay && this.#cluster.life(id) <= life) yield* Effect.sleep(lookMillis)
      if (this.#cluster.member(id) !== undefined) return
      this.#cluster.kill(id)
      this.#downUntil.set(id, this.#nowMillis() + 200)
    })
  }

  #strike(fault: Fault): Effect.Effect<void> {
    this.strikes.set(fault, (this.strikes.get(fault) ?? 0) + 1)
    const cluster = this.#cluster
    const victim = this.#victim()
    const others = cluster.ids.filter((id) => id !== victim)
    switch (fault) {
      case "power cut":
        return Effect.sync(() => this.#powerOff(victim, 1_500))
      case "kill":
        return Effect.sync(() => {
          cluster.kill(victim)
          this.#stayDown(victim, 1_500)
        })
      case "power cut of all":
        return Effect.sync(() => {
          for (const id of cluster.ids) this.#powerOff(id, 500)
        })
      case "leader alone":
        return Effect.sync(() => {
          const alone = cluster.leader?.id ?? victim
          cluster.partition([alone])
          // A leader for which little time passes does not notice for long that nobody obeys it any more.
          if (this.#prng.chance(0.5)) cluster.drift(alone, 0.05 + this.#prng.next() * 0.3)
        })
      case "halves":
        return Effect.sync(() => cluster.partition(cluster.ids.filter(() => this.#prng.chance(0.5))))
      case "bridge":
        return Effect.sync(() => this.#bridge(victim))
      case "one way":
        return Effect.sync(() => {
          for (const other of others) if (this.#prng.chance(0.7)) cluster.cut(victim, other)
          for (const other of others) if (this.#prng.chance(0.2)) cluster.cut(other, victim)
        })
      case "pause":
        return this.#pause(victim)
      case "clock jump":
        return Effect.sync(() => cluster.jump(victim, this.#prng.next() * 3_000))
      case "slow clock":
        return Effect.sync(() => cluster.drift(victim, 0.1 + this.#prng.next() * 0.8))
      case "fast clock":
        return Effect.sync(() => cluster.drift(victim, 1.1 + this.#prng.next()))
      case "slow disk":
        return Effect.sync(() => {
          const syncMillisMax = 50 + this.#prng.next() * 700
          cluster.disk(victim).weather = { ...fairDisk, latencyMillisMax: 5, syncMillisMax }
        })
      case "full disk":
        return Effect.sync(() => {
          cluster.disk(victim).weather = { ...fairDisk, bytesMax: 0 }
        })
      case "broken disk":
        return Effect.sync(() => {
          cluster.disk(victim).weather = { ...fairDisk, ioErrors: 0.02 }
        })
      case "bad network":
        return Effect.sync(() => {
          cluster.weather = { loss: this.#prng.next() * 0.2, latencyMillisMax: 1 + this.#prng.next() * 80 }
        })
    }
  }

  /** Two sides that do not hear of each other, and one member that hears of both. */
  #bridge(victim: NodeId): void {
    const others = this.#cluster.ids.filter((id) => id !== victim)
    const side = others.filter((_, index) => index % 2 === 0)
    for (const one of side) {
      for (const other of others) {
        if (side.includes(other)) continue
        this.#cluster.cut(one, other)
        this.#cluster.cut(other, one)
      }
    }
  }

  #pause(victim: NodeId): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      this.#cluster.pause(victim)
      yield* Effect.fork(
        Effect.gen(this, function* () {
          yield* Effect.sleep(100 + this.#prng.next() * 3_000)
          this.#cluster.resume(victim)
        })
      )
    })
  }

  /** A leader, more often than not. */
  #victim(): NodeId {
    const { ids, leader } = this.#cluster
    const any = ids[this.#prng.below(ids.length)] ?? 1
    return this.#prng.chance(0.6) ? (leader?.id ?? any) : any
  }

  #powerOff(id: NodeId, downMillisMax: number): void {
    this.#cluster.powerOff(id)
    this.#stayDown(id, downMillisMax)
  }

  #stayDown(id: NodeId, downMillisMax: number): void {
    this.#downUntil.set(id, this.#nowMillis() + this.#prng.next() * downMillisMax)
  }

  #calm(): void {
    this.#cluster.weather = calmWeather
    for (const id of this.#cluster.ids) {
      this.#cluster.disk(id).weather = fairDisk
      this.#cluster.drift(id, 1)
    }
  }
}
