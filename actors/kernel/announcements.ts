/**
 * What an actor's life looks like on the event stream. An event that nobody has subscribed to is not
 * even built; those that are skip validation, since they consist of the runtime's own values.
 */
import { Cause } from "effect"
import {
  ActorAbandoned,
  ActorEnded,
  ActorFailed,
  ActorRestarted,
  ActorStarted,
  MailboxOverflow,
  SlowHandler
} from "#protocols/runtime.ts"
import type { Instance } from "./instance.ts"
import type { Ended } from "./ref.ts"

const quick = { disableValidation: true }

const heard = ({ system }: Instance, tag: string): boolean => system.events.heard(tag)

const life = ({ incarnation, path, system }: Instance) => ({
  path,
  incarnation,
  atMillis: system.clock.wallMillis()
})

export const started = (actor: Instance): void => {
  if (heard(actor, "ActorStarted")) actor.system.events.publish(new ActorStarted(life(actor), quick))
}

export const restarted = (actor: Instance): void => {
  if (!heard(actor, "ActorRestarted")) return
  const supervisor = actor.parent?.path ?? ""
  actor.system.events.publish(new ActorRestarted({ ...life(actor), supervisor }, quick))
}

export const failed = (actor: Instance, handling: string, cause: Cause.Cause<unknown>): void => {
  if (!heard(actor, "ActorFailed")) return
  actor.system.events.publish(
    new ActorFailed({ ...life(actor), handling, cause: Cause.pretty(cause) }, quick)
  )
}

export const ended = (actor: Instance, { cause, reason }: Ended): void => {
  if (!heard(actor, "ActorEnded")) return
  const why = Cause.isEmpty(cause) ? "" : Cause.pretty(cause)
  actor.system.events.publish(new ActorEnded({ ...life(actor), reason, cause: why }, quick))
}

export const abandoned = (actor: Instance): void => {
  actor.system.events.publish(new ActorAbandoned(life(actor), quick))
  actor.system.log(
    "warn",
    `${actor.path} was killed but still runs something that cannot be interrupted; it is abandoned`
  )
}

export const overflowed = (actor: Instance, capacity: number): void => {
  const { dropped } = actor
  // The 1st, 2nd, 4th, 8th… loss: enough to notice and to see that it goes on.
  if ((dropped & (dropped - 1)) !== 0 || !heard(actor, "MailboxOverflow")) return
  actor.system.events.publish(new MailboxOverflow({ ...life(actor), dropped, capacity }, quick))
}

export const slow = (actor: Instance, handling: string, tookMillis: number): void => {
  if (!heard(actor, "SlowHandler")) return
  actor.system.events.publish(new SlowHandler({ ...life(actor), handling, tookMillis }, quick))
}
