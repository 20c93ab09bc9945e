/** A journal on files whose writes take their time, which those of a simulated disk do not show. */
import test from "ava"
import { Effect } from "effect"
import type { BlockDirectory, BlockFile } from "../ports/block-files.ts"
import { journalLimits } from "../ports/journal.ts"
import { openJournal } from "./segmented-journal.ts"

/** In memory. What is written is there once `land` is called, and not before. */
const slowFiles = () => {
  const writes: Array<() => void> = []
  const fileOf = (name: string, size: number, head: Uint8Array): BlockFile => {
    const content = new Uint8Array(size)
    content.set(head)
    return {
      name,
      size: () => content.length,
      read: (position, length) => content.slice(position, position + length),
      write: (position, bytes, done) => {
        writes.push(() => {
          content.set(bytes, position)
          done(undefined)
        })
      },
      sync: (done) => queueMicrotask(() => done(undefined)),
      cut: (_position, _size, done) => queueMicrotask(() => done(undefined)),
      close: () => {}
    }
  }
  const directory: BlockDirectory = {
    path: "journal",
    list: () => [],
    open: (name) => fileOf(name, 0, new Uint8Array()),
    create: (name, head, size, done) => queueMicrotask(() => done(fileOf(name, size, head))),
    remove: (_names, done) => queueMicrotask(() => done(undefined))
  }
  const land = () => {
    for (const write of writes.splice(0)) write()
  }
  return { directory, land, waiting: () => writes.length }
}

const turn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

test("what was synced is read together with what is on its way to the disk", async (t) => {
  const { directory, land, waiting } = slowFiles()
  const entry = (index: number) => ({
    group: 1,
    index,
    term: 1,
    bytes: new TextEncoder().encode(`entry ${index}`)
  })
  const story = Effect.gen(function* () {
    const limits = { ...journalLimits, segmentBytes: 256 * 1024 }
    const journal = yield* openJournal({ directory, limits, soon: queueMicrotask, salt: () => 7 })
    const landed = Effect.gen(function* () {
      while (waiting() === 0) yield* turn
      land()
      yield* turn
    })
    journal.append([entry(1), entry(2)])
    journal.sync(() => {})
    yield* landed
    journal.append([entry(3), entry(4)])
    journal.sync(() => {})
    yield* turn
    t.is(waiting(), 1, "they are on their way")
    const texts = () => journal.read(1, 1, 9, 1e9).map(({ bytes }) => new TextDecoder().decode(bytes))
    t.deepEqual(texts(), ["entry 1", "entry 2", "entry 3", "entry 4"])
    yield* landed
    t.deepEqual(texts(), ["entry 1", "entry 2", "entry 3", "entry 4"])
    closing = setInterval(land, 1)
  })
  // The end of a journal writes once more.
  let closing: NodeJS.Timeout | undefined
  await Effect.runPromise(Effect.scoped(story)).finally(() => clearInterval(closing))
})
