/**
 * One link as an actor: a child of `links` or of `clients`, which stands in the tree for as long as the
 * other end is there. It crashes with its link's frames, if ever, and takes no other link with it.
 */
import * as Actor from "#actors/kernel/actor.ts"
import type { InitContext } from "#actors/kernel/context.ts"
import type { Gate } from "#actors/kernel/gate.ts"
import type { Peer } from "#actors/kernel/peer.ts"
import type { Link, LinkListener, Packing } from "#actors/kernel/ports/links.ts"

/** Batches that may arrive before the link's actor has started. */
const earlyMax = 1_000

/** A link between its opening, which happens outside of any actor, and its end. */
export class HeldLink implements LinkListener {
  readonly id: number
  readonly link: Link
  readonly #onEnd: (held: HeldLink, reason: string) => void
  #early: Array<unknown> = []
  #ended: string | undefined
  peer: Peer | undefined

  constructor(id: number, link: Link, onEnd: (held: HeldLink, reason: string) => void) {
    this.id = id
    this.link = link
    this.#onEnd = onEnd
  }

  get ended(): string | undefined {
    return this.#ended
  }

  onBatch(batch: unknown): void {
    if (this.peer !== undefined) this.peer.receive(batch)
    else if (this.#early.push(batch) > earlyMax) this.end("it sent too much before it was served")
  }

  onClosed(reason: string): void {
    this.#end(reason, "lost")
  }

  /** Serves it from now on. */
  serve(peer: Peer): void {
    this.peer = peer
    const early = this.#early
    this.#early = []
    for (const batch of early) peer.receive(batch)
    if (this.#ended !== undefined) peer.close(this.#ended)
  }

  /** Ends it from our side. */
  end(reason: string, how: "lost" | "node-lost" = "lost"): void {
    this.peer?.flush()
    this.#end(reason, how)
    this.link.close(reason)
  }

  #end(reason: string, how: "lost" | "node-lost"): void {
    if (this.#ended !== undefined) return
    this.#ended = reason
    this.#early = []
    this.peer?.close(reason, how)
    this.#onEnd(this, reason)
  }
}

export interface LinkArgs {
  readonly held: HeldLink
  readonly packing: Packing
  /** What may pass. Without it the other end is a node, whose tree is mounted below its name. */
  readonly gate?: Gate
  readonly messageBytesMax?: number
  readonly eventPauseMillis?: number
  readonly onDatagram?: (packet: unknown) => void
}

const link = (kind: string) =>
  Actor.make("link", {
    kind,
    messages: [],
    init: (context: InitContext<never>, args: LinkArgs) => {
      const { eventPauseMillis, gate, held, messageBytesMax, onDatagram, packing } = args
      const options = {
        packing,
        send: held.link.send,
        onStalled: (reason: string) => held.end(reason),
        ...(gate && { gate }),
        ...(messageBytesMax !== undefined && { messageBytesMax }),
        ...(eventPauseMillis !== undefined && { eventPauseMillis }),
        ...(onDatagram && { onDatagram })
      }
      const peer =
        gate === undefined ? context.mount(options, `/${held.link.introduction.name}`) : context.peer(options)
      held.serve(peer)
      return { held, peer, gate }
    },
    handlers: {},
    onStop: ({ held }) => held.end("its actor was stopped"),
    inspect: ({ gate, held: { link }, peer }) => ({
      ...link.introduction,
      actorId: link.identity.actorId,
      queued: peer.queued,
      queuedBytes: peer.queuedBytes,
      malformed: peer.malformed,
      droppedDatagrams: peer.droppedDatagrams,
      ...(gate && { grants: link.identity.grants, refused: gate.refused })
    })
  })

export const NodeLink = link("link to a node")
export const ClientLink = link("link to a client")
