/**
 * What the console answers:
 *
 *   GET  /, /page/*      the page, to anybody: it holds nothing but itself
 *   POST /api/login      a token for a session; the browser keeps the session's name in a cookie
 *   POST /api/logout
 *   GET  /api/session    whether there is one
 *   GET  /api/stream     nodes, trees and events, from now on
 *   POST /api/ask        one message to one actor, and its answer
 *   GET  /api/actions    what an operator can do, as a shell has it
 *   POST /api/act        one of these: what it will do, and then doing it
 *
 * Who asks is who the token says, in a session or as a bearer. Messages pass the gate that shells pass, which also
 * writes into them who sent them; what does more than look is logged with that name.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import { type Effect, Either, Option, Schema } from "effect"
import { Gate } from "#actors/kernel/gate.ts"
import type { Peer, PeerOptions } from "#actors/kernel/peer.ts"
import { catalogue } from "#protocols/catalogue.ts"
import { DeliveryFault } from "#protocols/delivery.ts"
import type { Identity } from "#protocols/links.ts"
import { about } from "#protocols/message.ts"
import { isAskedOnLoopback } from "../http-port.ts"
import { type ClusterWatch, viewersMax } from "./cluster-watch.ts"
import { cookieOf, isFromOurPage, isSentByPage, readJson, refuse, respond } from "./http-door.ts"
import { type Ended, NodeTalk } from "./node-talk.ts"
import type { AskAnswer } from "./page/wire.ts"
import { pageFile } from "./page-files.ts"
import { type Sessions, sessionMillisMax } from "./sessions.ts"
import { answerLimits, type Json, shown, stateLimits, unshown } from "./shown.ts"
import { Viewer } from "./viewer.ts"

export interface DeskOptions {
  readonly node: string
  /** Of the console itself. */
  readonly path: string
  readonly cluster: string
  readonly sessions: Sessions
  readonly verify: (token: string) => Promise<Either.Either<Identity, string>>
  readonly openPeer: (options: PeerOptions) => Peer
  readonly watch: ClusterWatch
  readonly nowMillis: () => number
  readonly wallMillis: () => number
  readonly audit: (line: string) => void
  /** Runs to its end, unless the console stops before. */
  readonly perform: <A>(task: Effect.Effect<A>) => Promise<A>
}

/** Requests to actors that are under way, of all pages. */
const askingMax = 64
/** Actions under way; each may take minutes. */
const actingMax = 16
const deadlineMillisDefault = 5_000
const deadlineMillisMax = 30_000

const LoginBody = Schema.Struct({ token: Schema.String.pipe(Schema.maxLength(16 * 1024)) })
const decodeLogin = Schema.decodeUnknownOption(LoginBody)

const AskBody = Schema.Struct({
  path: Schema.String.pipe(Schema.startsWith("/"), Schema.maxLength(4_096)),
  request: Schema.Struct({ _tag: Schema.String }, { key: Schema.String, value: Schema.Unknown }),
  deadlineMillis: Schema.optional(Schema.Number.pipe(Schema.between(1, deadlineMillisMax)))
})
const decodeAsk = Schema.decodeUnknownOption(AskBody)

const ActBody = Schema.Struct({
  name: Schema.String.pipe(Schema.maxLength(100)),
  fields: Schema.Record({ key: Schema.String, value: Schema.String }),
  confirmed: Schema.Boolean
})
const decodeAct = Schema.decodeUnknownOption(ActBody)

/** Everything that nodes publish, but for what every start of an actor would bring. */
const eventTags: ReadonlyArray<string> = [...catalogue.values()]
  .filter((message) => about(message).event && message._tag !== "ActorStarted")
  .map(({ _tag }) => _tag)

export class ConsoleDesk {
  readonly #options: DeskOptions
  /** Part of the cookie's name: the consoles of several nodes on one machine share a cookie jar. */
  port = 0
  #asking = 0
  #acting = 0

  constructor(options: DeskOptions) {
    this.#options = options
  }

  readonly serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (!isAskedOnLoopback(request)) {
      return refuse(response, 421, "ask for 127.0.0.1 or localhost, by way of a tunnel if need be")
    }
    const path = (request.url ?? "").split("?", 1)[0] ?? ""
    const route = `${request.method} ${path}`
    if (!path.startsWith("/api/")) return this.#file(request, response, path)
    if (!isFromOurPage(request)) return refuse(response, 403, "only the console's own page may ask this")
    switch (route) {
      case "POST /api/login":
        return this.#login(request, response)
      case "POST /api/logout":
        return this.#logout(request, response)
      case "GET /api/session":
        return respond(response, 200, { isOpen: (await this.#whose(request)) !== undefined })
      case "GET /api/stream":
        return this.#stream(request, response)
      case "POST /api/ask":
        return this.#ask(request, response)
      case "GET /api/actions":
        return this.#actions(request, response)
      case "POST /api/act":
        return this.#act(request, response)
      default:
        return refuse(response, 404, "there is no such thing here")
    }
  }

  #file(request: IncomingMessage, response: ServerResponse, path: string): void {
    const file = pageFile(path)
    if (file === undefined) return refuse(response, 404, "there is no such page")
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("allow", "GET, HEAD")
      return refuse(response, 405, "it can only be read")
    }
    response.setHeader("cache-control", "no-cache")
    response.setHeader("etag", file.tag)
    response.setHeader("content-type", file.type)
    const isKnown = request.headers["if-none-match"] === file.tag
    response.statusCode = isKnown ? 304 : 200
    response.end(isKnown || request.method === "HEAD" ? undefined : file.body)
  }

  // Who asks

  get #cookie(): string {
    return `ultracloud-${this.port}`
  }

  async #login(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { sessions, verify } = this.#options
    const waitMillis = sessions.waitMillis(this.#options.nowMillis())
    if (waitMillis > 0) {
      const seconds = Math.ceil(waitMillis / 1_000)
      response.setHeader("retry-after", seconds)
      return refuse(response, 429, `too many wrong tokens: try again in ${seconds} s`)
    }
    const body = await readJson(request)
    if ("problem" in body) return refuse(response, 400, body.problem)
    const login = decodeLogin(body.value)
    if (Option.isNone(login)) return refuse(response, 400, "a token is missing")
    const token = login.value.token.trim()
    const identity = await verify(token)
    if (Either.isLeft(identity)) {
      sessions.refused(this.#options.nowMillis())
      this.#options.audit(`somebody was not let in to the console: ${identity.left}`)
      return refuse(response, 401, identity.left)
    }
    const name = sessions.open(token, this.#options.nowMillis())
    const seconds = Math.floor(sessionMillisMax / 1_000)
    response.setHeader(
      "set-cookie",
      `${this.#cookie}=${name}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict`
    )
    this.#options.audit(`${identity.right.actorId} has logged in to the console`)
    respond(response, 200, { actorId: identity.right.actorId })
  }

  async #logout(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const name = cookieOf(request, this.#cookie)
    if (name !== undefined) this.#options.sessions.close(name)
    this.#options.watch.letGo()
    response.setHeader("set-cookie", `${this.#cookie}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict`)
    respond(response, 200, {})
  }

  /** Answered already where there is none. */
  async #identify(request: IncomingMessage, response: ServerResponse): Promise<Identity | undefined> {
    const identity = await this.#whose(request)
    if (identity === undefined) refuse(response, 401, "log in first")
    // A browser says where a request comes from; with the cookie alone it has to.
    else if (request.method === "GET" || bearerOf(request) !== undefined || isSentByPage(request))
      return identity
    else refuse(response, 403, "only the console's own page may ask this")
    return undefined
  }

  async #whose(request: IncomingMessage): Promise<Identity | undefined> {
    const { nowMillis, sessions, verify } = this.#options
    const session = cookieOf(request, this.#cookie)
    const token =
      bearerOf(request) ?? (session === undefined ? undefined : sessions.tokenOf(session, nowMillis()))
    const identity = token === undefined ? Either.left("") : await verify(token)
    return Either.isRight(identity) ? identity.right : undefined
  }

  // Looking

  async #stream(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { cluster, node, nowMillis, openPeer, sessions, wallMillis, watch } = this.#options
    const identity = await this.#identify(request, response)
    if (identity === undefined) return
    if (watch.viewers >= viewersMax) {
      return refuse(response, 503, `${viewersMax} pages look already: close some of them`)
    }
    const gate = new Gate(identity, catalogue)
    // A bearer looks in no session.
    const session = bearerOf(request) === undefined ? cookieOf(request, this.#cookie) : undefined
    const viewer = new Viewer({
      response,
      gate,
      talk: new NodeTalk(openPeer, gate),
      tags: eventTags,
      nowMillis: nowMillis(),
      isLoggedIn: () => session === undefined || sessions.tokenOf(session, nowMillis()) !== undefined
    })
    response.once("close", () => watch.leave(viewer))
    // Who it is took a while: the page may have gone meanwhile, and nothing would say so again.
    if (response.destroyed) return viewer.talk.close("the page was closed")
    viewer.begin({
      node,
      cluster,
      actorId: identity.actorId,
      operates: identity.grants.some(({ permission }) => permission !== "observe"),
      wallMillis: wallMillis()
    })
    watch.join(viewer)
  }

  // Asking

  async #ask(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const identity = await this.#identify(request, response)
    if (identity === undefined) return
    const body = await readJson(request)
    if ("problem" in body) return refuse(response, 400, body.problem)
    const ask = decodeAsk(body.value)
    if (Option.isNone(ask)) {
      return refuse(response, 400, "the body has to be a path and a request with its _tag")
    }
    const { deadlineMillis = deadlineMillisDefault, path, request: asked } = ask.value
    const message = unshown(asked)
    if (Either.isLeft(message)) return refuse(response, 400, message.left)
    if (this.#asking >= askingMax) return refuse(response, 503, "too much is asked at once: try again")
    const ended = await this.#answer(identity, path, message.right, deadlineMillis)
    this.#report(identity, path, asked._tag, ended)
    respond(response, 200, answerOf(asked._tag, ended))
  }

  /** Whatever goes wrong, its place among those under way and its peer are given back. */
  async #answer(identity: Identity, path: string, message: unknown, deadlineMillis: number): Promise<Ended> {
    const talk = new NodeTalk(this.#options.openPeer, new Gate(identity, catalogue))
    this.#asking++
    try {
      return await talk.ask(path, message, deadlineMillis)
    } finally {
      this.#asking--
      talk.close("it was answered")
    }
  }

  // Acting

  async #actions(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if ((await this.#identify(request, response)) === undefined) return
    const { actions } = await import("./act-desk.ts")
    respond(response, 200, actions)
  }

  async #act(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const identity = await this.#identify(request, response)
    if (identity === undefined) return
    const body = await readJson(request)
    if ("problem" in body) return refuse(response, 400, body.problem)
    const order = decodeAct(body.value)
    if (Option.isNone(order)) {
      return refuse(response, 400, "the body has to be the name of an action, its fields and confirmed")
    }
    const { act } = await import("./act-desk.ts")
    if (this.#acting >= actingMax) return refuse(response, 503, "too much is done at once: try again")
    this.#acting++
    try {
      const answer = await this.#options.perform(act({ ...this.#options, identity }, order.value, response))
      if (answer !== undefined && !response.headersSent) respond(response, 200, answer)
    } finally {
      this.#acting--
    }
  }

  /** What did more than look, for the log of the node. */
  #report(identity: Identity, path: string, tag: string, [outcome]: Ended): void {
    const message = catalogue.get(tag)
    if (message === undefined || about(message).permission === "observe") return
    const how = outcome === "reply" ? "" : ` (${outcome})`
    this.#options.audit(`${identity.actorId} sent ${tag} to ${path} from the console${how}`)
  }
}

const bearerOf = ({ headers }: IncomingMessage): string | undefined =>
  /^Bearer ([\w.-]{1,16384})$/.exec(headers.authorization ?? "")?.[1]

const answerOf = (tag: string, ended: Ended): AskAnswer => {
  switch (ended[0]) {
    case "reply":
      return {
        outcome: "reply",
        value: shown(ended[1], tag === "Inspect" ? stateLimits : answerLimits)
      }
    case "failed":
      return { outcome: "failed", fault: faultOf(tag, ended[1]) }
    case "died":
      return { outcome: "failed", fault: { _tag: "Died", message: `it crashed: ${ended[1]}` } }
    case "lost":
      return { outcome: "failed", fault: { _tag: "Lost", message: ended[1] } }
  }
}

type FaultShown = Extract<AskAnswer, { readonly outcome: "failed" }>["fault"]

/** With what it says to people, which is not in the encoded form. */
const faultOf = (tag: string, encoded: unknown): FaultShown => {
  const message = catalogue.get(tag)
  const failure =
    message !== undefined && "failure" in message && isFailureSchema(message.failure)
      ? message.failure
      : Schema.Never
  const fields = shown(encoded, answerLimits)
  const known = Schema.decodeUnknownOption(Schema.Union(failure, DeliveryFault))(encoded)
  const says = Option.isSome(known) && known.value instanceof Error ? known.value.message : "it was refused"
  return { ...(isRecord(fields) ? fields : {}), _tag: tagOf(fields), message: says }
}

const isFailureSchema = (value: unknown): value is Schema.Schema.AnyNoContext => Schema.isSchema(value)

const isRecord = (value: Json): value is { readonly [field: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const tagOf = (fields: Json): string => {
  const tag = isRecord(fields) ? fields["_tag"] : undefined
  return typeof tag === "string" ? tag : "Refused"
}
