/**
 * Clock: the only way the runtime learns the time and waits for it.
 *
 * Promised: `nowMillis` never goes back and has a resolution of at least a millisecond; an alarm rings
 * once, not before its delay has passed, and never inside the call that set it; a cancelled alarm does
 * not ring.
 * Not promised: that an alarm rings on time (a busy process rings late), nor that `wallMillis` is
 * monotonic or agrees with the clock of another machine.
 */
import { Context } from "effect"

export interface WorldClock {
  /** Milliseconds since some fixed instant, monotonic. */
  readonly nowMillis: () => number
  /** Milliseconds since 1970 as this machine believes. */
  readonly wallMillis: () => number
  /** Rings once after `delayMillis`; returns what cancels it. */
  readonly alarm: (delayMillis: number, ring: () => void) => () => void
}

export const WorldClock = Context.GenericTag<WorldClock>("kernel/WorldClock")
