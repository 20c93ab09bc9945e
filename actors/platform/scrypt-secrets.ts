/**
 * Secrets by node:crypto: passwords are hashed with scrypt, on the threads that libuv has for files as well. So
 * there are never more than `hashesAtOnce` at a time, and files get their turn.
 *
 *   scrypt$14$8$1$salt$hash     log₂ of N, r, p, and both in base64: 16 MiB and some 50 ms for each guess
 */
import { randomBytes, randomInt, scrypt, timingSafeEqual } from "node:crypto"
import { Either, Layer } from "effect"
import { Secrets } from "#actors/kernel/ports/secrets.ts"

const hashesAtOnce = 2
/** At 50 ms each and two at once they wait for some 6 s at most. */
const waitingMax = 256
const saltBytes = 16
const hashBytes = 32
const blockSize = 8
const parallelism = 1
const memoryBytesMax = 256 * 1024 * 1024
const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

interface Cost {
  /** log₂ of N. */
  readonly rounds: number
  readonly blockSize: number
  readonly parallelism: number
}

class HashQueue {
  readonly #waiting: Array<() => void> = []
  #running = 0

  /** `done` gets nothing when too many wait. */
  hash(password: string, salt: Uint8Array, cost: Cost, done: (hash: Buffer | undefined) => void): void {
    if (this.#running >= hashesAtOnce && this.#waiting.length >= waitingMax)
      return process.nextTick(done, undefined)
    const start = () => {
      const { blockSize: r, parallelism: p, rounds } = cost
      this.#running++
      scrypt(password, salt, hashBytes, { N: 2 ** rounds, r, p, maxmem: memoryBytesMax }, (problem, hash) => {
        this.#running--
        this.#waiting.shift()?.()
        if (problem !== null) throw problem
        done(hash)
      })
    }
    if (this.#running < hashesAtOnce) start()
    else this.#waiting.push(start)
  }
}

/** `rounds`: log₂ of how often; tests take less. */
export const scryptSecrets = ({ rounds = 14 } = {}): Secrets => {
  const queue = new HashQueue()
  const cost: Cost = { rounds, blockSize, parallelism }
  const nobodys = { cost, salt: randomBytes(saltBytes), hash: randomBytes(hashBytes) }
  return {
    hash: (password, done) => {
      const salt = randomBytes(saltBytes)
      queue.hash(password, salt, cost, (hash) =>
        done(hash === undefined ? Either.left("busy") : Either.right(written(cost, salt, hash)))
      )
    },
    fits: (password, hash, done) => {
      const known = hash === undefined ? undefined : read(hash)
      const against = known ?? nobodys
      queue.hash(password, against.salt, against.cost, (found) => {
        if (found === undefined) return done(Either.left("busy"))
        const same = timingSafeEqual(found, against.hash)
        done(Either.right(same && known !== undefined))
      })
    },
    letters: (count) =>
      Array.from({ length: count }, () => alphabet.charAt(randomInt(alphabet.length))).join("")
  }
}

const written = (cost: Cost, salt: Uint8Array, hash: Uint8Array): string =>
  [
    "scrypt",
    cost.rounds,
    cost.blockSize,
    cost.parallelism,
    Buffer.from(salt).toString("base64"),
    Buffer.from(hash).toString("base64")
  ].join("$")

/** Undefined for what no hash of ours is, or would take more memory than one may. */
const read = (text: string) => {
  const [kind, rounds, r, p, salt, hash] = text.split("$")
  const cost: Cost = { rounds: Number(rounds), blockSize: Number(r), parallelism: Number(p) }
  if (kind !== "scrypt" || salt === undefined || hash === undefined) return undefined
  const sane = Object.values(cost).every((each) => Number.isInteger(each) && each >= 1 && each <= 64)
  if (!sane || 128 * cost.blockSize * 2 ** cost.rounds > memoryBytesMax / 2) return undefined
  const bytes = Buffer.from(hash, "base64")
  if (bytes.length !== hashBytes) return undefined
  return { cost, salt: Buffer.from(salt, "base64"), hash: bytes }
}

export const ScryptSecrets = Layer.sync(Secrets, () => scryptSecrets())
