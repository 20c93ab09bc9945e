/**
 * Reads everything in an lmdb file, `store-verify-main.ts <file>`, and checks each value against its checksum,
 * the order of the keys, and how many there are.
 *
 * lmdb trusts its pages, and a page that is damaged can take the process that reads it down with it. So a file
 * is read here first, in a process of its own. Ends with 0 if all is well, and says on its output what is not.
 */
import { LmdbEngine } from "./lmdb-engine.ts"

const path = process.argv[2] ?? ""
try {
  const engine = new LmdbEngine({ path, bytesMax: 2 ** 30, readOnly: true })
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
  process.stdout.write(`${entries} entries verify\n`)
  process.exitCode = 0
} catch (cause) {
  process.stdout.write(`${cause instanceof Error ? cause.message : String(cause)}\n`)
  process.exitCode = 1
}
