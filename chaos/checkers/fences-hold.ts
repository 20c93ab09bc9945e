/**
 * Check: what a lock guards was written only by who had the lock at that revision, by the store's own account.
 *
 *   locks/1     created at 7 ───────────── deleted at 12    created at 15 ───
 *   guarded/1        7 one     7 two                              15 one          7 three would be a violation
 */
import { fenceOf, guardedKey, lockKey } from "#chaos/models/lock-keys.ts"
import { type Check, finding, unknown } from "./evidence.ts"
import { fewOf } from "./few.ts"

const check = "fences hold"
const prefixes = { lock: lockKey(0).slice(0, -1), guarded: guardedKey(0).slice(0, -1) }

export const fencesHold: Check = {
  name: check,
  holds: "Whatever a lock guards was written while its writer had the lock.",
  judge: ({ changes }) => {
    if (changes === undefined)
      return unknown(check, "no node could tell in the end what was written; see problems of clients")
    /** By lock, the creation revision of its key. */
    const created = new Map<string, number>()
    const problems: Array<string> = []
    let writes = 0
    for (const { key, revision, value } of changes) {
      if (key.startsWith(prefixes.lock)) {
        const lock = key.slice(prefixes.lock.length)
        if (value === null) created.delete(lock)
        else if (!created.has(lock)) created.set(lock, revision)
      } else if (key.startsWith(prefixes.guarded) && value !== null) {
        writes++
        const holds = created.get(key.slice(prefixes.guarded.length))
        if (holds !== fenceOf(value))
          problems.push(
            `${key} = ${value} was written at revision ${revision}, when ${holds === undefined ? "nobody had the lock" : `the lock had fence ${holds}`}`
          )
      }
    }
    if (writes === 0) return unknown(check, "nothing was written under a lock")
    return finding(check, fewOf(problems), `${writes} writes under locks`)
  }
}
