/**
 * Reads everything in an lmdb file, `store-verify-main.ts <file>`, in a process of its own, before it is used by
 * another one. Ends with 0 if all is well, and says on its output what is not.
 */
import { verifyEntries } from "./lmdb-verify.ts"

try {
  const entries = await verifyEntries(process.argv[2] ?? "")
  process.stdout.write(`${entries} entries verify\n`)
  process.exitCode = 0
} catch (cause) {
  process.stdout.write(`${cause instanceof Error ? cause.message : String(cause)}\n`)
  process.exitCode = 1
}
