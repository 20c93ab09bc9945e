/**
 * Tokens: signed statements of who somebody is and what they may do. JSON web tokens, HS256, with a key
 * that all nodes of a cluster share. Nodes show them to each other, and clients to nodes.
 *
 *   <data directory>/cluster.key   32 random bytes in hexadecimal, only for the owner's eyes
 *   <data directory>/token         HUMAN::operator, may do everything: for whoever can read this directory
 *
 * Both are made at the first start. A further node of the cluster gets a copy of the key before its own.
 * Whoever has the key can say anything; so a key that others on this machine can read is not used.
 */
import { randomBytes } from "node:crypto"
import {
  closeSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import { Duration, Effect, Either, Predicate, Redacted, Schema } from "effect"
import { errors, jwtVerify, SignJWT } from "jose"
import { Grant, Identity } from "#protocols/links.ts"

/** There is no key that could be used. */
export class KeyFileRefused extends Schema.TaggedError<KeyFileRefused>()("KeyFileRefused", {
  path: Schema.String,
  reason: Schema.String,
  remedy: Schema.String
}) {
  readonly definite = true
  override get message() {
    return `${this.path} is not used: ${this.reason}; ${this.remedy}`
  }
}

export interface Tokens {
  /** Without `expiresIn` it is good for as long as the key is. */
  readonly sign: (
    identity: Identity,
    options?: { readonly expiresIn?: Duration.DurationInput }
  ) => Effect.Effect<string>
  /** Fails with the reason why it is not good. */
  readonly verify: (token: string) => Effect.Effect<Identity, string>
}

export const keyBytes = 32
export const keyFileName = "cluster.key"
export const tokenFileName = "token"

const operator: Identity = { actorId: "HUMAN::operator", grants: [{ permission: "admin", prefix: "/" }] }

const algorithm = "HS256"
const tokenLengthMax = 16 * 1024
/** How far the clocks of two nodes may be apart. */
const clockToleranceSeconds = 30

const Claims = Schema.Struct({
  sub: Identity.fields.actorId,
  grants: Schema.Array(Grant).pipe(Schema.maxItems(100))
})
const decodeClaims = Schema.decodeUnknownEither(Claims)

/** What is signed with this key for this cluster. */
export const tokensOf = (key: Redacted.Redacted<Uint8Array>, cluster: string): Tokens => ({
  sign: ({ actorId, grants }, options) =>
    Effect.promise(() => {
      const nowSeconds = Math.floor(Date.now() / 1_000)
      const token = new SignJWT({ grants: grants.map((grant) => ({ ...grant })) })
        .setProtectedHeader({ alg: algorithm })
        .setIssuer(cluster)
        .setSubject(actorId)
        .setIssuedAt(nowSeconds)
      if (options?.expiresIn !== undefined)
        token.setExpirationTime(nowSeconds + Math.ceil(Duration.toSeconds(options.expiresIn)))
      return token.sign(Redacted.value(key))
    }),

  verify: (token) =>
    Effect.gen(function* () {
      if (token.length > tokenLengthMax) return yield* Effect.fail("the token is too long")
      const { payload } = yield* Effect.tryPromise({
        try: () =>
          jwtVerify(token, Redacted.value(key), {
            algorithms: [algorithm],
            issuer: cluster,
            clockTolerance: clockToleranceSeconds
          }),
        catch: whyNot
      })
      const claims = decodeClaims(payload)
      if (Either.isLeft(claims)) {
        const what = Predicate.isString(payload.sub)
          ? "its grants are malformed"
          : "it does not say whose it is"
        return yield* Effect.fail(`the token is no token of ours: ${what}`)
      }
      return { actorId: claims.right.sub, grants: claims.right.grants }
    })
})

/** In words of ours: what a library says may quote the token. */
const whyNot = (cause: unknown): string => {
  if (cause instanceof errors.JWTExpired) return "the token has expired"
  if (cause instanceof errors.JWTClaimValidationFailed) {
    return cause.claim === "iss"
      ? "the token is for another cluster"
      : `the token's ${cause.claim} is not right`
  }
  if (cause instanceof errors.JWSSignatureVerificationFailed) return "the token was signed with another key"
  if (cause instanceof errors.JOSEAlgNotAllowed) return `the token is not signed with ${algorithm}`
  return "the token is malformed"
}

/** Takes the key from a data directory, or makes one there, and with it the operator's token. */
export const openTokens = (dataDirectory: string, cluster: string): Effect.Effect<Tokens, KeyFileRefused> =>
  Effect.gen(function* () {
    const path = join(dataDirectory, keyFileName)
    const found = yield* readKey(path)
    const key = found ?? (yield* makeKey(dataDirectory, cluster, path))
    return tokensOf(key, cluster)
  })

const readKey = (path: string): Effect.Effect<Redacted.Redacted<Uint8Array> | undefined, KeyFileRefused> =>
  Effect.suspend(() => {
    const refused = (reason: string, remedy: string) =>
      Effect.fail(new KeyFileRefused({ path, reason, remedy }))
    let file: number
    try {
      file = openSync(path, "r")
    } catch (cause) {
      if (codeOf(cause) === "ENOENT") return Effect.succeed(undefined)
      return refused(`it cannot be read (${codeOf(cause)})`, "give the user of this process access to it")
    }
    try {
      const mode = fstatSync(file).mode & 0o777
      if ((mode & 0o077) !== 0)
        return refused(
          `others may read it (mode ${mode.toString(8).padStart(4, "0")})`,
          `run chmod 600 ${path}`
        )
      const text = readFileSync(file, "utf8").trim()
      return /^[0-9a-f]{64}$/.test(text)
        ? Effect.succeed(Redacted.make(Uint8Array.from(Buffer.from(text, "hex"))))
        : refused(
            `it does not hold ${keyBytes} bytes in hexadecimal`,
            "restore it from another node of the cluster"
          )
    } catch (cause) {
      return refused(`it cannot be read (${codeOf(cause)})`, "see what is in its place")
    } finally {
      closeSync(file)
    }
  })

/** Both are ready before either is in place: a process that dies meanwhile leaves no key without its token. */
const makeKey = (dataDirectory: string, cluster: string, path: string) =>
  Effect.gen(function* () {
    const made = Redacted.make(Uint8Array.from(randomBytes(keyBytes)))
    const token = yield* tokensOf(made, cluster).sign(operator)
    const tokenPath = join(dataDirectory, tokenFileName)
    yield* Effect.try({
      try: () => {
        mkdirSync(dataDirectory, { recursive: true, mode: 0o700 })
        const keyDraft = writeDraft(path, Buffer.from(Redacted.value(made)).toString("hex"))
        const tokenDraft = writeDraft(tokenPath, token)
        try {
          // Unlike a rename it does not replace what another process may have put there by now.
          linkSync(keyDraft, path)
          renameSync(tokenDraft, tokenPath)
        } catch (cause) {
          if (codeOf(cause) !== "EEXIST") throw cause
        } finally {
          rmSync(keyDraft, { force: true })
          rmSync(tokenDraft, { force: true })
        }
      },
      catch: (cause) =>
        new KeyFileRefused({
          path,
          reason: `it cannot be made (${codeOf(cause)})`,
          remedy: "give the user of this process access to its directory"
        })
    })
    return (yield* readKey(path)) ?? made
  })

const writeDraft = (path: string, text: string): string => {
  const draft = `${path}.${process.pid}`
  rmSync(draft, { force: true })
  const file = openSync(draft, "wx", 0o600)
  try {
    writeFileSync(file, `${text}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  return draft
}

const codeOf = (cause: unknown): string =>
  Predicate.hasProperty(cause, "code") ? String(cause.code) : "for no known reason"
