import test from "ava"
import { Either } from "effect"
import { SnapshotRefused } from "#actors/kernel/ports/storage-faults.ts"
import { etcdErrors, GrpcCode } from "#protocols/wire/etcd/errors.ts"
import { faultOfWork, TooMuchWork, type WorkPlace, withBackend, withSweepHeld } from "./etcd-work.ts"
import { Local } from "./fixtures/local.ts"
import { readsOf } from "./fixtures/snapshot-file.ts"
import { LongWorks, type Work, WorkStalled, worksMax } from "./long-work.ts"
import { Sweeper } from "./sweeper.ts"

function* idle(): Work {
  yield () => {}
}

const place = (refused?: SnapshotRefused) => {
  const { machine, tables } = new Local()
  const state = { released: 0, woken: 0 }
  const works = new LongWorks({ wake: () => void state.woken++, nowMillis: () => 0 })
  const reads = {
    meta: readsOf(tables.meta),
    leases: readsOf(tables.leases),
    users: readsOf(tables.users),
    roles: readsOf(tables.roles)
  }
  const endpoint: WorkPlace = {
    changes: { members: [] },
    works,
    member: { sweeper: new Sweeper(machine.mvcc) },
    snapshot: (done) =>
      done(
        refused === undefined
          ? Either.right({ reads, release: () => void state.released++ })
          : Either.left(refused)
      )
  }
  const settle = () => {
    for (let turns = 0; turns < 100 && state.woken > 0; turns++) {
      state.woken = 0
      works.turn()
    }
  }
  return { endpoint, settle, state }
}

test("the sweep is held until the work has ended, however it ends", (t) => {
  for (const problem of [undefined, new Error("no")]) {
    const { endpoint, settle, state } = place()
    const { sweeper } = endpoint.member
    const ends: Array<unknown> = []
    function* use(): Work {
      t.true(sweeper.isHeld)
      yield undefined
      if (problem !== undefined) throw problem
    }
    withBackend(endpoint, use, (ended) => ends.push(ended))
    t.true(sweeper.isHeld)
    settle()
    t.false(sweeper.isHeld)
    t.true(state.released > 0)
    t.deepEqual(ends, [problem])
  }
})

test("without a snapshot of the store, or with too much work, it ends at once", (t) => {
  const refused = new SnapshotRefused({ reason: "32 are held" })
  const ends: Array<unknown> = []
  const without = place(refused)
  withBackend(without.endpoint, idle, (problem) => ends.push(problem))
  t.false(without.endpoint.member.sweeper.isHeld)
  const busy = place()
  for (let count = 0; count < worksMax; count++) busy.endpoint.works.start(idle(), () => {})
  withBackend(busy.endpoint, idle, (problem) => ends.push(problem))
  withSweepHeld(busy.endpoint, idle(), (problem) => ends.push(problem))
  t.false(busy.endpoint.member.sweeper.isHeld)
  t.is(busy.state.released, 1)
  t.deepEqual(ends, [refused, new TooMuchWork(), new TooMuchWork()])
})

test("clients are told what they can do about it; a bug is none of their business", (t) => {
  t.is(faultOfWork(new TooMuchWork()), etcdErrors.tooManyRequests)
  const stalled = faultOfWork(new WorkStalled({ millis: 300_000 }))
  t.is(stalled.code, GrpcCode.unavailable)
  t.regex(stalled.message, /^etcdserver: nobody has read on in time, for 300 s/)
  t.throws(() => faultOfWork(new TypeError("oops")), { instanceOf: TypeError })
})
