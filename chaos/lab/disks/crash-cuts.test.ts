import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import test from "ava"
import { Effect } from "effect"
import { Prng } from "#chaos/sim/prng.ts"
import { drawCuts, openRecording, type Recording, writeImages } from "./crash-cuts.ts"
import { type Logged, writtenLog } from "./fixtures/log-writer.ts"

const write = (byte: number): Logged => ({
  kind: "write",
  sector: byte,
  data: new Uint8Array(512).fill(byte)
})
const flush: Logged = { kind: "flush" }
const entryBytes = 1_024

/** Three disks that write and flush in turn, the second one as twice as much, the third one nothing. */
const withRecording = async (use: (recording: Recording, folder: string) => Promise<void>): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "crash-cuts-"))
  try {
    const logs = [
      [write(1), flush, write(2), flush],
      [write(1), write(2), flush, write(3), write(4), flush],
      []
    ]
    const disks = logs.map((entries, index) => {
      const [basePath, logPath] = [join(folder, `base-${index}`), join(folder, `log-${index}`)]
      writeFileSync(basePath, new Uint8Array(8 * 512))
      writeFileSync(logPath, writtenLog(entries))
      return { name: `node0${index + 1}`, dataFolder: "/node", basePath, logPath }
    })
    const half = [512 + entryBytes + 512, 512 + 2 * entryBytes + 512, 512]
    const whole = disks.map(({ logPath }) => readFileSync(logPath).length)
    const writes = [
      { key: "a", value: "1", acknowledged: { revision: 2, logBytes: half } },
      { key: "a", value: "2", acknowledged: { revision: 3, logBytes: whole } },
      { key: "a", value: "3" }
    ]
    await use({ disks, writes, moments: [[512, 512 + entryBytes, 512]] }, folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

test("the power of several disks goes at one moment of the run", async (t) => {
  await withRecording(async (recording, folder) => {
    const cuts = await Effect.runPromise(
      Effect.map(openRecording(recording, folder), (opened) => drawCuts(opened, 50, new Prng(1))).pipe(
        Effect.scoped
      )
    )
    const drawn = new Set(cuts.map(({ positions }) => positions.join(" ")))
    t.deepEqual([...drawn], ["0 1 0", "2 3 0", "4 6 0"], "in the order of the run")
  })
})

test("the power of a disk alone goes anywhere, mostly after somebody was told something", async (t) => {
  await withRecording(async ({ disks: [, disk], writes }, folder) => {
    if (disk === undefined) throw new Error("there is no second disk")
    const alone = {
      disks: [disk],
      writes: writes.map(({ acknowledged, ...rest }) =>
        acknowledged === undefined
          ? rest
          : { ...rest, acknowledged: { ...acknowledged, logBytes: acknowledged.logBytes.slice(1, 2) } }
      ),
      moments: []
    }
    await Effect.gen(function* () {
      const opened = yield* openRecording(alone, folder)
      const cuts = drawCuts(opened, 300, new Prng(1))
      const positions = cuts.map(({ positions: [position = 0] }) => position)
      t.deepEqual([...new Set(positions)], [0, 1, 2, 3, 4, 5, 6])
      t.true(positions.filter((position) => position < 3).length < 60)
      // After four entries: two that were flushed, and one that may be there.
      const cut = cuts[positions.indexOf(4)]
      if (cut === undefined) throw new Error("no cut after four entries")
      const path = join(folder, "image")
      const [drawn] = yield* writeImages(cut, opened, "flushed", () => path)
      t.like(drawn, { pending: 1, dropped: 1, torn: 0 })
      const image = readFileSync(path)
      t.deepEqual(
        [1, 2, 3, 4].map((sector) => image[512 * sector]),
        [1, 2, 0, 0]
      )
    }).pipe(Effect.scoped, Effect.runPromise)
  })
})
