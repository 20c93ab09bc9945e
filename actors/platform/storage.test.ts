/** Storage on real files: the contracts, kill -9, full disks, rotten bytes, two processes at once. */

import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import {
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import test from "ava"
import { Context, Effect, Layer, type Scope, Stream } from "effect"
import { journalContract } from "../kernel/fixtures/journal-contract.ts"
import { entryBytes } from "../kernel/fixtures/journal-model.ts"
import { storeContract } from "../kernel/fixtures/store-contract.ts"
import { Journals } from "../kernel/ports/journal.ts"
import { isStorageFault } from "../kernel/ports/storage-faults.ts"
import { type Store, type StoreEnvironment, type StoreLimits, Stores } from "../kernel/ports/store.ts"
import { backupOf, restoreInto } from "../kernel/store/store-backup.ts"
import { readBackup, writeBackup } from "./backup-files.ts"
import { processStart } from "./data-lock.ts"
import { fileJournals } from "./file-journal.ts"
import { LiveWorld } from "./live-world.ts"
import { lmdbStores } from "./lmdb-stores.ts"

const made: Array<string> = []
const newDirectory = (): string => {
  const directory = mkdtempSync(join(tmpdir(), "storage-"))
  made.push(directory)
  return directory
}
test.after.always(() => {
  for (const directory of made) rmSync(directory, { recursive: true, force: true })
})

const journalsIn = (directory: string) =>
  Effect.map(Layer.build(Layer.provide(fileJournals(directory), LiveWorld)), (context) =>
    Context.get(context, Journals)
  )

const storesIn = (directory: string, limits?: Partial<StoreLimits>) =>
  Effect.map(Layer.build(Layer.provide(lmdbStores(directory, limits), LiveWorld)), (context) =>
    Context.get(context, Stores)
  )

const run = <A, E>(program: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.scoped(program))

for (const { check, title } of journalContract) {
  test(`journal on files: ${title}`, async (t) => {
    await run(Effect.flatMap(journalsIn(newDirectory()), check))
    t.pass()
  })
}

for (const { check, title } of storeContract) {
  test(`stores in lmdb: ${title}`, async (t) => {
    const directory = newDirectory()
    await run(check({ open: (name, limits) => storesIn(join(directory, name), limits) }))
    t.pass()
  })
}

test("a file is verified as well by a process that runs a text, and is profiled", (t) => {
  const folder = newDirectory()
  const empty = join(folder, "empty")
  writeFileSync(empty, "")
  const text = `import { Effect } from "effect"
const { verifyFile } = await import(${JSON.stringify(import.meta.resolve("./lmdb-stores.ts"))})
await Effect.runPromise(verifyFile(${JSON.stringify(empty)}))`
  const options = ["--cpu-prof", "--cpu-prof-dir", folder, "--input-type=module", "-e", text]
  const { status, stderr } = spawnSync(process.execPath, options, { encoding: "utf8", timeout: 60_000 })
  t.is(status, 0, stderr)
  t.is(readdirSync(folder).filter((name) => name.endsWith(".cpuprofile")).length, 1, "of itself alone")
})

test("a backup goes to a file while others write, and fills another environment; a damaged file does not", async (t) => {
  const directory = newDirectory()
  const path = join(directory, "backup")
  const entries = 20_000
  const value = (number: number) => entryBytes(1, number, 1, number % 100)
  await run(
    Effect.gen(function* () {
      const stores = yield* storesIn(join(directory, "from"))
      const store = yield* stores.open("things", { version: 2 })
      for (let number = 0; number < entries; number++)
        stores.write([{ op: "put", store, key: key(number), value: value(number) }])
      const snapshot = yield* stores.snapshot
      const written = yield* Effect.fork(writeBackup(backupOf(snapshot, [store]), path))
      for (let number = 0; number < 200; number++) {
        stores.write([{ op: "put", store, key: key(number), value: new Uint8Array(9) }])
        yield* stores.flushed
      }
      yield* written
      t.is(statSync(path).mode & 0o777, 0o600)
    })
  )
  await run(
    Effect.gen(function* () {
      const stores = yield* storesIn(join(directory, "to"))
      t.deepEqual(yield* restoreInto(stores, readBackup(path), path), { stores: ["things"], entries })
      const store = yield* stores.open("things")
      t.is(store.version, 2)
      let number = 0
      for (const entry of store.range()) {
        if (Buffer.compare(entry.key, key(number)) !== 0 || Buffer.compare(entry.value, value(number)) !== 0)
          t.fail(`entry ${number} is another one`)
        number++
      }
      t.is(number, entries)
    })
  )
  rot(path, 5)
  const fault = await run(
    Effect.flip(
      Effect.flatMap(storesIn(join(directory, "no")), (stores) => restoreInto(stores, readBackup(path), path))
    )
  )
  t.is(fault._tag, "StorageCorrupt")
  const missing = await run(Effect.flip(Stream.runDrain(readBackup(join(directory, "nowhere")))))
  t.is(missing._tag, "StorageBroken")
})

// Accidents

const writerPath = fileURLToPath(new URL("./fixtures/storage-writer.ts", import.meta.url))
const key = (number: number) => new TextEncoder().encode(String(number).padStart(8, "0"))

interface Said {
  synced: number
  flushed: number
  readonly faults: Array<string>
}

/** Runs a writer until it ends or `until` says so; then it is killed without a word. */
const runWriter = (
  directory: string,
  until: (said: Said, child: ChildProcess) => boolean,
  options: { readonly limit?: number; readonly shell?: string } = {}
): Promise<Said> =>
  new Promise((resolve) => {
    const { limit = 1_000_000, shell = "" } = options
    const command = `${shell} exec "${process.execPath}" "${writerPath}" "${directory}" ${limit}`
    const child = spawn("bash", ["-c", command], { stdio: ["ignore", "pipe", "ignore"] })
    const said: Said = { synced: 0, flushed: 0, faults: [] }
    createInterface(child.stdout)
      .on("line", (line) => {
        const [what, value = ""] = line.split(" ")
        if (what === "synced") said.synced = Math.max(said.synced, Number(value))
        if (what === "flushed") said.flushed = Math.max(said.flushed, Number(value))
        if (what === "fault") said.faults.push(value)
        if (until(said, child)) child.kill("SIGKILL")
      })
      .once("close", () => resolve(said))
  })

/** All that was acknowledged is there, in both, and nothing else than what was written. */
const verify = (directory: string, said: Said): Promise<number> =>
  run(
    Effect.gen(function* () {
      const journals = yield* journalsIn(directory)
      const journal = yield* journals.open({ segmentBytes: 256 * 1024 })
      const { compactedIndex, lastIndex } = journal.group(1) ?? { compactedIndex: 0, lastIndex: 0 }
      if (lastIndex < said.synced) throw new Error(`${said.synced} was synced, the last one is ${lastIndex}`)
      for (const { bytes, index } of journal.read(1, compactedIndex + 1, lastIndex + 1, 1e9))
        if (Buffer.compare(bytes, entryBytes(1, index, 1, index % 700)) !== 0)
          throw new Error(`entry ${index} is another one`)
      const stores = yield* storesIn(directory)
      const store = yield* stores.open("things")
      const applied = Number(new TextDecoder().decode(store.get(new TextEncoder().encode("applied"))))
      if (applied < said.flushed) throw new Error(`${said.flushed} was flushed, ${applied} is there`)
      let count = 0
      for (const entry of store.range({ end: new TextEncoder().encode("a") })) {
        count++
        const expected = entryBytes(1, count, 1, count % 700)
        if (Buffer.compare(entry.key, key(count)) !== 0 || Buffer.compare(entry.value, expected) !== 0)
          throw new Error(`value ${count} is another one`)
      }
      if (count !== applied) throw new Error(`${count} values are there, applied is ${applied}`)
      return lastIndex
    })
  )

test("a writer that is killed with kill -9, again and again, loses nothing that it called durable", async (t) => {
  const directory = newDirectory()
  let last = 0
  for (let round = 0; round < 6; round++) {
    const from = last
    const said = await runWriter(directory, ({ flushed }) => flushed >= from + 150 + 170 * round)
    t.deepEqual(said.faults, [])
    last = await verify(directory, said)
    t.true(last > from)
  }
})

test("a second process is refused and told which one is there; a lock that was left behind is not in the way", async (t) => {
  const directory = newDirectory()
  await run(
    Effect.gen(function* () {
      yield* storesIn(directory)
      const { faults } = yield* Effect.promise(() => runWriter(directory, () => false, { limit: 5 }))
      t.deepEqual(faults, ["StorageLocked"])
      const fault = yield* Effect.flip(storesIn(directory))
      t.true(fault.message.includes(`process ${process.pid};`), fault.message)
    })
  )
  writeFileSync(join(directory, "stores", "lock"), `${process.pid} 12345\n`)
  await run(storesIn(directory))
  writeFileSync(join(directory, "stores", "lock"), "4194000 1\n")
  await run(storesIn(directory))
  // Before the power failed it had the same id, and was started as long after the boot.
  const boot = "00000000-0000-4000-8000-000000000000"
  const again = `${process.pid} ${processStart(process.pid) ?? ""} ${boot}\n`
  writeFileSync(join(directory, "stores", "lock"), again)
  await run(storesIn(directory))
  t.pass()
})

test("data files are for the owner's eyes only", async (t) => {
  const directory = newDirectory()
  await runWriter(directory, () => false, { limit: 100 })
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
  for (const entry of files.filter((found) => found.isFile())) {
    const { mode } = statSync(join(entry.parentPath, entry.name))
    t.is(mode & 0o777, 0o600, entry.name)
  }
  t.true(files.length > 4)
})

const mounted = (directory: string): boolean =>
  spawnSync("mount", ["-t", "tmpfs", "-o", "size=3m", "tmpfs", directory]).status === 0

test("a full disk is a fault, and what was durable is there when there is room again", async (t) => {
  const directory = newDirectory()
  const isMounted = mounted(directory)
  // Without the right to mount, no file may grow beyond 2 MiB.
  const shell = isMounted ? "" : "ulimit -f 2048;"
  try {
    const said = await runWriter(directory, () => false, { limit: 60_000, shell })
    t.true(said.faults.length > 0)
    // A file that may not grow is, to lmdb, one that cannot be written.
    for (const fault of said.faults)
      t.true(fault === "StorageFull" || (!isMounted && fault === "StorageBroken"), fault)
    t.true(said.synced > 0)
    if (isMounted) spawnSync("mount", ["-o", "remount,size=64m", directory])
    await verify(directory, said)
  } finally {
    // A process that is about to end may hold on to a file for a moment.
    if (isMounted && spawnSync("umount", [directory]).status !== 0) spawnSync("umount", ["-l", directory])
  }
})

test("lmdb does not meet the end of the disk, where it writes over memory that is not its own", (t) => {
  const directory = newDirectory()
  if (!mounted(directory)) {
    t.log("nothing can be mounted here")
    t.pass()
    return
  }
  try {
    const text = `import { closeSync, openSync, writeSync } from "node:fs"
import { Effect, Layer } from "effect"
const { Stores } = await import(${JSON.stringify(import.meta.resolve("../kernel/ports/store.ts"))})
const { lmdbStores } = await import(${JSON.stringify(import.meta.resolve("./lmdb-stores.ts"))})
const { LiveWorld } = await import(${JSON.stringify(import.meta.resolve("./live-world.ts"))})
const layer = lmdbStores(${JSON.stringify(directory)}).pipe(Layer.provide(LiveWorld))
const fill = () => {
  const file = openSync(${JSON.stringify(join(directory, "filler"))}, "w")
  try {
    for (;;) writeSync(file, new Uint8Array(4_096))
  } catch {
    closeSync(file)
  }
}
const program = Effect.gen(function* () {
  const stores = yield* Stores
  const store = yield* stores.open("things")
  for (let number = 0; ; number++) {
    stores.write([{ op: "put", store, key: Buffer.from(String(number)), value: new Uint8Array(200_000) }])
    yield* stores.flushed
    if (number === 2) fill()
  }
})
const fault = await Effect.runPromise(Effect.scoped(Effect.flip(Effect.provide(program, layer))))
process.stdout.write(fault._tag)`
    const options = ["--input-type=module", "-e", text]
    const { stderr, stdout } = spawnSync(process.execPath, options, { encoding: "utf8", timeout: 60_000 })
    t.is(stdout.trim().split("\n").at(-1), "StorageFull", stderr)
    t.false(stderr.includes("Write error"), stderr)
  } finally {
    spawnSync("umount", [directory])
  }
})

/** Other bytes at a random place, a few of them. */
const rot = (path: string, seed: number): void => {
  const bytes = readFileSync(path)
  const at = Math.imul(seed, 2_654_435_761) >>> 0
  for (let byte = 0; byte < 1 + (seed % 16); byte++)
    bytes[(at + byte) % bytes.length]! ^= 1 + ((seed * 37) % 255)
  writeFileSync(path, bytes)
}

test("rotten bytes in journal files are a fault or make no difference", async (t) => {
  const directory = newDirectory()
  await runWriter(directory, () => false, { limit: 900 })
  const pristine = join(directory, "journal")
  let faults = 0
  for (let seed = 1; seed <= 40; seed++) {
    const copy = newDirectory()
    cpSync(pristine, join(copy, "journal"), { recursive: true })
    const names = readdirSync(join(copy, "journal"))
    rot(join(copy, "journal", names[seed % names.length]!), seed)
    const outcome = await run(
      Effect.either(
        Effect.flatMap(journalsIn(copy), (journals) =>
          Effect.map(journals.open({ segmentBytes: 256 * 1024 }), (journal) => {
            for (const { bytes, index } of journal.read(1, 1, 1e9, 1e9))
              t.is(Buffer.compare(bytes, entryBytes(1, index, 1, index % 700)), 0)
            t.is(journal.group(1)?.lastIndex, 900)
          })
        )
      )
    )
    if (outcome._tag === "Right") continue
    t.true(["StorageCorrupt", "StorageNewer"].includes(outcome.left._tag), outcome.left.message)
    faults++
  }
  t.true(faults > 10, `${faults}`)
})

test("damage that shows when an old file is emptied is a fault of the journal, and the process lives", async (t) => {
  const directory = newDirectory()
  const story = Effect.gen(function* () {
    const journals = yield* journalsIn(directory)
    const journal = yield* journals.open({ segmentBytes: 16 * 1024 })
    const asleep = new TextEncoder().encode("a group that sleeps")
    journal.append([{ group: 9, index: 1, term: 1, bytes: asleep }])
    yield* journal.synced
    const folder = join(directory, "journal")
    const oldest = join(
      folder,
      readdirSync(folder)
        .filter((name) => name.endsWith(".journal"))
        .toSorted()[0] ?? ""
    )
    const bytes = readFileSync(oldest)
    const file = openSync(oldest, "r+")
    writeSync(file, "A", bytes.indexOf(asleep))
    closeSync(file)
    for (let index = 1; index <= 600; index++) {
      journal.append([{ group: 1, index, term: 1, bytes: new Uint8Array(900) }])
      if (index > 20 && index % 10 === 0) journal.compact(1, index - 20, 1)
      yield* journal.synced
    }
  })
  const fault = await run(Effect.flip(Effect.catchAllDefect(story, (defect) => Effect.fail(defect))))
  t.like(fault, { _tag: "StorageCorrupt" })
})

test("rotten bytes in the file of lmdb are a fault or make no difference, and the process lives", async (t) => {
  const directory = newDirectory()
  await runWriter(directory, () => false, { limit: 900 })
  let faults = 0
  for (let seed = 1; seed <= 16; seed++) {
    const copy = newDirectory()
    cpSync(join(directory, "stores"), join(copy, "stores"), { recursive: true })
    rot(join(copy, "stores", "data.mdb"), seed * 7)
    const outcome = await run(
      Effect.either(
        Effect.flatMap(storesIn(copy), (stores) =>
          Effect.flatMap(stores.open("things"), (store) =>
            Effect.try({
              try: () => {
                for (let number = 1; number <= 900; number++) {
                  const value = store.get(key(number))
                  const expected = entryBytes(1, number, 1, number % 700)
                  t.true(value !== undefined && Buffer.compare(value, expected) === 0, `${seed}: ${number}`)
                }
              },
              catch: (cause) => cause
            })
          )
        )
      )
    )
    if (outcome._tag === "Right") continue
    t.true(isStorageFault(outcome.left) && outcome.left._tag === "StorageCorrupt", String(outcome.left))
    faults++
  }
  t.true(faults > 2, `${faults}`)
})

test("a power cut while lmdb makes its file leaves one without content, and the stores open all the same", async (t) => {
  const directory = newDirectory()
  mkdirSync(join(directory, "stores"))
  writeFileSync(join(directory, "stores", "data.mdb"), "")
  const opened = (use: (store: Store, stores: StoreEnvironment) => void) =>
    run(
      Effect.gen(function* () {
        const stores = yield* storesIn(directory)
        use(yield* stores.open("things"), stores)
        yield* stores.flushed
      })
    )
  await opened((store, stores) => stores.write([{ op: "put", store, key: key(1), value: key(2) }]))
  await opened((store) => t.is(Buffer.compare(store.get(key(1)) ?? new Uint8Array(0), key(2)), 0))
})

// What is on a disk when the power goes, and not what the page cache knows

const shell = (command: string): boolean => spawnSync("bash", ["-c", command]).status === 0

const power = shell("losetup -f && command -v mkfs.ext4 && [ $(id -u) = 0 ]") ? test.serial : test.serial.skip

power(
  "what a file system has on its disk when the power goes holds all that was called durable",
  async (t) => {
    const [directory, images] = [newDirectory(), newDirectory()]
    const [image, cut] = [join(images, "disk"), join(images, "cut")]
    t.true(
      shell(
        `truncate -s 96M ${image} && mkfs.ext4 -q ${image} && mount -o loop,commit=600 ${image} ${directory}`
      )
    )
    let then: Said | undefined
    try {
      await runWriter(join(directory, "data"), (said, child) => {
        if (said.flushed < 600) return false
        // Stopped, it asks for no more syncs; what was called durable until here is what counts.
        child.kill("SIGSTOP")
        then ??= { ...said }
        return shell(`cp ${image} ${cut}`)
      })
    } finally {
      shell(`umount ${directory} || umount -l ${directory}`)
    }
    t.true(then !== undefined && shell(`mount -o loop ${cut} ${directory}`))
    try {
      if (then !== undefined) await verify(join(directory, "data"), then)
    } finally {
      shell(`umount ${directory} || umount -l ${directory}`)
    }
  }
)
