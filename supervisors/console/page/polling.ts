/** Looks again and again for as long as a page is shown: one look at a time, and none while nobody sees it. */

export class Polling {
  readonly #look: () => Promise<void>
  readonly #millis: number
  #timer: number | undefined
  #looking = false

  constructor(look: () => Promise<void>, millis: number) {
    this.#look = look
    this.#millis = millis
  }

  start(): void {
    this.stop()
    this.now()
    this.#timer = setInterval(() => this.now(), this.#millis)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  now(): void {
    if (this.#looking || document.hidden) return
    this.#looking = true
    void this.#look().finally(() => {
      this.#looking = false
    })
  }
}
