import test from "ava"
import { Context, Effect, Layer } from "effect"
import fc from "fast-check"
import { Stores } from "#actors/kernel/ports/store.ts"
import { SimDisk } from "#chaos/sim/sim-disk.ts"
import { SimWorld } from "#chaos/sim/world.ts"
import { MemoryTable } from "./fixtures/memory-table.ts"
import { StoreTables, storeNames, storesOf } from "./store-tables.ts"

/** On a simulated disk. */
const withTables = <A>(use: (tables: StoreTables) => A): A => {
  const world = new SimWorld(1)
  const disk = new SimDisk(world)
  return world.run(
    Effect.scoped(
      Effect.gen(function* () {
        const environment = Context.get(yield* Layer.build(disk.layer()), Stores)
        const opened = yield* Effect.forEach(storeNames, (name) => environment.open(name))
        return use(new StoreTables({ environment, stores: storesOf(opened) }))
      })
    )
  )
}

const bytes = fc.uint8Array({ minLength: 1, maxLength: 2, max: 3 })
const step = fc.oneof(
  fc.record({ what: fc.constant("put" as const), key: bytes, value: bytes }),
  fc.record({ what: fc.constant("delete" as const), key: bytes, value: bytes }),
  fc.record({ what: fc.constant("write" as const), key: bytes, value: bytes }),
  fc.record({ what: fc.constant("range" as const), key: bytes, value: bytes })
)

test("what is gathered and what is written reads as one table, in order", (t) => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 40 }),
      fc.option(fc.nat({ max: 3 })),
      fc.boolean(),
      (steps, limit, reverse) => {
        withTables((tables) => {
          const model = new MemoryTable()
          for (const { key, value, what } of steps) {
            if (what === "put") for (const table of [model, tables.current]) table.put(key, value)
            if (what === "delete") for (const table of [model, tables.current]) table.delete(key)
            if (what === "write") tables.write()
            t.deepEqual(plain(tables.current.get(key)), plain(model.get(key)))
            const options = { reverse, ...(limit !== null && { limit }) }
            const shown = (table: typeof tables.current) =>
              [...table.range(key, value, options)].map(([place, held]) => [plain(place), plain(held)])
            t.deepEqual(shown(tables.current), shown(model))
            t.deepEqual([...tables.history.range(new Uint8Array(0), undefined)], [])
          }
        })
      }
    ),
    { numRuns: 150 }
  )
})

test("bounds and keys longer than any that there can be are no trouble", (t) => {
  withTables(({ current }) => {
    current.put(Uint8Array.of(1), Uint8Array.of(1))
    const long = new Uint8Array(5_000).fill(7)
    t.is(current.get(long), undefined)
    t.is([...current.range(new Uint8Array(0), long)].length, 1)
    t.is([...current.range(long, undefined)].length, 0)
  })
})

const plain = (data: Uint8Array | undefined): string | undefined =>
  data === undefined ? undefined : [...data].join()
