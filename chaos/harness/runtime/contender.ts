/**
 * What every contender of the runtime benchmark is asked to do, in the same amounts.
 *
 * Each runs in a process of its own, so that nobody inherits another's compiled code or heap, and
 * repeats each figure, so that the best of a noisy machine counts.
 */
export interface Contender {
  /** One actor floods another with small messages; all are handled. */
  readonly tells?: (count: number) => Promise<void>
  /** Two actors send each other one message back and forth. */
  readonly roundTrips?: (count: number) => Promise<void>
  /** One caller asks one actor, each time waiting for the answer under a deadline. */
  readonly asks?: (count: number) => Promise<void>
  /** Actors with a state and a mailbox, ready to take messages; kept alive. Returns what stops them. */
  readonly spawns?: (count: number) => Promise<() => Promise<void>>
  /** One supervised child crashes and is restarted, again and again. */
  readonly restarts?: (count: number) => Promise<void>
}

const repetitions = 3

const amounts = { tells: 5_000_000, roundTrips: 1_000_000, asks: 300_000, spawns: 200_000, restarts: 50_000 }

/** Prints one line per figure, `name value`, as the Erlang peer does. */
export const measure = async (contender: Contender, scale: number): Promise<void> => {
  const amount = (name: keyof typeof amounts) => Math.max(1_000, Math.round(amounts[name] * scale))
  const best = async (
    name: string,
    count: number,
    work: ((count: number) => Promise<unknown>) | undefined
  ) => {
    if (work === undefined) return
    await work(Math.ceil(count / 10))
    let bestSeconds = Number.POSITIVE_INFINITY
    for (let round = 0; round < repetitions; round++) {
      const startMillis = performance.now()
      await work(count)
      bestSeconds = Math.min(bestSeconds, (performance.now() - startMillis) / 1_000)
    }
    console.log(`${name} ${count / bestSeconds}`)
  }
  await best("tellsPerSecond", amount("tells"), contender.tells)
  await best("roundTripsPerSecond", amount("roundTrips"), contender.roundTrips)
  await best("callsPerSecond", amount("asks"), contender.asks)
  await best("restartsPerSecond", amount("restarts"), contender.restarts)
  const { spawns } = contender
  if (spawns === undefined) return
  const count = amount("spawns")
  let bestSeconds = Number.POSITIVE_INFINITY
  const bytes: Array<number> = []
  for (let round = 0; round < repetitions; round++) {
    const heapBefore = settledHeap()
    const startMillis = performance.now()
    const stop = await spawns(count)
    bestSeconds = Math.min(bestSeconds, (performance.now() - startMillis) / 1_000)
    bytes.push((settledHeap() - heapBefore) / count)
    await stop()
  }
  console.log(`spawnsPerSecond ${count / bestSeconds}`)
  // What earlier rounds left behind may be collected in a later one, so the least would flatter.
  console.log(`bytesPerProcess ${Math.max(...bytes)}`)
}

const settledHeap = (): number => {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}
