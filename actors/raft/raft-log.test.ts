import test from "ava"
import { Prng } from "#chaos/sim/prng.ts"
import { RaftBug } from "./raft-check.ts"
import { RaftLog } from "./raft-log.ts"
import type { Entry } from "./raft-messages.ts"

const entry = (index: number, term: number): Entry => ({
  index,
  term,
  kind: "normal",
  data: new Uint8Array(8)
})

const logOf = (...terms: ReadonlyArray<number>): RaftLog => {
  const log = new RaftLog()
  for (const [at, term] of terms.entries()) log.append(entry(at + 1, term))
  return log
}

test("terms are known from where it is compacted to the end, and nowhere else", (t) => {
  const log = logOf(1, 1, 2, 5)
  log.compact(2)
  t.deepEqual(
    [1, 2, 3, 4, 5].map((index) => log.termOf(index)),
    [undefined, 1, 2, 5, undefined]
  )
})

test("a log with a later last term is better, and with the same term a longer one", (t) => {
  const log = logOf(1, 1, 2)
  t.true(log.isUpToDate(1, 3))
  t.true(log.isUpToDate(3, 2))
  t.false(log.isUpToDate(2, 2))
  t.false(log.isUpToDate(9, 1))
})

test("the hint is the last index whose term is not later", (t) => {
  const log = logOf(1, 1, 1, 4, 4, 6)
  t.is(log.hint(6, 5), 5)
  t.is(log.hint(6, 3), 3)
  t.is(log.hint(9, 6), 6)
  t.is(log.hint(2, 6), 2)
})

test("gaps and terms that go back are bugs", (t) => {
  t.throws(() => logOf(1).append(entry(3, 1)), { instanceOf: RaftBug })
  t.throws(() => logOf(2).append(entry(2, 1)), { instanceOf: RaftBug })
})

test("what is evicted is not in a slice, and its term is still known", (t) => {
  const log = logOf(1, 1, 1, 2, 2, 2, 2, 2)
  log.evict(6, 4, 1 << 20)
  t.is(log.memoryEntries, 3)
  t.is(log.slice(1, 8, 10, 1 << 20), undefined)
  t.is(log.termOf(2), 1)
  t.deepEqual(
    log.slice(7, 8, 10, 1 << 20)?.map(({ index }) => index),
    [7, 8]
  )
})

test("what is not committed stays, however full the memory is", (t) => {
  const log = logOf(1, 1, 1, 1)
  log.evict(1, 1, 1)
  t.is(log.memoryEntries, 3)
})

test("a slice has at least one entry, and else no more bytes than allowed", (t) => {
  const log = logOf(1, 1, 1, 1)
  t.is(log.slice(1, 4, 10, 1 << 20)?.length, 4)
  t.is(log.slice(1, 4, 10, 1)?.length, 1)
  t.is(log.slice(1, 4, 10, 150)?.length, 2)
  t.is(log.slice(1, 4, 3, 1 << 20)?.length, 3)
})

test("whatever is appended, cut off, evicted and compacted, it agrees with a plain list", (t) => {
  for (let seed = 1; seed <= 300; seed++) {
    const prng = new Prng(seed)
    const log = new RaftLog()
    const terms = [0]
    let base = 0
    let term = 1
    let committed = 0
    for (let turn = 0; turn < 60; turn++) {
      if (prng.chance(0.3)) term++
      const action = prng.below(10)
      if (action < 6) {
        log.append(entry(terms.length, term))
        terms.push(term)
      } else if (action === 6 && terms.length - 1 > committed) {
        const from = committed + 1 + prng.below(terms.length - committed - 1)
        log.truncateFrom(from)
        terms.length = from
      } else if (action === 7) committed += prng.below(terms.length - committed)
      else if (action === 8) log.evict(committed, 3, 1 << 20)
      else if (committed > base) {
        base += prng.below(committed - base + 1)
        log.compact(base)
      }
      t.is(log.lastIndex, terms.length - 1)
      t.is(log.lastTerm, terms.at(-1) ?? 0)
      for (let index = 0; index <= terms.length; index++) {
        const expected = index < base ? undefined : terms[index]
        if (log.termOf(index) !== expected) t.fail(`seed ${seed}: the term of ${index}`)
        const held = log.entry(index)
        if (held !== undefined && held.index !== index) t.fail(`seed ${seed}: the entry ${index}`)
      }
    }
  }
})
