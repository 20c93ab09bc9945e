/** The numbers of this process, from Node and from /proc; what the system does not tell is left out. */
import { readdirSync, readFileSync } from "node:fs"
import { monitorEventLoopDelay, performance } from "node:perf_hooks"
import { Effect, type Scope } from "effect"
import type { ProcessFigures } from "./node-metrics.ts"

const resolutionMillis = 20

/** Watches the event loop for as long as the scope is open. */
export const processFigures: Effect.Effect<() => ProcessFigures, never, Scope.Scope> = Effect.gen(
  function* () {
    const delay = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const histogram = monitorEventLoopDelay({ resolution: resolutionMillis })
        histogram.enable()
        return histogram
      }),
      (histogram) => Effect.sync(() => histogram.disable())
    )
    let before = performance.eventLoopUtilization()
    return () => {
      const now = performance.eventLoopUtilization()
      const { utilization } = performance.eventLoopUtilization(now, before)
      before = now
      const { external, heapUsed, rss } = process.memoryUsage()
      const { system, user } = process.cpuUsage()
      const late = delay.percentile(99) / 1e9 - resolutionMillis / 1e3
      delay.reset()
      return {
        cpuSeconds: (user + system) / 1e6,
        residentBytes: rss,
        heapBytes: heapUsed,
        externalBytes: external,
        startedSeconds: performance.timeOrigin / 1e3,
        openFiles: openFiles(),
        openFilesMax: openFilesMax(),
        loopUtilization: Number.isFinite(utilization) ? utilization : 0,
        loopDelaySecondsP99: Number.isFinite(late) ? Math.max(0, late) : 0
      }
    }
  }
)

const unlessAbsent = <A>(read: () => A): A | undefined => {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined
    throw cause
  }
}

const openFiles = (): number | undefined => unlessAbsent(() => readdirSync("/proc/self/fd").length)

const openFilesMax = (): number | undefined => {
  const limits = unlessAbsent(() => readFileSync("/proc/self/limits", "utf8"))
  const soft = Number(/^Max open files\s+(\d+)/m.exec(limits ?? "")?.[1])
  return Number.isFinite(soft) ? soft : undefined
}
