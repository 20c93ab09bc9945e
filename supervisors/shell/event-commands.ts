/** What happens: events of all nodes, messages through one actor, messages that reached nobody. */
import { Clock, Effect, Either, Stream } from "effect"
import { catalogue, type PublicMessage } from "#protocols/catalogue.ts"
import { about } from "#protocols/message.ts"
import { GetDeadLetters, TraceActor, type TracedMessage } from "#protocols/operations.ts"
import { type Cloud, introspectionOf } from "./cloud.ts"
import { type Command, CommandRefused, said } from "./command.ts"
import { table, timeOf } from "./table.ts"

/** Ahead of what was shown; what comes faster is left out, and counted. */
const eventsAheadMax = 256
const fieldCharactersMax = 160
const traceMillis = 300

const events: Command = {
  name: "events",
  about: "what happens on all nodes: crashes, restarts, members, leaders, breakers, orders of operators",
  parameters: [{ name: "filter", kind: "event", optional: true }],
  options: {
    follow: { about: "goes on until Ctrl-C" },
    for: { kind: "duration", about: "how long; 2s unless said" },
    max: { kind: "count", about: "ends after so many" },
    node: { kind: "node", about: "of one node alone" }
  },
  examples: [
    "events --follow",
    "events ActorFailed --follow",
    "events /node01/shop --for 10s --max 5",
    "events Member --follow --json"
  ],
  run: (given, { cloud, show }) =>
    Effect.gen(function* () {
      const filter = given.text("filter")
      const classes = publishable(filter.startsWith("/") ? "" : filter)
      if (classes.length === 0) {
        const reason = `no event begins with ${filter}; press Tab behind events, or give a path`
        return yield* new CommandRefused({ reason })
      }
      const node = given.option("node")
      const nodes = node === undefined ? yield* cloud.nodes : [node]
      const ends = given.flag("follow") ? given.millis("for") : (given.millis("for") ?? 2_000)
      const all = Stream.mergeAll(
        nodes.map((name) => eventsOf(cloud, name, classes)),
        { concurrency: "unbounded", bufferSize: eventsAheadMax }
      ).pipe(
        Stream.filter((event) => !filter.startsWith("/") || concerns(event, filter)),
        Stream.take(given.count("max", Number.MAX_SAFE_INTEGER))
      )
      const bounded = ends === undefined ? all : Stream.interruptAfter(all, ends)
      yield* Stream.runForEach(bounded, (event) => show({ json: event, lines: [eventLine(event)] }))
    })
}

/** An event as it is shown: its node first, then whatever it has. */
interface NodeEvent {
  readonly node: string
  readonly event: string
  readonly [field: string]: unknown
}

export const publishable = (prefix: string): ReadonlyArray<PublicMessage> =>
  [...catalogue.values()].filter((message) => about(message).event && message._tag.startsWith(prefix))

const eventsOf = (cloud: Cloud, node: string, classes: ReadonlyArray<PublicMessage>) =>
  cloud.client.subscribe(`/${node}`, classes, { capacity: eventsAheadMax }).pipe(
    Stream.map((item): NodeEvent => {
      const { _tag: event, ...fields } = { ...Object(item), _tag: tagOf(item) }
      return { node, event, ...fields }
    }),
    // A node that goes takes its events along, not those of the others.
    Stream.catchAll(({ message }) => Stream.make<[NodeEvent]>({ node, event: "(lost)", reason: message }))
  )

const tagOf = (item: unknown): string => {
  const tag: unknown = typeof item === "object" && item !== null ? Reflect.get(item, "_tag") : undefined
  return tag === "Missed" ? "(left out)" : tag === "Resumed" ? "(link lost and back)" : String(tag)
}

/** Whether any of its fields names something at or below that path. */
const concerns = (event: NodeEvent, prefix: string): boolean =>
  Object.values(event).some(
    (value) => typeof value === "string" && (value === prefix || value.startsWith(`${prefix}/`))
  )

const eventLine = ({ atMillis, event, node, ...fields }: NodeEvent): string => {
  const time = typeof atMillis === "number" ? timeOf(atMillis) : "            "
  const rest = Object.entries(fields).map(([name, value]) => {
    const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "")
    return `${name}=${text.replaceAll(/\s+/g, " ").slice(0, fieldCharactersMax)}`
  })
  return `${time} ${node} ${event} ${rest.join(" ")}`.trimEnd()
}

const trace: Command = {
  name: "trace",
  about: "messages through an actor, sampled; shapes of their fields, no texts",
  parameters: [{ name: "path", kind: "path" }],
  options: {
    for: { kind: "duration", about: "how long; 10s unless said" },
    max: { kind: "count", about: "ends after so many that were kept; 100 unless said" }
  },
  examples: ["trace /node01/cluster/membership --for 5s", "trace /node01/shop/store --max 3 --json"],
  run: (given, { cloud, show }) =>
    Effect.gen(function* () {
      const path = given.text("path")
      const untilMillis = (yield* Clock.currentTimeMillis) + (given.millis("for") ?? 10_000)
      let left = given.count("max", 100)
      let after = 0
      let seen = 0
      while (left > 0 && (yield* Clock.currentTimeMillis) < untilMillis) {
        const traced = yield* cloud.askAbout(path, new TraceActor({ path, after }))
        const messages = traced.messages.slice(0, left)
        for (const message of messages) yield* show({ json: message, lines: [tracedLine(message)] })
        seen = traced.seen
        after = traced.messages.at(-1)?.number ?? after
        left -= messages.length
        if (left > 0) yield* Effect.sleep(traceMillis)
      }
      yield* show(said({ seen }, `${seen} messages since the trace began`))
    })
}

const tracedLine = ({ atMillis, kind, mailbox, number, shape, tag }: TracedMessage): string =>
  `${timeOf(atMillis)} #${number} ${kind} ${tag} ${shape}${mailbox === 0 ? "" : ` (${mailbox} behind it)`}`

const deadletters: Command = {
  name: "deadletters",
  about: "messages that reached nobody: how many, and the last of them",
  parameters: [{ name: "path", kind: "path", optional: true }],
  examples: ["deadletters", "deadletters /node01/annex"],
  run: (given, { cloud, show }) =>
    Effect.gen(function* () {
      const path = given.text("path")
      const found =
        path === ""
          ? yield* cloud.everywhere((node) => cloud.ask(introspectionOf(node), new GetDeadLetters({})))
          : [{ node: path, answer: Either.right(yield* cloud.askAbout(path, new GetDeadLetters({ path }))) }]
      const lines = found.flatMap(({ answer, node }) =>
        Either.match(answer, {
          onLeft: (problem) => [`${node}: ${problem}`],
          onRight: ({ recent, total }) => [
            `${node}: ${total} dead letters`,
            ...table(
              ["at", "to", "message", "why"],
              recent.map(({ atMillis, message, path: to, why }) => [timeOf(atMillis), to, message, why])
            ).slice(recent.length === 0 ? 1 : 0)
          ]
        })
      )
      const json = found.map(({ answer, node }) =>
        Either.match(answer, {
          onLeft: (problem) => ({ node, problem }),
          onRight: (letters) => ({ node, ...letters })
        })
      )
      yield* show({ json, lines })
    })
}

export const eventCommands: ReadonlyArray<Command> = [events, trace, deadletters]
