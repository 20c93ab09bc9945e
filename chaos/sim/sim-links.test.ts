import test from "ava"
import { Context, Effect, Layer } from "effect"
import { linksContract } from "#actors/kernel/fixtures/links-contract.ts"
import { type Link, type LinkListener, Links, silenceMillisMax } from "#actors/kernel/ports/links.ts"
import type { Introduction } from "#protocols/links.ts"
import { protocolVersion } from "#protocols/wire/frames.ts"
import { fairLinks, SimLinks } from "./sim-links.ts"
import { SimWorld } from "./world.ts"

for (const { check, title } of linksContract) {
  test(`simulated links: ${title}`, (t) => {
    for (let seed = 1; seed <= 10; seed++) {
      const world = new SimWorld(seed)
      const network = new SimLinks(world)
      const node = (introduction: Omit<Introduction, "address">) =>
        Effect.map(
          Layer.build(network.layer({ ...introduction, address: `${introduction.name}:7700` })),
          (context) => Context.get(context, Links)
        )
      world.run(Effect.scoped(check({ node })))
    }
    t.pass()
  })
}

test("what is sent into a cut arrives in order when it heals in time", (t) => {
  const { closed, heard } = between((network, link, side) =>
    Effect.gen(function* () {
      network.partition(["a:7700"], ["b:7700"])
      for (let count = 0; count < 100; count++) link.send([["withdraw", count]])
      yield* Effect.sleep(silenceMillisMax - 1_000)
      network.heal()
      yield* Effect.sleep("1 second")
      return side
    })
  )
  t.deepEqual(
    heard,
    Array.from({ length: 100 }, (_, count) => [["withdraw", count]])
  )
  t.deepEqual(closed, [])
})

for (const how of ["both ways", "one way"] as const) {
  test(`both ends give up a link that is cut ${how} for longer than silence is borne`, (t) => {
    const { closed } = between((network, _link, side) =>
      Effect.gen(function* () {
        if (how === "one way") network.cut("b:7700", "a:7700")
        else network.partition(["a:7700"], ["b:7700"])
        yield* Effect.sleep(silenceMillisMax + 100)
        return side
      })
    )
    t.deepEqual(closed, Array(2).fill(`no sign of it for ${silenceMillisMax} ms`))
  })
}

test("a killed process is missed at once, a machine without power by its silence", (t) => {
  for (const how of ["kill", "powerOff"] as const) {
    const { closed, sooner } = between((network, _link, side) =>
      Effect.gen(function* () {
        network[how]("b:7700")
        yield* Effect.sleep("100 millis")
        const sooner = side.closed.length
        yield* Effect.sleep(silenceMillisMax)
        return { ...side, sooner }
      })
    )
    t.deepEqual([sooner, closed.length], how === "kill" ? [1, 1] : [0, 1])
  }
})

test("one direction is mended alone, and what was sent into it arrives", (t) => {
  const { closed, heard } = between((network, link, side) =>
    Effect.gen(function* () {
      network.partition(["a:7700"], ["b:7700"])
      link.send([["withdraw", 1]])
      yield* Effect.sleep("3 seconds")
      network.mend("b:7700", "a:7700")
      yield* Effect.sleep("1 second")
      t.deepEqual(side.heard, [])
      network.mend("a:7700", "b:7700")
      yield* Effect.sleep("1 second")
      return side
    })
  )
  t.deepEqual([heard, closed], [[[["withdraw", 1]]], []])
})

test("a cut that came after another was mended is borne for its own time", (t) => {
  const { closed } = between((network, _link, side) =>
    Effect.gen(function* () {
      network.cut("a:7700", "b:7700")
      yield* Effect.sleep("1 second")
      network.mend("a:7700", "b:7700")
      network.cut("a:7700", "b:7700")
      yield* Effect.sleep(silenceMillisMax - 500)
      return side
    })
  )
  t.deepEqual(closed, [])
})

test("a link that is closed into a cut is given up by the other end, mended or not", (t) => {
  for (const mends of [true, false]) {
    const { closed } = between((network, link, side) =>
      Effect.gen(function* () {
        network.cut("a:7700", "b:7700")
        link.close("over")
        yield* Effect.sleep("1 second")
        if (mends) network.mend("a:7700", "b:7700")
        t.is(side.closed.length, 1)
        yield* Effect.sleep(silenceMillisMax)
        return side
      })
    )
    t.is(closed.length, 2)
  }
})

test("a process that stands still loses its links when it has been silent for too long", (t) => {
  for (const [seconds, count] of [
    [3, 0],
    [8, 2]
  ] as const) {
    const { closed } = between((network, _link, side) =>
      Effect.gen(function* () {
        network.pause("b:7700")
        yield* Effect.sleep(seconds * 1_000)
        network.resume("b:7700")
        yield* Effect.sleep("10 seconds")
        return side
      })
    )
    t.is(closed.length, count)
  }
})

test("in bad weather everything arrives later, in order, and no faster than the wire carries", (t) => {
  const weather = { ...fairLinks, loss: 0.3, reorder: 0.3, delayMillis: 10, jitterMillis: 40 }
  const { closed, heard } = between((network, link, side) =>
    Effect.gen(function* () {
      network.weather = weather
      for (let count = 0; count < 100; count++) link.send([["withdraw", count]])
      yield* Effect.sleep(9)
      t.deepEqual(side.heard, [])
      yield* Effect.sleep("30 seconds")
      return side
    })
  )
  t.deepEqual(
    heard,
    Array.from({ length: 100 }, (_, count) => [["withdraw", count]])
  )
  t.deepEqual(closed, [])
  between((network, link, side) =>
    Effect.gen(function* () {
      network.weather = { ...fairLinks, bytesPerSecond: 5_000 }
      for (let count = 0; count < 10; count++) link.send([["tell", "/b", "x".repeat(1_000)]])
      yield* Effect.sleep("2 seconds")
      t.true(side.heard.length > 1 && side.heard.length < 10, `${side.heard.length}`)
      yield* Effect.sleep("1 minute")
      t.is(side.heard.length, 10)
      return side
    })
  )
})

test("what no wire would carry is refused where it is sent", (t) => {
  const error = t.throws(() =>
    between((_network, link, side) =>
      Effect.sync(() => {
        link.send([["tell", "/b", () => {}]])
        return side
      })
    )
  )
  t.regex(String(error), /could not be cloned/)
})

interface Side {
  readonly heard: ReadonlyArray<unknown>
  readonly closed: ReadonlyArray<string>
}

/** A link from node a to node b, and what b has heard on it; closings of both ends. */
const between = <A>(body: (network: SimLinks, link: Link, side: Side) => Effect.Effect<A>): A => {
  const world = new SimWorld(1)
  const network = new SimLinks(world)
  const heard: Array<unknown> = []
  const closed: Array<string> = []
  const listener: LinkListener = {
    onBatch: (batch) => void heard.push(batch),
    onClosed: (reason) => void closed.push(reason)
  }
  const introduce = (name: string): Introduction => ({
    protocol: protocolVersion,
    cluster: "test",
    name,
    bootId: name,
    address: `${name}:7700`
  })
  const linking = Effect.gen(function* () {
    const a = Context.get(yield* Layer.build(network.layer(introduce("a"))), Links)
    const b = Context.get(yield* Layer.build(network.layer(introduce("b"))), Links)
    yield* b.admit("nodes", { refuses: () => undefined, opened: () => listener })
    const link = yield* a.dial("b:7700", () => listener)
    const outcome = yield* body(network, link, { heard, closed })
    // Closing the layers closes the link once more.
    return structuredClone(outcome)
  })
  return world.run(Effect.scoped(linking))
}
