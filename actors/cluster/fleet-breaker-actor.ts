/**
 * The fleet breaker as an actor: it hears what membership publishes, publishes when automation stops and
 * when it may go on, and answers every machine that asks whether it may act by itself.
 *
 * It begins with what membership knows, so a restart in the middle of an outage does not let automation
 * loose. Should membership not answer, it does not start, and who cannot ask it may not act.
 */
import { Effect } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import { ask } from "#actors/kernel/ask.ts"
import type { InitContext } from "#actors/kernel/context.ts"
import type { Address } from "#protocols/address.ts"
import {
  AutomationStopped,
  FleetBreakerReset,
  FleetBreakerTripped,
  GetFleetBreaker,
  MayAutomate,
  ResetFleetBreaker,
  TripFleetBreaker
} from "#protocols/breakers.ts"
import {
  MemberFailed,
  MemberJoined,
  MemberLeft,
  MemberRecovered,
  MemberSuspected,
  Members,
  type MembershipEvent,
  MemberUpdated
} from "#protocols/membership.ts"
import { defaultRules, FleetBreaker, type FleetChange, type FleetRules } from "./fleet-breaker.ts"

export interface FleetBreakerArgs {
  /** The membership actor of this node. */
  readonly members: Address<Members>
  readonly rules?: Partial<FleetRules>
}

const heardTags = [
  MemberJoined,
  MemberSuspected,
  MemberRecovered,
  MemberLeft,
  MemberFailed,
  MemberUpdated
].map(({ _tag }) => _tag)

type FleetMessage = MembershipEvent | MayAutomate | GetFleetBreaker | TripFleetBreaker | ResetFleetBreaker
type FleetContext = InitContext<FleetMessage>

export const FleetBreakerActor = Actor.make("fleet-breaker", {
  messages: [
    MemberJoined,
    MemberSuspected,
    MemberRecovered,
    MemberLeft,
    MemberFailed,
    MemberUpdated,
    MayAutomate,
    GetFleetBreaker,
    TripFleetBreaker,
    ResetFleetBreaker
  ],
  init: (context, { members, rules }: FleetBreakerArgs) => {
    // Before the question, so that nothing falls between its answer and the first event.
    context.subscribe(heardTags, (event) => event as MembershipEvent)
    return Effect.map(ask(context.at(members), new Members(), "5 seconds"), (records) => {
      const breaker = new FleetBreaker({ ...defaultRules, ...rules })
      return publish(breaker, breaker.begin(records, context.nowMillis()), context)
    })
  },
  handlers: {
    MemberJoined: (breaker, event, context) => hear(breaker, event, context),
    MemberSuspected: (breaker, event, context) => hear(breaker, event, context),
    MemberRecovered: (breaker, event, context) => hear(breaker, event, context),
    MemberLeft: (breaker, event, context) => hear(breaker, event, context),
    MemberFailed: (breaker, event, context) => hear(breaker, event, context),
    MemberUpdated: (breaker, event, context) => hear(breaker, event, context),
    MayAutomate: (breaker, { zone }, context) => {
      const stop = breaker.stopped(zone, context.nowMillis())
      if (stop === undefined) return Actor.reply(breaker, undefined)
      const { by = context.path, healthyNeeded, reason, sinceMillis, status, tripped } = stop
      const { dead, healthy, members } = status
      return Actor.refuse(
        breaker,
        new AutomationStopped({
          zone,
          tripped,
          by,
          reason,
          sinceMillis,
          dead,
          healthy,
          members,
          healthyNeeded
        })
      )
    },
    GetFleetBreaker: (breaker, _get, context) => Actor.reply(breaker, breaker.status(context.nowMillis())),
    TripFleetBreaker: (breaker, order, context) =>
      Actor.reply(publish(breaker, breaker.trip(order.zone, order, context.nowMillis()), context), undefined),
    ResetFleetBreaker: (breaker, order, context) =>
      Actor.reply(publish(breaker, breaker.reset(order.zone, order, context.nowMillis()), context), undefined)
  },
  inspect: (breaker) => ({ remembered: breaker.size, rules: breaker.rules })
})

const hear = (breaker: FleetBreaker, event: MembershipEvent, context: FleetContext): FleetBreaker =>
  publish(breaker, breaker.observe(event, context.nowMillis()), context)

const publish = (
  breaker: FleetBreaker,
  changes: ReadonlyArray<FleetChange>,
  context: FleetContext
): FleetBreaker => {
  for (const { by = context.path, to, ...numbers } of changes) {
    const change = { ...numbers, by, atMillis: context.wallMillis() }
    const where = change.zone === null ? "the fleet" : `zone ${change.zone}`
    if (to === "tripped") {
      context.publish(new FleetBreakerTripped(change))
      context.log("warn", `automation in ${where} has stopped: ${change.reason}`, { dead: change.dead, by })
    } else {
      context.publish(new FleetBreakerReset(change))
      context.log("info", `automation in ${where} may go on: ${change.reason}`, { by })
    }
  }
  return breaker
}
