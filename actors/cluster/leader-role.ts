/**
 * A candidate for a leader role: campaigns for the role's lease, and while it has it lets its actor run.
 *
 *   waiting ──its time has come──► asking ──granted──► leading ──yield, no renewal, actor ended──► stopping
 *      ▲                              │                                                               │
 *      └── held by another, no answer ┴──────────────────── actor has ended: lease given back ◄───────┘
 *
 * While another has the lease it waits to be told that it is free, and asks when the time that it was told of is
 * over: by then it has run out, or was renewed. Where nobody can tell it asks every now and then.
 *
 * By its own clock, from the moment before the last successful request left:
 *
 *   0          ttl/3         2/3 ttl      stop at                                until            ttl
 *   ├────────────┼──────────────┼─────────────┼──────────────────┼─────────────────┼───────────────┤
 *              renew        once more      the actor stops     it is killed     must not act     another may
 *                                          └── stopMillis ───────┘── slackMillis ──┘── drift ──────┘
 *
 * So its actor has ended before anybody else can be granted the lease, as long as clocks drift no more
 * than the port states and timers ring no later than `slackMillis`. A machine that is paused keeps neither;
 * on waking it stops its actor first thing, and what that does in between the fence refuses.
 *
 * When its actor ends by itself, by a crash or as planned, the lease is given back and this candidate waits
 * for a while: another one may fare better, and no two lives of the actor ever share an epoch.
 * Pure: time is an argument, effects are returned. Each request is answered exactly once, by its number.
 */
import { holdMillis } from "#actors/kernel/ports/leases.ts"
import { type LeaderRoleStatus, RoleLost, RoleTaken } from "#protocols/failover.ts"
import type { Lease, LeaseFault } from "#protocols/leases.ts"

export interface LeaderRules {
  /** How long a lease lasts that is not renewed; the longest that a role has no holder after a crash. */
  readonly ttlMillis: number
  /** How long its actor may take to stop before it is killed. */
  readonly stopMillis: number
  /** How late timers may ring, and how long a killed actor may take to be gone. */
  readonly slackMillis: number
  /** Between one try and the next, where nobody says when the lease is free. */
  readonly retryMillis: number
  /** How long it does not campaign after it was asked to yield. */
  readonly yieldMillis: number
  /** How long it does not campaign after its actor has ended by itself. */
  readonly crashMillis: number
  /** How long the lease store may take to answer. */
  readonly answerMillis: number
}

export const defaultRules: LeaderRules = {
  ttlMillis: 15_000,
  stopMillis: 3_000,
  slackMillis: 500,
  retryMillis: 1_000,
  yieldMillis: 30_000,
  crashMillis: 5_000,
  answerMillis: 2_000
}

export type LeaderEffect =
  | { readonly _tag: "Acquire"; readonly request: number }
  | { readonly _tag: "Renew"; readonly request: number; readonly lease: Lease }
  | { readonly _tag: "Release"; readonly lease: Lease }
  /** Says when nobody has the lease: at most one of these is under way. */
  | { readonly _tag: "Wait"; readonly request: number }
  /** Starts the actor of the role. Its end is reported once, whatever ends it. */
  | { readonly _tag: "Start"; readonly epoch: number }
  /** Asks it to stop, and kills it after `stopMillis`. */
  | { readonly _tag: "Stop" }
  | { readonly _tag: "Publish"; readonly event: RoleTaken | RoleLost }

export interface Candidate {
  readonly role: string
  /** The name of this life of the candidate: of this process, not only of its node. */
  readonly holder: string
  /** What events name where nobody asked for it. */
  readonly path: string
}

interface Why {
  readonly reason: string
  readonly by: string
}

type Phase =
  /** Until then, unless it must keep away for longer. */
  | { readonly _tag: "waiting"; askMillis: number }
  | { readonly _tag: "asking"; readonly request: number }
  | { readonly _tag: "leading"; renewAtMillis: number; renewing: number | undefined }
  | { readonly _tag: "stopping"; readonly why: Why; told: boolean }

export class LeaderRole {
  readonly rules: LeaderRules
  readonly #self: Candidate
  readonly #random: () => number
  #phase: Phase
  #lease: Lease | undefined
  /** Before that it does not campaign. */
  #keepsAwayMillis = Number.NEGATIVE_INFINITY
  /** The request by which it will hear that the lease is free. */
  #awaited: number | undefined
  #reason = "it has just begun"
  /** What became of its last renewal. */
  #failure = ""
  #requests = 0
  #effects: Array<LeaderEffect> = []

  constructor(self: Candidate, rules: LeaderRules, nowMillis: number, random: () => number) {
    check(rules)
    this.#self = self
    this.rules = rules
    this.#random = random
    this.#phase = { _tag: "waiting", askMillis: nowMillis }
  }

  /** What it may still have when its own life ends. */
  get lease(): Lease | undefined {
    return this.#lease
  }

  /** When `tick` will have something to do, if nothing else happens. */
  get wakeMillis(): number {
    const phase = this.#phase
    if (phase._tag === "waiting") return this.#campaignMillis(phase)
    if (phase._tag === "leading") {
      const renewAtMillis = phase.renewing === undefined ? phase.renewAtMillis : Number.POSITIVE_INFINITY
      return Math.min(renewAtMillis, this.#stopAtMillis)
    }
    return phase._tag === "stopping" && !phase.told ? this.#untilMillis : Number.POSITIVE_INFINITY
  }

  tick(nowMillis: number): ReadonlyArray<LeaderEffect> {
    this.#advance(nowMillis)
    return this.#taken()
  }

  granted(request: number, lease: Lease, nowMillis: number): ReadonlyArray<LeaderEffect> {
    const phase = this.#phase
    const { retryMillis, ttlMillis } = this.rules
    if (phase._tag === "asking" && phase.request === request) this.#lead(lease, nowMillis)
    else if (phase._tag === "leading" && phase.renewing === request) {
      this.#lease = lease
      phase.renewing = undefined
      this.#failure = "it woke too late"
      phase.renewAtMillis = Math.max(sentMillis(lease) + ttlMillis / 3, nowMillis + retryMillis)
    }
    this.#advance(nowMillis)
    return this.#taken()
  }

  refused(request: number, fault: LeaseFault, nowMillis: number): ReadonlyArray<LeaderEffect> {
    const phase = this.#phase
    if (phase._tag === "asking" && phase.request === request) {
      const pauseMillis = this.#retryMillis
      if (fault._tag === "LeaseHeld") {
        // One that has just run out may be there still for a moment.
        this.#wait(fault.message, nowMillis + Math.max(fault.remainingMillis, pauseMillis / 4))
        this.#awaitFree()
      } else this.#wait(fault.message, nowMillis + pauseMillis)
    } else if (phase._tag === "leading" && phase.renewing === request) {
      phase.renewing = undefined
      phase.renewAtMillis = nowMillis + this.rules.retryMillis
      this.#failure = fault.message
      if (fault._tag !== "LeasesUnavailable") this.#stop({ reason: fault.message, by: this.#self.path })
    }
    this.#advance(nowMillis)
    return this.#taken()
  }

  /** Nobody has the lease, or had none a moment ago. */
  freed(request: number, nowMillis: number): ReadonlyArray<LeaderEffect> {
    // A quarter of a pause by chance, so that not all who hear of it ask at once.
    return this.#told(request, nowMillis + (this.rules.retryMillis * this.#random()) / 4, nowMillis)
  }

  /** Nobody will say when the lease is free. */
  untold(request: number, nowMillis: number): ReadonlyArray<LeaderEffect> {
    return this.#told(request, nowMillis + this.#retryMillis, nowMillis)
  }

  #told(request: number, askMillis: number, nowMillis: number): ReadonlyArray<LeaderEffect> {
    if (request === this.#awaited) {
      const phase = this.#phase
      this.#awaited = undefined
      if (phase._tag === "waiting") phase.askMillis = Math.min(phase.askMillis, askMillis)
    }
    this.#advance(nowMillis)
    return this.#taken()
  }

  /** The actor that it started is gone. */
  ended(how: string, nowMillis: number): ReadonlyArray<LeaderEffect> {
    const phase = this.#phase
    if (phase._tag === "stopping") this.#lose(phase, nowMillis)
    else if (phase._tag === "leading") {
      this.#keepsAwayMillis = Math.max(this.#keepsAwayMillis, nowMillis + this.rules.crashMillis)
      const why = { reason: `its actor has ended: ${how}`, by: this.#self.path }
      this.#lose({ _tag: "stopping", why, told: false }, nowMillis)
    }
    this.#advance(nowMillis)
    return this.#taken()
  }

  /** It does not campaign until then, or with 0 from now on again. */
  yield({ by, reason }: Why, forMillis: number, nowMillis: number): ReadonlyArray<LeaderEffect> {
    const phase = this.#phase
    this.#keepsAwayMillis = nowMillis + forMillis
    const why = { reason: `${by} asked it to yield: ${reason}`, by }
    if (phase._tag === "leading") this.#stop(why)
    else if (phase._tag === "waiting") {
      phase.askMillis = nowMillis
      this.#reason = why.reason
    }
    this.#advance(nowMillis)
    return this.#taken()
  }

  /** Its own life ends, and its actor has ended before it. */
  end(reason: string): RoleLost | undefined {
    const phase = this.#phase
    const why = phase._tag === "stopping" ? phase.why : { reason, by: this.#self.path }
    if (this.#lease === undefined || (phase._tag === "stopping" && phase.told)) return undefined
    const { holder, role } = this.#self
    return new RoleLost({ role, holder, epoch: this.#lease.epoch, ...why })
  }

  status(nowMillis: number): LeaderRoleStatus {
    const { holder, role } = this.#self
    const phase = this.#phase
    const at = phase._tag === "waiting" ? this.#campaignMillis(phase) : this.#lease?.untilMillis
    return {
      role,
      holder,
      phase: phase._tag,
      epoch: this.#lease?.epoch ?? null,
      remainingMillis: at === undefined ? null : Math.max(0, at - nowMillis),
      reason: this.#reason
    }
  }

  #campaignMillis({ askMillis }: { readonly askMillis: number }): number {
    return Math.max(askMillis, this.#keepsAwayMillis)
  }

  /** A quarter more by chance, so that candidates do not ask in step. */
  get #retryMillis(): number {
    return this.rules.retryMillis * (1 + this.#random() / 4)
  }

  #awaitFree(): void {
    if (this.#awaited !== undefined) return
    this.#awaited = ++this.#requests
    this.#effects.push({ _tag: "Wait", request: this.#awaited })
  }

  get #untilMillis(): number {
    return this.#lease?.untilMillis ?? Number.NEGATIVE_INFINITY
  }

  get #stopAtMillis(): number {
    return this.#untilMillis - this.rules.stopMillis - this.rules.slackMillis
  }

  /** Does what only takes time. */
  #advance(nowMillis: number): void {
    const phase = this.#phase
    if (phase._tag === "waiting" && nowMillis >= this.#campaignMillis(phase)) {
      this.#phase = { _tag: "asking", request: ++this.#requests }
      this.#reason = "it asks for the lease"
      this.#effects.push({ _tag: "Acquire", request: this.#requests })
    } else if (phase._tag === "leading" && nowMillis >= this.#stopAtMillis) {
      this.#stop({ reason: `its lease was not renewed in time: ${this.#failure}`, by: this.#self.path })
      this.#advance(nowMillis)
    } else if (phase._tag === "leading" && phase.renewing === undefined && nowMillis >= phase.renewAtMillis) {
      phase.renewing = ++this.#requests
      if (this.#lease !== undefined)
        this.#effects.push({ _tag: "Renew", request: phase.renewing, lease: this.#lease })
    } else if (phase._tag === "stopping" && !phase.told && nowMillis >= this.#untilMillis) {
      phase.told = true
      const reason = `${phase.why.reason}; its actor had not stopped when the lease ran out`
      this.#publish(RoleLost, { ...phase.why, reason })
    }
  }

  #lead(lease: Lease, nowMillis: number): void {
    this.#lease = lease
    // Asked to yield meanwhile, or the answer took so long that the time left is none.
    const why =
      nowMillis < this.#keepsAwayMillis
        ? "it was asked to yield while it asked for the lease"
        : nowMillis >= this.#stopAtMillis
          ? "the lease was granted too late"
          : undefined
    if (why !== undefined) {
      this.#giveBack(nowMillis)
      return this.#wait(why, nowMillis + this.rules.retryMillis)
    }
    const renewAtMillis = sentMillis(lease) + this.rules.ttlMillis / 3
    this.#phase = { _tag: "leading", renewAtMillis, renewing: undefined }
    this.#failure = "it woke too late"
    this.#reason = "the lease was free"
    this.#publish(RoleTaken, { reason: this.#reason, by: this.#self.path })
    this.#effects.push({ _tag: "Start", epoch: lease.epoch })
  }

  #stop(why: Why): void {
    this.#phase = { _tag: "stopping", why, told: false }
    this.#reason = why.reason
    this.#effects.push({ _tag: "Stop" })
  }

  /** Its actor is gone, so another may lead. */
  #lose({ told, why }: Extract<Phase, { _tag: "stopping" }>, nowMillis: number): void {
    if (!told) this.#publish(RoleLost, why)
    this.#giveBack(nowMillis)
    this.#wait(why.reason, nowMillis + this.rules.retryMillis)
  }

  #giveBack(nowMillis: number): void {
    if (this.#lease !== undefined && nowMillis < this.#lease.untilMillis)
      this.#effects.push({ _tag: "Release", lease: this.#lease })
    this.#lease = undefined
  }

  #wait(reason: string, askMillis: number): void {
    this.#phase = { _tag: "waiting", askMillis }
    this.#reason = reason
  }

  #publish(Event: typeof RoleTaken | typeof RoleLost, { by, reason }: Why): void {
    if (this.#lease === undefined) return
    const { holder, role } = this.#self
    const event = new Event({ role, holder, epoch: this.#lease.epoch, reason, by })
    this.#effects.push({ _tag: "Publish", event })
  }

  #taken(): ReadonlyArray<LeaderEffect> {
    const effects = this.#effects
    this.#effects = []
    return effects
  }
}

/** From when on its time is counted. */
const sentMillis = ({ ttlMillis, untilMillis }: Lease): number => untilMillis - holdMillis(ttlMillis)

const check = (rules: LeaderRules): void => {
  const { answerMillis, slackMillis, stopMillis, ttlMillis } = rules
  const wrong = Object.entries(rules).find(([, value]) => !(value > 0))
  if (wrong !== undefined)
    throw new RangeError(`${wrong[0]} of a leader role is ${wrong[1]}: it must be more than 0`)
  if (!(holdMillis(ttlMillis) - stopMillis - slackMillis >= ttlMillis / 3 + answerMillis)) {
    throw new RangeError(
      `a lease of ${ttlMillis} ms is too short to be renewed: a third of it, ${answerMillis} ms for the answer, ${stopMillis} ms to stop and ${slackMillis} ms of slack do not fit in`
    )
  }
}
