/** The smoke test of guests: real kernels, one loss of power, one cut of the network, and disks that forget. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import test from "ava"
import { Cause, Effect, Either, Exit } from "effect"
import { quietRun } from "#chaos/harness/quiet-run.ts"
import { runScenario } from "#chaos/harness/run-scenario.ts"
import { type World, WorldFailed, type WorldMaker } from "#chaos/lab/world.ts"
import { smoke } from "#chaos/scenarios/smoke.ts"
import { Members } from "#protocols/membership.ts"
import { attach } from "#supervisors/shell/attach.ts"
import { Cloud, flatten } from "#supervisors/shell/cloud.ts"
import { crashCheck } from "../disks/crash-check.ts"
import { assertNothingLeft } from "../fixtures/left-behind.ts"
import { guestKernel, type Program, program } from "./programs.ts"
import { qemuWorld } from "./qemu-world.ts"

const needed: ReadonlyArray<Program> = [
  "qemu-system-x86_64",
  "mke2fs",
  "busybox",
  "openssl",
  "setpriv",
  "perl"
]
const missing = Effect.runSync(Effect.either(Effect.zipRight(Effect.forEach(needed, program), guestKernel)))
const withGuests = Either.isRight(missing) ? test.serial : test.serial.skip
const why = Either.isLeft(missing) ? `: ${missing.left.message}` : ""

/** As the command plays it in guests; `look` looks around as soon as they are there. */
const lookedInto = (look: (world: World) => Effect.Effect<void, WorldFailed>): WorldMaker => {
  const maker = qemuWorld()
  return {
    ...maker,
    open: (options) => Effect.tap(maker.open(options), look)
  }
}

withGuests(
  `what guests have acknowledged survives the loss of power and a cut of the network${why}`,
  async (t) => {
    t.timeout(600_000)
    const lines: Array<string> = []
    const consoles = mkdtempSync(join(tmpdir(), "consoles-"))
    const door = () => lines.map((line) => /--data-directory (\S+)/.exec(line)?.[1]).find(Boolean)
    const look = (world: World) =>
      Effect.gen(function* () {
        const [first = ""] = world.nodes
        t.log(world.facts)
        // Copies of one guest: what they draw by chance must not be the same.
        const members = yield* world.ask(first, `/${first}/cluster/membership`, new Members())
        t.is(new Set(members.map(({ bootId }) => bootId)).size, members.length)
        // An operator's shell gets into the lab, and finds all that it consists of.
        const shell = new Cloud(yield* attach({ dataDirectory: door() }))
        const paths = flatten(yield* shell.tree("/lab")).map(({ path }) => path)
        for (const path of ["switch", "gateway", "machines/node03", "clients"])
          t.true(paths.includes(`/lab/${path}`), paths.join())
      }).pipe(
        Effect.scoped,
        Effect.mapError(
          ({ message }) => new WorldFailed({ world: "qemu", doing: "be looked into", reason: message })
        )
      )
    const exit = await Effect.runPromiseExit(
      runScenario(smoke, lookedInto(look), {
        ...quietRun(1),
        folder: consoles,
        onNote: (line) => void lines.push(line)
      })
    )
    const printed = readdirSync(consoles).map((name) =>
      readFileSync(join(consoles, name), "utf8").slice(-1_500)
    )
    rmSync(consoles, { recursive: true })
    const all = [...lines, ...printed].join("\n\n")
    if (Exit.isFailure(exit)) return t.fail(`${Cause.pretty(exit.cause)}\n\n${all}`)
    const { evidence, findings, finishedMillis, outcome, reason, startedMillis } = exit.value
    t.log(`it took ${Math.round((finishedMillis - startedMillis) / 1_000)} s`)
    const wrong = findings.filter(({ verdict }) => verdict !== "passed")
    const said = wrong.map(({ check, lines }) => `${check}: ${lines.join("; ")}`)
    t.deepEqual([outcome, ...said], ["passed"], `${reason}\n\n${all}`)
    // Disks as power cuts at its moments would have left them: that comes with the world, and not by the scenario.
    t.true(findings.some(({ check }) => check === crashCheck))
    t.deepEqual(evidence?.complaints, [])
    await assertNothingLeft(t, dirname(door() ?? ""), [])
  }
)

test("a machine without what guests need is told what to install", (t) => {
  const path = process.env["PATH"]
  process.env["PATH"] = ""
  try {
    const found = Effect.runSync(Effect.either(program("qemu-system-x86_64")))
    if (Either.isRight(found)) return t.fail("it was found nowhere")
    t.regex(found.left.message, /the program qemu-system-x86_64; apt-get install qemu-system-x86$/)
  } finally {
    process.env["PATH"] = path
  }
})
