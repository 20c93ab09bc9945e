/**
 * The live world: real time, real chance, and an event loop that keeps its I/O.
 *
 * Slices run as microtasks, which is the cheapest way to come back, until they have had their share;
 * then one `setImmediate` lets sockets and timers in.
 */
import { Layer } from "effect"
import type { WorldClock as Clock } from "#actors/kernel/ports/clock.ts"
import { WorldClock } from "#actors/kernel/ports/clock.ts"
import { Randomness } from "#actors/kernel/ports/randomness.ts"
import { Scheduling } from "#actors/kernel/ports/scheduling.ts"

/** Node clamps longer delays to 1 ms. The wheel asks again when an alarm rings early. */
const alarmMillisMax = 2 ** 31 - 1

const liveClock: Clock = {
  nowMillis: () => performance.now(),
  wallMillis: () => Date.now(),
  alarm: (delayMillis, ring) => {
    const timer = setTimeout(ring, Math.min(Math.max(0, Math.ceil(delayMillis)), alarmMillisMax))
    return () => clearTimeout(timer)
  }
}

const liveScheduling: Scheduling = {
  arm: (slice, when) => {
    if (when === "soon") queueMicrotask(slice)
    else setImmediate(slice)
  },
  messagesPerTurn: 300,
  messagesPerSlice: 20_000,
  millisPerSlice: 5
}

export const LiveWorld = Layer.mergeAll(
  Layer.succeed(WorldClock, liveClock),
  Layer.succeed(Randomness, { next: Math.random }),
  Layer.succeed(Scheduling, liveScheduling)
)
