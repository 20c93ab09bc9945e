/**
 * The transport over socket.io, the same in Node and in a browser: websockets alone, our packets, one
 * attempt at a time and no reconnecting of its own.
 *
 *   connect ─► introduce ourselves, with the token ─► welcome ─► link        or the fault why not
 *
 * The other end may be anything. engine.io's client throws on a handshake that is not the JSON it expects,
 * where nobody can catch it, hence a websocket of our own that looks at it first. A bundler for browsers
 * puts the browser's websocket in the place of Node's by itself.
 */
import { Deferred, Effect, Either, Exit, FiberId, Predicate, Schema } from "effect"
import { Manager, NodeWebSocket } from "socket.io-client"
import { Introduction, LinkFault, mismatch, NeedsTls, NotANode, Unreachable } from "../links.ts"
import { protocolVersion } from "../wire/frames.ts"
import { type ClientWorld, liveWorld } from "./client-world.ts"
import { PacketDecoder, PacketEncoder, pack, unpack } from "./packet-parser.ts"
import type { ClientLink, LinkListener, Transport } from "./transport.ts"

export interface SocketOptions {
  readonly token: string
  readonly name?: string
  readonly cluster?: string
  readonly ca?: string
  readonly insecure?: boolean
  /** By which door: `ops` is for shells. */
  readonly entrance?: "actors" | "ops"
}

const handshakeMillisMax = 5_000
const goodbyeMillisMax = 1_000
/** Nodes cut larger messages into parts. */
const packetBytesMax = 4 * 1024 * 1024
/** Nodes ping more often than this; with longer pauses a silence would go unnoticed. */
const silenceMillisMax = 6_000
const reasonLengthMax = 1_000

export const socketTransport = (
  options: SocketOptions,
  { random }: Pick<ClientWorld, "random">
): Transport => {
  const { ca, entrance = "actors", insecure = false, token } = options
  const self: Introduction = {
    protocol: protocolVersion,
    cluster: options.cluster ?? clusterOf(token) ?? "(not known)",
    name: options.name ?? "client",
    bootId: random().toString(36).slice(2) || "0",
    address: ""
  }
  return {
    packing: { pack, unpack },
    dial: (url, opened) => {
      const origin = originOf(url)
      if (origin === undefined)
        return new Unreachable({ address: url, reason: "it is no url like http://127.0.0.1:7700" })
      if (!origin.secure && !insecure && !isLoopback(origin.host)) return new NeedsTls({ address: url })
      return Effect.acquireUseRelease(
        Effect.sync(() => new Attempt(url, origin.websocket, { ca, entrance, self, token }, opened)),
        (attempt) => attempt.done,
        (attempt, exit) =>
          Effect.sync(() => {
            if (!Exit.isSuccess(exit)) attempt.giveUp()
          })
      )
    }
  }
}

interface Ours {
  readonly self: Introduction
  readonly token: string
  readonly ca: string | undefined
  readonly entrance: string
}

interface Certificate {
  readonly subject?: { readonly CN?: string }
}

/** A connection from its first packet to its last. */
class Attempt {
  readonly #url: string
  readonly #self: Introduction
  readonly #opened: (link: ClientLink) => LinkListener
  readonly #socket: ReturnType<Manager["socket"]>
  readonly #result = Deferred.unsafeMake<void, LinkFault>(FiberId.none)
  #listener: LinkListener | undefined
  /** The name in the certificate that was shown, if it was us who looked. */
  #certified: string | undefined
  #over = false

  constructor(
    url: string,
    origin: string,
    { ca, entrance, self, token }: Ours,
    opened: (link: ClientLink) => LinkListener
  ) {
    this.#url = url
    this.#self = self
    this.#opened = opened
    const manager = new Manager(origin, {
      reconnection: false,
      timeout: handshakeMillisMax,
      autoConnect: false,
      upgrade: false,
      transports: [CarefulWebSocket],
      parser: { Encoder: PacketEncoder, Decoder: decoderWith(() => this.#listener?.onBatch(undefined)) },
      transportOptions: {
        websocket: {
          perMessageDeflate: false,
          maxPayload: packetBytesMax,
          ...(ca === undefined ? undefined : this.#trusting(ca))
        }
      }
    })
    // As a function, so that the token is not kept where somebody may print it.
    const auth = (say: (auth: object) => void) => say({ introduction: self, token })
    this.#socket = manager.socket(`/${entrance}`, { auth })
    this.#socket
      .on("connect_error", (error) => this.#fail(this.#faultOf(error)))
      .on("disconnect", (reason, details) => this.#lost(lossReason(reason, details)))
      .on("welcome", (welcome: unknown) => this.#welcomed(welcome))
      .on("frames", (batch: unknown) => this.#listener?.onBatch(batch))
      .on("goodbye", (reason: unknown) => this.#lost(String(reason).slice(0, reasonLengthMax)))
    this.#socket.connect()
  }

  get done(): Effect.Effect<void, LinkFault> {
    return Effect.timeoutFail(Deferred.await(this.#result), {
      duration: handshakeMillisMax,
      onTimeout: () => this.#unreachable(`no answer within ${handshakeMillisMax / 1_000} s`)
    })
  }

  giveUp(): void {
    if (this.#listener !== undefined) this.#close("the client gave up")
    else this.#hangUp()
  }

  #welcomed(value: unknown): void {
    if (this.#over || this.#listener !== undefined) return
    const welcome = decodeWelcome(value)
    if (Either.isLeft(welcome)) return this.#fail(this.#unreachable("what answered is no node"))
    const { introduction } = welcome.right
    const fault = mismatch(this.#self, introduction) ?? this.#impostor(introduction)
    if (fault !== undefined) return this.#fail(fault)
    this.#listener = this.#opened({
      introduction,
      send: (batch) => this.#send(batch),
      close: (reason) => this.#close(reason)
    })
    // Whoever was told may have closed it at once.
    if (this.#over) return this.#lost("the client gave up")
    Deferred.unsafeDone(this.#result, Exit.void)
  }

  /** A node is who its certificate from the cluster's authority says, wherever it runs today. */
  #trusting(ca: string) {
    return {
      ca,
      checkServerIdentity: (_host: string, { subject }: Certificate) => {
        this.#certified = subject?.CN ?? ""
        return undefined
      }
    }
  }

  #impostor({ name }: Introduction): NotANode | undefined {
    return this.#certified === undefined || this.#certified === name
      ? undefined
      : new NotANode({ actorId: `SYSTEM::${this.#certified}`, name })
  }

  #send(batch: unknown): void {
    if (this.#over) return
    try {
      this.#socket.emit("frames", batch)
    } catch (cause) {
      // It must not be missing among the others.
      this.#close(`a batch could not be packed: ${firstLine(cause)}`)
    }
  }

  #close(reason: string): void {
    if (this.#over) return
    this.#socket.emit("goodbye", reason.slice(0, reasonLengthMax))
    this.#lost(reason)
  }

  #lost(reason: string): void {
    this.#fail(this.#unreachable(reason))
    const listener = this.#listener
    this.#listener = undefined
    // In a turn of its own, so that links may be closed from wherever one likes.
    if (listener !== undefined) liveWorld.soon(() => listener.onClosed(reason))
  }

  /** Only the first of all the ways in which an attempt ends counts. */
  #fail(fault: LinkFault): void {
    Deferred.unsafeDone(this.#result, Exit.fail(fault))
    this.#hangUp()
  }

  #hangUp(): void {
    this.#over = true
    this.#socket.disconnect()
  }

  /** A refusal of the node, or what the network has to say. */
  #faultOf(error: Error): LinkFault {
    if (Predicate.hasProperty(error, "data") && error.data !== undefined) {
      return Either.getOrElse(decodeFault(error.data), () => this.#unreachable("what answered is no node"))
    }
    const why = Predicate.hasProperty(error, "description") ? error.description : error
    const said = Predicate.hasProperty(why, "message") && Predicate.isString(why.message) ? why.message : ""
    return this.#unreachable(firstLine(said === "" ? error : said))
  }

  #unreachable(reason: string): Unreachable {
    return new Unreachable({ address: this.#url, reason })
  }
}

const decodeWelcome = Schema.decodeUnknownEither(Schema.Struct({ introduction: Introduction }))
const decodeFault = Schema.decodeUnknownEither(LinkFault)

const decoderWith = (onMalformed: () => void) =>
  class extends PacketDecoder {
    override readonly onMalformed = onMalformed
  }

/** What socket.io says when a connection ends, for people. */
const lossReason = (reason: string, details: unknown): string => {
  switch (reason) {
    case "ping timeout":
      return `nothing was heard from the node for up to ${silenceMillisMax / 1_000} s`
    case "transport error":
      return `the connection broke: ${firstLine(details)}`
    case "parse error":
      return "the node does not speak our protocol"
    default:
      return "the connection was closed"
  }
}

const firstLine = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause)).split("\n", 1).join()

interface Origin {
  readonly websocket: string
  readonly host: string
  readonly secure: boolean
}

const originOf = (url: string): Origin | undefined => {
  const parsed = URL.parse(url)
  if (parsed === null || !/^(http|ws)s?:$/.test(parsed.protocol)) return undefined
  const secure = parsed.protocol === "https:" || parsed.protocol === "wss:"
  return { websocket: `${secure ? "wss" : "ws"}://${parsed.host}`, host: parsed.hostname, secure }
}

const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host)

/** A token says for which cluster it was issued. The node finds out whether that is true. */
const clusterOf = (token: string): string | undefined => {
  const [, claims = ""] = token.split(".")
  try {
    const json = atob(claims.replaceAll("-", "+").replaceAll("_", "/"))
    const text = new TextDecoder().decode(Uint8Array.from(json, (char) => char.charCodeAt(0)))
    return Either.getOrUndefined(Either.map(decodeClaims(text), ({ iss }) => iss))
  } catch {
    return undefined
  }
}

const decodeClaims = Schema.decodeUnknownEither(
  Schema.parseJson(Schema.Struct({ iss: Introduction.fields.cluster }))
)

const Handshake = Schema.parseJson(
  Schema.Struct({ sid: Schema.NonEmptyString, pingInterval: Schema.Positive, pingTimeout: Schema.Positive })
)
const decodeHandshake = Schema.decodeUnknownEither(Handshake)

const isHandshake = (text: unknown): boolean =>
  Either.match(decodeHandshake(text), {
    onLeft: () => false,
    onRight: ({ pingInterval, pingTimeout }) => pingInterval + pingTimeout <= silenceMillisMax
  })

class CarefulWebSocket extends NodeWebSocket {
  /** A websocket waits half a minute for a partner who does not say goodbye. Browsers see to that themselves. */
  override doClose() {
    const { ws } = this
    super.doClose()
    if (ws === null || ws === undefined || !("terminate" in ws)) return
    ws.once(
      "close",
      liveWorld.alarm(goodbyeMillisMax, () => ws.terminate())
    )
  }

  protected override onPacket(packet: Parameters<NodeWebSocket["send"]>[0]) {
    if (packet.type === "open" && !isHandshake(packet.data))
      this.onError("what answered is no node", undefined)
    else super.onPacket(packet)
  }
}
