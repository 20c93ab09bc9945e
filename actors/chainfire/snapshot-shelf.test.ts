import test from "ava"
import { Context, Effect, Layer, Scope } from "effect"
import { type Store, Stores, type Write } from "#actors/kernel/ports/store.ts"
import { Membership } from "#actors/raft/raft-membership.ts"
import type { Snapshot } from "#actors/raft/raft-messages.ts"
import { Compartment } from "#chaos/sim/compartment.ts"
import { SimDisk } from "#chaos/sim/sim-disk.ts"
import { SimWorld } from "#chaos/sim/world.ts"
import { type Slices, SnapshotShelf } from "./snapshot-shelf.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const membership = new Membership([1, 2, 3], [4])
const chunkBytes = 16_000

interface Shelf {
  readonly shelf: SnapshotShelf
  readonly things: Store
  readonly pieces: Store
  readonly write: (writes: ReadonlyArray<Write>) => void
  readonly carryOut: (slices: Slices, slicesMax?: number) => Effect.Effect<void, unknown>
}

const opened = (disk: SimDisk, compartment: Compartment): Effect.Effect<Shelf, unknown> =>
  Effect.gen(function* () {
    // Not closed: a machine without power closes nothing.
    const scope = yield* Scope.make()
    const ports = yield* Layer.buildWithScope(disk.layer(), scope)
    const environment = Context.get(ports, Stores)
    const things = yield* environment.open("things")
    const pieces = yield* environment.open("pieces")
    const carryOut = (slices: Slices, slicesMax = Number.POSITIVE_INFINITY) =>
      Effect.gen(function* () {
        for (let count = 0; count < slicesMax; count++) {
          const slice = slices.next()
          if (slice.done === true) return
          if (slice.value === "flushed") yield* environment.flushed
        }
      })
    const shelf = new SnapshotShelf(environment, [things], pieces)
    return { shelf, things, pieces, write: environment.write, carryOut }
  }).pipe(Effect.provide(compartment.layer))

const fill = ({ things, write }: Shelf, count: number, value: string): void =>
  write(
    Array.from({ length: count }, (_, at): Write => {
      const key = bytes(`key ${at}`)
      return { op: "put", store: things, key, value: bytes(`${value} ${at}`) }
    })
  )

const contentOf = ({ things }: Shelf): ReadonlyArray<string> =>
  [...things.range()].map(
    ({ key, value }) => `${new TextDecoder().decode(key)}=${new TextDecoder().decode(value)}`
  )

/** Makes a snapshot and stages it elsewhere, in chunks that have nothing to do with its pieces. */
const sent = (from: Shelf, to: Shelf) =>
  Effect.gen(function* () {
    let size = 0
    yield* from.carryOut(
      from.shelf.make((made) => {
        size = made
      })
    )
    const snapshot: Snapshot = { index: 7, term: 3, membership, id: 99, bytes: size }
    from.shelf.name(snapshot)
    for (let offset = 0; offset < size; offset += chunkBytes) {
      const data = from.shelf.read(snapshot, offset, chunkBytes)
      if (data === undefined) throw new Error("the snapshot is gone")
      to.shelf.stage(snapshot, offset, data)
    }
    return snapshot
  })

const between = (
  body: (from: Shelf, to: Shelf, again: () => Effect.Effect<Shelf, unknown>) => Effect.Effect<void, unknown>
) => {
  const world = new SimWorld(11)
  const disks = [new SimDisk(world), new SimDisk(world)] as const
  let compartment = new Compartment(world)
  world.run(
    Effect.gen(function* () {
      const from = yield* opened(disks[0], new Compartment(world))
      const to = yield* opened(disks[1], compartment)
      yield* body(from, to, () => {
        compartment.powerOff()
        disks[1].powerOff()
        disks[1].powerOn()
        compartment = new Compartment(world)
        return opened(disks[1], compartment)
      })
    })
  )
}

test("a snapshot takes the place of what was there, as it was when it was begun", (t) => {
  between((from, to) =>
    Effect.gen(function* () {
      fill(from, 2_000, "new")
      const before = contentOf(from)
      fill(to, 50, "old")
      const slices = from.shelf.make(() => {})
      yield* from.carryOut(slices, 1)
      fill(from, 2_000, "written while the snapshot was made")
      yield* from.carryOut(slices)
      fill(from, 2_000, "new")
      const snapshot = yield* sent(from, to)
      t.deepEqual(to.shelf.staged, { snapshot, offset: snapshot.bytes })
      let isFilled = false
      yield* to.carryOut(
        to.shelf.install(snapshot, () => {
          isFilled = true
        })
      )
      t.true(isFilled)
      t.deepEqual(contentOf(to), before)
      t.is(to.shelf.staged, undefined)
      t.is([...to.pieces.range()].length, 0, "nothing is left on the shelf")
    })
  )
})

test("another snapshot is not read in the place of the one that was named", (t) => {
  between((from, to) =>
    Effect.gen(function* () {
      fill(from, 10, "one")
      const snapshot = yield* sent(from, to)
      t.is(from.shelf.read({ ...snapshot, id: 98 }, 0, 10), undefined)
      yield* from.carryOut(from.shelf.discard())
      t.is(from.shelf.read(snapshot, 0, 10), undefined)
      t.is([...from.pieces.range()].length, 0)
    })
  )
})

test("an install that a power cut ended in the middle is brought to its end by the next start", (t) => {
  between((from, to, again) =>
    Effect.gen(function* () {
      fill(from, 12_000, "new")
      fill(to, 12_000, "old")
      const snapshot = yield* sent(from, to)
      const slices = to.shelf.install(snapshot, () => t.fail("it was to be ended before"))
      for (;;) {
        yield* to.carryOut(slices, 1)
        const left = [...to.things.range()].length
        if (left !== 12_000) break
      }
      const risen = yield* again()
      let named: Snapshot | undefined
      yield* risen.carryOut(
        risen.shelf.recover((snapshot) => {
          named = snapshot
        })
      )
      t.deepEqual(named, snapshot)
      t.deepEqual(contentOf(risen), contentOf(from))
    })
  )
})

test("what arrived before a power cut and was durable need not be sent again", (t) => {
  between((from, to, again) =>
    Effect.gen(function* () {
      fill(from, 500, "new")
      const snapshot = yield* sent(from, to)
      yield* Effect.sleep("1 second")
      const risen = yield* again()
      t.deepEqual(risen.shelf.staged, { snapshot, offset: snapshot.bytes })
    })
  )
})

test("a snapshot that was damaged on its way is refused, and what was there stays", (t) => {
  between((from, to) =>
    Effect.gen(function* () {
      fill(from, 500, "new")
      fill(to, 5, "old")
      const snapshot = yield* sent(from, to)
      const [piece] = [...to.pieces.range({ reverse: true, limit: 1 })]
      if (piece === undefined) throw new Error("there is no piece")
      const damaged = piece.value.slice()
      const at = damaged.length - 30
      damaged[at] = (damaged[at] ?? 0) ^ 1
      to.write([{ op: "put", store: to.pieces, key: piece.key, value: damaged }])
      const refused = yield* Effect.exit(
        Effect.suspend(() => to.carryOut(to.shelf.install(snapshot, () => t.fail("it was installed"))))
      )
      const fault = refused._tag === "Failure" ? [...new Set([refused.cause])].map(String).join() : ""
      t.regex(fault, /does not verify/)
      t.is(contentOf(to).length, 5)
      t.is(to.shelf.staged, undefined, "it is asked for anew")
    })
  )
})
