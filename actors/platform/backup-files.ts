/**
 * Backups in files. A file has its name once it is whole and durable, so what is there under that name can be
 * restored; a draft that was left behind is overwritten by the next one.
 */
import { open, rename } from "node:fs/promises"
import { dirname } from "node:path"
import { Effect, Option, Stream } from "effect"
import type { FileFault } from "../kernel/ports/block-files.ts"
import { isStorageFault, type StorageFault } from "../kernel/ports/storage-faults.ts"
import { fileFault, syncNames } from "./block-files.ts"

const readBytes = 256 * 1024

const faultOf =
  (path: string, operation: string) =>
  (cause: unknown): StorageFault =>
    isStorageFault(cause) ? cause : fileFault(path, operation, cause)

const opened = (path: string, flags: "r" | "w") =>
  Effect.acquireRelease(
    Effect.tryPromise({ try: () => open(path, flags, 0o600), catch: faultOf(path, "open") }),
    (file) => Effect.promise(() => file.close())
  )

/** What the chunks throw when they are asked for, a snapshot that was held for too long for instance, is its fault. */
export const writeBackup = (
  chunks: Iterable<Uint8Array>,
  path: string
): Effect.Effect<void, StorageFault> => {
  const draft = `${path}.draft`
  const written = Effect.gen(function* () {
    const file = yield* opened(draft, "w")
    yield* Effect.tryPromise({
      try: async () => {
        for (const chunk of chunks) await file.writeFile(chunk)
        await file.sync()
      },
      catch: faultOf(draft, "write")
    })
  })
  return Effect.gen(function* () {
    yield* Effect.scoped(written)
    yield* Effect.tryPromise({ try: () => rename(draft, path), catch: faultOf(path, "rename") })
    yield* syncNames(dirname(path))
  })
}

export const readBackup = (path: string): Stream.Stream<Uint8Array, StorageFault | FileFault> =>
  Stream.unwrapScoped(
    Effect.map(opened(path, "r"), (file) =>
      Stream.repeatEffectOption(
        Effect.tryPromise({
          try: () => file.read(new Uint8Array(readBytes), 0, readBytes, null),
          catch: (cause) => Option.some(faultOf(path, "read")(cause))
        }).pipe(
          Effect.flatMap(({ buffer, bytesRead }) =>
            bytesRead === 0 ? Effect.fail(Option.none()) : Effect.succeed(buffer.subarray(0, bytesRead))
          )
        )
      )
    )
  )
