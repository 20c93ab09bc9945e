/**
 * What an operator does from the console is what the shell does: the same table of actions, run by the same code behind
 * the gate of whoever is logged in. So a page asks in the words in which a shell asks, and nodes tell of it alike.
 *
 *   not confirmed    what will happen, for a person to agree to; nothing is sent
 *   confirmed        it is done: what was said about it, or why it was refused and which field is wrong
 *
 * A file that a shell would write goes to the browser instead, whole or broken off. It is a module of its own since it
 * needs all commands of the shell: it is loaded when somebody acts.
 */
import type { ServerResponse } from "node:http"
import { Cause, Effect, Either, Exit, Stream } from "effect"
import { Gate } from "#actors/kernel/gate.ts"
import type { Peer, PeerOptions } from "#actors/kernel/peer.ts"
import { catalogue } from "#protocols/catalogue.ts"
import type { Identity } from "#protocols/links.ts"
import { actCommands } from "../shell/act-commands.ts"
import { Cloud } from "../shell/cloud.ts"
import { type Command, CommandRefused, failureOf, type Saved, type Shown } from "../shell/command.ts"
import { type Given, givenBy, type Kind } from "../shell/command-spec.ts"
import { nodeClient } from "./node-client.ts"
import type { ActAnswer, ActBody, Action, ActionField } from "./page/wire.ts"
import { answerLimits, shown } from "./shown.ts"

export interface ActOptions {
  readonly node: string
  /** Of the console itself. */
  readonly path: string
  readonly cluster: string
  readonly identity: Identity
  readonly openPeer: (options: PeerOptions) => Peer
  readonly audit: (line: string) => void
}

/** For all steps of one action together; a drain has several that may take a minute each. */
const actMillisMax = 300_000
const linesMax = 1_000

const kindOf = (kind: Kind | undefined): ActionField["kind"] =>
  kind === undefined ? "flag" : typeof kind === "object" ? kind.oneOf : kind

/** The table, as far as a page needs it to ask for what is missing. */
export const actions: ReadonlyArray<Action> = actCommands.map(
  ({ about, name, options = {}, parameters }): Action => ({
    name,
    about,
    fields: [
      ...parameters.map(
        ({ kind, name: field, optional }): ActionField => ({
          name: field,
          kind: kindOf(kind),
          isOptional: optional === true,
          about: ""
        })
      ),
      ...Object.entries(options).map(
        ([field, { about: what, kind }]): ActionField => ({
          name: field,
          kind: kindOf(kind),
          isOptional: true,
          about: what
        })
      )
    ]
  })
)

/** The answer; undefined where a file was sent in its place. */
export const act = (
  options: ActOptions,
  { confirmed, fields, name }: ActBody,
  response: ServerResponse
): Effect.Effect<ActAnswer | undefined> =>
  Effect.suspend(() => {
    const command = actCommands.find((each) => each.name === name)
    if (command === undefined) return Effect.succeed(refused(`there is no action ${name}`))
    const said = withReason(command, fields)
    const given = givenBy(command, said)
    if (Either.isLeft(given)) return Effect.succeed(refused(given.left.problem, given.left.field))
    if (endsConsole(options.path, name, given.right)) {
      return Effect.succeed(
        refused(`the console runs there, and would end before it is done: ${name} it from a shell`, "path")
      )
    }
    const says = command.danger?.(given.right) ?? ""
    if (!confirmed) return Effect.succeed<ActAnswer>({ outcome: "asks", says })
    const done = perform(options, command, given.right, response)
    if (says === "" && name === "ask") return done
    return Effect.onExit(done, (exit) =>
      Effect.sync(() => options.audit(auditLine(options.identity, command, said, exit)))
    )
  })

const ending: ReadonlySet<string> = new Set(["restart", "stop", "kill"])

/** It would take itself down half way: nobody would be left to start what it has stopped, or to say how it went. */
const endsConsole = (console: string, name: string, given: Given): boolean =>
  ending.has(name) && `${console}/`.startsWith(`${given.text("path")}/`.replaceAll(/\/+/g, "/"))

type Refused = Extract<ActAnswer, { readonly outcome: "refused" }>

const refused = (message: string, field?: string): Refused => ({
  outcome: "refused",
  message,
  ...(field !== undefined && { field })
})

const withReason = (command: Command, fields: ActBody["fields"]): ActBody["fields"] =>
  command.options?.["reason"] === undefined || (fields["reason"] ?? "") !== ""
    ? fields
    : { ...fields, reason: "by hand, from the console" }

/** One line, whatever was written. Without what is in messages, which may be secret, and a refusal may repeat it. */
const auditLine = (
  { actorId }: Identity,
  { name, options = {}, parameters }: Command,
  fields: ActBody["fields"],
  exit: Exit.Exit<ActAnswer | undefined>
): string => {
  const words = parameters.flatMap((parameter) => {
    const text = fields[parameter.name]
    return text === undefined || parameter.kind === "json" ? [] : [quoted(text)]
  })
  const chosen = Object.entries(options).flatMap(([option, { kind }]) => {
    const text = fields[option]
    if (text === undefined) return []
    return kind === undefined ? [`--${option}`] : [`--${option} ${quoted(text)}`]
  })
  const isSecret = parameters.some(({ kind }) => kind === "json")
  const how = Exit.isFailure(exit)
    ? " (broken off; see what of it has happened)"
    : exit.value?.outcome === "refused"
      ? ` (${refusalOf(exit.value, isSecret)})`
      : ""
  return `${actorId} did ${[name, ...words, ...chosen].join(" ")} from the console${how}`
}

const refusalOf = ({ field, message }: Refused, isSecret: boolean): string => {
  if (!isSecret) return `refused: ${quoted(message)}`
  return field === undefined ? "refused" : `refused for its field ${quoted(field)}`
}

const auditedLettersMax = 200
const quoted = (text: string): string => JSON.stringify(text.slice(0, auditedLettersMax))

const perform = (
  { cluster, identity, node, openPeer }: ActOptions,
  command: Command,
  given: Given,
  response: ServerResponse
): Effect.Effect<ActAnswer | undefined> =>
  Effect.gen(function* () {
    const gate = new Gate(identity, catalogue)
    const cloud = new Cloud(yield* nodeClient({ node, cluster, gate, openPeer }))
    const said: Array<Shown> = []
    const show = (each: Shown) =>
      Effect.sync(() => {
        if (said.length < linesMax) said.push(each)
      })
    const stage = { cloud, show, screen: undefined, save: (file: Saved) => download(file, response) }
    yield* Effect.timeoutFail(command.run(given, stage), {
      duration: actMillisMax,
      onTimeout: () => new CommandRefused({ reason: "it was not done in time; see what of it has happened" })
    })
    return said
  }).pipe(
    Effect.scoped,
    Effect.exit,
    Effect.map((exit): ActAnswer | undefined => {
      if (response.headersSent) {
        // What is broken off must not look whole.
        if (Exit.isSuccess(exit)) response.end()
        else response.destroy()
        return Exit.isSuccess(exit) ? undefined : refused(failureOf(exit.cause).message)
      }
      if (Exit.isSuccess(exit)) {
        const value = shown(exit.value.at(-1)?.json, answerLimits)
        return { outcome: "done", lines: exit.value.flatMap(({ lines }) => lines), value }
      }
      if (Cause.isInterrupted(exit.cause)) return refused("the console stops; see what of it has happened")
      const { field, message } = failureOf(exit.cause)
      return refused(message, field)
    })
  )

/** As fast as the browser takes it. Nothing is sent before there is something, so that a refusal is an answer. */
const download = ({ chunks, name }: Saved, response: ServerResponse) =>
  Effect.gen(function* () {
    let bytes = 0
    yield* Stream.runForEach(chunks, (chunk) => {
      if (!response.headersSent) {
        response.writeHead(200, {
          "content-type": "application/octet-stream",
          "content-disposition": `attachment; filename="${name.replaceAll(/[^\w.-]/g, "_")}"`
        })
      }
      bytes += chunk.length
      return written(response, chunk)
    })
    return bytes
  })

const written = (response: ServerResponse, chunk: Uint8Array): Effect.Effect<void, CommandRefused> =>
  Effect.async((resume) => {
    const gone = () => resume(Effect.fail(new CommandRefused({ reason: "the page was closed" })))
    if (response.destroyed) return gone()
    if (response.write(chunk)) return resume(Effect.void)
    const taken = () => {
      forget()
      resume(Effect.void)
    }
    const forget = () => {
      response.off("drain", taken)
      response.off("close", gone)
    }
    response.once("drain", taken)
    response.once("close", gone)
    return Effect.sync(forget)
  })
