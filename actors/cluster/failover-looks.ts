/**
 * When a failover coordinator looks at which agent: at first, when a member has come, when an operator has
 * ordered something, soon after no answer, and now and then in any case. One question at a time each. Pure.
 */
import type { StandingOrders } from "#protocols/failover.ts"

interface Agent {
  /** It has answered this coordinator, which it obeys since then. */
  met: boolean
  asking: boolean
  askedMillis: number
  /** The orders that went with the last question. */
  told: StandingOrders | null
  nextMillis: number
}

export class FailoverLooks {
  readonly #agents = new Map<string, Agent>()

  /** At the next chance. */
  soon(node: string, nowMillis: number): void {
    const agent = this.#agents.get(node)
    if (agent !== undefined) agent.nextMillis = nowMillis
    else
      this.#agents.set(node, { met: false, asking: false, askedMillis: 0, told: null, nextMillis: nowMillis })
  }

  everybodySoon(nowMillis: number): void {
    for (const agent of this.#agents.values()) agent.nextMillis = nowMillis
  }

  hasMet(node: string): boolean {
    return this.#agents.get(node)?.met === true
  }

  get met(): number {
    return [...this.#agents.values()].filter(({ met }) => met).length
  }

  /** Whom to ask now, and with what. Who is not live is not looked at again before it has come back. */
  due(
    isLive: (node: string) => boolean,
    orders: StandingOrders | null,
    nowMillis: number
  ): ReadonlyArray<string> {
    const due: Array<string> = []
    for (const [node, agent] of this.#agents) {
      if (agent.asking || nowMillis < agent.nextMillis) continue
      if (!isLive(node)) {
        this.#agents.delete(node)
        continue
      }
      agent.asking = true
      agent.askedMillis = nowMillis
      agent.told = orders
      due.push(node)
    }
    return due
  }

  /** When it was asked what has been answered, or has not; undefined where it was not. */
  settled(node: string, answered: boolean, nextMillis: number): number | undefined {
    const agent = this.#agents.get(node)
    if (agent?.asking !== true) return undefined
    agent.asking = false
    agent.met ||= answered
    agent.nextMillis = nextMillis
    return agent.askedMillis
  }

  /** Something was ordered since it was asked. */
  isBehind(node: string, orders: StandingOrders): boolean {
    const agent = this.#agents.get(node)
    return agent !== undefined && agent.told !== orders
  }

  get wakeMillis(): number {
    let wake = Number.POSITIVE_INFINITY
    for (const agent of this.#agents.values()) if (!agent.asking) wake = Math.min(wake, agent.nextMillis)
    return wake
  }
}
