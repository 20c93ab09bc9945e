/**
 * The link book: which nodes there are links to, which are being dialed, and which link stays when there
 * are two. A core without I/O: it is told what happened and answers with what to do.
 *
 *            wanted                    answered
 *   nothing ────────► dialing ───────────────────────► linked
 *                       ▲   │ refused, unreachable        │
 *          wait is over │   ▼                             │ closed, and still wanted
 *                      waiting ◄──────────────────────────┘
 *
 * Whoever sends to an address wants a link there; the wish lapses when nobody has sent for a while. Two
 * nodes may dial each other at once. Then the link that the node with the smaller name dialed stays,
 * which both ends find out without another word.
 */
import {
  AlreadyLinked,
  type Introduction,
  type LinkFault,
  type LinkStatus,
  NodeNameTaken
} from "#protocols/links.ts"

export interface LinkRules {
  /** The first wait after a failed attempt; each further one is twice as long. */
  readonly backoffMillisMin: number
  readonly backoffMillisMax: number
  /** A wish for a link that nobody renews ends after this time. */
  readonly wantedMillis: number
  /** Addresses that are dialed or waited for; of more the longest unwanted are forgotten. */
  readonly addressesMax: number
}

export const defaultLinkRules: LinkRules = {
  backoffMillisMin: 100,
  backoffMillisMax: 10_000,
  wantedMillis: 60_000,
  addressesMax: 10_000
}

export type LinkBookEvent =
  | { readonly _tag: "Wanted"; readonly address: string }
  | {
      readonly _tag: "Opened"
      readonly link: number
      readonly introduction: Introduction
      /** The address that was dialed; undefined when the other end dialed us. */
      readonly dialed: string | undefined
    }
  | { readonly _tag: "DialFailed"; readonly address: string; readonly fault: LinkFault }
  | { readonly _tag: "Closed"; readonly link: number; readonly reason: string }
  /** Membership says that this process is gone, or was replaced by another. */
  | { readonly _tag: "NodeLost"; readonly node: string; readonly bootId: string; readonly reason: string }
  | { readonly _tag: "Tick" }

export type LinkBookEffect =
  | { readonly _tag: "Dial"; readonly address: string }
  /** This link is the one to this node from now on. */
  | { readonly _tag: "Use"; readonly link: number; readonly node: string }
  /** This link is over; `used`: it was the one in use. */
  | {
      readonly _tag: "Drop"
      readonly link: number
      readonly reason: string
      readonly used: LinkedNode | undefined
      readonly nodeLost: boolean
    }

export interface LinkedNode {
  readonly link: number
  readonly node: string
  readonly bootId: string
  readonly address: string
  readonly direction: "in" | "out"
}

interface Dial {
  readonly address: string
  state: "idle" | "dialing" | "waiting"
  attempts: number
  reason: string
  untilMillis: number
  wantedUntilMillis: number
}

export class LinkBook {
  readonly #self: Introduction
  readonly #rules: LinkRules
  readonly #random: () => number
  readonly #dials = new Map<string, Dial>()
  readonly #linked = new Map<string, LinkedNode>()
  readonly #byLink = new Map<number, LinkedNode>()
  readonly #byAddress = new Map<string, LinkedNode>()
  #effects: Array<LinkBookEffect> = []

  constructor(self: Introduction, rules: LinkRules, random: () => number) {
    this.#self = self
    this.#rules = rules
    this.#random = random
  }

  /** The link in use to whoever is reached at an address. */
  linkTo(address: string): number | undefined {
    return this.#byAddress.get(address)?.link
  }

  get linked(): ReadonlyArray<LinkedNode> {
    return [...this.#linked.values()]
  }

  /** What to show of those that are not linked. */
  get unlinked(): ReadonlyArray<Pick<LinkStatus, "address" | "state" | "reason" | "attempts">> {
    return [...this.#dials.values()]
      .filter(({ address, state }) => state !== "idle" && !this.#byAddress.has(address))
      .map(({ address, attempts, reason, state }) => ({
        address,
        attempts,
        reason,
        state: state === "dialing" ? "dialing" : "waiting"
      }))
  }

  /** When a wait is over next; infinite when nobody waits. */
  get wakeMillis(): number {
    let wake = Number.POSITIVE_INFINITY
    for (const { state, untilMillis } of this.#dials.values())
      if (state === "waiting") wake = Math.min(wake, untilMillis)
    return wake
  }

  /** Why a node that calls is not let in. Changes nothing. */
  refuses({ address, bootId, name }: Introduction): LinkFault | undefined {
    const self = this.#self
    if (name === self.name) {
      return bootId === self.bootId
        ? new AlreadyLinked({ name })
        : new NodeNameTaken({ name, address: self.address, bootId: self.bootId })
    }
    const linked = this.#linked.get(name)
    if (linked !== undefined && linked.bootId !== bootId) {
      return new NodeNameTaken({ name, address: linked.address, bootId: linked.bootId })
    }
    const ours = linked?.direction === "out" || this.#dials.get(address)?.state === "dialing"
    return ours && self.name < name ? new AlreadyLinked({ name: self.name }) : undefined
  }

  step(event: LinkBookEvent, nowMillis: number): ReadonlyArray<LinkBookEffect> {
    this.#effects = []
    switch (event._tag) {
      case "Wanted":
        this.#want(event.address, nowMillis)
        break
      case "Opened":
        this.#opened(event, nowMillis)
        break
      case "DialFailed":
        this.#failed(event.address, event.fault, nowMillis)
        break
      case "Closed": {
        const linked = this.#byLink.get(event.link)
        if (linked !== undefined) this.#drop(linked, event.reason, false, nowMillis)
        break
      }
      case "NodeLost": {
        const linked = this.#linked.get(event.node)
        if (linked?.bootId === event.bootId) this.#drop(linked, event.reason, true, nowMillis)
        break
      }
      case "Tick":
        for (const dial of [...this.#dials.values()]) {
          if (dial.state === "waiting" && dial.untilMillis <= nowMillis) this.#retry(dial, nowMillis)
        }
        break
    }
    return this.#effects
  }

  #want(address: string, nowMillis: number): void {
    if (address === this.#self.address || address === "") return
    let dial = this.#dials.get(address)
    if (dial === undefined) {
      dial = { address, state: "idle", attempts: 0, reason: "", untilMillis: 0, wantedUntilMillis: 0 }
      if (this.#dials.size >= this.#rules.addressesMax) this.#forgetOne()
      this.#dials.set(address, dial)
    }
    dial.wantedUntilMillis = nowMillis + this.#rules.wantedMillis
    if (dial.state === "idle" && !this.#byAddress.has(address)) this.#dial(dial)
  }

  #forgetOne(): void {
    for (const { address, state } of this.#dials.values()) {
      if (state === "dialing") continue
      this.#dials.delete(address)
      return
    }
  }

  #dial(dial: Dial): void {
    dial.state = "dialing"
    dial.attempts++
    this.#effects.push({ _tag: "Dial", address: dial.address })
  }

  #retry(dial: Dial, nowMillis: number): void {
    const linked = this.#byAddress.has(dial.address)
    if (linked || dial.wantedUntilMillis <= nowMillis) {
      dial.state = "idle"
      dial.attempts = 0
      if (!linked) this.#dials.delete(dial.address)
    } else this.#dial(dial)
  }

  #failed(address: string, fault: LinkFault, nowMillis: number): void {
    const dial = this.#dials.get(address)
    if (dial === undefined) return
    dial.reason = fault.message
    this.#wait(dial, nowMillis)
  }

  #wait(dial: Dial, nowMillis: number): void {
    const { backoffMillisMax, backoffMillisMin } = this.#rules
    const millis = Math.min(backoffMillisMax, backoffMillisMin * 2 ** Math.min(20, dial.attempts - 1))
    dial.state = "waiting"
    // Between half of it and all of it, so that a hundred nodes do not come back at once.
    dial.untilMillis = nowMillis + millis * (0.5 + this.#random() / 2)
  }

  #opened(
    { dialed, introduction, link }: LinkBookEvent & { readonly _tag: "Opened" },
    nowMillis: number
  ): void {
    const { address, bootId, name: node } = introduction
    const dial = dialed === undefined ? undefined : this.#dials.get(dialed)
    if (dial !== undefined) dial.state = "idle"
    const direction = dialed === undefined ? "in" : "out"
    const opened: LinkedNode = { link, node, bootId, address: dialed ?? address, direction }
    const refusal = this.#refusesOpened(opened)
    if (refusal !== undefined) {
      if (dial !== undefined) {
        dial.reason = refusal
        this.#wait(dial, nowMillis)
      }
      this.#effects.push({ _tag: "Drop", link, reason: refusal, used: undefined, nodeLost: false })
      return
    }
    if (dial !== undefined) {
      dial.attempts = 0
      dial.reason = ""
    }
    const before = this.#linked.get(node)
    if (before !== undefined)
      this.#drop(before, "another link to the same node took its place", false, nowMillis)
    this.#linked.set(node, opened)
    this.#byLink.set(link, opened)
    this.#byAddress.set(opened.address, opened)
    // It may tell others of another address than the one it was dialed at.
    this.#byAddress.set(address, opened)
    this.#effects.push({ _tag: "Use", link, node })
  }

  /** Between its question at the door and now another link may have come up. */
  #refusesOpened({ bootId, direction, node }: LinkedNode): string | undefined {
    const self = this.#self
    if (node === self.name) {
      return bootId === self.bootId ? "this is the node itself" : `${node} is this node's own name`
    }
    const linked = this.#linked.get(node)
    if (linked === undefined) return undefined
    if (linked.bootId !== bootId) return `a node named ${node} is linked already, from ${linked.address}`
    if (linked.direction === direction) return undefined
    const dialer = direction === "out" ? self.name : node
    return dialer < (direction === "out" ? node : self.name) ? undefined : "there is a link already"
  }

  #drop(linked: LinkedNode, reason: string, nodeLost: boolean, nowMillis: number): void {
    this.#linked.delete(linked.node)
    this.#byLink.delete(linked.link)
    for (const [address, other] of this.#byAddress) {
      if (other === linked) this.#byAddress.delete(address)
    }
    this.#effects.push({ _tag: "Drop", link: linked.link, reason, used: linked, nodeLost })
    const dial = this.#dials.get(linked.address)
    if (dial === undefined || dial.state !== "idle") return
    if (nodeLost || dial.wantedUntilMillis <= nowMillis) this.#dials.delete(linked.address)
    else {
      dial.attempts = 1
      dial.reason = reason
      this.#wait(dial, nowMillis)
    }
  }
}
