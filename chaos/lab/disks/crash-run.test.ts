import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import test from "ava"
import { Effect } from "effect"
import { crashImages, type Recording } from "./crash-cuts.ts"
import { crashPoints, renderCrashes } from "./crash-run.ts"
import { type Logged, writtenLog } from "./fixtures/log-writer.ts"
import { difference, hasPrograms, withWrittenDisks } from "./fixtures/node-disk.ts"
import { beginLog, logRoomBytes, rebuildAfterPowerLoss, trimLog } from "./power-loss.ts"
import type { ClientWrite } from "./remembered.ts"

const ext4 = hasPrograms("e2fsck", "debugfs", "mke2fs") ? test : test.skip
const writesEach = 60

const logLength = (entries: ReadonlyArray<Logged>): number => writtenLog(entries).length

/** Acknowledged when the log was so long. */
const at = (writes: ReadonlyArray<ClientWrite>, logBytes: number): ReadonlyArray<ClientWrite> =>
  writes.map((write) => ({
    ...write,
    acknowledged: { revision: write.acknowledged?.revision ?? 0, logBytes: [logBytes] }
  }))

ext4(
  "what a node acknowledged is found on its disk after each flush, and missed where none was",
  async (t) => {
    t.timeout(180_000)
    const folder = mkdtempSync(join(tmpdir(), "crash-run-"))
    try {
      await withWrittenDisks(2, writesEach, async ([first = "", second = ""], [early = [], late = []]) => {
        const [basePath, logPath] = [join(folder, "base"), join(folder, "log")]
        writeFileSync(basePath, "")
        truncateSync(basePath, 160 * 1024 * 1024)
        const flush: Logged = { kind: "flush" }
        const one = [...difference(undefined, first), flush]
        const two = difference(first, second)
        const run = (entries: ReadonlyArray<Logged>, writes: ReadonlyArray<ClientWrite>, count: number) => {
          writeFileSync(logPath, writtenLog(entries))
          const disk = { name: "node01", dataFolder: "/", basePath, logPath }
          const recording: Recording = { disks: [disk], writes, moments: [] }
          return Effect.runPromise(crashPoints(recording, { seed: 1, count, workFolder: folder }))
        }
        const [told, toldLate] = [logLength(one), logLength([...one, ...two, flush])]

        // All is there that was flushed. The file system is there from the first flush on.
        const writes = at(early, told)
        const honest = await run(one, writes, 12)
        t.log(`${honest.millisPerPoint.toFixed(0)} ms a point`)
        const atTheEnd = honest.points - honest.corrupt
        t.true(atTheEnd >= 8, JSON.stringify(honest.findings))
        t.is(honest.lost, 0)
        t.true(honest.due >= 8 * writesEach && honest.due % writesEach === 0)

        // One of them, to boot from: the same image for the same seed.
        const booted = [1, 2].map((number) => join(folder, `boot-${number}`))
        for (const path of booted) {
          const disk = { name: "node01", dataFolder: "/", basePath, logPath }
          const made = crashImages(
            { disks: [disk], writes, moments: [] },
            { seed: 3, workFolder: folder, pathOf: () => path }
          )
          t.true([0, writesEach].includes((await Effect.runPromise(made)).due.length))
        }
        t.is(Buffer.compare(readFileSync(booted[0] ?? ""), readFileSync(booted[1] ?? "")), 0)
        for (const path of booted) rmSync(path)

        // The same with more to come, and all of it: two rounds of writes, each found.
        const whole = await run([...one, ...two, flush], [...at(late, toldLate), ...at(early, toldLate)], 3)
        t.deepEqual([whole.lost, whole.due > 0], [0, true], JSON.stringify(whole.findings))

        // A stack that acknowledges before it flushes: what the clients were told is not there.
        const lying = await run([...one, ...two], [...at(early, told), ...at(late, told)], 10)
        t.true(lying.lost > 0, JSON.stringify(lying))
        t.true(lying.lost + lying.corrupt >= 5)
        t.regex(
          renderCrashes(lying).join("\n"),
          /^10 power cuts, .*\n.*dropped.*\ncut \d+ at \d+: (lost|corrupt): /
        )
        t.regex(lying.findings.flatMap(({ problems }) => problems).join("\n"), /value 1\.\d+ of revision/)
      })
      t.deepEqual(readdirSync(folder).toSorted(), ["base", "log"], "nothing else is left")
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
)

test("a machine boots again from what was flushed, or from any of the rest, and its log begins anew", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "power-loss-"))
  try {
    const [basePath, logPath, imagePath] = [join(folder, "base"), join(folder, "log"), join(folder, "image")]
    const disk = { basePath, logPath, imagePath }
    writeFileSync(imagePath, new Uint8Array(64 * 1024).fill(1))
    const write = (sector: number, byte: number): Logged => ({
      kind: "write",
      sector,
      data: new Uint8Array(4_096).fill(byte)
    })
    await Effect.runPromise(beginLog(disk))
    t.is(readFileSync(logPath).length, 0)
    // The machine runs: its writes are in the image and in the log.
    writeFileSync(imagePath, new Uint8Array(64 * 1024).fill(7))
    writeFileSync(logPath, writtenLog([write(0, 2), { kind: "flush" }, write(8, 3), write(16, 4)]))
    const flushed = await Effect.runPromise(rebuildAfterPowerLoss(disk, { mode: "flushed", seed: 1 }))
    t.deepEqual(flushed, { entries: 4, pending: 2, dropped: 2, torn: 0 })
    const image = readFileSync(imagePath)
    t.deepEqual([image[0], image[4_096], image[8_192], image[16_384]], [2, 1, 1, 1])
    const seen = new Set<string>()
    for (let seed = 0; seed < 60; seed++) {
      await Effect.runPromise(rebuildAfterPowerLoss(disk, { mode: "subset", seed }))
      const [durable, one, other] = [0, 4_096, 8_192].map((offset) => readFileSync(imagePath)[offset])
      t.is(durable, 2)
      seen.add(`${one} ${other}`)
    }
    t.deepEqual([...seen].toSorted(), ["1 1", "1 4", "3 1", "3 4"])
    // Next time it begins with what it found.
    await Effect.runPromise(beginLog(disk))
    const again = await Effect.runPromise(rebuildAfterPowerLoss(disk, { mode: "subset", seed: 1 }))
    t.deepEqual(again, { entries: 0, pending: 0, dropped: 0, torn: 0 })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test("a log that is trimmed while the machine runs gives its room back, and power cuts find the same", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "power-loss-"))
  try {
    const [basePath, logPath, imagePath] = [join(folder, "base"), join(folder, "log"), join(folder, "image")]
    const disk = { basePath, logPath, imagePath }
    const blocks = 64
    writeFileSync(imagePath, new Uint8Array(blocks * 4_096).fill(1))
    await Effect.runPromise(beginLog(disk))
    const write = (block: number, byte: number): Logged => ({
      kind: "write",
      sector: (block % blocks) * 8,
      data: new Uint8Array(4_096).fill(byte)
    })
    const flush: Logged = { kind: "flush" }
    const durable = Array.from({ length: 500 }, (_, index) => write(index * 7, 2 + (index % 200)))
    const pending = [write(3, 251), write(9, 252), write(3, 253)]
    const later = [write(20, 254), flush, write(21, 255), write(22, 255)]
    const cuts = () =>
      Effect.forEach([1, 2, 3, 4, 5], (seed) =>
        Effect.map(
          rebuildAfterPowerLoss({ ...disk, trimmed }, { mode: "subset", seed }),
          ({ dropped, pending, torn }) => [dropped, pending, torn, readFileSync(imagePath).toString("base64")]
        )
      )
    let trimmed: Parameters<typeof rebuildAfterPowerLoss>[0]["trimmed"]

    writeFileSync(logPath, writtenLog([...durable, flush, ...pending]))
    const before = await Effect.runPromise(cuts())
    const roomBefore = logRoomBytes(disk)
    trimmed = await Effect.runPromise(trimLog(disk, "fallocate"))
    t.is(trimmed.entries, durable.length + 1)
    t.true(logRoomBytes(disk) < roomBefore / 10, `${logRoomBytes(disk)} of ${roomBefore}`)
    t.deepEqual(await Effect.runPromise(cuts()), before)

    // The machine goes on, and its log is trimmed once more.
    const whole = writtenLog([...durable, flush, ...pending, ...later])
    writeFileSync(logPath, whole)
    const expected = await Effect.runPromise(cuts())
    trimmed = await Effect.runPromise(trimLog({ ...disk, trimmed }, "fallocate"))
    t.is(trimmed.entries, durable.length + 1 + pending.length + 2)
    t.deepEqual(await Effect.runPromise(cuts()), expected)
    t.deepEqual(readdirSync(folder).toSorted(), ["base", "image", "log"])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
