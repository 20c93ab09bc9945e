/** Calls to etcd as Effects that always end. */
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
  inTime<Either.Either<Answer, GrpcStatus>>(etcd, patienceMillis, (done) =>
    etcd.call(node, method, request, done)
  ).pipe(Effect.map((answer) => answer ?? Either.left(noAnswer)))

/** What is called back with, or undefined if that takes longer. */
export const inTime = <Answer>(
  etcd: EtcdAccess,
  patienceMillis: number,
  begin: (done: (answer: Answer) => void) => void
): Effect.Effect<Answer | undefined> =>
  Effect.async<Answer | undefined>((resume) => {
    const cancel = etcd.after(patienceMillis, () => resume(Effect.succeed(undefined)))
    begin((answer) => {
      cancel()
      resume(Effect.succeed(answer))
    })
    return Effect.sync(cancel)
  })
