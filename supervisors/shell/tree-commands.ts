/** Looking at actors: the tree, the busiest, one of them, and why it crashed. */
import { Clock, Effect, Either } from "effect"
import { ExplainCrash } from "#protocols/operations.ts"
import { type ActorSnapshot, Inspect } from "#protocols/runtime.ts"
import { ExplainChild } from "#protocols/supervision.ts"
import { type Cloud, flatten, type NodeAnswer, nameOf, nodeOf, parentOf } from "./cloud.ts"
import type { Command } from "./command.ts"
import type { Given } from "./command-spec.ts"
import { indented, momentOf, spanOf, table } from "./table.ts"
import { drawTree } from "./tree-view.ts"

const rateMillis = 1_000

const tree: Command = {
  name: "tree",
  about: "every supervisor and actor: state, lives, mailbox, messages a second, last crash",
  parameters: [{ name: "path", kind: "path", optional: true }],
  options: { depth: { kind: "count", about: "levels below the path" } },
  examples: ["tree", "tree /node01/cluster --depth 1"],
  run: (given, { cloud, screen, show }) =>
    Effect.gen(function* () {
      const look = looking(cloud, given)
      const before = yield* look
      yield* Effect.sleep(rateMillis)
      const now = yield* look
      const style = { colour: screen !== undefined, columns: screen?.columns ?? 200 }
      const lines = now.trees.flatMap(({ answer, node }) => {
        if (Either.isLeft(answer)) return [`${node}: ${answer.left}`]
        const old = before.trees.find((one) => one.node === node)?.answer
        const oldView =
          old === undefined || Either.isLeft(old) ? undefined : { tree: old.right, atMillis: before.atMillis }
        return drawTree({ tree: answer.right, atMillis: now.atMillis }, oldView, style)
      })
      yield* show({ json: now.trees.map(nodeJson), lines })
    })
}

const looking = (cloud: Cloud, given: Given) =>
  Effect.gen(function* () {
    const path = given.text("path")
    const depth = given.option("depth") === undefined ? undefined : given.count("depth", 0)
    const trees =
      path === ""
        ? yield* cloud.everywhere((node) => cloud.tree(`/${node}`, depth))
        : [
            {
              node: nodeOf(path),
              answer: Either.right(yield* cloud.tree(path, depth))
            }
          ]
    return { trees, atMillis: yield* Clock.currentTimeMillis }
  })

const nodeJson = <A>({ answer, node }: NodeAnswer<A>) =>
  Either.match(answer, {
    onLeft: (problem) => ({ node, problem }),
    onRight: (found) => ({ node, answer: found })
  })

const orders = ["rate", "busy", "mailbox", "handled", "restarts", "dropped"] as const
type Order = (typeof orders)[number]

interface Row {
  readonly path: string
  readonly status: string
  readonly rate: number
  /** Share of one processor. */
  readonly busy: number
  readonly mailbox: number
  readonly handled: number
  readonly restarts: number
  readonly dropped: number
}

const top: Command = {
  name: "top",
  about: "the actors with the most to do, live on a terminal and once elsewhere",
  parameters: [],
  options: {
    sort: { kind: { oneOf: orders }, about: "by what; rate unless said" },
    rows: { kind: "count", about: "how many; 20 unless said" },
    for: { kind: "duration", about: "how long; on a terminal until Ctrl-C" },
    every: { kind: "duration", about: "how often it looks; 1s unless said" }
  },
  examples: ["top", "top --sort mailbox --rows 5", "top --for 1s --json"],
  run: (given, { cloud, screen, show }) =>
    Effect.gen(function* () {
      const order = orders.find((one) => one === given.option("sort")) ?? "rate"
      const rowsMax = given.count("rows", 20)
      const everyMillis = Math.max(200, given.millis("every") ?? rateMillis)
      const forMillis = given.millis("for") ?? (screen === undefined ? everyMillis : Number.POSITIVE_INFINITY)
      const fromMillis = yield* Clock.currentTimeMillis
      let before = yield* busyNow(cloud)
      do {
        yield* Effect.sleep(everyMillis)
        const now = yield* busyNow(cloud)
        const rows = busiest(before, now, order).slice(0, rowsMax)
        const text = table(
          ["actor", "state", "msgs/s", "busy %", "mailbox", "handled", "restarts", "dropped"],
          rows.map(({ busy, dropped, handled, mailbox, path, rate, restarts, status }) => [
            ...[path, status, Math.round(rate), Math.round(busy * 100), mailbox, handled, restarts, dropped]
          ])
        )
        const clear = screen === undefined || forMillis <= everyMillis ? [] : ["\u001b[H\u001b[2J"]
        yield* show({ json: rows, lines: [...clear, ...text] })
        before = now
      } while ((yield* Clock.currentTimeMillis) - fromMillis < forMillis)
    })
}

interface Busy {
  readonly atMillis: number
  readonly actors: ReadonlyArray<ActorSnapshot>
}

const busyNow = (cloud: Cloud) =>
  Effect.gen(function* () {
    const trees = yield* cloud.trees
    const actors = trees.flatMap(({ answer }) => (Either.isRight(answer) ? flatten(answer.right) : []))
    return { actors, atMillis: yield* Clock.currentTimeMillis }
  })

export const busiest = (before: Busy, now: Busy, order: Order): ReadonlyArray<Row> => {
  const old = new Map(before.actors.map((actor) => [actor.path, actor]))
  const seconds = Math.max(0.001, (now.atMillis - before.atMillis) / 1_000)
  const rows = now.actors.map((actor) => {
    const was = old.get(actor.path) ?? actor
    return {
      path: actor.path,
      status: actor.status,
      rate: Math.max(0, actor.handled - was.handled) / seconds,
      busy: Math.min(1, Math.max(0, actor.handlerMillis - was.handlerMillis) / (seconds * 1_000)),
      mailbox: actor.mailbox,
      handled: actor.handled,
      restarts: actor.incarnation - 1,
      dropped: actor.dropped
    }
  })
  return rows.toSorted((one, other) => other[order] - one[order] || (one.path < other.path ? -1 : 1))
}

const inspect: Command = {
  name: "inspect",
  about: "one actor, and what it shows of its state",
  parameters: [{ name: "path", kind: "path" }],
  examples: ["inspect /node01/chainfire/member", "inspect /node01/cluster/membership --json"],
  run: (given, { cloud, show }) =>
    Effect.gen(function* () {
      const found = yield* cloud.askAbout(given.text("path"), new Inspect({ path: given.text("path") }))
      const { actor, state } = found
      const facts = table(
        ["what", "is"],
        Object.entries(actor).flatMap(([name, value]) =>
          typeof value === "object" || value === "" ? [] : [[name, String(value)]]
        )
      ).slice(1)
      const shown = state === undefined ? "it shows nothing of its state" : JSON.stringify(state, plain, 2)
      yield* show({ json: { actor, state: state ?? null }, lines: [...facts, "state", ...indented(shown)] })
    })
}

const plain = (_key: string, value: unknown): unknown => (typeof value === "bigint" ? String(value) : value)

const why: Command = {
  name: "why",
  about: "the last crash of an actor: its causes, what the supervisor decided, restarts that are left",
  parameters: [{ name: "path", kind: "path" }],
  examples: ["why /node01/chainfire/member"],
  run: (given, { cloud, show }) =>
    Effect.gen(function* () {
      const path = given.text("path")
      const { actor, crash } = yield* cloud.askAbout(path, new ExplainCrash({ path }))
      const above = parentOf(path)
      // Not every parent is a supervisor, and one of a cell answers only while that lives.
      const decided =
        above === ""
          ? undefined
          : yield* Effect.either(cloud.ask(above, new ExplainChild({ name: nameOf(path) })))
      const explained = decided === undefined || Either.isLeft(decided) ? undefined : decided.right
      const lines = [
        `${path} is ${actor.status}, in life ${actor.incarnation}`,
        ...(crash === null
          ? ["it has not crashed since its place in the tree is there"]
          : [
              `life ${crash.incarnation} ended at ${momentOf(crash.atMillis)}, while ${handling(crash.handling)}:`,
              ...indented(crash.cause)
            ]),
        ...(explained === undefined
          ? [above === "" ? "it is the root: nobody starts it again" : `${above} says nothing about it`]
          : decisionLines(above, explained))
      ]
      yield* show({ json: { actor, crash, supervisor: above, explained: explained ?? null }, lines })
    })
}

const handling = (tag: string): string => (tag === "" ? "it was not handling a message" : `it handled ${tag}`)

const decisionLines = (
  supervisor: string,
  { child, decision, restarts, restartsMax, strategy, withinMillis }: typeof ExplainChild.success.Type
): ReadonlyArray<string> => {
  const along =
    decision === null || decision.along.length === 0 ? "" : `, along with ${decision.along.join(", ")}`
  return [
    decision === null
      ? `${supervisor} (${strategy}) has had nothing to decide about it`
      : `${supervisor} (${strategy}) decided at ${momentOf(decision.atMillis)}: ${decision.decided}${along}`,
    `it is ${child.restart}, was started ${child.starts} times, and is ${child.status}`,
    `${restarts} of ${restartsMax} restarts within ${spanOf(withinMillis)} are used up; one more than that, and ${supervisor} gives up`
  ]
}

export const treeCommands: ReadonlyArray<Command> = [tree, top, inspect, why]
