/**
 * What every contender of the remoting benchmark is asked to do: one process asks another on the same
 * machine, over a socket of the loopback, and sends it large messages.
 *
 * The asking process measures. Each figure is the best of three, latencies from the round with the best
 * throughput.
 */
export interface Contender {
  /** So many asks are under way at any time until `count` are answered; tells how long each took. */
  readonly asks: (count: number, inFlight: number, took: (millis: number) => void) => Promise<void>
  /** Sends 1 MiB, waits until it has arrived, and again. */
  readonly transfers?: (count: number) => Promise<void>
  readonly stop: () => Promise<void>
}

const repetitions = 3
const amounts = { sequential: 5_000, concurrent: 200_000, transfers: 200 }

export const mebibyte = 1_048_576

/** Prints one line per figure, `name value`, as the Erlang peer does. */
export const measure = async (contender: Contender, scale: number, share = 1): Promise<void> => {
  const amount = (name: keyof typeof amounts) => Math.max(500, Math.round(amounts[name] * scale * share))
  await figures(contender, 1, amount("sequential"))
  await figures(contender, 256, amount("concurrent"))
  const { transfers } = contender
  if (transfers !== undefined) {
    const count = Math.max(5, Math.round(amounts.transfers * scale))
    await transfers(Math.ceil(count / 10))
    const seconds = await best(() => transfers(count))
    console.log(`mebibytesPerSecond ${count / seconds}`)
  }
  await contender.stop()
}

const best = async (work: () => Promise<void>): Promise<number> => {
  let bestSeconds = Number.POSITIVE_INFINITY
  for (let round = 0; round < repetitions; round++) {
    const startMillis = performance.now()
    await work()
    bestSeconds = Math.min(bestSeconds, (performance.now() - startMillis) / 1_000)
  }
  return bestSeconds
}

const figures = async ({ asks }: Contender, inFlight: number, count: number): Promise<void> => {
  let bestSeconds = Number.POSITIVE_INFINITY
  let millis = new Float64Array(0)
  await asks(Math.max(inFlight, Math.ceil(count / 5)), inFlight, () => {})
  for (let round = 0; round < repetitions; round++) {
    const took = new Float64Array(count)
    let answered = 0
    const startMillis = performance.now()
    await asks(count, inFlight, (each) => {
      took[answered++] = each
    })
    const seconds = (performance.now() - startMillis) / 1_000
    if (seconds >= bestSeconds) continue
    bestSeconds = seconds
    millis = took.sort()
  }
  const percentile = (share: number) => (millis[Math.floor(share * (count - 1))] ?? 0) * 1_000
  console.log(`asksPerSecond${inFlight} ${count / bestSeconds}`)
  console.log(`p50Micros${inFlight} ${percentile(0.5)}`)
  console.log(`p99Micros${inFlight} ${percentile(0.99)}`)
}

/** For contenders with callbacks: keeps so many under way. */
export const withCallbacks =
  (ask: (done: () => void) => void): Contender["asks"] =>
  (count, inFlight, took) =>
    new Promise((resolve) => {
      let started = 0
      let answered = 0
      const next = () => {
        if (started === count) return
        started++
        const startMillis = performance.now()
        ask(() => {
          took(performance.now() - startMillis)
          if (++answered === count) resolve()
          else next()
        })
      }
      for (let index = 0; index < inFlight; index++) next()
    })
