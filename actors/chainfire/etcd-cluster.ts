/**
 * The Cluster service of etcd v3: who the members are, and how that changes. The leader decides, see
 * member-changes.ts; other members pass on what they are asked.
 *
 * Unlike etcd, a member that is added as a voter is a learner until it has caught up. While authentication is on
 * only root changes them; as in etcd anybody may ask who they are.
 */
import { Either } from "effect"
import type { Unary } from "#actors/kernel/ports/grpc.ts"
import { type EtcdError, etcdErrors } from "#protocols/wire/etcd/errors.ts"
import { CLUSTER, type Method } from "#protocols/wire/etcd/methods.ts"
import { type Calls, type Endpoint, headerNow, headerOf, unary } from "./etcd-calls.ts"

type Answer = (outcome: Either.Either<Uint8Array, EtcdError>) => void

/** On the leader. `method` is the path of one of those below. */
export const changeMembers = (
  endpoint: Endpoint,
  method: string,
  bytes: Uint8Array,
  answer: Answer
): void => {
  const { changes } = endpoint
  const { memberAdd, memberPromote, memberRemove, memberUpdate } = CLUSTER
  const header = () => headerNow(endpoint)
  const answered =
    (encode: (all: { header: ReturnType<typeof header>; members: typeof changes.members }) => Uint8Array) =>
    (refused: EtcdError | undefined) =>
      answer(
        refused === undefined
          ? Either.right(encode({ header: header(), members: changes.members }))
          : Either.left(refused)
      )
  switch (method) {
    case memberAdd.path:
      return changes.add(memberAdd.request.decode(bytes), (outcome) =>
        answer(
          Either.map(outcome, (member) =>
            memberAdd.response.encode({ header: header(), member, members: [...changes.members] })
          )
        )
      )
    case memberRemove.path:
      return changes.remove(
        Number(memberRemove.request.decode(bytes).ID),
        answered(memberRemove.response.encode)
      )
    case memberPromote.path:
      return changes.promote(
        Number(memberPromote.request.decode(bytes).ID),
        answered(memberPromote.response.encode)
      )
    case memberUpdate.path: {
      const { ID, peerURLs } = memberUpdate.request.decode(bytes)
      return changes.update(Number(ID), peerURLs, answered(memberUpdate.response.encode))
    }
    default:
      return answer(Either.left(etcdErrors.notCapable))
  }
}

export const clusterCalls = (calls: Calls): Readonly<Record<string, Unary>> => {
  const { endpoint } = calls
  const change = <Request extends object, Response extends object>(
    method: Method<Request, Response>
  ): readonly [string, Unary] => [
    method.path,
    unary(method, (_request, call, bytes) =>
      calls.asRoot(call, () =>
        calls.onLeader(
          call,
          (answer) => changeMembers(endpoint, method.path, bytes, answer),
          (leader, answer) => endpoint.forwardChange(leader, method.path, bytes, answer),
          (encoded) =>
            call.reply(
              method.response.encode({ ...method.response.decode(encoded), header: headerNow(endpoint) })
            )
        )
      )
    )
  ]
  return {
    ...Object.fromEntries([
      change(CLUSTER.memberAdd),
      change(CLUSTER.memberRemove),
      change(CLUSTER.memberPromote),
      change(CLUSTER.memberUpdate)
    ]),

    [CLUSTER.memberList.path]: unary(CLUSTER.memberList, ({ linearizable }, call) => {
      const reply = () =>
        call.reply(
          CLUSTER.memberList.response.encode({
            header: headerOf(endpoint, 0),
            members: [...endpoint.changes.members]
          })
        )
      // As etcd 3.5: a member that was removed and does not know it has no list to give.
      if (linearizable) calls.afterRead(call, reply)
      else reply()
    })
  }
}
