/** Sending any message to any actor, as far as the catalogue and the actor know it. */
import { Effect, Either, Fiber, Option, Schema, Stream } from "effect"
import { catalogue, catalogueEntries } from "#protocols/catalogue.ts"
import { GetAccepted } from "#protocols/catalogue-requests.ts"
import type { Request } from "#protocols/client/client.ts"
import { about } from "#protocols/message.ts"
import { type Cloud, introspectionOf, nodeOf } from "./cloud.ts"
import { type Command, CommandRefused, said } from "./command.ts"
import type { Given } from "./command-spec.ts"
import { jsonText, messageFrom, problemText } from "./message-json.ts"
import { indented, table } from "./table.ts"

interface Tagged {
  readonly _tag: string
}

const parameters = [
  { name: "path", kind: "path" },
  { name: "message", kind: "message" },
  { name: "fields", kind: "json", optional: true }
] as const

/** The message, once the actor takes it and its fields are right. */
const messageOf = (given: Given, cloud: Cloud) =>
  Effect.gen(function* () {
    const path = given.text("path")
    const tag = given.text("message")
    const accepted = yield* cloud.askAbout(path, new GetAccepted({ path }))
    const known = catalogue.get(tag)
    if (known === undefined || !accepted.includes(tag)) {
      const takes = accepted.length === 0 ? "no messages of clients" : accepted.join(", ")
      return yield* new CommandRefused({ reason: `${path} does not take ${tag}; it takes ${takes}` })
    }
    const made = messageFrom(known, given.text("fields") || "{}")
    if (Either.isRight(made)) return { path, known, message: made.right }
    const { field } = made.left
    const reason = `${tag} was not sent: ${problemText(made.left)}; accepts ${path} ${tag} shows its fields`
    return yield* new CommandRefused({ reason, ...(field !== "" && { field }) })
  })

const isRequest = (message: Tagged): message is Request => Schema.symbolWithResult in message

/** What may do more than look is felt by others. */
const danger = (given: Given): string => {
  const known = catalogue.get(given.text("message"))
  const needs = known === undefined ? "admin" : about(known).permission
  return needs === "observe"
    ? ""
    : `${given.text("path")} gets ${given.text("message")}, which takes ${needs}: ${known === undefined ? "nobody knows what it does" : about(known).description}`
}

const ask: Command = {
  name: "ask",
  about: "asks an actor any message that it takes, and shows its answer",
  parameters,
  options: { deadline: { kind: "duration", about: "how long to wait; 10s unless said" } },
  examples: [
    "ask /node01/cluster/membership Members",
    'ask /node01/cluster/introspection GetTree {"path": "/node01/cluster", "depth": 1}',
    'ask /node01/chainfire/member/keys RangeKeys {"key": {"$text": "a"}}'
  ],
  danger,
  run: (given, { cloud, show }) =>
    Effect.gen(function* () {
      const { message, path } = yield* messageOf(given, cloud)
      if (!isRequest(message)) {
        const reason = `${message._tag} is not answered; send it with tell`
        return yield* new CommandRefused({ reason })
      }
      const answer: unknown = yield* refusable(cloud.ask(path, message, given.millis("deadline") ?? 10_000))
      yield* show({
        json: answer ?? null,
        lines: answer === undefined ? ["done"] : jsonText(answer, 2).split("\n")
      })
    })
}

/** A failure of the actor's own protocol has a message as all faults do. */
const refusable = <A>(asked: Effect.Effect<A, unknown>) =>
  Effect.mapError(asked, (fault) =>
    fault instanceof Error ? fault : new CommandRefused({ reason: jsonText(fault) })
  )

const tell: Command = {
  name: "tell",
  about: "sends an actor any message that it takes and does not answer",
  parameters,
  examples: ['tell /node01/shop/store Write {"key": "apples", "by": 2} --yes'],
  danger,
  run: (given, { cloud, show }) =>
    Effect.gen(function* () {
      const { message, path } = yield* messageOf(given, cloud)
      if (isRequest(message)) {
        return yield* new CommandRefused({ reason: `${message._tag} is answered; send it with ask` })
      }
      const refused = yield* Effect.fork(Stream.runHead(cloud.client.undelivered))
      yield* Effect.yieldNow()
      yield* cloud.client.tell(path, message)
      // Behind it on the same link: when this is answered, a refusal has come.
      yield* cloud.ask(introspectionOf(nodeOf(path)), new GetAccepted({ path }))
      const found = yield* Fiber.poll(refused)
      yield* Fiber.interrupt(refused)
      if (Option.isSome(found) && found.value._tag === "Success" && Option.isSome(found.value.value)) {
        return yield* Effect.fail(found.value.value.value.fault)
      }
      yield* show(said({ told: path, message: message._tag }, `${message._tag} was sent to ${path}`))
    })
}

const accepts: Command = {
  name: "accepts",
  about: "the messages that an actor takes from clients, or the fields of one",
  parameters: [
    { name: "path", kind: "path" },
    { name: "message", kind: "message", optional: true }
  ],
  examples: ["accepts /node01/cluster/membership", "accepts /node01/cluster/introspection GetTree"],
  run: (given, { cloud, show }) =>
    Effect.gen(function* () {
      const path = given.text("path")
      const tags = yield* cloud.askAbout(path, new GetAccepted({ path }))
      const only = given.text("message")
      const entries = catalogueEntries().filter(
        ({ tag }) => tags.includes(tag) && (only === "" || tag === only)
      )
      if (entries.length === 0) {
        const reason = only === "" ? `${path} takes no messages of clients` : `${path} does not take ${only}`
        return yield* new CommandRefused({ reason })
      }
      const lines =
        only === ""
          ? table(
              ["message", "how", "needs", "what it is for"],
              entries.map(({ description, direction, permission, tag }) => [
                tag,
                direction,
                permission,
                description
              ])
            )
          : entries.flatMap(({ description, payload, success }) => [
              description,
              "fields, as JSON schema:",
              ...indented(jsonText(payload, 2)),
              "answer:",
              ...indented(jsonText(success, 2))
            ])
      yield* show({ json: entries, lines })
    })
}

/** Names of the fields that an operator writes. */
export const fieldsOf = (message: string): ReadonlyArray<string> => {
  const entry = catalogueEntries().find(({ tag }) => tag === message)
  const properties = entry?.payload["properties"]
  return typeof properties === "object" && properties !== null
    ? Object.keys(properties).filter((field) => field !== "_tag" && entry?.attached.includes(field) !== true)
    : []
}

export const sendCommands: ReadonlyArray<Command> = [ask, tell]
export const catalogueCommands: ReadonlyArray<Command> = [accepts]
