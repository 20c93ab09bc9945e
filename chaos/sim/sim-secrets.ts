/** Secrets in the simulator: what must not be guessed is the same in each run of a seed, and hashing takes no CPU. */
import { Either, Layer } from "effect"
import { Secrets } from "#actors/kernel/ports/secrets.ts"
import { Sha256 } from "#protocols/wire/sha256.ts"
import type { Tell } from "./sim-grpc.ts"
import type { SimWorld } from "./world.ts"

const hashMillis = 50
const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

const digestOf = (salt: string, password: string): string => {
  const sha = new Sha256()
  sha.update(new TextEncoder().encode(`${salt}/${password}`))
  return Array.from(sha.digest(), (byte) => byte.toString(16).padStart(2, "0")).join("")
}

export const simSecrets = (world: SimWorld, tell: Tell): Layer.Layer<Secrets> => {
  const prng = world.prng.fork()
  const later = (task: () => void) => void world.clock.alarm(hashMillis, () => tell(task))
  const letters = (count: number) =>
    Array.from({ length: count }, () => alphabet.charAt(prng.below(alphabet.length))).join("")
  return Layer.succeed(Secrets, {
    hash: (password, done) => {
      const salt = letters(16)
      later(() => done(Either.right(`${salt}$${digestOf(salt, password)}`)))
    },
    fits: (password, hash, done) => {
      const [salt = "", digest] = hash?.split("$") ?? []
      later(() => done(Either.right(digest !== undefined && digest === digestOf(salt, password))))
    },
    letters
  })
}
