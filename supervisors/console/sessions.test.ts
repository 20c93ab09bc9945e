import test from "ava"
import { refusalsMax, Sessions, sessionMillisMax, sessionsMax } from "./sessions.ts"

test("a session knows its token until it is closed or old", (t) => {
  const sessions = new Sessions()
  const name = sessions.open("secret", 0)
  t.is(sessions.tokenOf(name, sessionMillisMax - 1), "secret")
  t.is(sessions.tokenOf(name, sessionMillisMax), undefined)
  t.is(sessions.tokenOf("another", 0), undefined)
  sessions.close(name)
  t.is(sessions.tokenOf(name, 0), undefined)
})

test("of too many sessions the oldest ends", (t) => {
  const sessions = new Sessions()
  const names = Array.from({ length: sessionsMax + 1 }, (_, index) => sessions.open(`${index}`, index))
  t.is(sessions.size, sessionsMax)
  t.is(sessions.tokenOf(names[0] ?? "", 200), undefined)
  t.is(sessions.tokenOf(names[1] ?? "", 200), "1")
  t.is(sessions.tokenOf(names.at(-1) ?? "", 200), `${sessionsMax}`)
})

test("whoever tries tokens has to wait, and not for ever", (t) => {
  const sessions = new Sessions()
  for (let count = 0; count < refusalsMax; count++) {
    t.is(sessions.waitMillis(count * 1_000), 0)
    sessions.refused(count * 1_000)
  }
  t.is(sessions.waitMillis(10_000), 50_000)
  t.is(sessions.waitMillis(60_001), 0)
})
