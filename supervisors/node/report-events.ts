/** What goes wrong in a tree, in the log of its node: crashes and what followed, and whatever had everybody wait. */
import { Effect, type Scope } from "effect"
import type { Tagged } from "#actors/kernel/ask.ts"
import type { ActorSystem } from "#actors/kernel/system.ts"
import {
  ActorFailed,
  ActorRestarted,
  MailboxOverflow,
  SlowHandler,
  SupervisorEscalated
} from "#protocols/runtime.ts"

export const reportEvents = (system: ActorSystem<never>): Effect.Effect<never, never, Scope.Scope> =>
  Effect.zipRight(
    Effect.acquireRelease(
      Effect.sync(() =>
        system.events.subscribe(
          (event) => report(system, event),
          [
            ActorFailed._tag,
            ActorRestarted._tag,
            SupervisorEscalated._tag,
            MailboxOverflow._tag,
            SlowHandler._tag
          ]
        )
      ),
      (unsubscribe) => Effect.sync(unsubscribe)
    ),
    Effect.never
  )

const report = (system: ActorSystem<never>, event: Tagged): void => {
  if (event instanceof ActorFailed) {
    const { cause, handling, incarnation, path } = event
    const [first = ""] = cause.split("\n", 1)
    system.log("error", `${path} has crashed: ${first}`, { actor: path, handling, incarnation, cause })
  } else if (event instanceof ActorRestarted) {
    const { incarnation, path, supervisor } = event
    system.log("warn", `${path} was started again (life ${incarnation})`, {
      actor: path,
      incarnation,
      supervisor
    })
  } else if (event instanceof SupervisorEscalated) {
    const { path, reason } = event
    system.log("error", `${path} gives up: ${reason}`, { actor: path })
  } else if (event instanceof MailboxOverflow) {
    const { capacity, dropped, path } = event
    system.log("warn", `${path} has lost ${dropped} messages so far: its mailbox was full`, {
      ...{ actor: path, capacity, dropped }
    })
  } else if (event instanceof SlowHandler) {
    const { handling, path, tookMillis } = event
    system.log("debug", `${path} had all others wait for ${Math.round(tookMillis)} ms`, {
      ...{ actor: path, handling, tookMillis }
    })
  }
}
