import test from "ava"
import { memoryTables } from "./fixtures/memory-table.ts"
import { Mvcc } from "./mvcc.ts"
import { Sweeper } from "./sweeper.ts"

const key = (name: string) => new TextEncoder().encode(name)

const filled = () => {
  const tables = memoryTables()
  const mvcc = new Mvcc(tables)
  for (let round = 0; round < 20; round++) {
    mvcc.begin()
    mvcc.put(key(`k${round % 4}`), key(`${round}`))
    mvcc.commit()
  }
  return { mvcc, tables, sweeper: new Sweeper(mvcc) }
}

test("after a compaction it goes on until nothing unreachable is left", (t) => {
  const { mvcc, sweeper, tables } = filled()
  t.true(sweeper.isDone)
  mvcc.compact(21)
  t.false(sweeper.isDone)
  for (let steps = 0; !sweeper.isDone; steps++) {
    t.true(steps < 20)
    sweeper.step(3)
  }
  t.is(sweeper.sweptRevision, 21)
  t.is(tables.history.size, 0)
  t.is(tables.changes.size, 4)
})

test("a compaction that comes in the middle of a pass is swept by a pass of its own", (t) => {
  const { mvcc, sweeper, tables } = filled()
  mvcc.compact(8)
  sweeper.step(12)
  mvcc.compact(21)
  while (sweeper.sweptRevision < 8) sweeper.step(12)
  t.false(sweeper.isDone)
  while (!sweeper.isDone) sweeper.step(12)
  t.is(tables.history.size, 0)
})

test("while anybody holds it, nothing is removed", (t) => {
  const { mvcc, sweeper, tables } = filled()
  mvcc.compact(21)
  const [first, second] = [sweeper.hold(), sweeper.hold()]
  sweeper.step(100)
  first()
  // Whoever lets go twice lets go of his own hold only.
  first()
  sweeper.step(100)
  t.is(tables.history.size, 16)
  t.true(sweeper.isHeld)
  second()
  while (!sweeper.isDone) sweeper.step(100)
  t.is(tables.history.size, 0)
})
