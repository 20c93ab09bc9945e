/**
 * How long does it take to find an order, and to find that there is none?
 *
 *   npm run bench linearizability            about ten seconds
 *   npm run bench linearizability 0.1        a quick look
 *
 * Expected: ten microseconds an operation, however long the history is, as long as few operations are under way on
 * one key at once and their answers tell revisions. Lost answers cost little while they are a few in a hundred,
 * and much where they are a third; without revisions many clients on one key cost more with each of them.
 */
import { etcdModel } from "#chaos/models/etcd-model.ts"
import { type Crowd, crowd, type EtcdHistory } from "./fixtures/histories.ts"
import { checkLinearizability } from "./linearizability.ts"

const scale = Number(process.argv[2] ?? 1)

const row = (cells: ReadonlyArray<string | number>) => console.log(`| ${cells.join(" | ")} |`)

const measure = (what: string, history: EtcdHistory): void => {
  globalThis.gc?.()
  const fromMillis = performance.now()
  const verdict = checkLinearizability(etcdModel, history, {
    nowMillis: () => performance.now(),
    millisMax: 20_000,
    cacheEntriesMax: 1_000_000
  })
  const tookMillis = performance.now() - fromMillis
  const each = ((tookMillis * 1_000) / history.length).toFixed(1)
  row([what, history.length, Math.round(tookMillis), each, verdict._tag])
}

const times = (count: number) => Math.max(100, Math.round(count * scale))
const usual: Crowd = { seed: 1, clients: 10, keys: 10, operations: times(10_000) }

/** In the last twentieth reads find what nobody has written. */
const wrong = (history: EtcdHistory): EtcdHistory =>
  history.map((operation, index) => {
    const { ending, input } = operation
    const isRead = input.compares.length === 0 && input.success[0]?._tag === "Get"
    if (index < history.length * 0.95 || ending._tag !== "Ok" || !isRead) return operation
    const results = [{ _tag: "Got", kv: { value: "never written" } } as const]
    return { ...operation, ending: { ...ending, output: { succeeded: true, results } } }
  })

row(["history", "operations", "ms", "µs each", "verdict"])
row(["---", "---", "---", "---", "---"])
measure("10 clients on 10 keys", crowd(usual))
measure("the same, ten times as long", crowd({ ...usual, operations: times(100_000) }))
measure("1% of the answers lost", crowd({ ...usual, lost: 0.01 }))
measure("5% of the answers lost", crowd({ ...usual, lost: 0.05 }))
measure("30% of the answers lost", crowd({ ...usual, lost: 0.3 }))
measure("without revisions", crowd({ ...usual, bare: true }))
measure("without revisions, 5% lost", crowd({ ...usual, bare: true, lost: 0.05 }))
measure("on one key", crowd({ ...usual, keys: 1 }))
measure("on one key, without revisions", crowd({ ...usual, keys: 1, bare: true }))
measure("with wrong answers in the end", wrong(crowd(usual)))
measure("wrong answers, 5% lost", wrong(crowd({ ...usual, lost: 0.05 })))
measure("wrong answers, without revisions", wrong(crowd({ ...usual, bare: true })))
