import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import test from "ava"
import { Cause, Effect, Either, Exit, Schedule } from "effect"
import { Cut, Mend, PowerOff, PowerOn } from "#chaos/faults/action.ts"
import type { NodeName, World } from "#chaos/lab/world.ts"
import { Members } from "#protocols/membership.ts"
import { KV, MAINTENANCE, type Method } from "#protocols/wire/etcd/methods.ts"
import { attach } from "#supervisors/shell/attach.ts"
import { Cloud, flatten } from "#supervisors/shell/cloud.ts"
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

const call = <Req extends object, Answer extends object>(
  { etcd }: World,
  node: NodeName,
  method: Method<Req, Answer>,
  request: Partial<Req>
): Effect.Effect<Answer, Error> =>
  Effect.async((resume) =>
    etcd.call(node, method, request, (answer) =>
      resume(Either.mapLeft(answer, ({ message }) => new Error(`${node} ${method.path}: ${message}`)))
    )
  )

const put = (world: World, node: NodeName, key: string) =>
  call(world, node, KV.put, { key: Buffer.from(`test/${key}`), value: Buffer.from(key) })

/** The node that leads, as this one knows. */
const leaderAt = (world: World, node: NodeName): Effect.Effect<NodeName | undefined, Error> =>
  Effect.gen(function* () {
    const { leader } = yield* call(world, node, MAINTENANCE.status, {})
    for (const name of world.nodes) {
      const status = yield* Effect.either(
        Effect.timeout(call(world, name, MAINTENANCE.status, {}), 3_000 * world.slowness)
      )
      if (Either.isRight(status) && status.right.header?.memberId === leader) return name
    }
    return undefined
  })

const until = <A>(found: Effect.Effect<A | undefined, Error>, holds: (value: A) => boolean) =>
  found.pipe(
    Effect.flatMap((value) =>
      value !== undefined && holds(value) ? Effect.succeed(value) : Effect.fail(new Error("not yet"))
    ),
    Effect.retry(Schedule.spaced("500 millis")),
    Effect.timeout("2 minutes")
  )

withGuests(
  `what guests have acknowledged survives a cut of the network and the loss of power${why}`,
  async (t) => {
    t.timeout(600_000)
    const lines: Array<string> = []
    const consoles = mkdtempSync(join(tmpdir(), "consoles-"))
    const story = Effect.gen(function* () {
      const world = yield* qemuWorld().open({
        shape: { nodes: 3, spares: 0, roles: [], zones: ["a", "b", "c"] },
        seed: 1,
        folder: consoles,
        note: (line) => lines.push(line)
      })
      const [first = ""] = world.nodes
      t.log(world.facts, ...lines)

      // Copies of one guest: what they draw by chance must not be the same.
      const members = yield* world.ask(first, `/${first}/cluster/membership`, new Members())
      t.is(new Set(members.map(({ bootId }) => bootId)).size, members.length)

      // An operator's shell gets into the lab, and finds all that it consists of.
      const door = lines.map((line) => /--data-directory (\S+)/.exec(line)?.[1]).find(Boolean)
      const shell = new Cloud(yield* attach({ dataDirectory: door }))
      const paths = flatten(yield* shell.tree("/lab")).map(({ path }) => path)
      for (const path of ["switch", "gateway", "machines/node03", "clients"])
        t.true(paths.includes(`/lab/${path}`), paths.join())

      yield* put(world, first, "before")
      const leader = yield* until(leaderAt(world, first), () => true)
      const others = world.nodes.filter((name) => name !== leader)
      const [other = ""] = others

      yield* world.strike(new Cut({ from: [leader], to: others }))
      yield* world.strike(new Cut({ from: others, to: [leader] }))
      const next = yield* until(leaderAt(world, other), (name) => name !== leader)
      t.not(next, leader)
      yield* put(world, other, "while cut")
      yield* world.strike(new Mend({ from: [leader], to: others }))
      yield* world.strike(new Mend({ from: others, to: [leader] }))

      yield* world.strike(new PowerOff({ node: next }))
      const awake = others.find((name) => name !== next) ?? ""
      yield* Effect.retry(put(world, awake, "without power"), {
        times: 20,
        schedule: Schedule.spaced("1 second")
      })
      yield* world.strike(new PowerOn({ node: next }))
      const found = yield* Effect.retry(
        call(world, next, KV.range, { key: Buffer.from("test/"), rangeEnd: Buffer.from("test0") }),
        { times: 100, schedule: Schedule.spaced("1 second") }
      )
      t.deepEqual(
        found.kvs.map(({ value }) => Buffer.from(value).toString()),
        ["before", "while cut", "without power"]
      )
      t.deepEqual(world.complaints(), [])
    })
    const exit = await Effect.runPromiseExit(Effect.scoped(story))
    const printed = readdirSync(consoles).map((name) =>
      readFileSync(join(consoles, name), "utf8").slice(-1_500)
    )
    rmSync(consoles, { recursive: true })
    if (Exit.isFailure(exit)) t.fail([Cause.pretty(exit.cause), ...lines, ...printed].join("\n\n"))
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
