/** Clients of etcd in the simulator, who call nodes over a network of their own. */
import { Either } from "effect"
import type { GrpcStatus } from "#actors/kernel/ports/grpc.ts"
import type { EtcdAccess } from "#chaos/lab/world.ts"
import { etcdErrors } from "#protocols/wire/etcd/errors.ts"
import { WATCH } from "#protocols/wire/etcd/methods.ts"
import { WatchCreateRequest, WatchRequest, WatchResponse } from "#protocols/wire/etcd/watch.ts"
import { connectionRefused, type SimGrpc } from "./sim-grpc.ts"
import { addressesOf } from "./sim-machine.ts"

/** After these nothing has happened, and nothing will. */
const definite: ReadonlySet<string> = new Set(
  [connectionRefused, etcdErrors.noLeader, etcdErrors.leaderChanged, etcdErrors.tooManyRequests].map(
    ({ message }) => message
  )
)

export const isDefinite = ({ message }: GrpcStatus): boolean => definite.has(message)

/** Their clock is that of whoever watches the world from outside. */
export const simEtcdAccess = (grpc: SimGrpc, after: EtcdAccess["after"]): EtcdAccess => ({
  after,
  call: (node, { path, request, response }, asked, done) =>
    void grpc.unary(addressesOf(node).etcd, path, request.encode(request.make(asked)), (answer) =>
      done(Either.map(answer, (bytes) => response.decode(bytes)))
    ),
  watch: ({ node, onEnd, onResponse, request, slowMillisMax }) => {
    const answers = {
      onMessage: (message: Uint8Array) => onResponse(WatchResponse.decode(message)),
      onEnd: () => onEnd()
    }
    const stream = grpc.stream(addressesOf(node).etcd, WATCH.watch.path, answers, { slowMillisMax })
    const createRequest = WatchCreateRequest.make(request)
    stream.send(WatchRequest.encode(WatchRequest.make({ createRequest })))
    return stream.cancel
  },
  isDefinite
})
