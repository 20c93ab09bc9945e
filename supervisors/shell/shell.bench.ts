/**
 * Do attached shells slow a node that has more to do than it can?
 *
 *   npm run bench shell            20 pairs of runs, two minutes
 *   npm run bench shell 0.2        fewer
 *
 * A node of its own process with 1,000 busy actors and 200 events a second; here five shells, each over a link of
 * its own: two follow events, two look at top every second, one traces a busy actor. Runs with and without them
 * alternate, in an order that changes, and each pair gives a ratio. Messages are counted by the second, and by the
 * second of processor time that the node's process had: what else the machine does falls out of the latter.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { Effect, Fiber } from "effect"
import { attach } from "./attach.ts"
import { Cloud } from "./cloud.ts"
import { runLine, type Voice } from "./run-line.ts"

const scale = Number(process.argv[2] ?? 1)
const pairsOfRuns = Math.max(3, Math.round(20 * scale))
const runMillis = 2_500
const settleMillis = 500
const allowed = 0.03

const only = process.argv[3] ?? ""
const lines = [
  "events --follow",
  "events NameRegistered --follow --json",
  "top --for 1h",
  "top --sort mailbox --for 1h --json",
  "trace /node01/court/left-0 --for 1h --max 1000000"
].filter((line) => line.startsWith(only))

interface Sample {
  readonly throws: number
  readonly processorMillis: number
  readonly nowMillis: number
}

let printed = 0
const voice: Voice = {
  print: () => void printed++,
  complain: (line) => {
    throw new Error(line)
  },
  confirm: undefined,
  json: false,
  yes: false,
  screen: undefined
}

class Node {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>

  constructor(dataDirectory: string) {
    const main = fileURLToPath(new URL("./fixtures/loaded-node-main.ts", import.meta.url))
    this.#child = spawn(process.execPath, [main, dataDirectory, "500", "200"], {
      stdio: ["pipe", "pipe", "inherit"]
    })
    if (this.#child.stdout === null) throw new Error("the node has no output")
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  async next(): Promise<Sample> {
    const { done, value } = await this.#lines.next()
    if (done === true) throw new Error("the node has ended")
    return JSON.parse(value)
  }

  async sample(): Promise<Sample> {
    this.#child.stdin?.write("\n")
    return this.next()
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return
    const ended = once(this.#child, "exit")
    this.#child.kill("SIGKILL")
    await ended
  }
}

const pause = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

/** Messages a second, by the clock and by the processor. */
const measured = async (node: Node) => {
  await pause(settleMillis)
  const before = await node.sample()
  await pause(runMillis)
  const after = await node.sample()
  const throws = after.throws - before.throws
  return {
    perSecond: throws / ((after.nowMillis - before.nowMillis) / 1_000),
    perProcessorSecond: throws / ((after.processorMillis - before.processorMillis) / 1_000)
  }
}

const withShells = (node: Node, dataDirectory: string) =>
  Effect.gen(function* () {
    const running = yield* Effect.forEach(lines, (line) =>
      Effect.gen(function* () {
        const cloud = new Cloud(yield* attach({ dataDirectory }))
        return yield* Effect.fork(runLine(line, cloud, voice))
      })
    )
    const rates = yield* Effect.promise(() => measured(node))
    const ended = yield* Effect.forEach(running, (fiber) => Fiber.poll(fiber))
    if (ended.some((exit) => exit._tag === "Some")) throw new Error("a shell ended before its time")
    yield* Fiber.interruptAll(running)
    return rates
  }).pipe(Effect.scoped, Effect.runPromise)

const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[sorted.length >> 1] ?? 0
}

const folder = mkdtempSync(join(tmpdir(), "shell-bench-"))
const dataDirectory = join(folder, "node01")
const node = new Node(dataDirectory)
try {
  await node.next()
  // The first second warms up what is compiled, with shells and without.
  await withShells(node, dataDirectory)
  await measured(node)
  const pairs: Array<{ clock: number; processor: number; alone: number }> = []
  for (let pair = 0; pair < pairsOfRuns; pair++) {
    const first = pair % 2 === 0
    const early = first ? await measured(node) : undefined
    const attached = await withShells(node, dataDirectory)
    const alone = early ?? (await measured(node))
    pairs.push({
      clock: attached.perSecond / alone.perSecond,
      processor: attached.perProcessorSecond / alone.perProcessorSecond,
      alone: alone.perSecond
    })
  }
  const [clock, processor] = [
    median(pairs.map((pair) => pair.clock)),
    median(pairs.map((pair) => pair.processor))
  ]
  const alone = Math.round(median(pairs.map((pair) => pair.alone))).toLocaleString("en")
  const verdict = (ratio: number) => (1 - ratio <= allowed ? "met" : "missed")
  console.log("| messages of a loaded node, five shells attached ÷ none | median of pairs | target |")
  console.log("| --- | --: | --- |")
  console.log(`| by the second | ${clock.toFixed(3)}× | ≥ 0.97× ${verdict(clock)} |`)
  console.log(
    `| by the second of its processor time | ${processor.toFixed(3)}× | ≥ 0.97× ${verdict(processor)} |`
  )
  console.log(
    `\n${pairs.length} pairs; ${alone} messages a second without shells; the shells showed ${printed} lines`
  )
} finally {
  await node.stop()
  rmSync(folder, { recursive: true, force: true })
}
