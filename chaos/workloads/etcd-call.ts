/** A call to etcd as an Effect that always ends. */
import { Effect, Either } from "effect"
import type { GrpcStatus } from "#actors/kernel/ports/grpc.ts"
import type { EtcdAccess, NodeName } from "#chaos/lab/world.ts"
import { GrpcCode } from "#protocols/wire/etcd/errors.ts"
import type { Method } from "#protocols/wire/etcd/methods.ts"

/** By the client's own clock, and no error of etcd: something may have happened, or still will. */
const noAnswer: GrpcStatus = { code: GrpcCode.deadlineExceeded, message: "no answer came in time" }

export const callEtcd = <Req extends object, Answer extends object>(
  etcd: EtcdAccess,
  node: NodeName,
  method: Method<Req, Answer>,
  request: Partial<Req>,
  patienceMillis: number
): Effect.Effect<Either.Either<Answer, GrpcStatus>> =>
  Effect.async<Either.Either<Answer, GrpcStatus>>((resume) =>
    etcd.call(node, method, request, (answer) => resume(Effect.succeed(answer)))
  ).pipe(
    Effect.timeoutTo({
      duration: patienceMillis,
      onSuccess: (answer) => answer,
      onTimeout: () => Either.left(noAnswer)
    })
  )
