/**
 * A leader role as an actor: campaigns through the `Leases` port, and runs the role's actor as its child
 * while it leads. A singleton is a leader role with a candidate on every node.
 *
 * When to ask, to stop and to give back is decided in leader-role.ts. Its own end, by a stop or a crash,
 * takes the child along first and gives the lease back then. Its supervisor should leave it time for both:
 * `stopMillis` and `answerMillis`, 5 s with the defaults, which is also what a child gets that states nothing.
 */
import { Cause, Effect, Exit, Option, Schema } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import type { Tagged } from "#actors/kernel/ask.ts"
import type { InitContext, SpawnArguments } from "#actors/kernel/context.ts"
import type { Within } from "#actors/kernel/life.ts"
import { Leases } from "#actors/kernel/ports/leases.ts"
import { describeCause, type Ended } from "#actors/kernel/ref.ts"
import { GetLeaderRole, type RoleLost, type RoleTaken, YieldRole } from "#protocols/failover.ts"
import { Lease, LeaseFault, LeasesUnavailable } from "#protocols/leases.ts"
import { defaultRules, type LeaderEffect, LeaderRole, type LeaderRules } from "./leader-role.ts"

/** What a leader role is for: the actor that runs where it leads. */
export interface Led<M extends Tagged, A, S> {
  readonly role: string
  readonly child: Actor.Actor<M, A, S>
  /** What its `init` gets. Whatever it changes outside stands behind a fence, and goes with this epoch. */
  readonly args: (epoch: number) => A
  readonly rules?: Partial<LeaderRules>
}

export interface CandidateArgs {
  /** The name of this life of the process: two that live at the same time never share it. */
  readonly holder: string
}

class Tick extends Schema.TaggedClass<Tick>()("Tick", {}) {}
const nextTick = new Tick()
class Granted extends Schema.TaggedClass<Granted>()("Granted", { request: Schema.Int, lease: Lease }) {}
class Refused extends Schema.TaggedClass<Refused>()("Refused", { request: Schema.Int, fault: LeaseFault }) {}
class Freed extends Schema.TaggedClass<Freed>()("Freed", { request: Schema.Int }) {}
class Untold extends Schema.TaggedClass<Untold>()("Untold", { request: Schema.Int }) {}
class GivenBack extends Schema.TaggedClass<GivenBack>()("GivenBack", { answer: Schema.String }) {}

export type LeaderMessage = GetLeaderRole | YieldRole
type Message = LeaderMessage | Tick | Granted | Refused | Freed | Untold | GivenBack

interface State {
  readonly core: LeaderRole
  readonly leases: Leases
  /** Carries the effects out, with this life's context. */
  readonly act: (state: State, effects: ReadonlyArray<LeaderEffect>) => State
  readonly announce: (event: RoleTaken | RoleLost | undefined) => void
}

/** Declares the candidates of one role. Each node starts one, with its own name. */
export const leaderRole = <M extends Tagged, A, S>({
  args,
  child,
  role,
  rules: changed
}: Led<M, A, S>): Actor.Actor<LeaderMessage, CandidateArgs, S | Leases> => {
  const rules = { ...defaultRules, ...changed }
  const run = (
    state: State,
    effects: ReadonlyArray<LeaderEffect>,
    context: InitContext<Message, S | Leases>,
    holder: string
  ) => {
    const { core, leases } = state
    for (const effect of effects) {
      switch (effect._tag) {
        case "Acquire":
          context.pipe<Lease, LeaseFault>(
            leases.acquire(role, holder, rules.ttlMillis),
            answerTo(effect.request),
            inTime(role, "acquire", rules)
          )
          break
        case "Renew":
          context.pipe<Lease, LeaseFault>(
            leases.renew(effect.lease),
            answerTo(effect.request),
            inTime(role, "renew", rules)
          )
          break
        case "Wait":
          context.pipe(leases.freed(role), (exit) => heardOf(effect.request, exit))
          break
        case "Release":
          context.pipe(
            giveBack(leases, effect.lease, rules),
            (exit) => new GivenBack({ answer: valueOf(exit) })
          )
          break
        case "Start": {
          const options = { name: child.name, role: "leader", shutdown: rules.stopMillis }
          context.spawn<M, A, S>(child, ...([{ ...options, args: args(effect.epoch) }] as SpawnArguments<A>))
          break
        }
        case "Stop":
          context.stopChild(child.name)
          break
        case "Publish":
          state.announce(effect.event)
          break
      }
    }
    if (core.wakeMillis === Number.POSITIVE_INFINITY) context.cancel("tick")
    else context.after(Math.max(0, Math.ceil(core.wakeMillis - context.nowMillis())), nextTick, "tick")
    return state
  }

  return Actor.make(`${role}-candidate`, {
    kind: "leader-role",
    messages: [GetLeaderRole, YieldRole, Tick, Granted, Refused, Freed, Untold, GivenBack],
    services: [Leases],
    init: (context, { holder }: CandidateArgs) => {
      const self = { role, holder, path: context.path }
      const core = new LeaderRole(self, rules, context.nowMillis(), () => context.random())
      const state: State = {
        core,
        leases: context.service(Leases),
        act: (at, effects) => run(at, effects, context as InitContext<Message, S | Leases>, holder),
        announce: (event) => {
          if (event === undefined) return
          context.publish(event)
          context.log("info", `${event._tag} ${role}, epoch ${event.epoch}: ${event.reason}`)
        }
      }
      return state.act(state, core.tick(context.nowMillis()))
    },
    handlers: {
      GetLeaderRole: (state, _get, context) => Actor.reply(state, state.core.status(context.nowMillis())),
      YieldRole: (state, order, context) => {
        const forMillis = order.forMillis ?? rules.yieldMillis
        const after = state.act(state, state.core.yield(order, forMillis, context.nowMillis()))
        return Actor.reply(after, after.core.status(context.nowMillis()))
      },
      Tick: (state, _tick, context) => state.act(state, state.core.tick(context.nowMillis())),
      Granted: (state, { lease, request }, context) =>
        state.act(state, state.core.granted(request, lease, context.nowMillis())),
      Refused: (state, { fault, request }, context) =>
        state.act(state, state.core.refused(request, fault, context.nowMillis())),
      Freed: (state, { request }, context) =>
        state.act(state, state.core.freed(request, context.nowMillis())),
      Untold: (state, { request }, context) =>
        state.act(state, state.core.untold(request, context.nowMillis())),
      GivenBack: (state, { answer }, context) => {
        if (answer !== "") context.log("warn", `the lease of ${role} runs out by itself: ${answer}`)
        return state
      }
    },
    onChild: (state, signal, context) =>
      signal._tag === "ChildEnded"
        ? state.act(state, state.core.ended(describe(signal.ended), context.nowMillis()))
        : state,
    onStop: (state, ended) => {
      const { lease } = state.core
      state.announce(state.core.end(`its candidate has ended: ${describe(ended)}`))
      return lease === undefined ? undefined : Effect.asVoid(giveBack(state.leases, lease, rules))
    },
    inspect: ({ core }) => ({ lease: core.lease ?? null, rules })
  }) as Actor.Actor<LeaderMessage, CandidateArgs, S | Leases>
}

/** A defect of the port is no answer: it crashes the candidate. */
const answerTo =
  (request: number) =>
  (exit: Exit.Exit<Lease, LeaseFault>): Message => {
    if (Exit.isSuccess(exit)) return new Granted({ request, lease: exit.value }, true)
    const fault = Option.getOrThrowWith(Cause.failureOption(exit.cause), () => Cause.squash(exit.cause))
    return new Refused({ request, fault }, true)
  }

const heardOf = (request: number, exit: Exit.Exit<void, LeasesUnavailable>): Message => {
  if (Exit.isSuccess(exit)) return new Freed({ request }, true)
  // As with its answers, a defect of the port crashes the candidate.
  if (Option.isNone(Cause.failureOption(exit.cause))) throw Cause.squash(exit.cause)
  return new Untold({ request }, true)
}

/** Whatever the store promises, the candidate waits no longer than its own rules say. */
const inTime = (
  name: string,
  request: LeasesUnavailable["request"],
  { answerMillis }: LeaderRules
): Within<LeasesUnavailable> => ({
  millis: answerMillis,
  fault: () =>
    new LeasesUnavailable({
      name,
      request,
      reason: `no answer within ${answerMillis} ms`,
      definite: false
    })
})

/** Empty, or why it could not be given back. */
const giveBack = (leases: Leases, lease: Lease, rules: LeaderRules): Effect.Effect<string> => {
  const { fault, millis } = inTime(lease.name, "release", rules)
  return Effect.timeoutFail(leases.release(lease), { duration: millis, onTimeout: fault }).pipe(
    Effect.as(""),
    Effect.catchTag("LeasesUnavailable", ({ message }) => Effect.succeed(message))
  )
}

/** Of what fails with defects only, which crash the candidate. */
const valueOf = <A>(exit: Exit.Exit<A>): A =>
  Exit.getOrElse(exit, (cause) => {
    throw Cause.squash(cause)
  })

const describe = ({ cause, reason }: Ended): string =>
  Cause.isEmpty(cause) ? reason : `${reason}, ${describeCause(cause)}`
