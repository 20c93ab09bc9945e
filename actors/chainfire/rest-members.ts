/**
 * Members over REST, for a machine that boots for the first time and has curl and nothing else:
 *
 *   GET  /admin/members                                   200 {"members":[...]}
 *   POST /admin/member/add   {"peer_urls":["http://…"]}   201 {"id","members":[...]}, or 409 if it is one
 *
 * A thin front of the Cluster service, with the rights of whoever calls. An address without a scheme, as
 * `raft_addr`, is taken for HTTP. What is added is a learner until it has caught up.
 */
import { Either, Schema } from "effect"
import type { PlainReply } from "#actors/kernel/ports/grpc.ts"
import type { Member } from "#protocols/wire/etcd/cluster.ts"
import { etcdErrors, httpStatusOf } from "#protocols/wire/etcd/errors.ts"
import { CLUSTER } from "#protocols/wire/etcd/methods.ts"
import { type Route, type RoutedRequest, respondJson } from "./http-routes.ts"
import { type Ask, askAs, type Handlers } from "./inner-call.ts"

const AddMember = Schema.parseJson(
  Schema.Struct({
    peer_urls: Schema.optional(Schema.Array(Schema.String)),
    raft_addr: Schema.optional(Schema.String),
    is_learner: Schema.optionalWith(Schema.Boolean, { default: () => false })
  })
)
const decodeAddMember = Schema.decodeUnknownEither(AddMember)

export const memberRoutes = (handlers: Handlers): ReadonlyArray<Route> => {
  const askFor = ({ header, peer }: RoutedRequest): Ask =>
    askAs(handlers, { peer, header: (name) => header(name === "token" ? "authorization" : name) })
  return [
    {
      path: "/admin/members",
      methods: ["GET"],
      handle: (request, reply) =>
        askFor(request)(CLUSTER.memberList, {}, (answer) =>
          Either.isLeft(answer)
            ? respondJson(reply, httpStatusOf(answer.left.code), { error: answer.left.message })
            : respondJson(reply, 200, { members: answer.right.members.map(shown) })
        )
    },
    {
      path: "/admin/member/add",
      methods: ["POST"],
      handle: (request, reply) => add(askFor(request), request, reply)
    }
  ]
}

const add = (ask: Ask, { body }: RoutedRequest, reply: PlainReply): void => {
  const given = decodeAddMember(new TextDecoder().decode(body))
  if (Either.isLeft(given)) {
    const error = 'the body is to be {"peer_urls":["http://host:port"]}'
    return respondJson(reply, 400, { error })
  }
  const { is_learner: isLearner, peer_urls = [], raft_addr } = given.right
  const peerURLs = [...peer_urls, ...(raft_addr === undefined ? [] : [raft_addr])].map(withScheme)
  ask(CLUSTER.memberAdd, { peerURLs, isLearner }, (answer) => {
    if (Either.isLeft(answer)) {
      const { code, message } = answer.left
      const isThere = message === etcdErrors.peerUrlExists.message
      return respondJson(reply, isThere ? 409 : httpStatusOf(code), { error: message })
    }
    const { member, members } = answer.right
    respondJson(reply, 201, { id: (member?.ID ?? 0n).toString(16), members: members.map(shown) })
  })
}

const withScheme = (address: string): string => (/^https?:\/\//.test(address) ? address : `http://${address}`)

const shown = ({ ID, clientURLs, isLearner, name, peerURLs }: Member) => ({
  id: ID.toString(16),
  name,
  peer_urls: peerURLs,
  client_urls: clientURLs,
  is_learner: isLearner
})
