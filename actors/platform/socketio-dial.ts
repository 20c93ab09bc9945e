/**
 * Dialing: the way from an address to a link, with socket.io's client.
 *
 *   connect ─► introduce ourselves, with our token ─► welcome ─► who is it? ─► ready ─► link
 *
 * The dialed node lets us in before it says who it is; then it is our turn to let it be. Only after our
 * "ready" there is a link at its end, so a node that we do not like never hears of one.
 *
 * What answers may be anything, and engine.io's client throws on a handshake that is not the JSON it
 * expects, where nobody can catch it. Hence a transport of our own that looks at the handshake first. It
 * also ends connections for good: a websocket waits half a minute for a partner who does not say goodbye.
 */
import type { PeerCertificate } from "node:tls"
import { Deferred, Effect, Either, Exit, FiberId, ParseResult, Predicate, Schema } from "effect"
import { Manager, NodeWebSocket } from "socket.io-client"
import type { Link, Opened } from "#actors/kernel/ports/links.ts"
import { silenceMillisMax } from "#actors/kernel/ports/links.ts"
import { PacketDecoder, PacketEncoder } from "#protocols/client/packet-parser.ts"
import {
  type Identity,
  Introduction,
  LinkFault,
  mismatch,
  NeedsTls,
  NotANode,
  Unauthenticated,
  Unreachable
} from "#protocols/links.ts"
import { identityOf, type LinkTls } from "./certificates.ts"
import { endpointOf, isLoopback } from "./link-address.ts"
import {
  firstLine,
  goodbyeMillisMax,
  handshakeMillisMax,
  lossReason,
  messageBytesMax,
  SocketLink
} from "./socketio-link.ts"
import type { Tokens } from "./tokens.ts"

/** What a node says first to whom it lets in. The token only to nodes, and where no certificate says it. */
export const Welcome = Schema.Struct({
  introduction: Introduction,
  token: Schema.optional(Schema.String)
})

export interface Dialer {
  readonly self: Introduction
  readonly tokens: Tokens
  readonly tls: LinkTls | undefined
  readonly insecure: boolean
  /** The address that connections leave from. */
  readonly dialFrom: string | undefined
  /** Our token of this moment. */
  readonly ownToken: Effect.Effect<string>
  /** Links and attempts that are not over, and what lies below them. When the layer closes, it ends them. */
  readonly attempts: Set<Attempt>
  readonly sockets: Set<EndableSocket>
  /** Why nothing is dialed any more. */
  readonly closed: () => string | undefined
}

export interface EndableSocket {
  readonly terminate: () => void
}

export const dial = (dialer: Dialer, address: string, opened: Opened): Effect.Effect<Link, LinkFault> =>
  Effect.gen(function* () {
    const endpoint = endpointOf(address)
    if (endpoint === undefined)
      return yield* new Unreachable({ address, reason: "it is no address like 10.0.0.7:7700" })
    if (dialer.tls === undefined && !dialer.insecure && !isLoopback(endpoint.host))
      return yield* new NeedsTls({ address })
    const token = dialer.tls === undefined ? yield* dialer.ownToken : undefined
    return yield* Effect.acquireUseRelease(
      Effect.suspend(() => {
        const reason = dialer.closed()
        return reason === undefined
          ? Effect.succeed(new Attempt(dialer, address, token))
          : Effect.fail(new Unreachable({ address, reason }))
      }),
      (attempt) => attempt.link(opened),
      (attempt, exit) =>
        Effect.sync(() => {
          if (!Exit.isSuccess(exit)) attempt.giveUp("the dialing end gave up")
        })
    )
  })

/** A connection that we make, from its first packet to its last. */
export class Attempt {
  readonly #dialer: Dialer
  readonly #address: string
  readonly #socket: ReturnType<Manager["socket"]>
  readonly #welcome = Deferred.unsafeMake<unknown, LinkFault>(FiberId.none)
  #certificate: PeerCertificate | undefined
  #link: SocketLink | undefined

  constructor(dialer: Dialer, address: string, token: string | undefined) {
    this.#dialer = dialer
    this.#address = address
    const { dialFrom, self, tls } = dialer
    const malformed = () => this.#link?.receive(undefined)
    const manager = new Manager(`${tls === undefined ? "ws" : "wss"}://${address}`, {
      reconnection: false,
      autoConnect: false,
      upgrade: false,
      transports: [CarefulWebSocket],
      parser: { Encoder: PacketEncoder, Decoder: decoderWith(malformed) },
      transportOptions: {
        websocket: {
          perMessageDeflate: false,
          maxPayload: messageBytesMax,
          sockets: dialer.sockets,
          ...(dialFrom !== undefined && { localAddress: dialFrom }),
          ...(tls === undefined ? undefined : this.#tlsOptions(tls))
        }
      }
    })
    // Its timer would outlive the attempt, and we have one.
    manager.timeout(false)
    // As a function, so that the token is not kept where somebody may print it.
    const auth = (say: (auth: object) => void) =>
      say(token === undefined ? { introduction: self } : { introduction: self, token })
    this.#socket = manager.socket("/nodes", { auth })
    this.#socket
      .on("connect_error", (error) => this.#fail(this.#faultOf(error)))
      .on("disconnect", (reason, details) => this.#lost(lossReason(reason, details)))
      .on("welcome", (welcome: unknown) => Deferred.unsafeDone(this.#welcome, Exit.succeed(welcome)))
      .on("frames", (batch: unknown) => this.#link?.receive(batch))
      .on("goodbye", (reason: unknown) => this.#lost(reason))
    dialer.attempts.add(this)
    this.#socket.connect()
    // A connection that ends before its handshake is nothing to socket.io. A refusal ends it first, and then
    // says why.
    manager.engine.on("close", (reason, details) =>
      queueMicrotask(() => this.#lost(lossReason(reason, details)))
    )
  }

  link(opened: Opened): Effect.Effect<Link, LinkFault> {
    return Effect.flatMap(Deferred.await(this.#welcome), (welcome) => this.#checked(welcome)).pipe(
      Effect.timeoutFail({
        duration: handshakeMillisMax,
        onTimeout: () => this.#unreachable(`no answer within ${handshakeMillisMax / 1_000} s`)
      }),
      Effect.flatMap((caller) =>
        // The other end may have gone while we looked at its token.
        this.#socket.connected
          ? Effect.sync(() => this.#open(caller, opened))
          : Effect.fail(this.#unreachable("the connection was closed"))
      )
    )
  }

  giveUp(reason: string): void {
    if (this.#link === undefined) {
      this.#fail(this.#unreachable(reason))
      this.#hangUp()
    } else this.#link.close(reason)
  }

  #open(caller: { readonly identity: Identity; readonly introduction: Introduction }, opened: Opened): Link {
    const link = new SocketLink(caller, {
      say: (event, value) => this.#socket.emit(event, value),
      hangUp: () => this.#hangUp()
    })
    this.#link = link
    this.#socket.emit("ready")
    link.open(opened)
    return link
  }

  #checked(value: unknown) {
    return Effect.gen(this, function* () {
      const { self } = this.#dialer
      const welcome = decodeWelcome(value)
      if (Either.isLeft(welcome)) return yield* this.#unreachable("what answered is no node")
      const { introduction, token } = welcome.right
      const identity = yield* this.#identity(token)
      if (identity.actorId !== `SYSTEM::${introduction.name}`)
        return yield* new NotANode({ actorId: identity.actorId, name: introduction.name })
      const fault = mismatch(self, introduction)
      if (fault !== undefined) return yield* fault
      return { identity, introduction }
    })
  }

  #identity(token: string | undefined): Effect.Effect<Identity, Unauthenticated> {
    const { self, tls, tokens } = this.#dialer
    const shown =
      tls !== undefined
        ? Effect.suspend(() =>
            this.#certificate === undefined
              ? Effect.fail("no certificate was shown")
              : identityOf(this.#certificate)
          )
        : token === undefined
          ? Effect.fail("no token was shown")
          : tokens.verify(token)
    return Effect.mapError(
      shown,
      (reason) => new Unauthenticated({ node: self.name, reason: `of ${this.#address}, ${reason}` })
    )
  }

  #tlsOptions({ ca, cert, key }: LinkTls) {
    return {
      ca,
      cert,
      key,
      rejectUnauthorized: true,
      // A node is who its certificate says, wherever it runs today. The name is compared with the welcome.
      checkServerIdentity: (_host: string, certificate: PeerCertificate) => {
        this.#certificate = certificate
        return undefined
      }
    }
  }

  #lost(reason: unknown): void {
    this.#fail(this.#unreachable(Predicate.isString(reason) ? reason : "the connection was closed"))
    this.#link?.lost(reason)
    this.#hangUp()
  }

  /** Only the first of all the ways in which an attempt ends counts. */
  #fail(fault: LinkFault): void {
    Deferred.unsafeDone(this.#welcome, Exit.fail(fault))
  }

  #hangUp(): void {
    // Without a word of socket.io's: the other end would hear that one before our goodbye.
    this.#socket.io.engine.close()
    this.#dialer.attempts.delete(this)
  }

  /** A refusal of the node, or what the network has to say. */
  #faultOf(error: Error): LinkFault {
    if (Predicate.hasProperty(error, "data") && error.data !== undefined) {
      const fault = decodeFault(error.data)
      return Either.isRight(fault) ? fault.right : this.#unreachable("what answered is no node")
    }
    const why = Predicate.hasProperty(error, "description") ? error.description : error
    return this.#unreachable(
      Predicate.hasProperty(why, "message") && Predicate.isString(why.message)
        ? firstLine(why.message)
        : firstLine(error)
    )
  }

  #unreachable(reason: string): Unreachable {
    return new Unreachable({ address: this.#address, reason })
  }
}

const decodeWelcome = Schema.decodeUnknownEither(Welcome)
const decodeFault = Schema.decodeUnknownEither(LinkFault)

const decoderWith = (onMalformed: () => void) =>
  class extends PacketDecoder {
    override readonly onMalformed = onMalformed
  }

const Handshake = Schema.parseJson(
  Schema.Struct({
    sid: Schema.NonEmptyString,
    upgrades: Schema.Tuple(),
    pingInterval: Schema.Positive,
    pingTimeout: Schema.Positive,
    maxPayload: Schema.Positive
  })
)
const decodeHandshake = ParseResult.decodeUnknownEither(Handshake)

/** Whether this is a handshake of ours; with longer pauses a silence would go unnoticed. */
const isHandshake = (text: unknown): boolean =>
  Either.match(decodeHandshake(text), {
    onLeft: () => false,
    onRight: ({ pingInterval, pingTimeout }) => pingInterval + pingTimeout <= silenceMillisMax
  })

class CarefulWebSocket extends NodeWebSocket {
  #opened = false

  override createSocket(
    uri: string,
    protocols: Parameters<NodeWebSocket["createSocket"]>[1],
    opts: Parameters<NodeWebSocket["createSocket"]>[2]
  ) {
    const sockets: Set<EndableSocket> = Reflect.get(this.opts, "sockets")
    const socket = super.createSocket(uri, protocols, { ...opts, generateMask: zeroMask })
    sockets.add(socket)
    socket.once("close", () => sockets.delete(socket))
    return socket
  }

  override doClose() {
    const { ws } = this
    super.doClose()
    if (ws === null || ws === undefined) return
    const overdue = setTimeout(() => ws.terminate(), goodbyeMillisMax).unref()
    ws.once("close", () => clearTimeout(overdue))
  }

  /** The first packet is the handshake, and no other is. */
  protected override onPacket(packet: Parameters<NodeWebSocket["send"]>[0]) {
    const expected = this.#opened
      ? packet.type !== "open"
      : packet.type === "open" && isHandshake(packet.data)
    this.#opened = true
    if (expected) super.onPacket(packet)
    else this.onError("what answered is no node", undefined)
  }
}

/**
 * Masks keep what a web page sends from looking like requests to a proxy in between (RFC 6455 10.3). No web
 * page speaks through this socket, and a mask costs both ends a walk over every byte, in JavaScript. With
 * zeros it is valid, and skipped.
 */
const zeroMask = (mask: Buffer): void => void mask.fill(0)
