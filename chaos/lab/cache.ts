/**
 * Where the lab keeps what it has built, by content: bundles of the node, images of guests, the verdict about KVM.
 * What has not been used for a while goes when something new comes.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync
} from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { Clock, Effect } from "effect"

export const cacheFolder = fileURLToPath(new URL("../../node_modules/.cache/ultracloud/lab", import.meta.url))

const keptMax = 4
/** Somebody may be running on it. */
const usedWithinMillis = 2 * 3_600_000

/** Marks a built thing as used now, and removes those beside it that are old and too many. */
export const keepRecent = (path: string): Effect.Effect<void> =>
  Effect.map(Clock.currentTimeMillis, (nowMillis) => {
    if (existsSync(path)) utimesSync(path, nowMillis / 1_000, nowMillis / 1_000)
    const folder = dirname(path)
    const others = readdirSync(folder)
      .map((name) => join(folder, name))
      .filter((other) => other !== path)
      .flatMap((other) => {
        // Somebody else may remove it at the same time.
        const stats = statSync(other, { throwIfNoEntry: false })
        return stats === undefined ? [] : [{ path: other, usedMillis: stats.mtimeMs }]
      })
      .sort((one, other) => other.usedMillis - one.usedMillis)
    for (const { path, usedMillis } of others.slice(keptMax - 1))
      if (usedMillis < nowMillis - usedWithinMillis) rmSync(path, { recursive: true, force: true })
  })

/** Makes a folder under another name first, so that it is there as a whole or not at all. */
export const inDraft = <E>(
  folder: string,
  make: (draft: string) => Effect.Effect<void, E>
): Effect.Effect<void, E> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      mkdirSync(dirname(folder), { recursive: true })
      return mkdtempSync(`${folder}.`)
    }),
    (draft) =>
      Effect.map(make(draft), () => {
        // Somebody else may have made the same meanwhile.
        if (!existsSync(folder)) renameSync(draft, folder)
      }),
    (draft) => Effect.sync(() => rmSync(draft, { recursive: true, force: true }))
  )
