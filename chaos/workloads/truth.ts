/**
 * The truth in the end: what the store itself says that was changed, in which order, and in which state each of its
 * nodes is. Asked when everything is healed and nobody writes any more.
 *
 *   a linearizable read ──► the revision R ──► a watch from revision 1 to R     all changes, as one node has them
 *                                         └──► the hash of R on each node       whether the others have the same
 */
import { Clock, Effect, Either } from "effect"
import type { Evidence, FinalState } from "#chaos/checkers/evidence.ts"
import type { ChangeSeen } from "#chaos/checkers/watch-completeness.ts"
import type { NodeName, World } from "#chaos/lab/world.ts"
import { CLUSTER, KV, MAINTENANCE } from "#protocols/wire/etcd/methods.ts"
import type { WatchResponse } from "#protocols/wire/etcd/watch.ts"
import { callEtcd } from "./etcd-call.ts"
import { bytesOf, changesOf } from "./etcd-requests.ts"

const patienceMillis = 2_000
const roundsMax = 5
const pauseMillis = 500
const lookMillis = 20
/** How long a watch may tell nothing. */
const silenceMillisMax = 10_000
const changesMax = 1_000_000
/** The first of all keys, and as the end of a range what is behind the last. */
const zero = bytesOf("\0")

export type FinalTruth = Pick<Evidence, "changes" | "final" | "problems">

/** Of these nodes, which are up. What is known already, from the beginning on, the store need not have any more. */
export const readTruth = (
  world: World,
  nodes: ReadonlyArray<NodeName>,
  known: ReadonlyArray<ChangeSeen> = []
): Effect.Effect<FinalTruth> =>
  Effect.gen(function* () {
    const revision = yield* headRevision(world, nodes)
    if (revision === undefined)
      return {
        changes: undefined,
        final: [],
        problems: ["truth: no node answered a linearizable read when everything was healed"]
      }
    const problems: Array<string> = []
    let changes: ReadonlyArray<ChangeSeen> | undefined
    for (const node of nodes) {
      if (changes !== undefined) break
      const read = yield* readChanges(world, node, revision, known)
      if (typeof read === "string") problems.push(`truth: ${node} ${read}`)
      else changes = read
    }
    const voters = yield* votersOf(world, nodes)
    const states = yield* Effect.forEach(nodes, (node) => stateOf(world, node, revision, voters))
    const final = states.flatMap((state) => state ?? [])
    return { changes, final, problems: changes === undefined ? problems : [] }
  })

/** The last revision that there is now, by a linearizable read. */
export const headRevision = (
  world: World,
  nodes: ReadonlyArray<NodeName>
): Effect.Effect<number | undefined> =>
  firstOf(world, nodes, (node) =>
    Effect.map(call(world, node, KV.range, { key: zero }), (answer) => answer?.header?.revision)
  )

/** Rounds over all nodes, until one of them knows. */
const firstOf = <A>(
  world: World,
  nodes: ReadonlyArray<NodeName>,
  ask: (node: NodeName) => Effect.Effect<A | undefined>
): Effect.Effect<A | undefined> =>
  Effect.gen(function* () {
    for (let round = 0; round < roundsMax; round++) {
      for (const node of nodes) {
        const known = yield* ask(node)
        if (known !== undefined) return known
      }
      yield* Effect.sleep(pauseMillis * world.slowness)
    }
    return undefined
  })

const call = <Req extends object, Answer extends object>(
  { etcd, slowness }: World,
  node: NodeName,
  method: Parameters<typeof callEtcd<Req, Answer>>[2],
  request: Partial<Req>
): Effect.Effect<Answer | undefined> =>
  Effect.map(
    callEtcd(etcd, node, method, request, patienceMillis * slowness),
    Either.getOrUndefined<Answer, unknown>
  )

/** Or why there are none. */
const readChanges = (
  { etcd, slowness }: World,
  node: NodeName,
  revision: number,
  known: ReadonlyArray<ChangeSeen>
): Effect.Effect<ReadonlyArray<ChangeSeen> | string> =>
  Effect.gen(function* () {
    const changes = [...known]
    let ended: string | undefined
    let heardMillis = yield* Clock.currentTimeMillis
    let isHeard = false
    const take = (response: WatchResponse) => {
      isHeard = true
      if (response.canceled) ended = `cancelled a watch of everything: ${response.cancelReason}`
      changes.push(...changesOf(response.events).filter((change) => change.revision <= revision))
    }
    const cancel = etcd.watch({
      node,
      request: { key: zero, rangeEnd: zero, startRevision: (known.at(-1)?.revision ?? 0) + 1 },
      slowMillisMax: 0,
      onResponse: take,
      onEnd: () => {
        ended ??= "ended a watch of everything"
      }
    })
    const isComplete = () => revision <= 1 || changes.at(-1)?.revision === revision
    while (!isComplete() && ended === undefined) {
      yield* Effect.sleep(lookMillis)
      const nowMillis = yield* Clock.currentTimeMillis
      if (isHeard) heardMillis = nowMillis
      isHeard = false
      if (nowMillis - heardMillis > silenceMillisMax * slowness)
        ended = `told ${changes.length} changes of up to revision ${revision} and then nothing more`
      if (changes.length > changesMax) ended = `has more than ${changesMax} changes; play for a shorter time`
    }
    cancel()
    return isComplete() ? changes : (ended ?? "told nothing")
  })

/** Ids of the members that vote. */
const votersOf = (world: World, nodes: ReadonlyArray<NodeName>): Effect.Effect<ReadonlySet<bigint>> =>
  Effect.map(
    firstOf(world, nodes, (node) => call(world, node, CLUSTER.memberList, { linearizable: true })),
    (list) => new Set((list?.members ?? []).flatMap(({ ID, isLearner }) => (isLearner ? [] : [ID])))
  )

/** At that revision, or where the node has not come so far, at its own. Undefined: it does not answer. */
const stateOf = (
  world: World,
  node: NodeName,
  revision: number,
  voters: ReadonlySet<bigint>
): Effect.Effect<FinalState | undefined> =>
  Effect.gen(function* () {
    const hashAt = (at: number) => call(world, node, MAINTENANCE.hashKV, { revision: at })
    const known = yield* firstOf(world, [node], () => hashAt(revision))
    const answer = known ?? (yield* hashAt(0))
    if (answer?.header === undefined) return undefined
    return {
      node,
      revision: known === undefined ? answer.header.revision : revision,
      hash: answer.hash,
      voter: voters.has(answer.header.memberId)
    }
  })
