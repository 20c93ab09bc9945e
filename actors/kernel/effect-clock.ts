/** Effect's clock on ours, so that `Effect.sleep`, timeouts and schedules follow the world's time. */
import { Clock, Duration, Effect } from "effect"
import type { WorldClock } from "./ports/clock.ts"
import { Callback } from "./timer-wheel.ts"
import type { Timers } from "./timers.ts"

export const effectClock = (clock: WorldClock, timers: Timers): Clock.Clock => ({
  [Clock.ClockTypeId]: Clock.ClockTypeId,
  unsafeCurrentTimeMillis: clock.wallMillis,
  unsafeCurrentTimeNanos: () => BigInt(Math.round(clock.nowMillis() * 1e6)),
  currentTimeMillis: Effect.sync(clock.wallMillis),
  currentTimeNanos: Effect.sync(() => BigInt(Math.round(clock.nowMillis() * 1e6))),
  sleep: (duration) =>
    Effect.async<void>((resume) => {
      const timer = new Callback(() => resume(Effect.void))
      if (Duration.isFinite(duration)) timers.start(timer, Duration.toMillis(duration))
      return Effect.sync(() => timers.cancel(timer))
    })
})
