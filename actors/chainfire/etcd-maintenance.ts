/**
 * The Maintenance service of etcd v3: what an operator asks of one member. Snapshot, which is a stream, is in
 * etcd-snapshot.ts.
 *
 * Defragment: a file of lmdb gives no room back to the disk, and cannot be rewritten under a store that is in use.
 * It need not: pages that are free are used before the file grows. So what is done is to free them, now: the
 * sweep after the last compaction is brought to its end, and flushed. The room in use, which is what the quota
 * counts, is smaller then (`dbSizeInUse`); the length of the file (`dbSize`) is not. To have the file itself
 * smaller, restore a snapshot into a new data directory, or remove the member and let it join anew.
 */
import type { Unary, UnaryCall } from "#actors/kernel/ports/grpc.ts"
import { AlarmAction, StatusResponse } from "#protocols/wire/etcd/cluster.ts"
import { type EtcdError, etcdErrors, GrpcCode, untranslated } from "#protocols/wire/etcd/errors.ts"
import { MAINTENANCE } from "#protocols/wire/etcd/methods.ts"
import { alarmText } from "./alarms.ts"
import { backendBuckets } from "./etcd-backend.ts"
import { type Calls, type Endpoint, headerNow, unary } from "./etcd-calls.ts"
import { faultOfWork, sweepTo, withBackend, withSweepHeld } from "./etcd-work.ts"
import { hashBackend, hashKv } from "./kv-hash.ts"
import { checkRevision } from "./kv-range.ts"
import type { Work } from "./long-work.ts"

/** The release of etcd whose answers these are. */
export const etcdVersion = "3.4.23"

/** Not among those that etcd has a code for. */
const transferTookTooLong: EtcdError = {
  code: GrpcCode.unknown,
  message: "etcdserver: request timed out, leader transfer took too long"
}

export const maintenanceCalls = (calls: Calls): Readonly<Record<string, Unary>> => {
  const { endpoint } = calls
  const { member } = endpoint
  const { mvcc } = member.machine
  return {
    [MAINTENANCE.status.path]: unary(MAINTENANCE.status, (_request, call) => call.reply(statusOf(endpoint))),

    [MAINTENANCE.alarm.path]: unary(MAINTENANCE.alarm, ({ action }, call, bytes) => {
      const propose = () => calls.propose("Alarm", MAINTENANCE.alarm, bytes, call)
      if (action === AlarmAction.get) propose()
      // Stricter than etcd 3.4, which asks nobody.
      else calls.asRoot(call, propose, untranslated)
    }),

    [MAINTENANCE.defragment.path]: unary(MAINTENANCE.defragment, (_request, call) =>
      calls.asRoot(
        call,
        () => {
          const isStarted = endpoint.works.start(sweepTo(member, mvcc.compactRevision), (problem) => {
            if (problem !== undefined) return call.fail(faultOfWork(problem))
            endpoint.flushed((fault) => {
              if (fault !== undefined) return call.fail(faultOfWork(fault))
              call.reply(MAINTENANCE.defragment.response.encode({ header: undefined }))
            })
          })
          if (!isStarted) call.fail(etcdErrors.tooManyRequests)
        },
        untranslated
      )
    ),

    [MAINTENANCE.hash.path]: unary(MAINTENANCE.hash, (_request, call) =>
      calls.asRoot(
        call,
        () => {
          let hash = 0
          withBackend(
            endpoint,
            function* (backend): Work {
              hash = yield* hashBackend(backendBuckets(backend, mvcc))
            },
            answered(call, () => MAINTENANCE.hash.response.encode({ header: headerNow(endpoint), hash }))
          )
        },
        untranslated
      )
    ),

    [MAINTENANCE.hashKV.path]: unary(MAINTENANCE.hashKV, (request, call) => {
      const { compactRevision } = mvcc
      const revision = request.revision === 0 ? mvcc.revision : request.revision
      // Other than for a read, the revision of the compaction itself is too old.
      const isCompacted = request.revision > 0 && revision <= compactRevision
      const refused = isCompacted ? etcdErrors.compacted : checkRevision(mvcc, request.revision)
      if (refused !== undefined) return call.fail(refused)
      const header = headerNow(endpoint)
      let hash = 0
      function* hashing(): Work {
        hash = yield* hashKv(mvcc, revision, compactRevision)
      }
      const encode = () => MAINTENANCE.hashKV.response.encode({ header, hash, compactRevision })
      calls.asRoot(call, () => withSweepHeld(endpoint, hashing(), answered(call, encode)), untranslated)
    }),

    [MAINTENANCE.moveLeader.path]: unary(MAINTENANCE.moveLeader, ({ targetID }, call) => {
      if (member.leader !== member.id) return call.fail(etcdErrors.notLeader)
      const target = Number(targetID)
      if (!member.membership.isVoter(target)) return call.fail(etcdErrors.badLeaderTransferee)
      calls.asRoot(call, () => {
        // What is refused because another transfer is under way may still end with this one.
        if (target !== member.id) member.transfer(target)
        member.whenLed(
          (led) =>
            led
              ? call.reply(MAINTENANCE.moveLeader.response.encode({ header: undefined }))
              : call.fail(transferTookTooLong),
          target
        )
      })
    })
  }
}

const answered =
  (call: UnaryCall, encode: () => Uint8Array) =>
  (problem: unknown): void =>
    problem === undefined ? call.reply(encode()) : call.fail(faultOfWork(problem))

const statusOf = (endpoint: Endpoint): Uint8Array => {
  const { member } = endpoint
  const { commit, leader, term } = member.status
  const alarms = member.machine.alarms.list().map(alarmText)
  return StatusResponse.encode({
    header: headerNow(endpoint),
    version: etcdVersion,
    dbSize: endpoint.storeBytes(),
    leader: BigInt(leader),
    raftIndex: commit,
    raftTerm: term,
    raftAppliedIndex: member.machine.appliedIndex,
    errors: [...(leader === 0 ? [etcdErrors.noLeader.message] : []), ...alarms],
    dbSizeInUse: endpoint.usedBytes(),
    isLearner: member.isLearner
  })
}
