/** Processes and threads for real: what ends here has ended for the kernel, and is looked up there. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import test from "ava"
import type { Scope } from "effect"
import { Array, Deferred, Effect, Queue } from "effect"
import { comesAbout } from "#actors/kernel/fixtures/eventually.ts"
import type { CellBatch, CellMode } from "../kernel/ports/cell.ts"
import { CellStartFailed, Cells } from "../kernel/ports/cell.ts"
import { comedyCells } from "./comedy-cells.ts"

for (const mode of ["forked", "threaded"] as const) {
  test(`a ${mode} cell gives 10,000 values back in the order they were sent`, (t) =>
    run(
      Effect.gen(function* () {
        const { cell, heard } = yield* start(mode)
        const values = Array.makeBy(10_000, (index) => index)
        for (const batch of Array.chunksOf(values, 7)) cell.send(batch)
        t.deepEqual(yield* take(heard, values.length), values)
      })
    ))

  test(`the host of a ${mode} cell gets the argument from its spec`, (t) =>
    run(
      Effect.gen(function* () {
        const { cell, heard } = yield* start(mode, { argument: { nodes: ["node01"], depth: 2 } })
        cell.send(["argument"])
        t.deepEqual(yield* Queue.take(heard), [{ nodes: ["node01"], depth: 2 }])
      })
    ))

  test(`the builtins in a ${mode} cell are those of Node, not comedy's polyfills`, (t) =>
    run(
      Effect.gen(function* () {
        const { cell, heard } = yield* start(mode)
        cell.send(["builtins"])
        t.deepEqual(yield* Queue.take(heard), ["c", "{}"])
      })
    ))

  test(`a ${mode} cell whose module is missing does not start, and says so in one line`, (t) =>
    run(
      Effect.gen(function* () {
        const fault = yield* Effect.flip(start(mode, { module: "file:///nowhere/host.ts" }))
        t.true(fault instanceof CellStartFailed)
        t.regex(fault.message, /^cell echo did not start: Cannot find module '\/nowhere\/host.ts'[^\n]*$/)
      })
    ))

  test(`a ${mode} cell whose module has no host does not start`, (t) =>
    run(
      Effect.gen(function* () {
        const fault = yield* Effect.flip(
          start(mode, { module: import.meta.resolve("../kernel/ports/cell.ts") })
        )
        t.regex(fault.reason, /ports\/cell.ts exports no function named host$/)
      })
    ))

  test(`a ${mode} cell whose host refuses does not start, for the first line of the host's reason`, (t) =>
    run(
      Effect.gen(function* () {
        const fault = yield* Effect.flip(start(mode, { argument: "refuse" }))
        t.is(fault.reason, "no room for this host")
      })
    ))

  test(`a ${mode} cell whose host rejects without a word does not start either`, (t) =>
    run(
      Effect.gen(function* () {
        const fault = yield* Effect.flip(start(mode, { argument: "refuse silently" }))
        t.is(fault.reason, "Error")
      })
    ))

  test(`a host that throws ends its ${mode} cell, and nothing else`, (t) =>
    run(
      Effect.gen(function* () {
        const { cell, exit } = yield* start(mode)
        cell.send(["throw"])
        t.is(yield* Deferred.await(exit), "exited with code 1 after: asked to throw")
      })
    ))

  test(`a ${mode} cell may exit by itself, with a code`, (t) =>
    run(
      Effect.gen(function* () {
        const { cell, exit } = yield* start(mode)
        cell.send(["exit"])
        t.is(yield* Deferred.await(exit), "exited with code 3")
      })
    ))

  // Serial tests run alone and first: thirty others starting cells would be in the measurement.
  test.serial(`the death of a killed ${mode} cell is heard at once, and once`, (t) =>
    run(
      Effect.gen(function* () {
        const { cell, exit, exits } = yield* start(mode)
        const killedMillis = performance.now()
        cell.kill()
        t.is(yield* Deferred.await(exit), mode === "forked" ? "killed by SIGKILL" : "killed")
        const heardMillis = performance.now() - killedMillis
        t.log(`heard after ${heardMillis.toFixed(1)} ms`)
        t.true(heardMillis < 1_000)

        cell.kill()
        cell.send(["into the void"])
        t.deepEqual(exits, [yield* Deferred.await(exit)])
      })
    )
  )

  test(`closing its scope lets a ${mode} cell run its exit handlers`, (t) =>
    run(
      Effect.gen(function* () {
        const folder = mkdtempSync(join(tmpdir(), "cell-"))
        const path = join(folder, "signature")
        yield* Effect.scoped(
          Effect.tap(start(mode), ({ cell, heard }) => {
            cell.send(["sign off", path])
            return Queue.take(heard)
          })
        )
        t.is(readFileSync(path, "utf8"), "signed off")
        rmSync(folder, { recursive: true })
      })
    ))

  test(`closing its scope stops a ${mode} cell, even one caught in a loop`, (t) =>
    run(
      Effect.gen(function* () {
        const { cell, exits } = yield* Effect.scoped(
          Effect.tap(start(mode), ({ cell, heard }) => {
            cell.send(["spin"])
            return Queue.take(heard)
          })
        )
        t.deepEqual(exits, ["stopped"])
        if (mode === "forked") t.false(isAlive(cell.pid))
      })
    ))
}

test.serial("a kill -9 from outside is heard within a second", (t) =>
  run(
    Effect.gen(function* () {
      const { cell, exit } = yield* start("forked")
      const killedMillis = performance.now()
      process.kill(cell.pid, "SIGKILL")
      t.is(yield* Deferred.await(exit), "killed by SIGKILL")
      const heardMillis = performance.now() - killedMillis
      t.log(`heard after ${heardMillis.toFixed(1)} ms`)
      t.true(heardMillis < 1_000)
    })
  )
)

test("SIGINT is left to the parent of a forked cell, SIGTERM ends it", (t) =>
  run(
    Effect.gen(function* () {
      const { cell, exit, heard } = yield* start("forked")
      process.kill(cell.pid, "SIGINT")
      cell.send(["still here"])
      t.deepEqual(yield* Queue.take(heard), ["still here"])
      process.kill(cell.pid, "SIGTERM")
      t.is(yield* Deferred.await(exit), "killed by SIGTERM")
    })
  ))

test("a cell that is killed while it starts does not start", (t) =>
  run(
    Effect.gen(function* () {
      const heard = yield* Queue.unbounded<CellBatch>()
      const starting = yield* Effect.fork(Effect.flip(start("forked", { argument: "never ready", heard })))
      const [pid] = yield* take(heard, 1)
      process.kill(Number(pid), "SIGKILL")
      const fault = yield* starting
      t.is(fault.reason, "killed by SIGKILL")
    })
  ))

test("a start that the caller gives up on leaves no process behind", (t) =>
  run(
    Effect.gen(function* () {
      const heard = yield* Queue.unbounded<CellBatch>()
      const starting = start("forked", { argument: "never ready", heard })
      const pid = yield* Effect.raceFirst(take(heard, 1), Effect.zipRight(starting, Effect.never))
      t.false(isAlive(Number(pid)))
    })
  ))

test("closing its scope ends the process of a forked cell", (t) =>
  run(
    Effect.gen(function* () {
      const { cell, exits } = yield* Effect.scoped(start("forked"))
      t.deepEqual(exits, ["stopped"])
      t.false(isAlive(cell.pid))
    })
  ))

test("a batch that cannot be sent ends the cell, rather than be missing among the others", (t) =>
  run(
    Effect.gen(function* () {
      const { cell, exit } = yield* start("forked")
      cell.send([1n])
      t.regex(yield* Deferred.await(exit), /^killed by SIGKILL after: a batch could not be sent: .*BigInt/)
    })
  ))

test("a threaded cell is a thread of this process, a forked one the main thread of another", (t) =>
  run(
    Effect.gen(function* () {
      const threaded = yield* start("threaded")
      const forked = yield* start("forked")
      t.is(threaded.cell.pid, process.pid)
      t.not(threaded.cell.threadId, 0)
      t.not(forked.cell.pid, process.pid)
      t.is(forked.cell.threadId, 0)
    })
  ))

for (const order of ["stay", "spin"]) {
  test(`a parent killed with -9 takes its cell along (${order})`, async (t) => {
    const parent = parentOfCells(order)
    const [printed] = await once(parent.stdout, "data")
    const pid = Number(String(printed))
    t.true(isAlive(pid))

    parent.kill("SIGKILL")
    const killedMillis = performance.now()
    await run(comesAbout("it is gone", () => !isAlive(pid)))
    t.log(`gone after ${(performance.now() - killedMillis).toFixed(0)} ms`)
    t.pass()
  })
}

test("once its cells are closed nothing keeps a process alive, and nothing was logged", async (t) => {
  const parent = parentOfCells("leave")
  const chunks: Array<unknown> = []
  parent.stderr.on("data", (chunk) => chunks.push(chunk))
  parent.stdout.on("data", (chunk) => chunks.push(chunk))
  const [code] = await once(parent, "close", { signal: AbortSignal.timeout(30_000) })
  t.is(code, 0)
  t.is(chunks.map(String).join(""), "")
})

interface Choices {
  readonly argument?: unknown
  readonly module?: string
  readonly heard?: Queue.Queue<CellBatch>
}

const start = (mode: CellMode, choices: Choices = {}) =>
  Effect.gen(function* () {
    const cells = yield* Cells
    const heard = choices.heard ?? (yield* Queue.unbounded<CellBatch>())
    const exit = yield* Deferred.make<string>()
    const exits: Array<string> = []
    const cell = yield* cells.start(
      {
        name: "echo",
        mode,
        module: choices.module ?? import.meta.resolve("./fixtures/echo-cell.ts"),
        argument: choices.argument ?? null
      },
      {
        onBatch: (batch) => void Queue.unsafeOffer(heard, batch),
        onExit: (reason) => {
          exits.push(reason)
          Deferred.unsafeDone(exit, Effect.succeed(reason))
        }
      }
    )
    return { cell, exit, exits, heard }
  })

/** So many values, from as many batches as that takes. */
const take = (heard: Queue.Dequeue<CellBatch>, count: number) =>
  Effect.iterate(Array.empty<unknown>(), {
    while: (values) => values.length < count,
    body: (values) => Effect.map(Queue.take(heard), (batch) => [...values, ...batch])
  })

const parentOfCells = (order: string) =>
  spawn(process.execPath, [fileURLToPath(import.meta.resolve("./fixtures/parent-of-cells.ts")), order])

/** A zombie is dead, it only has nobody to bury it: as an orphan in a container it may stay for ever. */
const isAlive = (pid: number): boolean => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    return !stat.slice(stat.lastIndexOf(")")).startsWith(") Z")
  } catch {
    return false
  }
}

const run = <A, E>(test: Effect.Effect<A, E, Cells | Scope.Scope>): Promise<A> =>
  Effect.runPromise(test.pipe(Effect.timeout("60 seconds"), Effect.scoped, Effect.provide(comedyCells)))
