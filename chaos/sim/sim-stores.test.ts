import test from "ava"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { storeContract } from "#actors/kernel/fixtures/store-contract.ts"
import {
  applyBatch,
  holds,
  type ModelWrite,
  randomBatch,
  type StoreModel,
  writesOf
} from "#actors/kernel/fixtures/store-model.ts"
import { type StoreLimits, Stores } from "#actors/kernel/ports/store.ts"
import { fairDisk, SimDisk } from "./sim-disk.ts"
import { SimWorld } from "./world.ts"

const storesOn = (disk: SimDisk, limits?: Partial<StoreLimits>) =>
  Effect.map(Layer.build(disk.layer(limits)), (context) => Context.get(context, Stores))

for (const { check, title } of storeContract) {
  test(`stores on a simulated disk: ${title}`, (t) => {
    for (let seed = 1; seed <= 3; seed++) {
      const world = new SimWorld(seed)
      const disks = new Map<string, SimDisk>()
      const open = (name: string, limits?: Partial<StoreLimits>) =>
        Effect.suspend(() => {
          const disk = disks.get(name) ?? new SimDisk(world)
          disks.set(name, disk)
          return Effect.provide(storesOn(disk, limits), world.layer)
        })
      world.run(Effect.scoped(check({ open })))
    }
    t.pass()
  })
}

/** Batches, and crashes between and within flushes. Why it failed, if it did. */
const crashing = (seed: number, plant: (disk: SimDisk) => void = () => {}): string | undefined => {
  const world = new SimWorld(seed)
  const disk = new SimDisk(world)
  plant(disk)
  const { prng } = world
  const below = (bound: number) => prng.below(bound)
  let batches: Array<ReadonlyArray<ModelWrite>> = []
  let flushed = 0
  const modelAfter = (count: number) => {
    const model: StoreModel = new Map()
    for (const batch of batches.slice(0, count)) applyBatch(model, batch)
    return model
  }
  const life = Effect.gen(function* () {
    const scope = yield* Scope.make()
    const stores = yield* Scope.extend(storesOn(disk), scope)
    const store = yield* stores.open("things")
    let count = batches.length
    while (!holds(store, modelAfter(count))) {
      if (--count < flushed) throw new Error(`it is at no boundary from ${flushed} to ${batches.length}`)
    }
    batches = batches.slice(0, count)
    flushed = count
    for (let round = below(40); round >= 0; round--) {
      const batch = randomBatch(below)
      stores.write(writesOf(store, batch))
      batches.push(batch)
      const upTo = batches.length
      if (below(4) === 0)
        stores.onFlushed((fault) => {
          if (fault === undefined) flushed = Math.max(flushed, upTo)
        })
      if (below(3) === 0) yield* Effect.sleep(prng.next() * 30)
    }
    if (!holds(store, modelAfter(batches.length))) throw new Error("it does not hold what was written")
    if (below(5) === 0) return yield* Scope.close(scope, Exit.void)
    if (below(3) === 0) disk.kill()
    else disk.powerOff()
    disk.powerOn()
  })
  for (let crash = 0; crash < 6; crash++) {
    try {
      world.run(life)
    } catch (cause) {
      return String(cause)
    }
  }
  return undefined
}

test("after a crash the stores are between two batches, and none that was flushed is missing", (t) => {
  for (let seed = 1; seed <= 60; seed++) t.is(crashing(seed), undefined, `seed ${seed}`)
})

test("stores that call durable what is not are found out", (t) => {
  const lie = (disk: SimDisk) => {
    disk.lies = true
  }
  t.true([1, 2, 3, 4, 5].some((seed) => crashing(seed, lie) !== undefined))
})

test("after EIO and ENOSPC nothing more is taken, reads go on, and what was flushed is there again", (t) => {
  for (const weather of [
    { ...fairDisk, ioErrors: 1 },
    { ...fairDisk, bytesMax: 1_000 }
  ]) {
    const world = new SimWorld(7)
    const disk = new SimDisk(world)
    world.run(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const stores = yield* Scope.extend(storesOn(disk), scope)
        const store = yield* stores.open("things")
        const value = new Uint8Array(800)
        const key = (number: number) => Uint8Array.of(number)
        stores.write([{ op: "put", store, key: key(1), value }])
        yield* stores.flushed
        disk.weather = weather
        stores.write([{ op: "put", store, key: key(2), value }])
        const fault = yield* Effect.flip(stores.flushed)
        t.true(["StorageBroken", "StorageFull"].includes(fault._tag))
        t.false(fault.definite)
        t.throws(() => stores.write([{ op: "delete", store, key: key(1) }]), { message: fault.message })
        t.is(store.get(key(2))?.length, 800)
        disk.weather = fairDisk
        t.is((yield* Effect.flip(stores.flushed))._tag, fault._tag)
        yield* Scope.close(scope, Exit.void)
        const again = yield* storesOn(disk)
        const reopened = yield* again.open("things")
        t.is([...reopened.range()].length, 1)
      }).pipe(Effect.scoped)
    )
  }
})

test("who opens a store after the disk has failed begins from what is durable, and others stay cut off", (t) => {
  const world = new SimWorld(8)
  const disk = new SimDisk(world)
  world.run(
    Effect.gen(function* () {
      const stores = yield* storesOn(disk)
      const [store, others] = [yield* stores.open("things"), yield* stores.open("others")]
      const put = (into: typeof store, number: number) =>
        stores.write([{ op: "put", store: into, key: Uint8Array.of(number), value: new Uint8Array(8) }])
      put(store, 1)
      yield* stores.flushed
      disk.weather = { ...fairDisk, ioErrors: 1 }
      put(store, 2)
      const fault = yield* Effect.flip(stores.flushed)
      disk.weather = fairDisk
      const again = yield* stores.open("things")
      t.deepEqual(
        [...again.range()].map(({ key }) => key[0]),
        [1]
      )
      put(again, 3)
      yield* stores.flushed
      for (const old of [store, others]) t.throws(() => put(old, 4), { message: fault.message })
      put(yield* stores.open("others"), 5)
      yield* stores.flushed
      t.is([...again.range()].length, 2)
    }).pipe(Effect.scoped)
  )
})
