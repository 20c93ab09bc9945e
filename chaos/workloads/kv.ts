/**
 * Clients that read and write a few keys in every way there is, at whichever node answers; see kv-clients.ts. What
 * they asked and were told is the history that most checks are about.
 */
import { Effect } from "effect"
import { Recorder } from "#chaos/checkers/history.ts"
import type { EtcdInput, EtcdOutput } from "#chaos/models/etcd-model.ts"
import { type ClientOptions, KvClient } from "./kv-clients.ts"
import type { Counts, Running, Site, Workload } from "./workload.ts"

export interface KvOptions {
  readonly writers: number
  /** Each stays with its node, whatever happens to that one. */
  readonly readers: number
  /** Between two operations of a client, at most. */
  readonly pauseMillisMax: number
  /** How long a client waits for an answer. */
  readonly patienceMillis: number
  /** So many are recorded, and then clients stop. */
  readonly operationsMax: number
}

export const usualKv: KvOptions = {
  writers: 4,
  readers: 2,
  pauseMillisMax: 50,
  patienceMillis: 1_500,
  operationsMax: 50_000
}

export const kv = (chosen: Partial<KvOptions> = {}): Workload => {
  const options = { ...usualKv, ...chosen }
  return {
    name: `${options.writers} writers and ${options.readers} readers of a few keys`,
    begin: (site) => begin(options, site)
  }
}

const begin = (options: KvOptions, { isOver, nodes, nowMillis, prng, world }: Site): Running => {
  const { operationsMax, patienceMillis, pauseMillisMax, readers, writers } = options
  const { etcd, slowness } = world
  const recorder = new Recorder<EtcdInput, EtcdOutput>({ nowMillis, operationsMax })
  const client = (more: Pick<ClientOptions, "name" | "nodes" | "onlyReads">) =>
    new KvClient(etcd, recorder, prng.fork(), {
      ...more,
      patienceMillis: patienceMillis * slowness,
      pauseMillisMax: pauseMillisMax * slowness,
      isOver
    })
  const clients = [
    ...Array.from({ length: writers }, (_, at) =>
      client({ name: `writer ${at + 1}`, nodes, onlyReads: false })
    ),
    ...Array.from({ length: readers }, (_, at) =>
      client({
        name: `reader ${at + 1}`,
        nodes: nodes.slice(at % nodes.length).slice(0, 1),
        onlyReads: true
      })
    )
  ]
  return {
    run: Effect.forEach(clients, ({ run }) => run, { concurrency: "unbounded", discard: true }),
    gathered: () => ({ history: recorder.history }),
    counts: () => {
      const sum = (count: keyof Counts) => clients.reduce((total, { counts }) => total + counts[count], 0)
      return {
        answered: sum("answered"),
        failed: sum("failed"),
        unknown: sum("unknown"),
        acknowledged: sum("acknowledged")
      }
    }
  }
}
