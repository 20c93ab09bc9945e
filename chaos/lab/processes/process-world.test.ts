/**
 * Real processes under what happens to them: whatever that is, clients see one history, the tree of the lab brings
 * back what ended by itself, and nothing of it is there afterwards.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import test, { type ExecutionContext } from "ava"
import { Effect, Either, Schedule } from "effect"
import type { GrpcStatus } from "#actors/kernel/ports/grpc.ts"
import { processStart } from "#actors/platform/data-lock.ts"
import type { Evidence } from "#chaos/checkers/evidence.ts"
import { Crash, Kill, Start } from "#chaos/faults/action.ts"
import { quietRun } from "#chaos/harness/quiet-run.ts"
import { scenarioNamed } from "#chaos/scenarios/catalogue.ts"
import { threeNodes } from "#chaos/scenarios/scenario.ts"
import { lab } from "#chaos/worlds.ts"
import { GetTree } from "#protocols/runtime.ts"
import { KV, type Method } from "#protocols/wire/etcd/methods.ts"
import { assertNothingLeft, listens, processesOf } from "../fixtures/left-behind.ts"
import { reap } from "../reaper.ts"
import type { NodeName, World } from "../world.ts"
import { processWorld } from "./process-world.ts"
import { whyNoSmallDisks } from "./small-disk.ts"

const onLinux = process.platform === "linux" ? test.serial : test.serial.skip
const withDisks = whyNoSmallDisks() === undefined ? test.serial : test.serial.skip

/** From the line in which a world says it. */
const folderIn = (lines: ReadonlyArray<string>): string => {
  const found = lines.map((line) => /their data in (.*)$/.exec(line)?.[1]).find((path) => path !== undefined)
  if (found === undefined) throw new Error(`no world has said where its data is: ${lines.join("; ")}`)
  return found
}

const until = <A, E>(what: string, look: Effect.Effect<A | undefined, E>): Effect.Effect<A> =>
  look.pipe(
    Effect.flatMap((found) => (found === undefined ? Effect.fail(what) : Effect.succeed(found))),
    Effect.retry(Schedule.spaced(100)),
    Effect.timeoutFail({ duration: "60 seconds", onTimeout: () => new Error(`not so: ${what}`) }),
    Effect.catchAll(Effect.die)
  )

const call = <Req extends object, Answer extends object>(
  { etcd }: World,
  node: NodeName,
  method: Method<Req, Answer>,
  request: Partial<Req>
): Effect.Effect<Either.Either<Answer, GrpcStatus>> =>
  Effect.async((resume) => etcd.call(node, method, request, (answer) => resume(Effect.succeed(answer))))

/** As the command plays it, and what was seen. */
const played = async (t: ExecutionContext, name: string): Promise<Evidence> => {
  t.timeout(300_000)
  const scenario = scenarioNamed(name)
  if (scenario === undefined) throw new Error(`there is no scenario ${name}`)
  const notes: Array<string> = []
  const onNote = (line: string) => void notes.push(line)
  const { evidence, findings, finishedMillis, outcome, reason, startedMillis } = await Effect.runPromise(
    lab.play(scenario, "process", { ...quietRun(1), onNote })
  )
  for (const { check, lines, verdict } of findings) t.is(verdict, "passed", `${check}: ${lines.join("; ")}`)
  t.is(outcome, "passed", reason)
  if (evidence === undefined) throw new Error("it was played")
  t.deepEqual(evidence.complaints, [], "no process has ended by itself")
  await assertNothingLeft(t, folderIn(notes), [])
  t.log(`${name} took ${Math.round((finishedMillis - startedMillis) / 1_000)} s`)
  return evidence
}

onLinux(
  "a leader that is cut off, one that is killed and one that stands still leave one history behind",
  async (t) => {
    const { timeline } = await played(t, "three-blows")
    const blows = timeline.flatMap(({ ends, fault }) => (ends ? [] : [fault]))
    t.deepEqual([...new Set(blows)], ["partition", "kill -9", "pause"])
  }
)

withDisks(
  "a leader whose disk is full gives up rather than lie, and is back when there is room",
  async (t) => {
    const { sights, timeline } = await played(t, "full-disk")
    const [node = ""] = timeline.find(({ action }) => action?._tag === "FullDisk")?.nodes ?? []
    const gaveUp = sights.filter(
      (sight) =>
        sight.node === node &&
        Object.keys(sight.status?.restartsByPath ?? {}).some((path) => path.includes("/chainfire"))
    )
    t.true(gaveUp.length > 0, `the member of ${node} never had to give up`)
  }
)

onLinux(
  "what ends by itself is complained of and started again; what was killed stays down; an actor crashes alone",
  async (t) => {
    t.timeout(300_000)
    const notes: Array<string> = []
    const ports: Array<string> = []
    await Effect.gen(function* () {
      const world = yield* processWorld.open({
        shape: { ...threeNodes, nodes: 1, spares: 1 },
        seed: 3,
        folder: undefined,
        note: (line) => void notes.push(line)
      })
      t.deepEqual(world.nodes, ["node01", "node02"])
      ports.push(world.peerUrl("node01").replace("http://", ""))
      t.true(yield* Effect.promise(() => listens(ports[0] ?? "")))

      const path = "/node01/chainfire/member"
      const incarnation = Effect.map(
        world.ask("node01", "/node01/cluster/introspection", new GetTree({ path })),
        (tree) => tree.incarnation
      )
      t.is(yield* incarnation, 1)
      yield* world.strike(new Crash({ node: "node01", path }))
      yield* until(
        "it has a second life",
        Effect.map(incarnation, (life) => (life === 2 ? true : undefined))
      )
      t.deepEqual(world.complaints(), [])

      const [pid] = processesOf(folderIn(notes))
      t.true(Number(yield* world.residentBytes("node01")) > 50_000_000)
      process.kill(Number(pid), "SIGTERM")
      yield* until(
        "it is complained of",
        Effect.sync(() => world.complaints()[0])
      )
      t.like(world.complaints(), [{ node: "node01" }])
      t.regex(world.complaints()[0]?.what ?? "", /^its process has ended by itself \(/)
      const key = new TextEncoder().encode("a")
      const served = Effect.map(call(world, "node01", KV.range, { key }), Either.getOrUndefined)
      yield* until("it serves again", served)

      yield* world.strike(new Kill({ node: "node01" }))
      yield* world.strike(new Kill({ node: "node01" }))
      yield* Effect.sleep("2 seconds")
      t.is(yield* world.residentBytes("node01"), undefined)
      yield* world.strike(new Start({ node: "node01" }))
      yield* world.strike(new Start({ node: "node01" }))
      yield* until("it serves again", served)
      t.is(processesOf(folderIn(notes)).length, 1)
      t.is(world.complaints().length, 1)
    }).pipe(Effect.scoped, Effect.runPromise)
    await assertNothingLeft(t, folderIn(notes), ports)
  }
)

onLinux(
  "a runner that is killed takes its nodes along, and the next one finds nothing else of it",
  async (t) => {
    t.timeout(120_000)
    const main = fileURLToPath(import.meta.resolve("./fixtures/killed-world.ts"))
    const runner = spawn(process.execPath, [main], { stdio: ["ignore", "pipe", "inherit"] })
    const lines: Array<string> = []
    for await (const line of createInterface({ input: runner.stdout })) {
      lines.push(line)
      if (line === "open") break
    }
    const folder = folderIn(lines)
    const pids = processesOf(folder)
    t.is(pids.length, 1)
    const ended = once(runner, "exit")
    runner.kill("SIGKILL")
    await ended
    await Effect.runPromise(
      until(
        "its node has ended",
        Effect.sync(() => pids.every((pid) => processStart(Number(pid)) === undefined) || undefined)
      )
    )
    t.true(existsSync(folder))
    await Effect.runPromise(reap(() => {}))
    await assertNothingLeft(t, folder, [])
  }
)

test("what processes cannot do is said", (t) => {
  for (const tag of [
    "PowerOff",
    "ShutDown",
    "SlowDisk",
    "BrokenDisk",
    "ClockJump",
    "ClockRate",
    "MemoryPressure"
  ] as const)
    t.regex(processWorld.cannot(tag) ?? "", /^[a-z].*[a-z]$/)
  for (const tag of ["Kill", "Pause", "Cut", "Network", "Crash", "ReplaceNode"] as const)
    t.is(processWorld.cannot(tag), undefined)
})
