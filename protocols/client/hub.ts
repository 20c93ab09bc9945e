/**
 * A hub: what happens, for any number of streams. None of them can hold it up: one that is not consumed
 * forgets its oldest.
 */
import { Effect, Stream } from "effect"

interface Listener<A> {
  readonly next: (value: A) => void
  readonly end: () => void
}

export class Hub<A> {
  readonly #bufferSize: number
  readonly #listeners = new Set<Listener<A>>()
  #ended = false
  published = 0

  constructor(bufferSize: number) {
    this.#bufferSize = bufferSize
  }

  publish(value: A): void {
    this.published++
    for (const { next } of this.#listeners) next(value)
  }

  end(): void {
    this.#ended = true
    for (const { end } of this.#listeners) end()
    this.#listeners.clear()
  }

  /** What is published while it runs, after what there is to begin with. */
  stream(first?: () => A): Stream.Stream<A> {
    return Stream.asyncPush<A>(
      (emit) =>
        Effect.acquireRelease(
          Effect.sync(() => {
            const listener: Listener<A> = { next: (value) => void emit.single(value), end: () => emit.end() }
            if (first !== undefined) emit.single(first())
            if (this.#ended) emit.end()
            else this.#listeners.add(listener)
            return listener
          }),
          (listener) => Effect.sync(() => this.#listeners.delete(listener))
        ),
      { bufferSize: this.#bufferSize, strategy: "sliding" }
    )
  }
}
