/**
 * Who is logged in to the console of this node. A browser holds a random name for its session in a cookie; the
 * token that it was opened with stays here, and is looked at again with each request, so that a session ends with its token.
 *
 * Held for each start of the node, outside of the console's actor: its crash logs nobody out. Names are looked up
 * by their hash, so how long that takes tells nothing about them. Whoever tries tokens is soon told to wait.
 */
import { createHash, randomBytes } from "node:crypto"
import { Redacted } from "effect"

export const sessionsMax = 100
export const sessionMillisMax = 12 * 3_600_000
/** Wrong tokens within a minute, from anybody, before all have to wait. */
export const refusalsMax = 10
const refusalsMillis = 60_000

interface Session {
  readonly token: Redacted.Redacted<string>
  readonly untilMillis: number
}

export class Sessions {
  readonly #sessions = new Map<string, Session>()
  #refusals: Array<number> = []

  get size(): number {
    return this.#sessions.size
  }

  /** The name of a new session. Of too many the oldest ends. */
  open(token: string, nowMillis: number): string {
    const name = randomBytes(32).toString("base64url")
    for (const [key, { untilMillis }] of this.#sessions) {
      if (untilMillis <= nowMillis || this.#sessions.size >= sessionsMax) this.#sessions.delete(key)
    }
    const untilMillis = nowMillis + sessionMillisMax
    this.#sessions.set(keyOf(name), { token: Redacted.make(token), untilMillis })
    return name
  }

  tokenOf(name: string, nowMillis: number): string | undefined {
    const session = this.#sessions.get(keyOf(name))
    if (session === undefined || session.untilMillis <= nowMillis) return undefined
    return Redacted.value(session.token)
  }

  close(name: string): void {
    this.#sessions.delete(keyOf(name))
  }

  refused(nowMillis: number): void {
    this.#refusals = [...this.#recent(nowMillis), nowMillis].slice(-refusalsMax)
  }

  /** How long nobody may try a token; 0: they may. */
  waitMillis(nowMillis: number): number {
    const recent = this.#recent(nowMillis)
    const [oldest] = recent
    return oldest === undefined || recent.length < refusalsMax ? 0 : oldest + refusalsMillis - nowMillis
  }

  #recent(nowMillis: number): Array<number> {
    return this.#refusals.filter((atMillis) => atMillis > nowMillis - refusalsMillis)
  }
}

const keyOf = (name: string): string => createHash("sha256").update(name).digest("base64url")
