import test from "ava"
import { LongWorks, type Wait, type Work, WorkStalled, waitMillisMax, worksMax } from "./long-work.ts"

/** A clock that goes on with every look at it. */
const world = () => {
  const state = { nowMillis: 0, woken: 0 }
  const works = new LongWorks({
    wake: () => void state.woken++,
    nowMillis: () => {
      state.nowMillis += 1
      return state.nowMillis
    }
  })
  const settle = () => {
    for (let turns = 0; state.woken > 0; turns++) {
      if (turns > 10_000) throw new Error("it does not end")
      state.woken = 0
      works.turn()
    }
  }
  return { state, works, settle }
}

test("several get their slices in turn, and each is told its end once", (t) => {
  const { settle, works } = world()
  const steps: Array<string> = []
  function* counting(name: string): Work {
    for (let step = 0; step < 12; step++) {
      steps.push(name)
      yield undefined
    }
  }
  const ends: Array<string> = []
  for (const name of ["a", "b"]) works.start(counting(name), () => ends.push(name))
  settle()
  t.deepEqual(ends, ["a", "b"])
  t.is(works.size, 0)
  // Neither is through before the other has begun.
  t.true(steps.indexOf("b") < steps.lastIndexOf("a"))
})

test("one that waits costs nothing until it is woken, also when that is at once", (t) => {
  const { settle, state, works } = world()
  const gone: Array<() => void> = []
  const later: Wait = (go) => void gone.push(go)
  const atOnce: Wait = (go) => go()
  function* waiting(): Work {
    yield later
    yield atOnce
  }
  let ended = false
  works.start(waiting(), () => {
    ended = true
  })
  settle()
  t.false(ended)
  t.is(state.woken, 0)
  for (const go of gone) {
    go()
    // Whoever calls twice has called once.
    go()
  }
  settle()
  t.true(ended)
})

test("what one throws is its end, and not that of the others", (t) => {
  const { settle, works } = world()
  function* broken(): Work {
    throw new Error("broken")
  }
  function* whole(): Work {
    yield undefined
  }
  const ends: Array<unknown> = []
  works.start(broken(), (problem) => ends.push(problem))
  works.start(whole(), (problem) => ends.push(problem))
  settle()
  t.is(ends.length, 2)
  t.true(ends[0] instanceof Error)
  t.is(ends[1], undefined)
})

test("one that nobody wakes is given up, and lets go of what it holds", (t) => {
  const { settle, state, works } = world()
  let released = false
  function* stuck(): Work {
    try {
      yield () => {}
    } finally {
      released = true
    }
  }
  const ends: Array<unknown> = []
  works.start(stuck(), (problem) => ends.push(problem))
  settle()
  works.expire()
  t.is(ends.length, 0)
  state.nowMillis += waitMillisMax
  works.expire()
  t.true(released)
  t.true(ends[0] instanceof WorkStalled)
})

test("one that is woken again and again, and never gets through, is given up as well", (t) => {
  const { settle, state, works } = world()
  let go = () => {}
  function* slow(): Work {
    for (;;)
      yield (next) => {
        go = next
      }
  }
  const ends: Array<unknown> = []
  works.start(slow(), (problem) => ends.push(problem))
  for (let hours = 0; hours < 7; hours++) {
    settle()
    works.expire()
    t.is(ends.length, hours < 6 ? 0 : 1)
    state.nowMillis += 60 * 60_000
    go()
  }
  t.true(ends[0] instanceof WorkStalled)
})

test("there is a bound", (t) => {
  const { works } = world()
  function* idle(): Work {
    yield () => {}
  }
  for (let count = 0; count < worksMax; count++) t.true(works.start(idle(), () => {}))
  t.false(works.start(idle(), () => t.fail()))
})
