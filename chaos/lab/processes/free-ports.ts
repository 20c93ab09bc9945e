/**
 * Ports that nobody listens on. They lie below where the kernel takes ports for outgoing connections from (32768
 * up), so that a node that was killed finds its own free when it comes back.
 */
import { createServer } from "node:net"
import { Effect, Random, Schedule } from "effect"

const portMin = 20_000
const portMax = 32_000
const triesMax = 1_000

/** All different, and free on each of the hosts. */
export const freePorts = (
  count: number,
  hosts: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<number>> =>
  Effect.gen(function* () {
    const found = new Set<number>()
    const tried = new Set<number>()
    yield* Effect.gen(function* () {
      const port = yield* Random.nextIntBetween(portMin, portMax)
      if (tried.has(port)) return
      tried.add(port)
      const free = yield* Effect.forEach(hosts, (host) => isFree(port, host))
      if (free.every((is) => is)) found.add(port)
    }).pipe(Effect.repeat({ until: () => found.size === count, schedule: Schedule.recurs(triesMax) }))
    if (found.size < count)
      return yield* Effect.dieMessage(
        `of ${count} ports only ${found.size} were found free on ${hosts.join()}`
      )
    return [...found]
  })

const isFree = (port: number, host: string): Effect.Effect<boolean> =>
  Effect.async((resume) => {
    const server = createServer()
    server.once("error", () => resume(Effect.succeed(false)))
    server.listen(port, host, () => server.close(() => resume(Effect.succeed(true))))
  })
