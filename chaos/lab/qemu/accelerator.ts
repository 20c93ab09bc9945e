/**
 * Whether KVM works here, found out by booting a guest under it: there are machines with a /dev/kvm under which
 * ordinary guests hang. The verdict holds until this host boots again.
 */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  truncateSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import { Deferred, Effect, Either } from "effect"
import { cacheFolder, inDraft, keepRecent } from "../cache.ts"
import { memoryMebibytes } from "./guest-copy.ts"
import { diskMebibytes } from "./guest-disk.ts"
import type { GuestImage } from "./guest-image.ts"
import { type Accelerator, machineArguments } from "./machine-arguments.ts"
import { type LabBlocked, program } from "./programs.ts"
import { type MachineFailed, startQemu } from "./qemu-process.ts"

/** Under a KVM that works this takes a second. */
const probeMillisMax = 8_000

export const accelerator = (image: GuestImage): Effect.Effect<Accelerator, LabBlocked | MachineFailed> =>
  Effect.gen(function* () {
    if (!mayUse("/dev/kvm")) return "tcg"
    const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()
    const folder = join(cacheFolder, "kvm", bootId)
    if (!existsSync(folder)) {
      const boots = yield* bootsUnderKvm(image)
      yield* inDraft(folder, (draft) =>
        Effect.sync(() => writeFileSync(join(draft, "verdict"), boots ? "kvm" : "tcg"))
      )
    }
    yield* keepRecent(folder)
    return readFileSync(join(folder, "verdict"), "utf8") === "kvm" ? "kvm" : "tcg"
  })

const mayUse = (path: string): boolean =>
  Either.isRight(Either.try(() => accessSync(path, constants.R_OK | constants.W_OK)))

const bootsUnderKvm = (image: GuestImage): Effect.Effect<boolean, LabBlocked | MachineFailed> =>
  Effect.gen(function* () {
    const setpriv = yield* program("setpriv")
    const qemu = yield* program("qemu-system-x86_64")
    const folder = join(cacheFolder, "kvm")
    mkdirSync(folder, { recursive: true })
    const disk = join(folder, "disk")
    writeFileSync(disk, "")
    truncateSync(disk, diskMebibytes * 2 ** 20)
    const args = machineArguments({
      ...image,
      name: "probe",
      accelerator: "kvm",
      memoryMebibytes,
      mac: "52:54:00:00:00:fe",
      disk: { path: disk, log: undefined },
      memory: undefined
    })
    const guest = yield* startQemu({ name: "probe", setpriv, qemu, args, consolePath: undefined })
    const up = Effect.as(Deferred.await(guest.agentUp), true)
    const ended = Effect.as(Deferred.await(guest.ended), false)
    return yield* Effect.raceFirst(up, ended).pipe(
      Effect.timeoutTo({ duration: probeMillisMax, onSuccess: (boots) => boots, onTimeout: () => false })
    )
  }).pipe(Effect.scoped)
