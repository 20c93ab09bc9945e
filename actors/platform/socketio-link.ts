/**
 * One link over a socket of socket.io, the same at both ends: what the other end says after the welcome,
 * and an end that comes exactly once.
 *
 *   frames    a batch
 *   goodbye   why the other end closes; nothing follows
 *
 * The listener hears of the end in a turn of its own, so that it may close links from wherever it likes.
 */
import type { Caller, Link, LinkListener, Opened } from "#actors/kernel/ports/links.ts"
import type { Identity, Introduction } from "#protocols/links.ts"
import type { Frame } from "#protocols/wire/frames.ts"

/** Between the two of them an end that hangs is noticed, on both sides. */
export const pingIntervalMillis = 1_500
export const pingTimeoutMillis = 4_000
/** Peers cut larger messages into parts. */
export const messageBytesMax = 4 * 1024 * 1024
/** How long an end may take to introduce itself, and to be told goodbye. */
export const handshakeMillisMax = 5_000
export const goodbyeMillisMax = 1_000

const reasonLengthMax = 1_000

/** What a link needs of the socket below it. */
export interface Line {
  /** Throws on what cannot be packed. */
  readonly say: (event: "frames" | "goodbye", value: unknown) => void
  /** Ends the connection once what was said has left, by force if that takes too long. */
  readonly hangUp: () => void
}

export class SocketLink implements Link {
  readonly introduction: Introduction
  readonly identity: Identity
  readonly #line: Line
  #listener: LinkListener | undefined
  #closed = false

  constructor({ identity, introduction }: Caller, line: Line) {
    this.introduction = introduction
    this.identity = identity
    this.#line = line
  }

  open(opened: Opened): void {
    this.#listener = opened(this)
  }

  readonly send = (batch: ReadonlyArray<Frame>): void => {
    if (this.#closed) return
    try {
      this.#line.say("frames", batch)
    } catch (cause) {
      // It must not be missing among the others.
      this.close(`a batch could not be packed: ${firstLine(cause)}`)
    }
  }

  readonly close = (reason: string): void => {
    if (this.#closed) return
    this.#line.say("goodbye", reason.slice(0, reasonLengthMax))
    this.#end(reason)
  }

  receive(batch: unknown): void {
    if (!this.#closed) this.#listener?.onBatch(batch)
  }

  /** The other end closed, in its own words, or is gone. */
  lost(reason: unknown): void {
    if (this.#closed) return
    this.#end(typeof reason === "string" ? reason.slice(0, reasonLengthMax) : "the other end closed the link")
  }

  #end(reason: string): void {
    this.#closed = true
    this.#line.hangUp()
    queueMicrotask(() => this.#listener?.onClosed(reason))
  }
}

/** What socket.io says when a connection ends, for people. */
export const lossReason = (reason: string, details: unknown): string => {
  switch (reason) {
    case "ping timeout":
      return `nothing was heard from the other end for ${(pingIntervalMillis + pingTimeoutMillis) / 1_000} s`
    case "transport error":
      return `the connection broke: ${firstLine(details)}`
    case "parse error":
      return "the other end does not speak our protocol"
    default:
      return "the connection was closed"
  }
}

export const firstLine = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause)).split("\n", 1).join()
