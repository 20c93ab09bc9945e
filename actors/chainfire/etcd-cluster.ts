/** The Cluster service of etcd v3: who the members are. */
import type { Unary } from "#actors/kernel/ports/grpc.ts"
import { MemberListResponse } from "#protocols/wire/etcd/cluster.ts"
import { CLUSTER } from "#protocols/wire/etcd/methods.ts"
import { type Calls, headerOf, unary } from "./etcd-calls.ts"

export const clusterCalls = ({ endpoint }: Calls): Readonly<Record<string, Unary>> => ({
  [CLUSTER.memberList.path]: unary(CLUSTER.memberList, (_request, call) =>
    call.reply(
      MemberListResponse.encode({
        header: { ...headerOf(endpoint, 0) },
        members: endpoint.members.map(({ clientUrl, id, name, peerUrl }) => ({
          ID: id,
          name,
          peerURLs: [peerUrl],
          clientURLs: [clientUrl],
          isLearner: false
        }))
      })
    )
  )
})
