/**
 * The way that every link between nodes takes: each node is reached at a port of ours, and we go on from there to
 * where it listens. Nodes dial from addresses of their own, so that we know who it is.
 *
 *   node01 ══► port of node02 ──► flow node01>node02 ──► node02
 *          ◄══                ◄── flow node02>node01 ◄──
 *
 * What a flow may hand on, and when, the weather says (stream-weather.ts). What it holds back is bounded: then we
 * read no more, and the sender waits as for any slow reader. The end of a connection goes the same way as its
 * bytes, so that behind a cut nobody hears that the other end has gone.
 */
import { connect, createServer, type Server, type Socket } from "node:net"
import { Effect, Schema, type Scope } from "effect"
import type { WorldClock } from "#actors/kernel/ports/clock.ts"
import type { NodeName } from "#chaos/lab/world.ts"
import type { Pair, StreamWeather } from "./stream-weather.ts"

export interface Endpoint {
  readonly host: string
  readonly port: number
}

export interface ProxiedNode {
  readonly name: NodeName
  /** Where others reach it: a port of ours. */
  readonly reachedAt: Endpoint
  /** Where it listens. */
  readonly listensAt: Endpoint
  /** Where its connections leave from. */
  readonly dialsFrom: string
}

export class ProxyFailed extends Schema.TaggedError<ProxyFailed>()("ProxyFailed", {
  address: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `the proxy of the lab cannot listen on ${this.address}: ${this.reason}; end what has that port`
  }
}

const queueBytesMax = 1024 * 1024
const connectionsMax = 1_000

export class StreamProxy {
  readonly #nodes: ReadonlyArray<ProxiedNode>
  readonly #weather: StreamWeather
  readonly #clock: WorldClock
  readonly #connections = new Set<Connection>()

  private constructor(nodes: ReadonlyArray<ProxiedNode>, weather: StreamWeather, clock: WorldClock) {
    this.#nodes = nodes
    this.#weather = weather
    this.#clock = clock
  }

  static open(
    nodes: ReadonlyArray<ProxiedNode>,
    weather: StreamWeather,
    clock: WorldClock
  ): Effect.Effect<StreamProxy, ProxyFailed, Scope.Scope> {
    return Effect.gen(function* () {
      const proxy = new StreamProxy(nodes, weather, clock)
      for (const node of nodes)
        yield* Effect.acquireRelease(
          listening(node.reachedAt, (caller) => proxy.#take(caller, node)),
          (server) =>
            Effect.async<void>((resume) => {
              server.close(() => resume(Effect.void))
              for (const connection of proxy.#connections) connection.destroy()
            })
        )
      return proxy
    })
  }

  get connections(): ReadonlyArray<Pair> {
    return [...this.#connections].map(({ pair }) => pair)
  }

  /** The weather has changed. */
  turn(): void {
    for (const connection of this.#connections) connection.turn()
  }

  #take(caller: Socket, { listensAt, name: to }: ProxiedNode): void {
    const from = this.#nodes.find(({ dialsFrom }) => dialsFrom === caller.remoteAddress)?.name
    // Nobody of the cluster, or one that may have hung up by now.
    if (from === undefined || this.#connections.size >= connectionsMax) return void caller.destroy()
    const connection = new Connection(caller, { from, to }, listensAt, this.#weather, this.#clock, () =>
      this.#connections.delete(connection)
    )
    this.#connections.add(connection)
    connection.turn()
  }
}

const listening = ({ host, port }: Endpoint, take: (caller: Socket) => void) =>
  Effect.async<Server, ProxyFailed>((resume) => {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, take)
    server.on("error", ({ message }) =>
      resume(Effect.fail(new ProxyFailed({ address: `${host}:${port}`, reason: message })))
    )
    server.listen(port, host, () => resume(Effect.succeed(server)))
  })

/** One that a node has made, and ours to whom it wanted. */
class Connection {
  readonly pair: Pair
  readonly #caller: Socket
  readonly #target: Endpoint
  readonly #weather: StreamWeather
  readonly #forth: Flow
  readonly #back: Flow
  readonly #closed: () => void
  #onward: Socket | undefined

  constructor(
    caller: Socket,
    pair: Pair,
    target: Endpoint,
    weather: StreamWeather,
    clock: WorldClock,
    closed: () => void
  ) {
    this.pair = pair
    this.#caller = caller
    this.#target = target
    this.#weather = weather
    this.#closed = closed
    this.#forth = new Flow(pair, weather, clock)
    this.#back = new Flow({ from: pair.to, to: pair.from }, weather, clock)
    this.#forth.from(caller)
    this.#back.to(caller)
    caller.on("close", () => this.#ended())
    // One that hangs up before it got through has never been there.
    caller.on("end", () => {
      if (this.#onward === undefined) this.destroy()
    })
  }

  turn(): void {
    if (this.#onward === undefined && !this.#caller.destroyed && this.#weather.connects(this.pair))
      this.#connect()
    this.#forth.turn()
    this.#back.turn()
  }

  #connect(): void {
    const onward = connect({ ...this.#target, allowHalfOpen: true, noDelay: true })
    this.#onward = onward
    // Nobody listens there: the caller hears that at once, as it would have without us.
    const refused = () => void this.#caller.resetAndDestroy()
    onward.once("error", refused)
    onward.once("connect", () => {
      onward.off("error", refused)
      this.#back.from(onward)
      this.#forth.to(onward)
    })
    onward.on("close", () => this.#ended())
  }

  #ended(): void {
    if (this.#caller.destroyed && (this.#onward === undefined || this.#onward.destroyed)) this.destroy()
  }

  destroy(): void {
    this.#caller.destroy()
    this.#onward?.destroy()
    this.#forth.stop()
    this.#back.stop()
    this.#closed()
  }
}

interface Piece {
  readonly what: Buffer | "end" | "reset"
  readonly dueMillis: number
}

/** One way of a connection. */
class Flow {
  readonly #pair: Pair
  readonly #weather: StreamWeather
  readonly #clock: WorldClock
  readonly #pieces: Array<Piece> = []
  #queuedBytes = 0
  #unacknowledgedBytes = 0
  #lastDueMillis = 0
  #source: Socket | undefined
  #sink: Socket | undefined
  #isSinkFull = false
  #isOver = false
  #cancelAlarm: (() => void) | undefined

  constructor(pair: Pair, weather: StreamWeather, clock: WorldClock) {
    this.#pair = pair
    this.#weather = weather
    this.#clock = clock
  }

  from(source: Socket): void {
    this.#source = source
    source.on("data", (bytes: Buffer) => this.#push(bytes, bytes.length))
    source.on("end", () => this.#push("end", 0))
    source.on("error", () => this.#push("reset", 0))
  }

  to(sink: Socket): void {
    this.#sink = sink
    const turnAgain = () => {
      this.#isSinkFull = false
      this.turn()
    }
    sink.on("drain", turnAgain).on("close", turnAgain)
    this.turn()
  }

  stop(): void {
    this.#isOver = true
    this.#pieces.length = 0
    this.#cancelAlarm?.()
  }

  #push(what: Piece["what"], bytes: number): void {
    if (this.#isOver) return
    const dueMillis = this.#weather.arrivalMillis(
      this.#pair,
      bytes,
      this.#clock.nowMillis(),
      this.#lastDueMillis
    )
    this.#lastDueMillis = dueMillis
    this.#queuedBytes += bytes
    this.#pieces.push({ what, dueMillis })
    if (this.#queuedBytes >= queueBytesMax) this.#source?.pause()
    this.turn()
  }

  /** Hands on what may go now. */
  turn(): void {
    const sink = this.#sink
    if (sink === undefined || this.#isSinkFull || this.#isOver) return
    this.#cancelAlarm?.()
    this.#cancelAlarm = undefined
    const isHeard = !this.#weather.isCut({ from: this.#pair.to, to: this.#pair.from })
    if (isHeard) this.#unacknowledgedBytes = 0
    for (let head = this.#pieces[0]; head !== undefined; head = this.#pieces[0]) {
      if (!this.#weather.passes(this.#pair, this.#unacknowledgedBytes)) return
      const leftMillis = head.dueMillis - this.#clock.nowMillis()
      if (leftMillis > 0) {
        this.#cancelAlarm = this.#clock.alarm(leftMillis, () => this.turn())
        return
      }
      this.#pieces.shift()
      this.#handOn(head.what, sink)
      if (this.#isSinkFull) return
    }
  }

  #handOn(what: Piece["what"], sink: Socket): void {
    if (what === "end") sink.end()
    else if (what === "reset") sink.resetAndDestroy()
    else {
      this.#queuedBytes -= what.length
      this.#unacknowledgedBytes += what.length
      if (this.#queuedBytes < queueBytesMax / 2 && this.#source?.isPaused() === true) this.#source.resume()
      // To one that is gone it is lost, and that it is gone comes by the other flow.
      if (!sink.destroyed) this.#isSinkFull = !sink.write(what)
    }
  }
}
