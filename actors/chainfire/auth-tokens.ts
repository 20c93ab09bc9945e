/**
 * The tokens that clients show instead of their passwords: who has which, and until when.
 *
 * A token is assigned by a command, so every member knows it. How long it is good each member counts for itself,
 * from when it was last shown there; after a restart it knows none, and clients ask for new ones. A token says at
 * which entry of the log it was assigned: a member that has not come so far does not know it yet.
 *
 * There are at most `tokensMax`, and `tokensOfUserMax` of one user; beyond that the one that was not shown for the
 * longest time is forgotten.
 */
export const tokensMax = 100_000
export const tokensOfUserMax = 10_000
/** Since it was last shown; as etcd's default. */
const lifeMillis = 5 * 60_000
/** Shown again within this, a token keeps its place. */
const stillMillis = 1_000

interface Token {
  readonly user: string
  shownMillis: number
}

export class AuthTokens {
  /** Those that were shown last come last; so do those within each user. */
  readonly #tokens = new Map<string, Token>()
  readonly #byUser = new Map<string, Set<string>>()

  get count(): number {
    return this.#tokens.size
  }

  assign(token: string, user: string, nowMillis: number): void {
    this.#expire(nowMillis)
    const own = this.#byUser.get(user) ?? new Set()
    if (own.size >= tokensOfUserMax) this.#forgetFirst(own)
    if (this.#tokens.size >= tokensMax) this.#forgetFirst(this.#tokens.keys())
    // It may have been the user's only one.
    this.#byUser.set(user, own)
    own.add(token)
    this.#tokens.set(token, { user, shownMillis: nowMillis })
  }

  /** Whose it is. It is good for its full time again. */
  show(token: string, nowMillis: number): string | undefined {
    const found = this.#tokens.get(token)
    if (found === undefined) return undefined
    if (found.shownMillis + lifeMillis <= nowMillis) {
      this.#expire(nowMillis)
      return undefined
    }
    if (found.shownMillis + stillMillis <= nowMillis) {
      found.shownMillis = nowMillis
      this.#tokens.delete(token)
      this.#tokens.set(token, found)
      const own = this.#byUser.get(found.user)
      own?.delete(token)
      own?.add(token)
    }
    return found.user
  }

  forgetUser(user: string): void {
    for (const token of this.#byUser.get(user) ?? []) this.#tokens.delete(token)
    this.#byUser.delete(user)
  }

  clear(): void {
    this.#tokens.clear()
    this.#byUser.clear()
  }

  #expire(nowMillis: number): void {
    for (const [token, { shownMillis }] of this.#tokens) {
      if (shownMillis + lifeMillis > nowMillis) return
      this.#forget(token)
    }
  }

  #forgetFirst(tokens: Iterable<string>): void {
    for (const first of tokens) return this.#forget(first)
  }

  #forget(token: string): void {
    const found = this.#tokens.get(token)
    this.#tokens.delete(token)
    if (found === undefined) return
    const own = this.#byUser.get(found.user)
    own?.delete(token)
    if (own?.size === 0) this.#byUser.delete(found.user)
  }
}

/** The entry of the log at which a token was assigned; undefined for what is no token. */
export const indexOfToken = (token: string): number | undefined => {
  const [, index] = /^[^.]*\.(\d{1,15})$/.exec(token) ?? []
  return index === undefined ? undefined : Number(index)
}
