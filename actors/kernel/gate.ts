/**
 * The gate before our actors: what whoever is at the other end of a link may send to whom. Links between
 * nodes of one cluster have none; each client has one, made from the identity that its link has
 * authenticated.
 *
 * It fails closed: what is not in the catalogue, or is not meant for clients, or is sent to a path that
 * no grant covers, does not pass. It also writes into a message who sent it.
 */
import { Either } from "effect"
import { NotPermitted, UnknownMessage } from "#protocols/delivery.ts"
import type { Identity } from "#protocols/links.ts"
import { about, covers, type MessageSchema, type Permission } from "#protocols/message.ts"

/** The messages that clients may know of, by their tags. */
export type Catalogue = ReadonlyMap<string, MessageSchema>

export class Gate {
  readonly identity: Identity
  readonly #catalogue: Catalogue
  /** Messages that did not pass. */
  refused = 0

  constructor(identity: Identity, catalogue: Catalogue) {
    this.identity = identity
    this.#catalogue = catalogue
  }

  /** The encoded message as it may go on, with its sender in it; or why it may not. */
  pass(path: string, tag: string, encoded: unknown): Either.Either<unknown, NotPermitted | UnknownMessage> {
    const message = this.#catalogue.get(tag)
    const refusal = this.#refusal(path, tag, message)
    if (refusal !== undefined) {
      this.refused++
      return Either.left(refusal)
    }
    const attached = message === undefined ? [] : about(message).attached
    if (attached.length === 0 || typeof encoded !== "object") return Either.right(encoded)
    const sender = Object.fromEntries(attached.map((field) => [field, this.identity.actorId]))
    return Either.right({ ...encoded, ...sender })
  }

  /** What it took, if whoever sends such a message is to be told to all. */
  audits(tag: string): Permission | undefined {
    const message = this.#catalogue.get(tag)
    return message !== undefined && about(message).audited ? about(message).permission : undefined
  }

  #refusal(path: string, tag: string, message: MessageSchema | undefined) {
    const needs = message === undefined ? undefined : about(message).permission
    if (message === undefined || needs === undefined || !this.#grants(path, needs)) {
      return this.refusal(path, tag, needs ?? "")
    }
    return about(message).event ? new UnknownMessage({ path, request: tag, accepts: [] }) : undefined
  }

  refusal(path: string, request: string, needs: Permission | ""): NotPermitted {
    return new NotPermitted({ path, request, actorId: this.identity.actorId, needs })
  }

  /** Whether it may see the events of a node. */
  observes(path: string): boolean {
    return this.#grants(path, "observe")
  }

  #grants(path: string, needs: Permission): boolean {
    return this.identity.grants.some(
      ({ permission, prefix }) => isBelow(path, prefix) && covers(permission, needs)
    )
  }
}

/** Whole steps of a path count: `/node01` is not below `/node0`. */
const isBelow = (path: string, prefix: string): boolean =>
  prefix === "/" || path === prefix || path.startsWith(prefix.endsWith("/") ? prefix : `${prefix}/`)
