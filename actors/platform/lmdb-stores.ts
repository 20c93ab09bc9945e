/**
 * The stores port on a real disk: the kernel's layers over lmdb in `<data directory>/stores`, with a lock
 * against a second process, and a look at the whole file, in a process of its own, before it is used.
 */
import { spawn } from "node:child_process"
import { chmodSync, existsSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, Layer, type Scope } from "effect"
import { WorldClock } from "../kernel/ports/clock.ts"
import { Scheduling } from "../kernel/ports/scheduling.ts"
import { StorageBroken, StorageCorrupt, type StorageFault } from "../kernel/ports/storage-faults.ts"
import { type StoreEnvironment, type StoreLimits, Stores, storeLimits } from "../kernel/ports/store.ts"
import { layeredStores, type StoreEngine } from "../kernel/store/layered-stores.ts"
import { syncNames } from "./block-files.ts"
import { lockDirectory } from "./data-lock.ts"
import { LmdbEngine, lmdbFault } from "./lmdb-engine.ts"

const verifyMillisMax = 15 * 60_000
const verifyPath = fileURLToPath(new URL("./store-verify-main.ts", import.meta.url))

/** Looks at a file that is there, before it is used. */
export type Verify = (path: string) => Effect.Effect<void, StorageFault>

/** `verify`: in a process of its own, unless whoever opens is one that may die. */
export const lmdbStores = (
  dataDirectory: string,
  limits: Partial<StoreLimits> = {},
  verify: Verify = (path) => verifyFile(path)
): Layer.Layer<Stores, StorageFault, WorldClock | Scheduling> =>
  Layer.scoped(Stores, openStores(dataDirectory, { ...storeLimits, ...limits }, verify))

const openStores = (
  dataDirectory: string,
  limits: StoreLimits,
  verify: Verify
): Effect.Effect<StoreEnvironment, StorageFault, WorldClock | Scheduling | Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* WorldClock
    const scheduling = yield* Scheduling
    const directory = join(dataDirectory, "stores")
    yield* lockDirectory(directory)
    const path = join(directory, "data.mdb")
    if (existsSync(path)) yield* verify(path)
    const engine = yield* Effect.acquireRelease(
      Effect.try({
        try: () => new LmdbEngine({ path, bytesMax: limits.bytesMax }),
        catch: (cause) => lmdbFault(path, "open", cause)
      }),
      (opened) => Effect.promise(() => opened.close())
    )
    // A file that was restored by hand may have come with other rights.
    yield* Effect.try({
      try: () => chmodSync(path, 0o600),
      catch: (cause) => lmdbFault(path, "chmod", cause)
    })
    // lmdb does not see to it that its file is still named after a power cut.
    yield* syncNames(directory)
    return yield* layeredStores(engineOf(engine), {
      clock,
      limits,
      soon: (task) => scheduling.arm(task, "soon")
    })
  })

const engineOf = (engine: LmdbEngine): StoreEngine => ({
  path: engine.path,
  open: (name) =>
    Effect.try({
      try: () => engine.openStore(name),
      catch: (cause) => lmdbFault(engine.path, "open", cause)
    }),
  get: (store, key) => engine.get(store, key),
  peek: (store, key, use) => engine.peek(store, key, use),
  read: () => engine.read(),
  commit: (layers, done) => engine.commit(layers, done),
  bytes: () => engine.bytes(),
  usedBytes: (store) => engine.usedBytes(store)
})

/** What was run, measured or debugged is this process, not the verifier: only how modules are found goes to it. */
const verifierArgv = (execArgv: ReadonlyArray<string>): ReadonlyArray<string> =>
  execArgv.filter(
    (argument, index) =>
      !isOwn.test(argument) && !(takesNext.test(execArgv[index - 1] ?? "") && !argument.startsWith("-"))
  )

const isOwn = /^(?:--inspect.*|-e|--eval(?:=.*)?|-p|-pe|--print(?:=.*)?|--cpu-prof.*|--input-type(?:=.*)?)$/
/** Those of them whose value may be an argument of its own. */
const takesNext =
  /^(?:-e|--eval|-p|-pe|--print|--inspect-port|--inspect-publish-uid|--cpu-prof-(?:dir|name|interval)|--input-type)$/

/** Also for whoever has a backup and wonders. */
export const verifyFile = (path: string): Effect.Effect<void, StorageFault> =>
  Effect.async<void, StorageFault>((resume) => {
    const child = spawn(process.execPath, [...verifierArgv(process.execArgv), verifyPath, path], {
      stdio: ["ignore", "pipe", "ignore"],
      timeout: verifyMillisMax
    })
    let said = ""
    child.stdout.on("data", (chunk) => {
      said = `${said}${chunk}`.slice(-1_000)
    })
    child.once("error", ({ message }) =>
      resume(Effect.fail(new StorageBroken({ path, operation: "verifying it", reason: message })))
    )
    child.once("close", (code, signal) => {
      if (code === 0) return resume(Effect.void)
      const died = signal === null ? `reading it ended with ${code}` : `reading it ended with ${signal}`
      resume(Effect.fail(new StorageCorrupt({ path, offset: -1, reason: said.trim() || died })))
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  })
