/**
 * Stands between clients and a cluster whose disks are logged, and notes what they put, and how long the log of
 * each disk was when they were answered: what lies in a log by then, the disk was told before the client was.
 *
 * A machine that boots again begins a new log. What was acknowledged before that is due from its beginning on.
 */
import { statSync } from "node:fs"
import { Either } from "effect"
import type { EtcdAccess } from "#chaos/lab/world.ts"
import { KV, type Method } from "#protocols/wire/etcd/methods.ts"
import type { MemberDisk, Recording } from "./crash-cuts.ts"
import { type Acknowledgement, brief } from "./remembered.ts"

interface Noted {
  readonly key: string
  readonly value: string
  acknowledged?: Acknowledgement
}

const decoder = new TextDecoder()

export class DiskRecorder {
  readonly #disks: ReadonlyArray<MemberDisk>
  readonly #writesMax: number
  #writes: Array<Noted> = []
  #moments: Array<ReadonlyArray<number>> = []
  #isFull = false

  /** No more writes than this are noted. */
  constructor(disks: ReadonlyArray<MemberDisk>, writesMax: number) {
    this.#disks = disks
    this.#writesMax = writesMax
  }

  /** There were more writes than could be noted: of what disks hold nobody knows any more who wrote it. */
  get isFull(): boolean {
    return this.#isFull
  }

  get recording(): Recording {
    return { disks: this.#disks, writes: [...this.#writes], moments: [...this.#moments] }
  }

  has(name: string): boolean {
    return this.#disks.some((disk) => disk.name === name)
  }

  /** One at which the power of all disks may be cut, later. */
  moment(): void {
    if (this.#moments.length < this.#writesMax) this.#moments.push(this.#logBytes())
  }

  /** Before the machine boots: from now on the log is another one. */
  logBegins(name: string): void {
    const which = this.#disks.findIndex((disk) => disk.name === name)
    if (which === -1) throw new Error(`no disk of ${name} is recorded`)
    const none = (lengths: ReadonlyArray<number>) => lengths.with(which, 0)
    this.#moments = []
    // One that is under way stays the same: its answer is noted in it.
    for (const write of this.#writes) {
      const { acknowledged } = write
      if (acknowledged !== undefined)
        write.acknowledged = { ...acknowledged, logBytes: none(acknowledged.logBytes) }
    }
  }

  /** The same cluster, as clients are to see it. */
  watched(etcd: EtcdAccess): EtcdAccess {
    return {
      call: (node, method, request, done) => {
        const puts = putsOf(method, request)
        const noted = puts.all.map((put): Noted => ({ ...put }))
        if (this.#writes.length + noted.length > this.#writesMax) this.#isFull = true
        else this.#writes.push(...noted)
        etcd.call(node, method, request, (answer) => {
          if (Either.isRight(answer)) {
            const { made, revision } = puts.answered(answer.right)
            const logBytes = this.#logBytes()
            for (const index of made) {
              const write = noted[index]
              if (write !== undefined) write.acknowledged = { revision, logBytes }
            }
          }
          done(answer)
        })
      },
      watch: (options) => etcd.watch(options),
      after: (millis, ring) => etcd.after(millis, ring),
      isDefinite: (status) => etcd.isDefinite(status)
    }
  }

  #logBytes(): ReadonlyArray<number> {
    return this.#disks.map(({ logPath }) => statSync(logPath).size)
  }
}

interface Put {
  readonly key: string
  readonly value: string
}

interface Puts<Answer> {
  /** That may be made. */
  readonly all: ReadonlyArray<Put>
  /** Which of them were, as indexes, and in which revision. */
  readonly answered: (answer: Answer) => { readonly made: ReadonlyArray<number>; readonly revision: number }
}

/** By their bytes, since a method's requests and answers are what its codec says. */
const putsOf = <Request extends object, Answer extends object>(
  { path, request: requests, response: responses }: Method<Request, Answer>,
  request: Partial<Request>
): Puts<Answer> => {
  const bytes = () => requests.encode(requests.make(request))
  if (path === KV.put.path) {
    return {
      all: [putOf(KV.put.request.decode(bytes()))],
      answered: (answer) => {
        const { header } = KV.put.response.decode(responses.encode(answer))
        return { made: [0], revision: header?.revision ?? 0 }
      }
    }
  }
  if (path !== KV.txn.path) return { all: [], answered: () => ({ made: [], revision: 0 }) }
  const { failure, success } = KV.txn.request.decode(bytes())
  const [first, second] = [success, failure].map((operations) =>
    operations.flatMap(({ requestPut }) => (requestPut === undefined ? [] : [putOf(requestPut)]))
  )
  const [then, otherwise] = [first ?? [], second ?? []]
  return {
    all: [...then, ...otherwise],
    answered: (answer) => {
      const { header, succeeded } = KV.txn.response.decode(responses.encode(answer))
      const indexes = succeeded ? then.keys() : otherwise.keys().map((index) => then.length + index)
      return { made: [...indexes], revision: header?.revision ?? 0 }
    }
  }
}

const putOf = ({ key, value }: { readonly key: Uint8Array; readonly value: Uint8Array }): Put => ({
  key: decoder.decode(key),
  value: brief(decoder.decode(value))
})
