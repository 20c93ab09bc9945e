/** Check: what was acknowledged is in the store's own history in the end, once; see acknowledged-writes.ts. */
import { type EtcdInput, type EtcdOutput, keysOf } from "#chaos/models/etcd-model.ts"
import { alsoWrittenBy, writtenBy } from "#chaos/models/etcd-writes.ts"
import { checkAcknowledgedWrites, renderWrites } from "./acknowledged-writes.ts"
import { type Check, finding, unknown } from "./evidence.ts"
import type { History } from "./history.ts"
import type { ChangeSeen } from "./watch-completeness.ts"

const check = "acknowledged writes"

export const acknowledgedWrites: Check = {
  name: check,
  holds: "Every write that was acknowledged is there, once, and nothing is there that was refused.",
  judge: ({ changes, history }) => {
    if (changes === undefined)
      return unknown(check, "no node could tell in the end what was written; see problems of clients")
    const written = checkAcknowledgedWrites(history, writtenBy, foundOf(history, changes))
    if (written.acknowledged === 0) return unknown(check, "no write was acknowledged")
    const { acknowledged, recovered } = written
    const suspects = new Set([...written.lost, ...written.doubled, ...written.impossible])
    const operations = history.flatMap(({ ending, id, input }) => {
      const value = writtenBy(input, ending._tag === "Ok" ? ending.output : undefined)
      return value !== undefined && suspects.has(value) ? [id] : []
    })
    const line = `${acknowledged} acknowledged writes are there, and ${recovered} whose answers were lost`
    return finding(check, renderWrites(written), line, operations)
  }
}

/** Of keys that clients wrote, by the names that `writtenBy` gives; others are of nodes, for their own use. */
const foundOf = (
  history: History<EtcdInput, EtcdOutput>,
  changes: ReadonlyArray<ChangeSeen>
): ReadonlyArray<string> => {
  const keys = new Set(history.flatMap(({ input }) => [...keysOf(input)]))
  const besides = new Set(history.flatMap(({ input }) => alsoWrittenBy(input)))
  return changes.flatMap(({ key, value }) => {
    const name = `${key} = ${value}`
    return value === null || !keys.has(key) || besides.has(name) ? [] : [name]
  })
}
