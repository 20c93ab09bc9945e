import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import test from "ava"
import { Effect } from "effect"
import fc from "fast-check"
import { Prng } from "#chaos/sim/prng.ts"
import { crashImage, crashPoint } from "./crash-points.ts"
import { type Logged, writtenLog } from "./fixtures/log-writer.ts"
import { DiskRebuild } from "./rebuild.ts"

const sectorBytes = 512
const diskBytes = 256 * 1024

const inFolder = async (use: (folder: string) => Promise<void>): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "rebuild-"))
  try {
    await use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const run = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc
        .record({ sector: fc.nat(400), sectors: fc.integer({ min: 1, max: 100 }), byte: fc.nat(3) })
        .map(
          ({ byte, sector, sectors }): Logged => ({
            kind: "write",
            sector,
            data: new Uint8Array(sectorBytes * sectors).fill(byte)
          })
        )
    },
    fc.constant<Logged>({ kind: "discard", sector: 3, sectors: 300 }),
    fc.constant<Logged>({ kind: "flush" })
  ),
  { minLength: 1, maxLength: 30 }
)

test("the image is the base, all that is durable, and what survived, however one goes through the log", async (t) => {
  await inFolder(async (folder) => {
    const [basePath, logPath, imagePath] = ["base", "log", "image"].map((name) => join(folder, name))
    if (basePath === undefined || logPath === undefined || imagePath === undefined) throw new Error()
    const base = new Uint8Array(diskBytes)
    base.fill(9, 10_000, 60_000)
    writeFileSync(basePath, base)
    await fc.assert(
      fc.asyncProperty(run, fc.array(fc.nat(30), { minLength: 1, maxLength: 6 }), async (steps, cuts) => {
        const logBytes = writtenLog(steps)
        writeFileSync(logPath, logBytes)
        await Effect.gen(function* () {
          const rebuild = yield* DiskRebuild.open({ basePath, logPath }, join(folder, "work"))
          const { entries } = rebuild.log
          for (const cut of cuts) {
            const point = crashPoint(entries, Math.min(cut, entries.length))
            const image = crashImage(entries, point, "subset", sectorBytes, new Prng(cut))
            yield* rebuild.write(image, imagePath)
            const expected = base.slice()
            const apply = (index: number, keeps: (sector: number) => boolean) => {
              const { bytes, dataOffset, kind, offset } = entries[index]!
              for (let at = 0; at < bytes; at += sectorBytes) {
                if (!keeps(at / sectorBytes)) continue
                const end = dataOffset + at + sectorBytes
                const data =
                  kind === "discard" ? new Uint8Array(sectorBytes) : logBytes.subarray(dataOffset + at, end)
                expected.set(data, offset + at)
              }
            }
            for (let index = 0; index < image.durableUpTo; index++) apply(index, () => true)
            for (const { entry, sectors } of image.survivors)
              apply(entry, (sector) => sectors?.[sector] ?? true)
            t.is(Buffer.compare(readFileSync(imagePath), expected), 0)
          }
        }).pipe(Effect.scoped, Effect.runPromise)
      }),
      { numRuns: 100 }
    )
    t.throws(() => statSync(join(folder, "work")), { code: "ENOENT" }, "what it worked on is gone")
  })
})

test("zeros take no room, however many of them a journal began with", async (t) => {
  await inFolder(async (folder) => {
    const [basePath, logPath, imagePath] = [join(folder, "base"), join(folder, "log"), join(folder, "image")]
    writeFileSync(basePath, new Uint8Array(8 * 1024 * 1024))
    const zeros: Logged = { kind: "write", sector: 3, data: new Uint8Array(4 * 1024 * 1024) }
    const some: Logged = { kind: "write", sector: 80, data: new Uint8Array(8_192).fill(1) }
    writeFileSync(logPath, writtenLog([zeros, some, { kind: "flush" }]))
    await Effect.gen(function* () {
      const rebuild = yield* DiskRebuild.open({ basePath, logPath }, join(folder, "work"))
      yield* rebuild.write({ durableUpTo: 3, survivors: [], dropped: 0, torn: 0 }, imagePath)
    }).pipe(Effect.scoped, Effect.runPromise)
    t.is(statSync(imagePath).size, 8 * 1024 * 1024)
    t.true(statSync(imagePath).blocks * 512 <= 64 * 1024, `${statSync(imagePath).blocks} blocks`)
  })
})

const withQemu = spawnSync("qemu-io", ["--version"]).error === undefined ? test : test.skip

withQemu(
  "a log that QEMU has made is read: the disk that comes of it is the one that QEMU has",
  async (t) => {
    await inFolder(async (folder) => {
      const [basePath, imagePath, logPath, rebuilt] = ["base", "disk", "log", "rebuilt"].map((name) =>
        join(folder, name)
      )
      if (!basePath || !imagePath || !logPath || !rebuilt) throw new Error()
      for (const path of [basePath, imagePath]) writeFileSync(path, new Uint8Array(diskBytes))
      writeFileSync(logPath, "")
      const prng = new Prng(7)
      const commands = Array.from({ length: 60 }, (_, index) =>
        index % 7 === 6
          ? "flush"
          : `write -P ${prng.below(256)} ${512 * prng.below(400)} ${512 * (1 + prng.below(90))}`
      )
      const { status, stderr } = spawnSync(
        "qemu-io",
        [
          ...[...commands, "flush", "write -P 77 0 4096"].flatMap((command) => ["-c", command]),
          ...["-t", "writeback", "--image-opts"],
          `driver=blklogwrites,file.driver=file,file.filename=${imagePath},log.driver=file,log.filename=${logPath},log-sector-size=512`
        ],
        { encoding: "utf8" }
      )
      t.is(status, 0, stderr)
      await Effect.gen(function* () {
        const rebuild = yield* DiskRebuild.open({ basePath, logPath }, join(folder, "work"))
        const { entries } = rebuild.log
        t.true(entries.filter(({ kind }) => kind === "write").length >= 50)
        t.true(entries.filter(({ kind }) => kind === "flush").length >= 8)
        const whole = { durableUpTo: entries.length, survivors: [], dropped: 0, torn: 0 }
        yield* rebuild.write(whole, rebuilt)
        t.is(Buffer.compare(readFileSync(rebuilt), readFileSync(imagePath)), 0)
        // The last write was flushed when qemu-io closed the disk: without that flush it was pending.
        const last = entries.findLastIndex(({ kind }) => kind === "write")
        t.deepEqual(crashPoint(entries, last + 1).pending, [last])
      }).pipe(Effect.scoped, Effect.runPromise)
    })
  }
)
