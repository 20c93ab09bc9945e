import test from "ava"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { journalContract } from "#actors/kernel/fixtures/journal-contract.ts"
import {
  applyToJournal,
  applyToModel,
  difference,
  type JournalOp,
  modelAfter,
  randomOp
} from "#actors/kernel/fixtures/journal-model.ts"
import { type Journal, Journals } from "#actors/kernel/ports/journal.ts"
import { isStorageFault } from "#actors/kernel/ports/storage-faults.ts"
import { fairDisk, SimDisk } from "./sim-disk.ts"
import { SimWorld } from "./world.ts"

const limits = { segmentBytes: 8 * 1024, segmentsMax: 6, pendingBytesMax: 256 * 1024 }

const journalsOn = (disk: SimDisk) =>
  Effect.map(Layer.build(disk.layer()), (context) => Context.get(context, Journals))

for (const { check, title } of journalContract) {
  test(`journal on a simulated disk: ${title}`, (t) => {
    for (let seed = 1; seed <= 5; seed++) {
      const world = new SimWorld(seed)
      const disk = new SimDisk(world)
      world.run(Effect.scoped(Effect.flatMap(journalsOn(disk), check)))
    }
    t.pass()
  })
}

interface Run {
  readonly crashes: number
  readonly fault: string | undefined
}

/** Random operations, with the power cut or the process killed somewhere, again and again. */
const crashing = (seed: number, plant: (disk: SimDisk) => void = () => {}): Run => {
  const world = new SimWorld(seed)
  const disk = new SimDisk(world)
  const { prng } = world
  plant(disk)
  const below = (bound: number) => prng.below(bound)
  let ops: Array<JournalOp> = []
  const life = Effect.gen(function* () {
    const scope = yield* Scope.make()
    const journals = yield* Scope.extend(journalsOn(disk), scope)
    const journal: Journal = yield* Scope.extend(journals.open(limits), scope)
    const count = yield* Effect.sync(() => survivorsOf(journal, ops, acknowledged))
    ops = ops.slice(0, count)
    acknowledged = count
    const model = modelAfter(ops)
    const rounds = 5 + below(60)
    for (let round = 0; round < rounds; round++) {
      for (let many = below(6); many >= 0; many--) {
        const made = randomOp(model, below, 900)
        applyToJournal(journal, made)
        applyToModel(model, made)
        ops.push(made)
      }
      const upTo = ops.length
      journal.sync((fault) => {
        if (fault === undefined) acknowledged = Math.max(acknowledged, upTo)
      })
      if (below(3) === 0) yield* Effect.sleep(prng.next() * 8)
    }
    if (below(6) === 0) yield* Scope.close(scope, Exit.void)
    else if (below(4) === 0) disk.kill()
    else {
      disk.powerOff()
      disk.powerOn()
    }
  })
  let acknowledged = 0
  const crashes = 8
  for (let crash = 0; crash < crashes; crash++) {
    try {
      world.run(life)
    } catch (cause) {
      return { crashes: crash, fault: cause instanceof Error ? cause.message : String(cause) }
    }
  }
  return { crashes, fault: undefined }
}

/** How many of the operations it holds: none that was acknowledged is missing, and none is there by halves. */
const survivorsOf = (journal: Journal, ops: ReadonlyArray<JournalOp>, acknowledged: number): number => {
  for (let count = ops.length; count >= acknowledged; count--)
    if (difference(journal, modelAfter(ops.slice(0, count))) === undefined) return count
  const why = difference(journal, modelAfter(ops.slice(0, acknowledged)))
  throw new Error(`of ${ops.length} operations ${acknowledged} were acknowledged, and ${why}`)
}

test("through power cuts with torn sectors nothing acknowledged is lost and nothing torn is read", (t) => {
  for (let seed = 1; seed <= 60; seed++)
    t.deepEqual(crashing(seed), { crashes: 8, fault: undefined }, `${seed}`)
})

test("a disk that acknowledges before it writes is found out", (t) => {
  const found = [1, 2, 3, 4, 5].map((seed) =>
    crashing(seed, (disk) => {
      disk.lies = true
    })
  )
  t.true(found.some(({ fault }) => fault !== undefined))
})

test("with EIO and ENOSPC the journal stops with that fault, and nothing acknowledged is lost", (t) => {
  let faults = 0
  for (let seed = 1; seed <= 40; seed++) {
    const world = new SimWorld(seed)
    const disk = new SimDisk(world)
    const { prng } = world
    const below = (bound: number) => prng.below(bound)
    const ops: Array<JournalOp> = []
    let acknowledged = 0
    world.run(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const journals = yield* Scope.extend(journalsOn(disk), scope)
        const journal = yield* Scope.extend(journals.open(limits), scope)
        disk.weather = { ...fairDisk, ioErrors: seed % 2 === 0 ? 0.05 : 0, bytesMax: 60_000 }
        const model = modelAfter([])
        try {
          for (;;) {
            const made = randomOp(model, below, 900)
            applyToJournal(journal, made)
            applyToModel(model, made)
            ops.push(made)
            const upTo = ops.length
            const synced = yield* Effect.either(journal.synced)
            if (synced._tag === "Right") acknowledged = upTo
          }
        } catch (cause) {
          t.true(isStorageFault(cause), String(cause))
          faults++
        }
        // Refused now and for ever, whatever the weather.
        disk.weather = fairDisk
        t.throws(() => journal.append([{ group: 1, index: 1, term: 1, bytes: new Uint8Array(1) }]))
        t.is((yield* Effect.either(journal.synced))._tag, "Left")
        disk.powerOff()
        disk.powerOn()
        const again = yield* Scope.make()
        const reopened = yield* Scope.extend(journalsOn(disk), again)
        survivorsOf(yield* Scope.extend(reopened.open(limits), again), ops, acknowledged)
      })
    )
  }
  t.is(faults, 40)
})

test("a byte that rots is a fault or cuts the last batch: no entry is ever another one", (t) => {
  let [corrupt, fine] = [0, 0]
  for (let seed = 1; seed <= 150; seed++) {
    const world = new SimWorld(seed)
    const disk = new SimDisk(world)
    const below = (bound: number) => world.prng.below(bound)
    const ops: Array<JournalOp> = []
    const cleanly = seed % 2 === 0
    let unsealed = 0
    world.run(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const journals = yield* Scope.extend(journalsOn(disk), scope)
        const journal = yield* Scope.extend(journals.open(limits), scope)
        const model = modelAfter([])
        for (let count = 0; count < 80; count++) {
          const made = randomOp(model, below, 300)
          applyToJournal(journal, made)
          applyToModel(model, made)
          ops.push(made)
          if (below(3) > 0) continue
          yield* journal.synced
          if (ops.length < 80) unsealed = ops.length
        }
        yield* journal.synced
        if (cleanly) yield* Scope.close(scope, Exit.void)
        else disk.kill()
      })
    )
    disk.rot()
    const read = Effect.gen(function* () {
      const scope = yield* Scope.make()
      const journals = yield* Scope.extend(journalsOn(disk), scope)
      return yield* Effect.either(Scope.extend(journals.open(limits), scope))
    })
    const outcome = world.run(read)
    if (outcome._tag === "Left") {
      t.true(["StorageCorrupt", "StorageNewer"].includes(outcome.left._tag))
      corrupt++
      continue
    }
    // Behind the seal of a clean end nothing is ever cut; else the batch that was the last may be.
    survivorsOf(outcome.right, ops, cleanly ? ops.length : unsealed)
    fine++
  }
  t.true(corrupt > 50 && fine > 0, `${corrupt} faults, ${fine} that did not matter`)
})
