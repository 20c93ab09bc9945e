/** Check: revisions and time go the same way, over all keys together; see revision-order.ts. */
import { stampOf } from "#chaos/models/etcd-writes.ts"
import { type Check, finding, unknown } from "./evidence.ts"
import { fewOf } from "./few.ts"
import { checkRevisionOrder } from "./revision-order.ts"

const check = "revisions in order"

export const revisionsInOrder: Check = {
  name: check,
  holds: "Nobody is told an older revision than somebody was told before, and no two changes share one.",
  judge: ({ history }) => {
    const answered = history.filter(({ ending }) => ending._tag === "Ok").length
    if (answered === 0) return unknown(check, "no operation was answered, so there is nothing to judge")
    const problems = checkRevisionOrder(history, stampOf)
    const lines = fewOf(problems.map(({ line }) => line))
    const operations = [...new Set(problems.flatMap(({ operations }) => operations))]
    return finding(check, lines, `${answered} answers tell revisions in order`, operations)
  }
}
