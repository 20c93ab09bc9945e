/**
 * The door: who connects to this node, and what becomes of them.
 *
 *   introduction ─► proof ─► protocol, cluster ─► entrance ─► doorkeeper ─► welcome ─► link
 *        └────────────┴─────────────┴─────────────────┴───────────┴──────► the fault, and goodbye
 *
 * Whoever connects has five seconds to come in through one entrance, once. Until then it gets nothing but
 * the fault why not. A browser shows a certificate whether its user wants to or not, so pages from origins
 * that are not listed may not even connect.
 */
import type { Server as HttpServer } from "node:http"
import { Effect, Either, Schema } from "effect"
import { Server, type Socket } from "socket.io"
import type { Caller, Doorkeeper, Entrance } from "#actors/kernel/ports/links.ts"
import { PacketDecoder, packetParser } from "#protocols/client/packet-parser.ts"
import {
  type Identity,
  Introduction,
  LinkFault,
  mismatch,
  NotANode,
  Unauthenticated,
  Unreachable
} from "#protocols/links.ts"
import { presentedIdentity } from "./certificates.ts"
import {
  goodbyeMillisMax,
  handshakeMillisMax,
  lossReason,
  messageBytesMax,
  pingIntervalMillis,
  pingTimeoutMillis,
  SocketLink
} from "./socketio-link.ts"
import type { Tokens } from "./tokens.ts"

/** Who was not let in and why; without an introduction if it gave none. */
export type OnRefused = (introduction: Introduction | undefined, fault: LinkFault) => void

export interface Door {
  readonly self: Introduction
  readonly tokens: Tokens
  /** What proves to other nodes who we are, if no certificate does. */
  readonly ownToken: Effect.Effect<string | undefined>
  readonly origins: ReadonlySet<string>
  readonly onRefused: OnRefused
  readonly run: (task: Effect.Effect<void>) => void
  readonly keepers: Map<Entrance, Doorkeeper>
  /** Those that came in and have not left. */
  readonly links: Set<SocketLink>
}

const closedReason = "nobody is let in there at the moment"
const entrances: ReadonlyArray<Entrance> = ["nodes", "actors", "ops"]

export const openDoor = (server: HttpServer, door: Door): Server => {
  const io = new Server(server, {
    transports: ["websocket"],
    allowUpgrades: false,
    serveClient: false,
    perMessageDeflate: false,
    httpCompression: false,
    parser: packetParser,
    pingInterval: pingIntervalMillis,
    pingTimeout: pingTimeoutMillis,
    connectTimeout: handshakeMillisMax,
    maxHttpBufferSize: messageBytesMax,
    allowRequest: ({ headers: { origin } }, answer) =>
      answer(null, origin === undefined || door.origins.has(origin))
  })
  io.engine.on("connection", endForGood)
  const guests = new WeakMap<Socket, Guest>()
  const tried = new WeakSet<Connection>()
  const isFirstTry = ({ conn }: Socket) => !tried.has(conn) && tried.add(conn).has(conn)

  io.of("/").use(({ conn }) => conn.close())
  for (const entrance of entrances) {
    io.of(`/${entrance}`)
      .use((socket, next) => {
        if (!isFirstTry(socket)) return socket.conn.close()
        const refuse = ({ fault, introduction }: Refusal) => {
          door.onRefused(introduction, fault)
          next(Object.assign(new Error(fault.message), { data: encodeFault(fault) }))
          // The answer leaves with the next tick.
          setImmediate(() => socket.conn.close())
        }
        const admit = (guest: Guest) => {
          guests.set(socket, guest)
          next()
        }
        door.run(Effect.match(letIn(door, entrance, socket), { onFailure: refuse, onSuccess: admit }))
      })
      .on("connection", (socket) => {
        const guest = guests.get(socket)
        if (guest !== undefined) welcome(door, entrance, socket, guest)
      })
  }
  return io
}

/** All connections, also of those who are no guests yet. */
export const closeDoor = (io: Server): void => {
  const clients: Readonly<Record<string, Connection>> = Reflect.get(io.engine, "clients")
  for (const connection of Object.values(clients)) connection.close()
}

type Connection = Socket["conn"]

/** A websocket waits half a minute for the other end to say goodbye as well, which may never hear of it. */
const endForGood = (connection: Connection): void => {
  const { socket } = connection.request
  connection.once("close", () => {
    const overdue = setTimeout(() => socket.destroy(), goodbyeMillisMax).unref()
    socket.once("close", () => clearTimeout(overdue))
  })
}

interface Guest {
  readonly caller: Caller
  readonly keeper: Doorkeeper
  readonly token: string | undefined
}

interface Refusal {
  readonly introduction: Introduction | undefined
  readonly fault: LinkFault
}

const letIn = (door: Door, entrance: Entrance, socket: Socket): Effect.Effect<Guest, Refusal> => {
  const { self } = door
  const auth = decodeAuth(socket.handshake.auth)
  // It would stay for as long as the connection does, for everybody to print.
  socket.handshake.auth = {}
  if (Either.isLeft(auth)) {
    const fault = new Unauthenticated({ node: self.name, reason: "there was no introduction" })
    return Effect.fail({ introduction: undefined, fault })
  }
  const { introduction, token } = auth.right
  return Effect.gen(function* () {
    const identity = yield* authenticate(door, socket, token)
    const misfit = mismatch(self, introduction)
    if (misfit !== undefined) return yield* misfit
    const { actorId, grants } = identity
    // A node may send everything to everybody. So may nobody who was given less, whatever it is called.
    const isNode =
      actorId === `SYSTEM::${introduction.name}` &&
      grants.some(({ permission, prefix }) => permission === "admin" && prefix === "/")
    if (entrance === "nodes" && !isNode) return yield* new NotANode({ actorId, name: introduction.name })
    const keeper = door.keepers.get(entrance)
    if (keeper === undefined) return yield* new Unreachable({ address: self.address, reason: closedReason })
    const caller = { introduction, identity }
    const objection = keeper.refuses(caller)
    if (objection !== undefined) return yield* Effect.fail<LinkFault>(objection)
    return { caller, keeper, token: entrance === "nodes" ? yield* door.ownToken : undefined }
  }).pipe(Effect.mapError((fault) => ({ introduction, fault })))
}

const authenticate = (
  { self, tokens }: Door,
  { conn }: Socket,
  token: string | undefined
): Effect.Effect<Identity, Unauthenticated> =>
  Effect.flatMap(presentedIdentity(conn.request.socket), (presented) => {
    if (presented !== undefined) return Effect.succeed(presented)
    return token === undefined ? Effect.fail("there was neither") : tokens.verify(token)
  }).pipe(Effect.mapError((reason) => new Unauthenticated({ node: self.name, reason })))

const Auth = Schema.Struct({ introduction: Introduction, token: Schema.optional(Schema.String) })
const decodeAuth = Schema.decodeUnknownEither(Auth)
const encodeFault = Schema.encodeSync(LinkFault)

const welcome = (door: Door, entrance: Entrance, socket: Socket, guest: Guest): void => {
  const introduction = door.self
  const { token } = guest
  socket.emit("welcome", token === undefined ? { introduction } : { introduction, token })
  // A client takes us as we are. A node looks at our proof first.
  if (entrance !== "nodes") return link(door, socket, guest)
  const overdue = setTimeout(() => socket.disconnect(true), handshakeMillisMax)
  socket.once("disconnect", () => clearTimeout(overdue))
  socket.once("ready", () => {
    clearTimeout(overdue)
    if (door.keepers.get(entrance) === guest.keeper) return link(door, socket, guest)
    socket.emit("goodbye", closedReason)
    socket.disconnect(true)
  })
}

const link = (door: Door, socket: Socket, { caller, keeper }: Guest): void => {
  const opening = new SocketLink(caller, {
    say: (event, value) => socket.emit(event, value),
    hangUp: () => {
      door.links.delete(opening)
      socket.disconnect(true)
    }
  })
  door.links.add(opening)
  const decoder: unknown = socket.client["decoder"]
  if (decoder instanceof PacketDecoder) decoder.onMalformed = () => opening.receive(undefined)
  socket
    .on("frames", (batch: unknown) => opening.receive(batch))
    .on("goodbye", (reason: unknown) => opening.lost(reason))
    .on("disconnect", (reason, details: unknown) => opening.lost(lossReason(reason, details)))
  opening.open(keeper.opened)
}
