/** Machines that are plugged into the switch of a lab: what they send arrives, also after a port has crashed. */
import { type Duplex, duplexPair } from "node:stream"
import test from "ava"
import { Cause, Effect, Layer, Logger, Schema } from "effect"
import { comesAbout } from "#actors/kernel/fixtures/eventually.ts"
import * as ActorSystem from "#actors/kernel/system.ts"
import { NoSuchActor } from "#protocols/runtime.ts"
import * as Supervisor from "#supervisors/engine/supervisor.ts"
import { child } from "#supervisors/engine/tree.ts"
import { live } from "#supervisors/live.ts"
import { FrameReader, framed } from "./frame-switch.ts"
import { Plug, SetWeather, Switch } from "./switch-actor.ts"
import { Cable } from "./switch-port-actor.ts"

const names = ["node01", "node02", "node03"]

/** What a machine has of its cable: the other end, and what came out of it. */
interface Machine {
  readonly end: Duplex
  readonly cable: Cable
  readonly heard: Array<string>
}

const machine = (): Machine => {
  const [end, own] = duplexPair()
  // As a socket does.
  own.once("end", () => own.destroy())
  const [reader, heard]: [FrameReader, Array<string>] = [new FrameReader(), []]
  end.on("data", (bytes: Uint8Array) => {
    for (const frame of reader.push(bytes)) heard.push(Buffer.from(frame.subarray(14)).toString())
  })
  return { end, cable: new Cable(own), heard }
}

/** To all; nobody has to be learned for it. */
const broadcast = (text: string): Uint8Array =>
  framed(Buffer.concat([Buffer.alloc(6, 255), Buffer.from([2, 0, 0, 0, 0, 1, 8, 0]), Buffer.from(text)]))

const tree = Supervisor.make("lab", {
  strategy: "one-for-one",
  children: [child(Switch, { args: { seed: 1 } })]
})

interface Story {
  readonly system: ActorSystem.ActorSystem
  readonly machines: ReadonlyArray<Machine>
  readonly plug: (name: string, cable: Cable) => void
}

const inLab = (story: (given: Story) => Effect.Effect<void>): Promise<void> =>
  Effect.gen(function* () {
    const system = yield* ActorSystem.make("lab", tree)
    const theSwitch = system.lookup("/lab/switch", Switch)
    if (theSwitch === undefined) throw new Error("there is no switch")
    const machines = names.map(machine)
    const plug = (port: string, cable: Cable) => theSwitch.tell(new Plug({ port, cable }))
    for (const [index, { cable }] of machines.entries()) plug(names[index] ?? "", cable)
    yield* story({ system, machines, plug })
    for (const { end } of machines) end.destroy()
  }).pipe(
    Effect.scoped,
    Effect.provide(Layer.merge(live, Logger.remove(Logger.defaultLogger))),
    Effect.runPromise
  )

/** Sends until it is heard, since a machine may speak before its port listens; then it comes in order. */
const says = ({ end }: Machine, listener: Machine, text: string): Effect.Effect<true> =>
  comesAbout(`${text} is heard`, () => {
    if (!listener.heard.includes(text)) end.write(broadcast(text))
    return listener.heard.includes(text)
  })

const PortState = Schema.Struct({
  connected: Schema.Boolean,
  frames: Schema.Struct({ in: Schema.Int, out: Schema.Int, dropped: Schema.Int })
})

const port = (system: ActorSystem.ActorSystem, name: string) => {
  const found = system.inspect(`/lab/switch/${name}`)
  if (found instanceof NoSuchActor) throw found
  return { ...found.actor, ...Schema.decodeUnknownSync(PortState)(found.state) }
}

test("every machine has a port of its own in the tree, which tells what has passed", async (t) => {
  await inLab(({ machines: [one, two], system }) =>
    Effect.gen(function* () {
      if (one === undefined || two === undefined) throw new Error("there are machines")
      yield* says(one, two, "hello")
      const found = system.snapshot("/lab/switch")
      if (found instanceof NoSuchActor) throw found
      t.deepEqual(
        found.children.map(({ path }) => path),
        names.map((name) => `/lab/switch/${name}`)
      )
      t.true(port(system, "node01").frames.in >= 1)
      t.true(port(system, "node02").frames.out >= 1)
      one.end.destroy()
      yield* comesAbout("its port sees that it is gone", () => !port(system, "node01").connected)
    })
  )
})

test("a port that crashes in the middle of a frame is started again with its cable, and the others have noticed nothing", async (t) => {
  await inLab(({ machines: [one, two, three], system }) =>
    Effect.gen(function* () {
      if (one === undefined || two === undefined || three === undefined) throw new Error("there are machines")
      yield* says(one, two, "before")
      const torn = broadcast("torn")
      one.end.write(torn.subarray(0, 10))
      t.true(system.inject("/lab/switch/node01", Cause.die("a drill")))
      yield* comesAbout("its second life", () => {
        const { connected, incarnation } = port(system, "node01")
        return incarnation === 2 && connected
      })
      yield* says(two, three, "meanwhile")
      one.end.write(torn.subarray(10))
      yield* says(one, two, "after")
      // The torn one may have come when nobody was there; that it did not tear what follows is what counts.
      for (const heard of two.heard) t.true(["before", "torn", "after"].includes(heard), heard)
      t.true(three.heard.includes("after"))
    })
  )
})

test("a cut from one port to another cuts that direction and no other, and a machine may come back at its port", async (t) => {
  await inLab(({ machines: [one, two, three], plug, system }) =>
    Effect.gen(function* () {
      if (one === undefined || two === undefined || three === undefined) throw new Error("there are machines")
      yield* says(one, two, "fair")
      const cut = { loss: 0, duplicate: 0, reorder: 0, delayMillis: 0, jitterMillis: 0, bytesPerSecond: 0 }
      const links = [{ from: "node01", to: "node02", cut: true, ...cut }]
      system.lookup("/lab/switch", Switch)?.tell(new SetWeather({ links }))
      yield* says(two, one, "the other way")
      yield* says(one, three, "past the cut")
      t.false(two.heard.includes("past the cut"))

      const again = machine()
      three.end.destroy()
      plug("node03", again.cable)
      yield* says(one, again, "welcome back")
      t.false(three.heard.includes("welcome back"))
      again.end.destroy()
    })
  )
})
