/** A copy of our source with a bug in it, in a folder of its own. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, type Scope } from "effect"
import type { Edit } from "./mutations.ts"

const root = dirname(fileURLToPath(import.meta.resolve("#chaos/mutations/mutations.ts"))).replace(
  /\/chaos\/mutations$/,
  ""
)
const parts = ["package.json", "actors", "chaos", "protocols", "supervisors"]

/** Returns the folder, which is gone when the scope closes. */
export const mutatedCopy = (edits: ReadonlyArray<Edit>): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const folder = mkdtempSync(join(tmpdir(), "mutated-"))
      for (const part of parts) cpSync(join(root, part), join(folder, part), { recursive: true })
      symlinkSync(join(root, "node_modules"), join(folder, "node_modules"))
      for (const edit of edits) mutate(folder, edit)
      return folder
    }),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )

const mutate = (folder: string, { file, from, to }: Edit): void => {
  const path = join(folder, file)
  const source = readFileSync(path, "utf8")
  const places = source.split(from).length - 1
  if (places !== 1)
    throw new Error(`${file} has this ${places} times instead of once, so the bug cannot be planted: ${from}`)
  writeFileSync(
    path,
    source.replace(from, () => to)
  )
}
