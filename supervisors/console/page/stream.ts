/**
 * The stream of a node, for as long as somebody looks: a page that has been hidden for a while lets it go, and gets
 * everything anew when it is looked at again.
 */
import type { StreamMessages } from "./wire.ts"

export type StreamState = "connecting" | "live" | "asleep" | "logged out"

export interface StreamListener {
  readonly message: <Name extends keyof StreamMessages>(name: Name, message: StreamMessages[Name]) => void
  readonly state: (state: StreamState) => void
}

const names: ReadonlyArray<keyof StreamMessages> = ["hello", "nodes", "tree", "event", "missed"]
const sleepMillis = 30_000
const again = { fromMillis: 1_000, toMillis: 10_000 }

export class Stream {
  readonly #listener: StreamListener
  #source: EventSource | undefined
  #sleeping: number | undefined
  #retry: number | undefined
  #waitMillis = again.fromMillis

  constructor(listener: StreamListener) {
    this.#listener = listener
    document.addEventListener("visibilitychange", this.#look)
  }

  open(): void {
    this.close()
    this.#listener.state("connecting")
    const source = new EventSource("/api/stream")
    this.#source = source
    source.onopen = () => {
      this.#waitMillis = again.fromMillis
      this.#listener.state("live")
    }
    source.onerror = () => {
      this.#listener.state("connecting")
      // A browser gives up where it was answered with anything but a stream.
      if (source.readyState === EventSource.CLOSED) void this.#learnWhy()
    }
    for (const name of names) {
      source.addEventListener(name, ({ data }) => this.#listener.message(name, JSON.parse(data)))
    }
  }

  async #learnWhy(): Promise<void> {
    const response = await fetch("/api/stream", { method: "GET", credentials: "same-origin" }).catch(
      () => undefined
    )
    await response?.body?.cancel()
    if (response?.status === 401) return this.#listener.state("logged out")
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => this.open(), this.#waitMillis)
    this.#waitMillis = Math.min(this.#waitMillis * 2, again.toMillis)
  }

  close(): void {
    clearTimeout(this.#retry)
    this.#source?.close()
    this.#source = undefined
  }

  /** For good. */
  end(): void {
    this.close()
    document.removeEventListener("visibilitychange", this.#look)
  }

  readonly #look = (): void => {
    clearTimeout(this.#sleeping)
    if (!document.hidden) {
      if (this.#source === undefined) this.open()
      return
    }
    this.#sleeping = setTimeout(() => {
      this.close()
      this.#listener.state("asleep")
    }, sleepMillis)
  }
}
