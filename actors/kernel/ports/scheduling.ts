/**
 * Scheduling: who runs next, and when the dispatcher gets a turn at all.
 *
 * Promised: a slice armed "soon" runs before the process waits for I/O; one armed "after-io" runs once
 * pending I/O and timers had their chance; neither runs inside the call that armed it.
 * Not promised: any order between two dispatchers of one process.
 */
import { Context } from "effect"

export interface Scheduling {
  readonly arm: (slice: () => void, when: "soon" | "after-io") => void
  /** Messages one actor may handle before the next actor's turn. */
  readonly messagesPerTurn: number
  /** Messages handled before I/O gets its chance. */
  readonly messagesPerSlice: number
  /** Time spent handling before I/O gets its chance. */
  readonly millisPerSlice: number
  /** Chooses among `count` ready actors and fibers; absent, the one that is ready longest runs first. */
  readonly choose?: (count: number) => number
}

export const Scheduling = Context.GenericTag<Scheduling>("kernel/Scheduling")
