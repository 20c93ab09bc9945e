/**
 * Reads everything in an lmdb file, and checks each value against its checksum, the order of the keys, and how
 * many there are. A page that is damaged can take the process that reads it down with it: this is for processes
 * that may die.
 */
import { statSync } from "node:fs"
import { LmdbEngine } from "./lmdb-engine.ts"

/** How many entries there are. Throws what is wrong, unless it ends the process. */
export const verifyEntries = async (path: string): Promise<number> => {
  // The power went before lmdb had written anything. Whoever only reads such a file dies of it, who writes begins it.
  if (statSync(path).size === 0) return 0
  const engine = new LmdbEngine({ path, bytesMax: 2 ** 30, readOnly: true })
  try {
    let entries = 0
    for (const name of engine.names()) {
      engine.openStore(name)
      const read = engine.read()
      const before = entries
      let last: Uint8Array | undefined
      for (const { key } of read.range(name, {})) {
        if (last !== undefined && Buffer.compare(last, key) >= 0) throw new Error("its keys are not in order")
        last = key
        entries++
      }
      read.release()
      const [found, expected] = [entries - before, engine.count(name)]
      if (found !== expected) throw new Error(`store ${name} has ${found} entries of ${expected}`)
    }
    return entries
  } finally {
    await engine.close()
  }
}
