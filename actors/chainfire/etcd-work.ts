/** Long work for one call of a client: what it is given, and what is told to the client when it fails. */
import { Either } from "effect"
import { isStorageFault } from "#actors/kernel/ports/storage-faults.ts"
import { BboltUnplanned } from "#protocols/wire/bbolt/bbolt-writer.ts"
import { type EtcdError, etcdErrors, GrpcCode } from "#protocols/wire/etcd/errors.ts"
import { type Backend, gatherBackend } from "./etcd-backend.ts"
import type { Endpoint } from "./etcd-calls.ts"
import { type Wait, type Work, WorkStalled } from "./long-work.ts"
import type { Member } from "./member.ts"
import type { MemberChanges } from "./member-changes.ts"
import type { Sweeper } from "./sweeper.ts"

export class TooMuchWork extends Error {
  override readonly name = "TooMuchWork"

  constructor() {
    super("there is too much long work already; wait for some of it to end")
  }
}

/** What is no fault of the disk or of the client is a bug, and thrown on. */
export const faultOfWork = (problem: unknown): EtcdError => {
  if (problem instanceof TooMuchWork) return etcdErrors.tooManyRequests
  const isFault =
    isStorageFault(problem) ||
    problem instanceof WorkStalled ||
    problem instanceof StateReplaced ||
    problem instanceof BboltUnplanned
  if (!isFault) throw problem
  return { code: GrpcCode.unavailable, message: `etcdserver: ${problem.message}` }
}

export interface WorkPlace extends Pick<Endpoint, "snapshot" | "works"> {
  readonly changes: Pick<MemberChanges, "members">
  readonly member: Pick<Member, "sweeper">
}

/** Looked at between two pauses. */
const sweptAtOnce = 200

/** Until nothing is left that a compaction at a revision has made unreachable. */
export function* sweepTo(member: Pick<Member, "failed" | "sweep" | "sweeper">, revision: number): Work {
  const { sweeper } = member
  const wait: Wait = (go) => sweeper.whenFree(go)
  while (sweeper.sweptRevision < revision) {
    if (member.failed !== undefined) throw member.failed
    if (sweeper.isHeld) {
      yield wait
      continue
    }
    member.sweep(sweptAtOnce)
    yield undefined
  }
}

export class StateReplaced extends Error {
  override readonly name = "StateReplaced"

  constructor() {
    super("a snapshot of the leader has taken the place of what was being read; ask again")
  }
}

/** Goes on for as long as the state is the one with which it began. */
function* onOneState(sweeper: Sweeper, work: Work): Work {
  const { states } = sweeper
  for (;;) {
    const step = work.next()
    if (step.done === true) return
    yield step.value
    if (sweeper.states !== states) throw new StateReplaced()
  }
}

/** With the sweep held until it ends: no version that is there now goes away meanwhile. */
export const withSweepHeld = (endpoint: WorkPlace, work: Work, ended: (problem: unknown) => void): void => {
  const letGo = endpoint.member.sweeper.hold()
  const isStarted = endpoint.works.start(onOneState(endpoint.member.sweeper, work), (problem) => {
    letGo()
    ended(problem)
  })
  if (isStarted) return
  letGo()
  ended(new TooMuchWork())
}

/** With all that is on this member, as it is at one moment. `ended` is called once. */
export const withBackend = (
  endpoint: WorkPlace,
  use: (backend: Backend) => Work,
  ended: (problem: unknown) => void
): void => {
  const { sweeper } = endpoint.member
  // From before the snapshot on: what is in it stays.
  const letGo = sweeper.hold()
  const { sweptRevision } = sweeper
  const members = endpoint.changes.members.map(({ ID, clientURLs, name, peerURLs }) => ({
    id: ID,
    name,
    peerUrls: peerURLs,
    clientUrls: clientURLs
  }))
  endpoint.snapshot((taken) => {
    if (Either.isLeft(taken)) {
      letGo()
      return ended(taken.left)
    }
    const { reads, release } = taken.right
    function* run(): Work {
      const backend = yield* gatherBackend(reads, sweptRevision, members)
      release()
      yield* use(backend)
    }
    withSweepHeld(endpoint, run(), (problem) => {
      release()
      ended(problem)
    })
    letGo()
  })
}
