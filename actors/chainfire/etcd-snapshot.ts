/**
 * Maintenance.Snapshot of etcd v3: the member's whole state as a file that `etcdctl snapshot restore` and etcd
 * itself start from, streamed, with its SHA-256 behind it.
 *
 * The first pass adds up lengths, so that the file's own is known; the second one writes. What is not sent yet is
 * not there yet: a client that reads slowly holds up the writing and nothing else. The sweep of what compaction
 * made unreachable waits meanwhile, so a client that reads nothing for minutes loses the stream.
 */
import type { OpenStream, StreamCall } from "#actors/kernel/ports/grpc.ts"
import { BboltPlan } from "#protocols/wire/bbolt/bbolt-layout.ts"
import { bboltPages } from "#protocols/wire/bbolt/bbolt-writer.ts"
import { SnapshotRequest, SnapshotResponse } from "#protocols/wire/etcd/cluster.ts"
import { untranslated } from "#protocols/wire/etcd/errors.ts"
import { MAINTENANCE } from "#protocols/wire/etcd/methods.ts"
import { ProtobufMalformed } from "#protocols/wire/protobuf.ts"
import { Sha256 } from "#protocols/wire/sha256.ts"
import { type Bucket, backendBuckets } from "./etcd-backend.ts"
import { type Calls, malformed } from "./etcd-calls.ts"
import { faultOfWork, withBackend } from "./etcd-work.ts"
import type { Wait, Work } from "./long-work.ts"

/** As etcd has it. */
const blobBytes = 32 * 1024
/** Lengths are added up so many at a time. */
const pairsAtOnce = 64

/** Pieces of any length become blobs of the same length, but for the last one. */
class Blobs {
  readonly #send: (blob: Uint8Array) => void
  readonly #blob = new Uint8Array(blobBytes)
  #filled = 0

  constructor(send: (blob: Uint8Array) => void) {
    this.#send = send
  }

  add(piece: Uint8Array): void {
    for (let at = 0; at < piece.length; ) {
      const length = Math.min(piece.length - at, blobBytes - this.#filled)
      this.#blob.set(piece.subarray(at, at + length), this.#filled)
      this.#filled += length
      at += length
      if (this.#filled === blobBytes) this.end()
    }
  }

  end(): void {
    if (this.#filled === 0) return
    this.#send(this.#blob.subarray(0, this.#filled))
    this.#filled = 0
  }
}

/** What a file is sent through, and how far it is. */
export interface SnapshotSink {
  /** Whether nobody wants it any more. */
  readonly ended: boolean
  /** Whether there is room for more. */
  readonly send: (remainingBytes: number, blob: Uint8Array) => boolean
  readonly drained: Wait
}

export function* sendSnapshot(buckets: ReadonlyArray<Bucket>, sink: SnapshotSink): Work {
  const plan = new BboltPlan()
  let pairs = 0
  for (const bucket of buckets) {
    plan.bucket(new TextEncoder().encode(bucket.name))
    for (const pair of bucket.pairs()) {
      if (pair !== undefined) plan.add(pair.key.length, pair.value.length)
      if (pair === undefined || ++pairs % pairsAtOnce === 0) yield undefined
      if (sink.ended) return
    }
  }
  const layout = plan.finish()
  const hash = new Sha256()
  let remaining = layout.bytes
  let hasRoom = true
  const blobs = new Blobs((blob) => {
    hash.update(blob)
    remaining -= blob.length
    hasRoom = sink.send(remaining, blob)
  })
  for (const page of bboltPages(layout, (place) => buckets[place]?.pairs() ?? [])) {
    if (page !== undefined) blobs.add(page)
    if (sink.ended) return
    yield hasRoom ? undefined : sink.drained
    hasRoom = true
  }
  blobs.end()
  sink.send(0, hash.digest())
}

const sinkOf = (call: StreamCall): SnapshotSink => ({
  get ended() {
    return call.ended
  },
  send: (remainingBytes, blob) =>
    call.send(SnapshotResponse.encode({ header: undefined, remainingBytes, blob })),
  drained: (go) => {
    call.onDrain = go
    // Whoever has gone away does not read on.
    call.onCancel = go
  }
})

const isRequest = (bytes: Uint8Array): boolean => {
  try {
    SnapshotRequest.decode(bytes)
    return true
  } catch (problem) {
    if (problem instanceof ProtobufMalformed) return false
    throw problem
  }
}

export const snapshotStream = (calls: Calls): Readonly<Record<string, OpenStream>> => ({
  [MAINTENANCE.snapshot.path]: (call) => {
    let begun = false
    return {
      onMessage: (bytes) => {
        if (begun) return
        begun = true
        if (!isRequest(bytes)) return call.fail(malformed)
        const { endpoint } = calls
        const { mvcc } = endpoint.member.machine
        const send = () =>
          withBackend(
            endpoint,
            (backend) => sendSnapshot(backendBuckets(backend, mvcc), sinkOf(call)),
            (problem) => (problem === undefined ? call.end() : call.fail(faultOfWork(problem)))
          )
        calls.asRoot(call, send, untranslated)
      },
      onEnd: () => {
        if (!begun) call.fail(malformed)
      }
    }
  }
})
