/**
 * A guest that has booted, has loaded all that a node needs, and waits for its name: its memory and state, as files.
 * Copies of it are up in a fraction of a second, instead of twenty.
 *
 * Copies map the memory privately, so what they change stays theirs and what they do not change is there once. All
 * that makes a guest somebody comes afterwards, by guest/begin: the address, the clock, the disk, and chance. The
 * copied guest lives ten years from now. When the clock goes back, OpenSSL begins its random numbers anew.
 */
import { existsSync, rmSync } from "node:fs"
import { join } from "node:path"
import { Cause, Clock, Deferred, Effect, Schedule, Schema } from "effect"
import { cacheFolder, inDraft, keepRecent } from "../cache.ts"
import { formatDisk } from "./guest-disk.ts"
import type { GuestImage, ImageFailed } from "./guest-image.ts"
import { type Accelerator, type MachineShape, machineArguments } from "./machine-arguments.ts"
import { type LabBlocked, program } from "./programs.ts"
import { MachineFailed, type Qemu, startQemu } from "./qemu-process.ts"

export interface GuestCopy {
  readonly memory: string
  readonly state: string
}

/** All guests have these: a copy has what the copied one had. */
export const memoryMebibytes = 288

const aheadMillis = 10 * 365 * 86_400_000
/** Where rehearsal.ts has its data. */
const stage = "/tmp/rehearsal"
const bootMillisMax = 300_000
/** Prints nothing while that is not known yet. */
const whetherLoaded = `cat /run/loaded 2>/dev/null || kill -0 $(cat /run/node.pid) 2>/dev/null || echo "its process has ended"`

export const guestCopy = (
  image: GuestImage,
  accelerator: Accelerator
): Effect.Effect<GuestCopy, LabBlocked | ImageFailed | MachineFailed> =>
  Effect.gen(function* () {
    const folder = join(cacheFolder, "copies", `${image.digest}-${accelerator}`)
    const setpriv = yield* program("setpriv")
    const qemu = yield* program("qemu-system-x86_64")
    if (!existsSync(folder)) {
      yield* inDraft(folder, (draft) => {
        const disk = join(draft, "disk")
        const shape: MachineShape = {
          name: "original",
          accelerator,
          memoryMebibytes,
          ...image,
          mac: "52:54:00:00:00:ff",
          disk: { path: disk, log: undefined },
          memory: { path: join(draft, "memory"), is: "shared" }
        }
        const options = { name: "original", setpriv, qemu, args: machineArguments(shape) }
        return Effect.gen(function* () {
          yield* formatDisk(disk)
          const original = yield* startQemu({ ...options, consolePath: join(draft, "console") })
          yield* copyTo(original, join(draft, "state"))
          rmSync(disk)
        }).pipe(Effect.scoped)
      })
    }
    yield* keepRecent(folder)
    return { memory: join(folder, "memory"), state: join(folder, "state") }
  })

const copyTo = (original: Qemu, statePath: string): Effect.Effect<void, MachineFailed> =>
  Effect.gen(function* () {
    yield* Deferred.await(original.agentUp).pipe(inTime(original, "boot"))
    const aheadSeconds = ((yield* Clock.currentTimeMillis) + aheadMillis) / 1_000
    yield* succeed(original, `/usr/bin/perl /lab/clock set ${aheadSeconds}`)
    yield* succeed(original, `mkdir ${stage} && mount -t ext4 /dev/vdb ${stage}`)
    yield* succeed(original, "sh /lab/node wait /lab/certificates")
    const { output } = yield* original.exec(whetherLoaded).pipe(
      Effect.filterOrFail(({ output }) => output !== ""),
      Effect.retry({ while: Cause.isNoSuchElementException, schedule: Schedule.spaced("500 millis") }),
      Effect.catchTag("NoSuchElementException", () => Effect.never),
      inTime(original, "load a node")
    )
    if (output !== "well")
      yield* new MachineFailed({ machine: original.name, doing: "rehearse", reason: output })
    yield* succeed(original, `umount ${stage} && blockdev --flushbufs /dev/vdb`)
    yield* original.qmp("stop")
    yield* original.qmp("migrate-set-capabilities", {
      capabilities: [{ capability: "x-ignore-shared", state: true }]
    })
    yield* original.qmp("migrate-set-parameters", { "max-bandwidth": 10_000_000_000 })
    yield* original.qmp("migrate", { uri: `exec:cat > '${statePath}'` })
    const state = yield* migrated(original).pipe(inTime(original, "be copied"))
    if (state !== "completed")
      yield* new MachineFailed({ machine: original.name, doing: "be copied", reason: state })
    yield* original.kill
  })

const Migration = Schema.Struct({ status: Schema.optionalWith(Schema.String, { default: () => "none" }) })
const migration = (original: Qemu) =>
  Effect.map(original.qmp("query-migrate"), (value) => Schema.decodeUnknownSync(Migration)(value).status)

const migrated = (original: Qemu): Effect.Effect<string, MachineFailed> =>
  Effect.flatMap(migration(original), (state) =>
    state === "completed" || state === "failed"
      ? Effect.succeed(state)
      : Effect.zipRight(Effect.sleep("10 millis"), migrated(original))
  )

const succeed = (original: Qemu, command: string): Effect.Effect<void, MachineFailed> =>
  Effect.flatMap(original.exec(command), ({ output, status }) =>
    status === 0
      ? Effect.void
      : Effect.fail(new MachineFailed({ machine: original.name, doing: `run ${command}`, reason: output }))
  )

const inTime =
  (original: Qemu, doing: string) =>
  <A>(effect: Effect.Effect<A, MachineFailed>): Effect.Effect<A, MachineFailed> =>
    Effect.raceFirst(
      effect,
      Effect.flatMap(Deferred.await(original.ended), (how) =>
        Effect.fail(new MachineFailed({ machine: original.name, doing, reason: `QEMU has ended (${how})` }))
      )
    ).pipe(
      Effect.timeoutFail({
        duration: bootMillisMax,
        onTimeout: () => {
          const reason = `not within ${bootMillisMax} ms: ${original.consoleTail.slice(-1_000)}`
          return new MachineFailed({ machine: original.name, doing, reason })
        }
      })
    )
