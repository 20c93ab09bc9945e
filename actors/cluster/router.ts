/**
 * Routers: one ref for a group of actors, which sends each message to one of them.
 *
 *   round-robin       each in turn
 *   least-loaded      whoever has the fewest asks of this router under way
 *   consistent-hash   by a key of the message: the same key goes to the same member, and when members come
 *                     or go only the keys of those move
 *
 * A router is a value of the process that uses it, not an actor: it costs no message. It reads who is in
 * the group each time, so whoever died or joined a moment ago is left out or included.
 */
import { Exit, HashRing, PrimaryKey } from "effect"
import type { Ask, Tagged } from "#actors/kernel/ask.ts"
import type { ActorRef, Watcher } from "#actors/kernel/ref.ts"
import { type Address, type AddressedMessage, address } from "#protocols/address.ts"
import { ActorUnavailable } from "#protocols/delivery.ts"

export type Routing<Message> =
  | { readonly strategy: "round-robin" }
  | { readonly strategy: "least-loaded" }
  | { readonly strategy: "consistent-hash"; readonly key: (message: Message) => string }

export interface RouterOptions<Message extends Tagged> {
  readonly group: string
  /** The paths of the members, such as `view.members(group)`: the same array until they change. */
  readonly members: () => ReadonlyArray<string>
  readonly messages: ReadonlyArray<AddressedMessage & { readonly Type: Message }>
  readonly routing: Routing<Message>
  /** `context.at`. */
  readonly resolve: (address: Address<Message>) => ActorRef<Message>
}

export interface RoutedRef<in Message extends Tagged> extends ActorRef<Message> {
  /** Messages for which there was nobody. */
  readonly unrouted: number
}

/** A ref of a group. */
export const router = <Message extends Tagged>(options: RouterOptions<Message>): RoutedRef<Message> =>
  new Router(options)

interface Member<Message extends Tagged> {
  readonly path: string
  readonly ref: ActorRef<Message>
  /** Asks of this router that have no answer yet. */
  underWay: number
}

class Router<Message extends Tagged> implements RoutedRef<Message> {
  readonly path: string
  readonly messages: ReadonlyMap<string, AddressedMessage>
  readonly #classes: ReadonlyArray<AddressedMessage>
  readonly #membersNow: () => ReadonlyArray<string>
  readonly #routing: Routing<Message>
  readonly #resolve: (address: Address<Message>) => ActorRef<Message>
  #known: ReadonlyArray<string> = []
  #members: ReadonlyArray<Member<Message>> = []
  #ring: HashRing.HashRing<Place> | undefined
  #next = 0
  unrouted = 0

  constructor(options: RouterOptions<Message>) {
    this.path = `group:${options.group}`
    this.messages = address(this.path, ...options.messages).messages
    this.#classes = options.messages
    this.#membersNow = options.members
    this.#routing = options.routing
    this.#resolve = options.resolve
  }

  tell(message: Message): void {
    const member = this.#choose(message)
    if (member === undefined) this.unrouted++
    else member.ref.tell(message)
  }

  deliver(ask: Ask): void {
    const member = this.#choose(this.#messageOf(ask))
    if (member === undefined) {
      this.unrouted++
      const target = { path: this.path, request: ask.request._tag }
      return ask.settle(Exit.fail(new ActorUnavailable({ ...target, why: "not found" })))
    }
    member.underWay++
    member.ref.deliver(ask)
    if (ask.settled) {
      member.underWay--
      return
    }
    const { onSettled } = ask
    ask.onSettled = () => {
      member.underWay--
      onSettled?.()
    }
  }

  /** A group does not die: whoever wants to hear of deaths watches its members. */
  addWatcher(_watcher: Watcher): void {}
  removeWatcher(_watcher: Watcher): void {}

  /** An ask has forgotten its type; it was made for a ref of ours, so it is one of our messages. */
  #messageOf({ request }: Ask): Message {
    return request as Message
  }

  #choose(message: Message): Member<Message> | undefined {
    this.#refresh()
    const members = this.#members
    if (members.length === 0) return undefined
    switch (this.#routing.strategy) {
      case "round-robin": {
        this.#next = (this.#next + 1) % members.length
        return members[this.#next]
      }
      case "least-loaded": {
        // Beginning somewhere else each time, so that equals share.
        this.#next = (this.#next + 1) % members.length
        let best: Member<Message> | undefined
        for (let offset = 0; offset < members.length; offset++) {
          const member = members[(this.#next + offset) % members.length]
          if (member !== undefined && (best === undefined || member.underWay < best.underWay)) best = member
        }
        return best
      }
      case "consistent-hash": {
        const path = HashRing.get(this.#hashRing, this.#routing.key(message))?.path
        return members.find((member) => member.path === path)
      }
    }
  }

  #refresh(): void {
    const paths = this.#membersNow()
    if (paths === this.#known) return
    this.#known = paths
    const before = new Map(this.#members.map((member) => [member.path, member]))
    this.#members = paths.map(
      (path) => before.get(path) ?? { path, ref: this.#resolve(address(path, ...this.#classes)), underWay: 0 }
    )
    this.#ring = undefined
  }

  get #hashRing(): HashRing.HashRing<Place> {
    if (this.#ring === undefined) {
      const places = this.#members.map(({ path }) => new Place(path))
      this.#ring = HashRing.addMany(HashRing.make<Place>(), places)
    }
    return this.#ring
  }
}

/** A member as the ring knows it. */
class Place {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  [PrimaryKey.symbol](): string {
    return this.path
  }
}
