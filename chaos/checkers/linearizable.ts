/** Check: each answer is right at some moment between question and answer; see linearizability.ts. */
import { etcdModel } from "#chaos/models/etcd-model.ts"
import { type Check, Finding, passed, unknown } from "./evidence.ts"
import { checkLinearizability, renderVerdict } from "./linearizability.ts"

const check = "linearizable"
/** About half a gigabyte. */
const cacheEntriesMax = 1_000_000
/** Of the order that was found, those before the ones that cannot follow. */
const prefixShown = 12

export const linearizable: Check = {
  name: check,
  holds: "All answers to clients fit into one order, in which each operation happens while its client waits.",
  judge: ({ history }, bounds) => {
    const answered = history.filter(({ ending }) => ending._tag === "Ok").length
    if (answered === 0) return unknown(check, "no operation was answered, so there is nothing to judge")
    const verdict = checkLinearizability(etcdModel, history, { ...bounds, cacheEntriesMax })
    const lines = renderVerdict(etcdModel, verdict)
    switch (verdict._tag) {
      case "Linearizable":
        return passed(
          check,
          `${history.length} operations, ${answered} answered, of ${verdict.partitions} sets of keys`
        )
      case "Unknown":
        return unknown(check, ...lines)
      case "Violated": {
        const shown = [...verdict.prefix.slice(-prefixShown), ...verdict.blocked]
        const operations = shown.map(({ id }) => id)
        return new Finding({ check, verdict: "failed", lines, operations })
      }
    }
  }
}
