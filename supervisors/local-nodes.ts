/**
 * Several nodes on this machine, each a process of its own, with one command. A process that ends is started
 * again after a while, as an init system would; interrupted, this one stops them all in order.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, Schedule } from "effect"
import { keyFileName, openTokens, tokenFileName } from "#actors/platform/tokens.ts"
import { defaultPorts } from "./cluster-file/node-schema.ts"
import { localSpec, type NodeSpec } from "./cluster-spec.ts"
import { healthPortBeside } from "./node/health-port.ts"
import { nextSteps } from "./shell/start-screen.ts"

/** The ports for links of more would be those of consoles. */
export const nodesMax = 8
/** More than a node takes at most to stop in order. */
export const stopMillis = 20_000

export const runLocalNodes = (count: number, folder: string, command: string) =>
  Effect.gen(function* () {
    const spec = localSpec(count, folder)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const specPath = join(folder, "cluster.json")
    writeFileSync(specPath, `${JSON.stringify(spec, undefined, 2)}\n`)
    yield* shareKey(spec.cluster, spec.nodes)
    print(`${count} nodes, described in ${specPath}; their data is beside it`)
    yield* Effect.fork(sayWhenReady(spec.nodes, command))
    yield* Effect.forEach(spec.nodes, (node) => keepRunning(node, specPath), {
      concurrency: "unbounded",
      discard: true
    })
  })

const sayWhenReady = (nodes: readonly [NodeSpec, ...ReadonlyArray<NodeSpec>], command: string) =>
  Effect.gen(function* () {
    yield* Effect.forEach(nodes, isReady, { concurrency: "unbounded", discard: true })
    const [{ console, dataDirectory }] = nodes
    const lines = nextSteps({
      what: `${nodes.length} nodes are ready`,
      etcd: nodes.map(({ etcd, host }) => `${host}:${etcd}`),
      console: `http://127.0.0.1:${console}`,
      tokenFile: join(dataDirectory, tokenFileName),
      command
    })
    for (const line of lines) print(line)
  })

/** Until it says so itself. */
const isReady = ({ console = defaultPorts.console, host }: NodeSpec) =>
  Effect.tryPromise(async (signal) => {
    const { ok } = await fetch(`http://${host}:${healthPortBeside(console)}/readyz`, { signal })
    return ok
  }).pipe(
    Effect.timeout("1 second"),
    // It is starting.
    Effect.orElseSucceed(() => false),
    Effect.repeat({ until: (ready) => ready, schedule: Schedule.spaced("100 millis") })
  )

/** All nodes of a cluster have one key: the first makes it. */
export const shareKey = (
  cluster: string,
  [first, ...others]: readonly [NodeSpec, ...ReadonlyArray<NodeSpec>]
) =>
  Effect.gen(function* () {
    yield* openTokens(first.dataDirectory, cluster)
    const key = join(first.dataDirectory, keyFileName)
    for (const { dataDirectory } of others) {
      mkdirSync(dataDirectory, { recursive: true, mode: 0o700 })
      const copy = join(dataDirectory, keyFileName)
      if (!existsSync(copy)) copyFileSync(key, copy)
    }
  })

const keepRunning = ({ name }: NodeSpec, specPath: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const main = fileURLToPath(new URL("./main.ts", import.meta.url))
      const child = yield* Effect.acquireRelease(
        Effect.sync(() =>
          spawn(process.execPath, [main, "node", "--cluster", specPath, "--name", name], {
            stdio: ["ignore", "pipe", "pipe"],
            // For people, whoever reads this.
            env: { ULTRACLOUD_LOG_FORMAT: "pretty", ...process.env },
            // Ctrl-C is ours to pass on, so that they stop in order.
            detached: true
          })
        ),
        stopped
      )
      child.stdout.on("data", (text: Buffer) => prefixed(name, text))
      child.stderr.on("data", (text: Buffer) => prefixed(name, text))
      const how = yield* ended(child)
      print(`${name} has ended (${how}); it is started again`)
    })
  ).pipe(Effect.repeat(Schedule.spaced("1 second")))

const ended = (child: ChildProcess): Effect.Effect<string> =>
  Effect.async((resume) => {
    const tell = () => resume(Effect.succeed(child.signalCode ?? `code ${child.exitCode}`))
    if (child.exitCode !== null || child.signalCode !== null) tell()
    else child.once("exit", tell)
  })

const stopped = (child: ChildProcess): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (child.exitCode !== null || child.signalCode !== null) return Effect.void
    child.kill("SIGINT")
    return ended(child).pipe(
      Effect.timeoutOption(stopMillis),
      // It may have ended by now, and then this does nothing.
      Effect.andThen(Effect.sync(() => child.kill("SIGKILL")))
    )
  })

const print = (line: string): void => void process.stdout.write(`${line}\n`)

const prefixed = (name: string, text: Buffer): void => {
  for (const line of text.toString().split("\n")) if (line !== "") print(`${name} | ${line}`)
}
