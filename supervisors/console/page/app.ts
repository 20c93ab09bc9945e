/** What all views of the page share: the cluster, the events, who we are, and the ways to act. */
import type { ClusterModel } from "./cluster-model.ts"
import type { ActAnswer, ActBody, Action, AskAnswer, AskBody, Hello, NodeEvent } from "./wire.ts"

/** An event as it came, or how many were left out before it. */
export type Logged =
  | { readonly number: number; readonly atMillis: number; readonly heard: NodeEvent }
  | {
      readonly number: number
      readonly atMillis: number
      readonly missed: number
      readonly node: string
    }

export interface App {
  readonly model: ClusterModel
  readonly log: EventLog
  hello: Hello
  readonly nowMillis: () => number
  readonly ask: (path: string, request: AskBody["request"], deadlineMillis?: number) => Promise<AskAnswer>
  /** What an operator can do. */
  readonly actions: () => Promise<ReadonlyArray<Action>>
  /** One of these; `saved`: the browser has got the file. */
  readonly act: (body: ActBody) => Promise<ActAnswer | { readonly outcome: "saved" }>
  /** Undefined where there is no answer. */
  readonly look: <Answer>(path: string, request: AskBody["request"]) => Promise<Answer | undefined>
  readonly say: (text: string, severity?: "good" | "bad") => void
  readonly go: (route: string) => void
}

export interface View {
  readonly element: HTMLElement
  readonly show: (rest: string) => void
  readonly hide: () => void
  /** Something of the cluster has changed; called at most once a frame, and only while it is shown. */
  readonly update: () => void
}

const loggedMax = 2_000

export class EventLog {
  readonly entries: Array<Logged> = []
  #numbers = 0

  heard(heard: NodeEvent, atMillis: number): void {
    this.#add({ number: ++this.#numbers, atMillis, heard })
  }

  missed(node: string, missed: number, atMillis: number): void {
    this.#add({ number: ++this.#numbers, atMillis, missed, node })
  }

  #add(entry: Logged): void {
    this.entries.push(entry)
    if (this.entries.length > loggedMax) this.entries.splice(0, loggedMax / 10)
  }

  /** The newest first. */
  about(path: string, max: number): ReadonlyArray<NodeEvent> {
    const found: Array<NodeEvent> = []
    for (let index = this.entries.length - 1; index >= 0 && found.length < max; index--) {
      const entry = this.entries[index]
      if (entry === undefined || !("heard" in entry)) continue
      const about = entry.heard.event["path"]
      if (about === path || (typeof about === "string" && about.startsWith(`${path}/`)))
        found.push(entry.heard)
    }
    return found
  }

  get last(): number {
    return this.#numbers
  }
}
