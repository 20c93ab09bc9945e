/**
 * One run of chainfire in the simulator, named by its seed: members under faults, clients that write down what
 * they see, and then peace. Afterwards everything is held against everything: the history of the clients has to
 * be linearizable, nothing acknowledged may be missing, watches are complete, and all members have the same state.
 *
 * The seed draws the size of the group and its limits, which faults there are, and all that follows.
 */
import { Effect } from "effect"
import { MemberCluster } from "#actors/chainfire/fixtures/member-cluster.ts"
import type { Member } from "#actors/chainfire/member.ts"
import { logLimits } from "#actors/chainfire/member-snapshots.ts"
import type { GrpcStatus } from "#actors/kernel/ports/grpc.ts"
import { defaultConfig, type RaftConfig } from "#actors/raft/raft-config.ts"
import { checkAcknowledgedWrites, renderWrites } from "#chaos/checkers/acknowledged-writes.ts"
import { type History, Recorder } from "#chaos/checkers/history.ts"
import { checkLinearizability, renderVerdict } from "#chaos/checkers/linearizability.ts"
import { checkRevisionOrder } from "#chaos/checkers/revision-order.ts"
import { type ChangeSeen, checkWatch } from "#chaos/checkers/watch-completeness.ts"
import { nodeName } from "#chaos/lab/world.ts"
import { type EtcdInput, type EtcdOutput, etcdModel, get } from "#chaos/models/etcd-model.ts"
import { stampOf, writtenBy } from "#chaos/models/etcd-writes.ts"
import type { Prng } from "#chaos/sim/prng.ts"
import { SimWorld } from "#chaos/sim/world.ts"
import { textOf } from "#chaos/workloads/etcd-requests.ts"
import { type ClientOptions, KvClient, pair, singleKeys } from "#chaos/workloads/kv-clients.ts"
import { KvWatcher } from "#chaos/workloads/kv-watchers.ts"
import { type Fault, faults, MemberNemesis } from "./member-nemesis.ts"
import { SimEtcd } from "./sim-etcd.ts"

export interface RunOptions {
  readonly seed: number
  /** For the checks, which are no part of the simulated world. */
  readonly nowMillis: () => number
  /** Instead of those that the seed draws. */
  readonly faults?: ReadonlyArray<Fault>
  readonly config?: Partial<RaftConfig>
  // Bugs that tests plant
  readonly serializableReads?: boolean
  readonly lyingDisks?: boolean
  /** After which errors clients believe that nothing happened. */
  readonly isDefinite?: (status: GrpcStatus) => boolean
}

export interface Run {
  /** In lines for people; none is none. */
  readonly problems: ReadonlyArray<string>
  readonly history: History<EtcdInput, EtcdOutput>
  readonly counts: Readonly<Record<string, number>>
}

const allKeys = [...singleKeys, ...pair]
const first = "a"
const last = "y"
const writersCount = 6
const rounds = 10
const operationsMax = 20_000
const eventsMax = 100_000
const checkMillisMax = 60_000
const cacheEntriesMax = 1_000_000

export const runMembers = (options: RunOptions): Run => {
  const world = new SimWorld(options.seed)
  const { prng } = world
  const size = oneOf(prng, [1, 3, 3, 3, 3, 3, 3, 5, 5])
  const config = {
    // Entries have to be read back from the journal, and go to others in many messages.
    memoryEntriesMax: oneOf(prng, [8, defaultConfig.memoryEntriesMax]),
    appendEntriesMax: oneOf(prng, [4, defaultConfig.appendEntriesMax]),
    chunkBytes: oneOf(prng, [500, defaultConfig.chunkBytes]),
    ...options.config
  }
  // Members that were away find the log compacted, and get a snapshot.
  const log = { entriesMax: oneOf(prng, [20, 60, logLimits.entriesMax]), tailEntries: 10 }
  const cluster = new MemberCluster(world, size, config, log)
  const etcd = new SimEtcd(world, cluster, options.isDefinite)
  const nodes = cluster.ids.map((id) => nodeName(id))
  const nemesis = new MemberNemesis(cluster, prng.fork(), () => world.nowMillis)
  const recorder = new Recorder<EtcdInput, EtcdOutput>({ nowMillis: () => world.nowMillis, operationsMax })
  const problems: Array<string> = []
  let changes: ReadonlyArray<ChangeSeen> | undefined
  let isOver = false

  const clientOf = (name: string, more: Partial<ClientOptions> = {}) =>
    new KvClient(etcd, recorder, prng.fork(), {
      name,
      nodes,
      onlyReads: false,
      patienceMillis: 600,
      pauseMillisMax: 40,
      isOver: () => isOver,
      serializable: options.serializableReads === true,
      ...more
    })
  const writers = Array.from({ length: writersCount }, (_, at) =>
    clientOf(`writer ${at + 1}`, { patienceMillis: at % 2 === 0 ? 600 : 2_500 })
  )
  // Each stays with its member, whatever happens to that one.
  const readers = nodes.map((node, at) =>
    clientOf(`reader ${at + 1}`, { nodes: [node], onlyReads: true, patienceMillis: 300, pauseMillisMax: 60 })
  )
  const watchers = [
    { name: "of all keys", first, last, slowMillisMax: 2, stayMillisMax: 20_000 },
    { name: "of all keys, restless", first, last, slowMillisMax: 2, stayMillisMax: 1_000 },
    { name: "of c, slow", first: "c", last: "c", slowMillisMax: 20, stayMillisMax: 6_000 },
    { name: "of the pair", first: pair[0], last: pair[1], slowMillisMax: 5, stayMillisMax: 10_000 }
  ].map(
    (watcher) =>
      new KvWatcher(etcd, prng.fork(), {
        ...watcher,
        nodes,
        eventsMax,
        isCompacted: false,
        isOver: () => nemesis.isOver
      })
  )

  const program = Effect.gen(function* () {
    for (const id of cluster.ids) {
      if (options.lyingDisks === true) cluster.disk(id).lies = true
      yield* Effect.fork(nemesis.supervise(id))
    }
    yield* Effect.sleep("1 second")
    for (const { run } of [...writers, ...readers, ...watchers]) yield* Effect.fork(run)
    yield* nemesis.torment(options.faults ?? drawn(prng), rounds)
    nemesis.peace()
    yield* Effect.sleep("4 seconds")
    isOver = true
    yield* Effect.sleep("4 seconds")
    problems.push(...nemesis.down)
    problems.push(...(yield* atPeace(cluster, clientOf("last", { patienceMillis: 2_000 }))))
    changes = changesOf(cluster.leader)
    nemesis.isOver = true
    yield* Effect.sleep("1 second")
  })
  try {
    world.run(program)
  } catch (cause) {
    problems.push(cause instanceof Error ? (cause.stack ?? cause.message) : String(cause))
  }

  const { history } = recorder
  const bounds = { nowMillis: options.nowMillis, millisMax: checkMillisMax, cacheEntriesMax }
  const verdict = checkLinearizability(etcdModel, history, bounds)
  if (verdict._tag !== "Linearizable") problems.push(...renderVerdict(etcdModel, verdict))
  problems.push(...checkRevisionOrder(history, stampOf).map(({ line }) => line))
  problems.push(...watchers.flatMap((watcher) => watcher.problems))
  const written = checkAcknowledgedWrites(history, writtenBy, (changes ?? []).flatMap(writtenOf))
  if (changes === undefined) problems.push("nobody leads after peace, so nobody can say what was written")
  else {
    const lastRevision = changes.at(-1)?.revision ?? 0
    const truth = { changes, isComplete: true }
    problems.push(...renderWrites(written))
    problems.push(
      ...watchers.flatMap((watcher) => watcher.seen(lastRevision).flatMap((seen) => checkWatch(truth, seen)))
    )
  }
  const ended = (tag: string) => history.filter(({ ending }) => ending._tag === tag).length
  return {
    problems,
    history,
    counts: {
      answered: ended("Ok"),
      failed: ended("Failed"),
      unknown: ended("Unknown"),
      "lost and found": written.recovered,
      events: watchers.reduce(
        (sum, watcher) => sum + watcher.seen(0).flatMap(({ events }) => events).length,
        0
      ),
      resumed: watchers.reduce((sum, { beginnings }) => sum + beginnings - 1, 0),
      snapshots: cluster.ids.reduce((sum, id) => sum + (cluster.member(id)?.installs ?? 0), 0),
      restarts: [...nemesis.restarts.values()].reduce((sum, count) => sum + count, 0),
      ...Object.fromEntries(nemesis.strikes)
    }
  }
}

const oneOf = (prng: Prng, values: readonly [number, ...Array<number>]): number =>
  values[prng.below(values.length)] ?? values[0]

/** Some faults together show more than all of them at once. */
const drawn = (prng: Prng): ReadonlyArray<Fault> => {
  const chosen = faults.filter(() => prng.chance(0.4))
  return chosen.length > 0 ? chosen : faults
}

/** When all is well everybody is answered, and all members come to the same state. */
const atPeace = (cluster: MemberCluster, client: KvClient): Effect.Effect<ReadonlyArray<string>> =>
  Effect.gen(function* () {
    const problems: Array<string> = []
    for (const key of allKeys) {
      const outcome = yield* client.ask(get(key))
      if (outcome !== "ok") problems.push(`8 seconds after peace a read of ${key} was answered: ${outcome}`)
    }
    yield* Effect.sleep("1 second")
    const [first, ...others] = cluster.ids.map((id) => dump(cluster.member(id)))
    if (others.some((other) => other !== first))
      problems.push(`the members are in different states:\n${[first, ...others].join("\n\n")}`)
    return problems
  })

const dump = (member: Member | undefined): string => {
  if (member === undefined) return "nobody"
  const { appliedIndex, mvcc } = member.machine
  const kvs = [...mvcc.range({ key: new Uint8Array(1), rangeEnd: new Uint8Array(1) })]
  const lines = kvs.map(
    ({ createRevision, key, modRevision, value, version }) =>
      `${textOf(key)} = ${textOf(value)} ${createRevision} ${modRevision} ${version}`
  )
  return [`applied ${appliedIndex}, revision ${mvcc.revision}`, ...lines].join("\n")
}

const changesOf = (member: Member | undefined): ReadonlyArray<ChangeSeen> | undefined => {
  if (member === undefined) return undefined
  const { mvcc } = member.machine
  return [...mvcc.changes(1, mvcc.revision, false)].map(({ kv, revision, type }) => ({
    revision: revision.main,
    key: textOf(kv.key),
    value: type === "delete" ? null : textOf(kv.value)
  }))
}

/** As `writtenBy` names it: of the pair the first. */
const writtenOf = ({ key, value }: ChangeSeen): ReadonlyArray<string> =>
  value === null || key === pair[1] ? [] : [`${key} = ${value}`]
