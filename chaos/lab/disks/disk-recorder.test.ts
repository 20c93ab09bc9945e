import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import test from "ava"
import { Either } from "effect"
import type { GrpcStatus } from "#actors/kernel/ports/grpc.ts"
import type { EtcdAccess } from "#chaos/lab/world.ts"
import { PutRequest } from "#protocols/wire/etcd/kv-fast.ts"
import { KV, type Method } from "#protocols/wire/etcd/methods.ts"
import { RequestOp } from "#protocols/wire/etcd/txn-fast.ts"
import { DiskRecorder } from "./disk-recorder.ts"

const bytes = (text: string) => new TextEncoder().encode(text)
const put = (key: string, value: string) => ({ key: bytes(key), value: bytes(value) })
const putting = (key: string, value: string) =>
  RequestOp.make({ requestPut: PutRequest.make(put(key, value)) })

/** Two logs, and a cluster that makes both longer before it answers what it is told to. */
const withRecorder = (use: (recorder: DiskRecorder, cluster: Cluster) => void): void => {
  const folder = mkdtempSync(join(tmpdir(), "recorder-"))
  const disks = ["node01", "node02"].map((name) => ({
    name,
    dataFolder: "/node",
    basePath: join(folder, `${name}.base`),
    logPath: join(folder, `${name}.log`)
  }))
  for (const { logPath } of disks) writeFileSync(logPath, "")
  try {
    use(new DiskRecorder(disks, 10), new Cluster(disks.map(({ logPath }) => logPath)))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

class Cluster implements EtcdAccess {
  /** What it answers next; nothing where that is undefined. */
  answer: Either.Either<object, GrpcStatus> | undefined
  calls = 0
  readonly #logs: ReadonlyArray<string>

  constructor(logs: ReadonlyArray<string>) {
    this.#logs = logs
  }

  call<Request extends object, Answer extends object>(
    _node: string,
    { response }: Method<Request, Answer>,
    _request: Partial<Request>,
    done: (answer: Either.Either<Answer, GrpcStatus>) => void
  ): void {
    this.calls++
    for (const [index, log] of this.#logs.entries()) appendFileSync(log, "x".repeat(100 * (index + 1)))
    if (this.answer === undefined) return
    done(Either.map(this.answer, (given) => response.decode(response.encode(response.make(given)))))
  }

  watch = () => () => {}
  after = () => () => {}
  isDefinite = () => false
}

const header = (revision: number) => ({ clusterId: 1n, memberId: 1n, revision, raftTerm: 1 })

test("a put is acknowledged when its answer is there, at its revision, with the length of every log", (t) => {
  withRecorder((recorder, cluster) => {
    const etcd = recorder.watched(cluster)
    cluster.answer = Either.right({ header: header(7) })
    etcd.call("node01", KV.put, put("a", "1"), () => {})
    cluster.answer = Either.left({ code: 14, message: "gone" })
    etcd.call("node01", KV.put, put("a", "2"), () => {})
    cluster.answer = undefined
    etcd.call("node01", KV.put, put("b", "3"), () => {})
    t.deepEqual(recorder.recording.writes, [
      { key: "a", value: "1", acknowledged: { revision: 7, logBytes: [100, 200] } },
      { key: "a", value: "2" },
      { key: "b", value: "3" }
    ])
  })
})

test("of a transaction those puts are acknowledged that were made", (t) => {
  withRecorder((recorder, cluster) => {
    const etcd = recorder.watched(cluster)
    const request = { success: [putting("a", "1"), putting("b", "1")], failure: [putting("c", "1")] }
    cluster.answer = Either.right({ header: header(3), succeeded: false })
    etcd.call("node01", KV.txn, request, () => {})
    cluster.answer = Either.right({ header: header(4), succeeded: true })
    etcd.call("node01", KV.txn, { success: [putting("a", "2")] }, () => {})
    etcd.call("node01", KV.range, { key: bytes("a") }, () => {})
    t.deepEqual(
      recorder.recording.writes.map(({ acknowledged, key, value }) => [key, value, acknowledged?.revision]),
      [
        ["a", "1", undefined],
        ["b", "1", undefined],
        ["c", "1", 3],
        ["a", "2", 4]
      ]
    )
  })
})

test("what was acknowledged before a machine booted again is due from the beginning of its log", (t) => {
  withRecorder((recorder, cluster) => {
    const etcd = recorder.watched(cluster)
    cluster.answer = Either.right({ header: header(2) })
    etcd.call("node01", KV.put, put("a", "1"), () => {})
    recorder.moment()
    recorder.logBegins("node02")
    recorder.moment()
    t.deepEqual(recorder.recording.writes[0]?.acknowledged?.logBytes, [100, 0])
    t.is(recorder.recording.moments.length, 1)
    t.throws(() => recorder.logBegins("node03"), { message: /node03/ })
  })
})

test("a write that is under way while a machine boots again is due once it is acknowledged", (t) => {
  withRecorder((recorder, cluster) => {
    const etcd = recorder.watched({
      ...cluster,
      call: (node, method, request, done) => {
        recorder.logBegins("node02")
        cluster.call(node, method, request, done)
      }
    })
    cluster.answer = Either.right({ header: header(2) })
    etcd.call("node01", KV.put, put("a", "1"), () => {})
    t.is(recorder.recording.writes[0]?.acknowledged?.revision, 2)
  })
})

test("a write for which there is no room to note it is made all the same, and the recording says so", (t) => {
  withRecorder((recorder, cluster) => {
    const etcd = recorder.watched(cluster)
    for (let number = 0; number < 10; number++) etcd.call("node01", KV.put, put("a", `${number}`), () => {})
    t.false(recorder.isFull)
    for (let number = 0; number < 10; number++) etcd.call("node01", KV.put, put("b", `${number}`), () => {})
    t.is(cluster.calls, 20)
    t.true(recorder.isFull)
    t.is(recorder.recording.writes.length, 10)
  })
})
