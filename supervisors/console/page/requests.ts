/** What the page asks its node: to be let in, and one message to one actor. */
import type { ActAnswer, ActBody, Action, AskAnswer, AskBody } from "./wire.ts"

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

let known: ReadonlyArray<Action> | undefined

/** They are the same for as long as the node runs, and then the page comes anew. */
export const actions = async (): Promise<ReadonlyArray<Action>> => {
  if (known !== undefined) return known
  const response = await fetch("/api/actions", { credentials: "same-origin" })
  if (response.status === 401) throw new LoggedOut()
  if (!response.ok) return []
  known = (await response.json()) as ReadonlyArray<Action>
  return known
}

export const act = async (body: ActBody): Promise<ActAnswer | { readonly outcome: "saved" }> => {
  try {
    const response = await post("/api/act", body)
    if (!response.ok) return { outcome: "refused", message: await messageOf(response) }
    if (response.headers.get("content-type") !== "application/octet-stream")
      return (await response.json()) as ActAnswer
    // Only once all of it is here: what broke off is no file.
    save(await response.blob(), body.fields["file"] ?? "file")
    return { outcome: "saved" }
  } catch (cause) {
    if (cause instanceof LoggedOut) throw cause
    return { outcome: "refused", message: "the node does not answer any more; see what of it has happened" }
  }
}

/** How long a browser may take to begin with a file that it was given. */
const givenMillis = 60_000

const save = (blob: Blob, name: string): void => {
  const link = document.createElement("a")
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), givenMillis)
}
