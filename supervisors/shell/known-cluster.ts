/** What the terminal knows of the cluster for completing lines: fetched now and then, so that Tab answers at once. */
import { Clock, Effect, Either, Option } from "effect"
import { catalogueEntries } from "#protocols/catalogue.ts"
import { GetAccepted } from "#protocols/catalogue-requests.ts"
import { GetFailover } from "#protocols/failover.ts"
import { type Cloud, flatten } from "./cloud.ts"
import { coordinator } from "./cluster-commands.ts"
import { wordsOf } from "./command-line.ts"
import type { Knowledge } from "./completion.ts"
import { publishable } from "./event-commands.ts"
import { fieldsOf } from "./message-commands.ts"

const freshMillis = 3_000
const patience = "2 seconds"
const acceptedMax = 1_000

export class KnownCluster implements Knowledge {
  readonly #cloud: Cloud
  #lookedMillis = Number.NEGATIVE_INFINITY
  readonly #accepted = new Map<string, ReadonlyArray<string>>()
  nodes: ReadonlyArray<string> = []
  paths: ReadonlyArray<string> = []
  breakers: ReadonlyArray<string> = []
  roles: ReadonlyArray<string> = []
  readonly events = publishable("").map(({ _tag }) => _tag)
  readonly fieldsOf = fieldsOf

  constructor(cloud: Cloud) {
    this.#cloud = cloud
  }

  readonly messagesOf = (path: string): ReadonlyArray<string> =>
    this.#accepted.get(path) ??
    catalogueEntries()
      .filter(({ direction }) => direction !== "event")
      .map(({ tag }) => tag)

  /** Before a line is completed. What cannot be known in time is completed from what was known before. */
  learn(line: string): Effect.Effect<void> {
    const words = Either.match(wordsOf(line), { onLeft: ({ words }) => words, onRight: (all) => all })
    const path = words.map(({ text }) => text).find((text) => text.startsWith("/"))
    return Effect.all([this.#look, path === undefined ? Effect.void : this.#ask(path)], {
      concurrency: 2,
      discard: true
    })
  }

  get #look(): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const nowMillis = yield* Clock.currentTimeMillis
      if (nowMillis - this.#lookedMillis < freshMillis) return
      const trees = yield* Effect.option(Effect.timeout(this.#cloud.trees, patience))
      if (Option.isNone(trees)) return
      this.#lookedMillis = nowMillis
      const actors = trees.value.flatMap(({ answer }) =>
        Either.isRight(answer) ? flatten(answer.right) : []
      )
      this.nodes = trees.value.map(({ node }) => node)
      this.paths = actors.map(({ path }) => path)
      this.breakers = ["fleet", ...actors.filter(({ kind }) => kind === "breaker").map(({ path }) => path)]
      const failover = yield* Effect.option(
        Effect.flatMap(coordinator(this.#cloud), (path) => this.#cloud.ask(path, new GetFailover(), patience))
      )
      this.roles = Option.isSome(failover) ? failover.value.roles.map(({ role }) => role) : []
    })
  }

  #ask(path: string): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      if (this.#accepted.has(path)) return
      const asked = Effect.timeout(this.#cloud.askAbout(path, new GetAccepted({ path })), patience)
      const accepted = yield* Effect.option(asked)
      if (Option.isNone(accepted)) return
      if (this.#accepted.size >= acceptedMax) this.#accepted.clear()
      this.#accepted.set(path, accepted.value)
    })
  }
}
