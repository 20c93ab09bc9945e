import test from "ava"
import { Effect, type Scope } from "effect"
import { Datagrams } from "#actors/kernel/ports/datagrams.ts"
import { SimDatagrams } from "./sim-datagrams.ts"
import { SimWorld } from "./world.ts"

test("a packet arrives as a copy, with the address of its sender, and not inside send", (t) => {
  const { atOnce, heard, packet } = play(1, (datagrams) =>
    Effect.gen(function* () {
      const heard: Array<readonly [string, unknown]> = []
      yield* listening(datagrams, "b", (from, packet) => void heard.push([from, packet]))
      const packet = { list: [1, 2] }
      datagrams.send("a", "b", packet)
      const atOnce = heard.length
      yield* Effect.sleep(10)
      return { atOnce, heard, packet }
    })
  )
  t.is(atOnce, 0)
  t.deepEqual(heard, [["a", packet]])
  t.not(heard[0]?.[1], packet)
})

test("packets are lost, doubled and reordered as the weather has it", (t) => {
  const heard = play(1, (datagrams) =>
    Effect.gen(function* () {
      const heard: Array<unknown> = []
      yield* listening(datagrams, "b", (_from, packet) => void heard.push(packet))
      datagrams.weather = { loss: 0.2, duplicate: 0.1, delayMillisMax: 100 }
      for (let index = 0; index < 10_000; index++) datagrams.send("a", "b", index)
      yield* Effect.sleep(200)
      return heard
    })
  )
  t.true(Math.abs(heard.length - 8_800) < 300, `${heard.length} arrived`)
  t.true(heard.length - new Set(heard).size > 400)
  t.notDeepEqual(heard, heard.toSorted())
})

test("a cut link loses one way, a partition both, and healing mends both", (t) => {
  const heard = play(1, (datagrams) =>
    Effect.gen(function* () {
      const heard: Array<string> = []
      for (const name of ["a", "b"])
        yield* listening(datagrams, name, (from, packet) => void heard.push(`${from}${name}${packet}`))
      const both = (round: number) => {
        datagrams.send("a", "b", round)
        datagrams.send("b", "a", round)
        return Effect.sleep(10)
      }
      datagrams.cut("a", "b")
      yield* both(1)
      datagrams.partition(["a"], ["b"])
      yield* both(2)
      datagrams.heal()
      yield* both(3)
      return heard.toSorted()
    })
  )
  t.deepEqual(heard, ["ab3", "ba1", "ba3"])
})

test("nobody hears anything once the scope has closed or the node is unplugged", (t) => {
  const heard = play(1, (datagrams) =>
    Effect.gen(function* () {
      const heard: Array<unknown> = []
      yield* Effect.scoped(listening(datagrams, "a", (_from, packet) => void heard.push(packet)))
      yield* listening(datagrams, "b", (_from, packet) => void heard.push(packet))
      datagrams.unplug("b")
      datagrams.send("x", "a", 1)
      datagrams.send("x", "b", 2)
      yield* Effect.sleep(10)
      return heard
    })
  )
  t.deepEqual(heard, [])
})

const listening = (
  datagrams: SimDatagrams,
  address: string,
  receive: (from: string, packet: unknown) => void
) => Effect.flatMap(Datagrams, (port) => port.listen(receive)).pipe(Effect.provide(datagrams.layer(address)))

const play = <A>(
  seed: number,
  body: (datagrams: SimDatagrams) => Effect.Effect<A, never, Scope.Scope>
): A => {
  const world = new SimWorld(seed)
  return world.run(Effect.scoped(body(new SimDatagrams(world))))
}
