/** The Maintenance service of etcd v3: what an operator asks of one member. */
import type { Unary } from "#actors/kernel/ports/grpc.ts"
import { StatusResponse } from "#protocols/wire/etcd/cluster.ts"
import { etcdErrors } from "#protocols/wire/etcd/errors.ts"
import { MAINTENANCE } from "#protocols/wire/etcd/methods.ts"
import { type Calls, headerNow, unary } from "./etcd-calls.ts"

/** The release of etcd whose answers these are. */
export const etcdVersion = "3.4.23"

export const maintenanceCalls = ({ endpoint }: Calls): Readonly<Record<string, Unary>> => {
  const { member } = endpoint
  return {
    [MAINTENANCE.status.path]: unary(MAINTENANCE.status, (_request, call) => {
      const { commit, leader, term } = member.status
      const bytes = endpoint.storeBytes()
      call.reply(
        StatusResponse.encode({
          header: headerNow(endpoint),
          version: etcdVersion,
          dbSize: bytes,
          leader: BigInt(leader),
          raftIndex: commit,
          raftTerm: term,
          raftAppliedIndex: member.machine.appliedIndex,
          errors: leader === 0 ? [etcdErrors.noLeader.message] : [],
          dbSizeInUse: bytes,
          isLearner: member.isLearner
        })
      )
    })
  }
}
