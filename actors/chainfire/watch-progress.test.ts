import test from "ava"
import { WatchProgress } from "./watch-progress.ts"

test("each is told at its own time, a little more than the interval apart, until it leaves", (t) => {
  const progress = new WatchProgress(1_000, () => 0.5)
  const told: Array<string> = []
  const teller = (name: string) => ({ tellProgress: () => void told.push(name) })
  const [a, b] = [teller("a"), teller("b")]
  progress.add(a)
  progress.look(0)
  progress.look(1_000)
  progress.add(b)
  progress.look(1_049)
  t.deepEqual(told, [])
  progress.look(1_050)
  t.deepEqual(told, ["a"])
  progress.add(a)
  progress.look(2_099)
  t.deepEqual(told, ["a", "b"])
  progress.look(2_100)
  t.deepEqual(told, ["a", "b", "a"])
  progress.remove(a)
  progress.remove(b)
  progress.look(9_000)
  t.is(told.length, 3)
  t.is(progress.size, 0)
})
