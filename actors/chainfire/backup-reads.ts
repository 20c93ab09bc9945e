/**
 * A backup between the work that makes it and whoever reads it, part by part. What is made and not read is bounded:
 * beyond that the making waits. It is over when it was read to its end, failed, or was given up.
 */
import { Either } from "effect"
import type { SnapshotSink } from "./etcd-snapshot.ts"
import type { Wait } from "./long-work.ts"

/** What waits to be read, and what one read gets. */
const waitingBytesMax = 1024 * 1024

export interface BackupPart {
  readonly bytes: Uint8Array
  readonly remainingBytes: number
  readonly done: boolean
}

export type Answer = (part: Either.Either<BackupPart, string>) => void

export class BackupReads implements SnapshotSink {
  #waiting: Array<Uint8Array> = []
  #waitingBytes = 0
  #remainingBytes = 0
  #made = false
  #problem: string | undefined
  #reader: Answer | undefined
  #goOn: (() => void) | undefined
  readonly #startMillis: number
  #readMillis: number

  constructor(nowMillis: number) {
    this.#startMillis = nowMillis
    this.#readMillis = nowMillis
  }

  // The making

  get ended(): boolean {
    return this.#problem !== undefined
  }

  send(remainingBytes: number, blob: Uint8Array): boolean {
    this.#waiting.push(Uint8Array.from(blob))
    this.#waitingBytes += blob.length
    this.#remainingBytes = remainingBytes
    this.#answer()
    return this.#waitingBytes < waitingBytesMax
  }

  readonly drained: Wait = (go) => {
    this.#goOn = go
    if (this.ended || this.#waitingBytes < waitingBytesMax) this.#resume()
  }

  /** All was sent, or something went wrong on the way. */
  finish(problem: string | undefined): void {
    this.#made = true
    this.#problem ??= problem
    this.#answer()
  }

  // The reading

  read(answer: Answer, nowMillis: number): void {
    this.#readMillis = nowMillis
    this.#reader?.(Either.left("somebody else reads it"))
    this.#reader = answer
    this.#answer()
  }

  /** Nobody wants it any more. */
  giveUp(reason: string): void {
    this.#problem ??= reason
    this.#answer()
    this.#resume()
  }

  idleMillis(nowMillis: number): number {
    return this.#reader === undefined ? nowMillis - Math.max(this.#readMillis, this.#startMillis) : 0
  }

  #answer(): void {
    const reader = this.#reader
    if (reader === undefined) return
    if (this.#problem !== undefined) {
      this.#reader = undefined
      return reader(Either.left(this.#problem))
    }
    if (this.#waitingBytes === 0 && !this.#made) return
    this.#reader = undefined
    const bytes = joined(this.#waiting, this.#waitingBytes)
    this.#waiting = []
    this.#waitingBytes = 0
    this.#resume()
    reader(Either.right({ bytes, remainingBytes: this.#remainingBytes, done: this.#made }))
  }

  #resume(): void {
    const goOn = this.#goOn
    this.#goOn = undefined
    goOn?.()
  }
}

const joined = (parts: ReadonlyArray<Uint8Array>, length: number): Uint8Array => {
  const whole = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
