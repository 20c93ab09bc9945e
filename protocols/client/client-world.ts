/** What a client needs of the world around it: time, chance, and the end of this turn. */
export interface ClientWorld {
  readonly nowMillis: () => number
  /** Returns how to take it back. */
  readonly alarm: (delayMillis: number, ring: () => void) => () => void
  /** After what is going on now, before anything else happens: what is sent until then leaves together. */
  readonly soon: (task: () => void) => void
  /** In [0, 1). */
  readonly random: () => number
}

/** The same in Node and in a browser. */
export const liveWorld: ClientWorld = {
  nowMillis: () => performance.now(),
  alarm: (delayMillis, ring) => {
    const timer = setTimeout(ring, Math.ceil(delayMillis))
    return () => clearTimeout(timer)
  },
  soon: (task) => queueMicrotask(task),
  random: () => Math.random()
}
