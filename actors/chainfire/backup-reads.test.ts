import test from "ava"
import { Either } from "effect"
import fc from "fast-check"
import { type BackupPart, BackupReads } from "./backup-reads.ts"

test("whatever the sizes of what is made, and whenever it is read, all of it is read in its order", (t) => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant("read"), fc.uint8Array({ minLength: 1 }))), (steps) => {
      const reads = new BackupReads(0)
      const made: Array<number> = []
      const read: Array<number> = []
      let done = false
      const take = (part: Either.Either<BackupPart, string>) => {
        const { bytes, done: last } = Either.getOrThrow(part)
        read.push(...bytes)
        done = last
      }
      let asked = false
      for (const step of steps) {
        if (typeof step === "string") {
          if (asked) continue
          asked = true
          reads.read((part) => {
            asked = false
            take(part)
          }, 0)
        } else {
          made.push(...step)
          reads.send(0, step)
        }
      }
      reads.finish(undefined)
      for (let turn = 0; turn < 2 && !done; turn++) if (!asked) reads.read(take, 0)
      t.deepEqual(read, made)
      t.true(done)
    })
  )
})

test("the making waits for a slow reader, and goes on when there was a read", (t) => {
  const reads = new BackupReads(0)
  const blob = new Uint8Array(600_000)
  t.true(reads.send(1_000_000, blob))
  t.false(reads.send(400_000, blob))
  let resumed = false
  reads.drained(() => {
    resumed = true
  })
  t.false(resumed)
  reads.read((part) => t.is(Either.getOrThrow(part).bytes.length, 1_200_000), 5)
  t.true(resumed)
  t.is(reads.idleMillis(30_005), 30_000)
})

test("one that is given up ends its making, and its reader learns why", (t) => {
  const reads = new BackupReads(0)
  const said: Array<unknown> = []
  reads.read((part) => said.push(part), 0)
  let resumed = false
  reads.drained(() => {
    resumed = true
  })
  reads.giveUp("nobody read on")
  reads.read((part) => said.push(part), 1)
  t.deepEqual(said, [Either.left("nobody read on"), Either.left("nobody read on")])
  t.true(resumed && reads.ended)
})
