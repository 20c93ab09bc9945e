/** What the page asks its node: to be let in, and one message to one actor. */
import type { AskAnswer, AskBody } from "./wire.ts"

export class LoggedOut extends Error {}

const post = async (path: string, body: unknown): Promise<Response> => {
  const response = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    credentials: "same-origin"
  })
  if (response.status === 401 && path !== "/api/login") throw new LoggedOut()
  return response
}

const messageOf = async (response: Response): Promise<string> => {
  const body: unknown = await response.json().catch(() => undefined)
  const message: unknown =
    typeof body === "object" && body !== null ? Reflect.get(body, "message") : undefined
  return typeof message === "string" ? message : `the node said ${response.status}`
}

/** Empty if it was taken, otherwise why not. */
export const login = async (token: string): Promise<string> => {
  const response = await post("/api/login", { token })
  return response.ok ? "" : messageOf(response)
}

export const logout = async (): Promise<void> => {
  await post("/api/logout", {})
}

export const ask = async (
  path: string,
  request: AskBody["request"],
  deadlineMillis?: number
): Promise<AskAnswer> => {
  const body = { path, request, ...(deadlineMillis !== undefined && { deadlineMillis }) }
  try {
    const response = await post("/api/ask", body)
    if (response.ok) return (await response.json()) as AskAnswer
    return { outcome: "failed", fault: { _tag: "Refused", message: await messageOf(response) } }
  } catch (cause) {
    if (cause instanceof LoggedOut) throw cause
    return {
      outcome: "failed",
      fault: { _tag: "Unreachable", message: "the node does not answer; see whether it runs" }
    }
  }
}

/** The answer, or undefined where there is none: for pages that show what they get. */
export const look = async <Answer>(
  path: string,
  request: AskBody["request"]
): Promise<Answer | undefined> => {
  const answer = await ask(path, request)
  return answer.outcome === "reply" ? (answer.value as Answer) : undefined
}
