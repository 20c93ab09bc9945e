/**
 * Compactions that are answered only when what they free is gone from the disk of the member that was asked
 * (`physical`). The command itself is like any other; its answer waits, until this member has applied it, swept
 * up to it, and written that down.
 */
import type { GrpcStatus, Metadata, UnaryCall } from "#actors/kernel/ports/grpc.ts"
import { etcdErrors } from "#protocols/wire/etcd/errors.ts"
import type { CompactionRequest } from "#protocols/wire/etcd/kv.ts"
import type { Calls } from "./etcd-calls.ts"
import { faultOfWork, sweepTo } from "./etcd-work.ts"

/** The call, with something in front of its answer. */
class LaterCall implements UnaryCall {
  readonly #call: UnaryCall
  readonly #before: (answer: () => void) => void

  constructor(call: UnaryCall, before: (answer: () => void) => void) {
    this.#call = call
    this.#before = before
  }

  get path() {
    return this.#call.path
  }
  get peer() {
    return this.#call.peer
  }
  get deadlineMillis() {
    return this.#call.deadlineMillis
  }
  get ended() {
    return this.#call.ended
  }
  get onCancel() {
    return this.#call.onCancel
  }
  set onCancel(canceled) {
    this.#call.onCancel = canceled
  }
  header(name: string) {
    return this.#call.header(name)
  }
  fail(status: GrpcStatus, trailers?: Metadata) {
    this.#call.fail(status, trailers)
  }
  reply(response: Uint8Array, trailers?: Metadata) {
    // It may be a view of what the next message is written into.
    const kept = response.slice()
    this.#before(() => this.#call.reply(kept, trailers))
  }
}

export const sweptCall = (calls: Calls, { revision }: CompactionRequest, call: UnaryCall): UnaryCall => {
  const { endpoint } = calls
  const sweep = (answer: () => void): void => {
    const isStarted = endpoint.works.start(sweepTo(endpoint.member, revision), (problem) => {
      if (problem !== undefined) return call.fail(faultOfWork(problem))
      endpoint.flushed((fault) => (fault === undefined ? answer() : call.fail(faultOfWork(fault))))
    })
    if (!isStarted) call.fail(etcdErrors.tooManyRequests)
  }
  // The leader has applied it, and this member may not have yet.
  return new LaterCall(call, (answer) => calls.afterRead(call, () => sweep(answer)))
}
