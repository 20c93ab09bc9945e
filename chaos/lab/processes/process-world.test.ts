/**
 * Real processes under what happens to them: whatever that is, clients see one history, the tree of the lab brings
 * back what ended by itself, and nothing of it is there afterwards.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { connect } from "node:net"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import test, { type ExecutionContext } from "ava"
import { Effect, Either, Schedule } from "effect"
import type { GrpcStatus } from "#actors/kernel/ports/grpc.ts"
import { processStart } from "#actors/platform/data-lock.ts"
import { Crash, FairDisk, FullDisk, Kill, Start } from "#chaos/faults/action.ts"
import { kill, partition, pause } from "#chaos/faults/fault.ts"
import { somebodyLeads, strikeFor, wait } from "#chaos/faults/schedule.ts"
import { quietRun } from "#chaos/harness/quiet-run.ts"
import { runScenario } from "#chaos/harness/run-scenario.ts"
import { clientLoad, safety } from "#chaos/scenarios/client-load.ts"
import { type Scenario, threeNodes } from "#chaos/scenarios/scenario.ts"
import { GetTree } from "#protocols/runtime.ts"
import { KV, MAINTENANCE, type Method } from "#protocols/wire/etcd/methods.ts"
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

/** Processes whose arguments name that folder. */
const processesOf = (folder: string): ReadonlyArray<string> =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(folder)
      } catch {
        return false // It has ended while we looked.
      }
    })

const listens = (address: string): Promise<boolean> =>
  new Promise((resolve) => {
    const [host = "", port = ""] = address.split(":")
    const socket = connect(Number(port), host)
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false))
    socket.once("connect", () => socket.destroy())
  })

const assertNothingLeft = async (t: ExecutionContext, folder: string, ports: ReadonlyArray<string>) => {
  t.deepEqual(processesOf(folder), [], "processes")
  t.false(readFileSync("/proc/self/mountinfo", "utf8").includes(folder), "mounts")
  t.false(existsSync(folder), "files")
  for (const port of ports) t.false(await listens(port), port)
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

/** As the nodes that answer have it, if they agree. */
const leaderOf = (world: World, among = world.nodes): Effect.Effect<NodeName | undefined> =>
  Effect.gen(function* () {
    const statuses = yield* Effect.forEach(
      among,
      (node) => Effect.map(call(world, node, MAINTENANCE.status, {}), Either.getOrUndefined),
      { concurrency: "unbounded" }
    )
    const [first] = statuses
    if (first === undefined || statuses.some((status) => status?.leader !== first.leader)) return undefined
    return among[statuses.findIndex((status) => status?.header?.memberId === first.leader)]
  })

onLinux(
  "a leader that is cut off, one that is killed and one that stands still leave one history behind",
  async (t) => {
    t.timeout(300_000)
    const scenario: Scenario = {
      name: "three-blows",
      says: "",
      cluster: threeNodes,
      workload: clientLoad,
      faults: [
        ...[somebodyLeads, strikeFor(4_000, partition("the leader")), wait(6_000)],
        ...[somebodyLeads, strikeFor(2_000, kill("the leader")), wait(6_000)],
        ...[somebodyLeads, strikeFor(4_000, pause("the leader")), wait(6_000)]
      ],
      recoveryMillis: 5_000,
      checks: safety
    }
    const notes: Array<string> = []
    const run = await Effect.runPromise(
      runScenario(scenario, processWorld, {
        ...quietRun(1),
        onNote: (line) => void notes.push(line)
      })
    )
    for (const { check, lines, verdict } of run.findings)
      t.is(verdict, "passed", `${check}: ${lines.join("; ")}`)
    t.is(run.outcome, "passed", run.reason)
    const { evidence } = run
    if (evidence === undefined) throw new Error("it was played")
    t.deepEqual(evidence.complaints, [])
    // Whoever was struck led, and somebody else did before it was over.
    for (const began of evidence.timeline.filter(({ ends }) => !ends)) {
      const over = evidence.timeline.find(
        ({ atMillis, ends, fault }) => ends && fault === began.fault && atMillis > began.atMillis
      )
      const led = evidence.sights.filter(
        ({ atMillis, node, status }) =>
          atMillis > began.atMillis &&
          atMillis < (over?.atMillis ?? 0) + 6_000 * evidence.slowness &&
          status?.leader === node
      )
      const others = led.filter(({ node }) => began.fault === "partition" || !began.nodes.includes(node))
      t.true(others.length > 0, `nobody took over after ${began.what}`)
    }
    await assertNothingLeft(t, folderIn(notes), [])
  }
)

withDisks(
  "a leader whose disk is full gives up rather than lie, and is back when there is room",
  async (t) => {
    t.timeout(300_000)
    const notes: Array<string> = []
    const note = (line: string) => void notes.push(line)
    await Effect.gen(function* () {
      const world = yield* processWorld.open({ shape: threeNodes, seed: 2, folder: undefined, note })
      const leader = yield* until("somebody leads", leaderOf(world))
      yield* world.strike(new FullDisk({ node: leader }))
      yield* world.strike(new FullDisk({ node: leader }))
      const encoder = new TextEncoder()
      const written: Array<string> = []
      const value = new Uint8Array(200_000)
      const refusal = yield* until(
        "a write does not fit",
        Effect.gen(function* () {
          const key = `k${written.length}`
          const put = yield* call(world, leader, KV.put, { key: encoder.encode(key), value })
          if (Either.isRight(put)) written.push(key)
          return Either.isLeft(put) ? put.left : undefined
        })
      )
      t.log(`refused with "${refusal.message}" after ${written.length} writes`)
      t.false(world.etcd.isDefinite(refusal), "others may have written it by then")
      const others = world.nodes.filter((node) => node !== leader)
      const next = yield* until("another leads", leaderOf(world, others))
      t.true(Either.isRight(yield* call(world, next, KV.put, { key: encoder.encode("after"), value })))

      yield* world.strike(new FairDisk({ node: leader }))
      const key = encoder.encode("after")
      const read = yield* until(
        "it serves again",
        Effect.map(call(world, leader, KV.range, { key }), Either.getOrUndefined)
      )
      t.is(read.kvs.length, 1)
      const all = yield* call(world, leader, KV.range, {
        key: encoder.encode("k"),
        rangeEnd: encoder.encode("l"),
        keysOnly: true
      })
      const found = Either.isRight(all) ? all.right.kvs.map((kv) => new TextDecoder().decode(kv.key)) : []
      t.true(
        written.every((name) => found.includes(name)),
        "what was acknowledged is there"
      )
      t.deepEqual(world.complaints(), [], "its process has lived through it")
    }).pipe(Effect.scoped, Effect.runPromise)
    await assertNothingLeft(t, folderIn(notes), [])
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
