import test from "ava"
import { decodeState, encodeState } from "./stored-state.ts"

test("an empty store is at revision 1, and was never compacted", (t) => {
  t.deepEqual(decodeState(undefined), { index: 0, term: 0, revision: 1, compactRevision: -1 })
})

test("what is written is read", (t) => {
  const state = { index: 2 ** 50, term: 7, revision: 2 ** 40, compactRevision: 12 }
  t.deepEqual(decodeState(encodeState(state)), state)
})
