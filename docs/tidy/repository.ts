/** Reads the files that tidy looks at: the TypeScript of every room, with paths from the root. */
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { Source } from "./tidy.ts"

const root = join(import.meta.dirname, "../..")

export const repository = (): ReadonlyArray<Source> =>
  globSync("{protocols,actors,supervisors,chaos,docs}/**/*.ts", { cwd: root }).map((path) => ({
    path,
    text: readFileSync(join(root, path), "utf8")
  }))
