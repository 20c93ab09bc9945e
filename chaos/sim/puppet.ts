/**
 * Puppets: actors that do what a test tells them to, act by act.
 *
 * What an act returns becomes the answer when it was called, and an effect is run. The acts named `init`
 * and `stop` are played at the beginning and at the end of each life. An act
 * that returns `later` or `refuse` leaves the state out: `Actor.later(null)`.
 */
import { Effect, Schema } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import { ask } from "#actors/kernel/ask.ts"
import type { ActorContext, SpawnOptions } from "#actors/kernel/context.ts"
import type { ActorRef, Ended } from "#actors/kernel/ref.ts"
import { isEffect } from "#actors/kernel/run-effect.ts"
import type { ActorSystem } from "#actors/kernel/system.ts"
import { onStage } from "./stage.ts"

export class Do extends Schema.TaggedClass<Do>()("Do", { act: Schema.String }) {}

export class Refused extends Schema.TaggedError<Refused>()("Refused", { why: Schema.String }) {}

export class Call extends Schema.TaggedRequest<Call>()("Call", {
  payload: { act: Schema.String },
  success: Schema.Unknown,
  failure: Refused
}) {}

export type PuppetMessage = Do | Call
export type PuppetContext = ActorContext<PuppetMessage, Played>

/** Whoever plays an act states the type of the message, or of the ending, that it is about. */
export type Act = (context: PuppetContext, about: never) => unknown

export interface Acts {
  readonly [act: string]: Act
}

interface Played {
  readonly acts: Acts
  readonly context: PuppetContext
}

type Begun = Played | Actor.Ignore

type Options = Pick<
  Actor.ActorSpec<readonly [typeof Do, typeof Call], Played, Acts | undefined, readonly [], never>,
  "mailbox" | "stashMax" | "readiness" | "stopsChildren"
>

export const puppet = (options: Options = {}) =>
  Actor.make("puppet", {
    ...options,
    messages: [Do, Call],
    init: (context, acts: Acts | undefined): Begun | Effect.Effect<Begun> => {
      const begun = { acts: acts ?? {}, context: context as PuppetContext }
      const done = begun.acts["init"]?.(begun.context, none)
      const began = (value: unknown) => (value === Actor.ignore ? value : begun)
      return isEffect(done) ? Effect.map(done as Effect.Effect<unknown>, began) : began(done)
    },
    handlers: {
      Do: (played, message, context) => {
        const done = play(played, message, context)
        return isEffect(done) ? Effect.as(done as Effect.Effect<void>, played) : played
      },
      Call: (played, message, context) => {
        const done = play(played, message, context)
        if (done instanceof Actor.Answer) return new Actor.Answer(played, done.kind, done.value)
        if (!isEffect(done)) return Actor.reply(played, done)
        return Effect.map(done as Effect.Effect<unknown, Refused>, (value) => Actor.reply(played, value))
      }
    },
    onStop: ({ acts, context }, ended) =>
      acts["stop"]?.(context, ended as never) as Effect.Effect<void> | undefined
  })

const none = undefined as never

const play = ({ acts }: Played, message: PuppetMessage, context: PuppetContext): unknown =>
  acts[message.act]?.(context, message as never)

/** Lets a parent keep one child, which plays these acts. */
export const keep = (system: ActorSystem, acts: Acts, options: SpawnOptions = {}) => {
  const spawned: Array<ActorRef<PuppetMessage>> = []
  const contexts: Array<PuppetContext> = []
  system.spawn(puppet(), {
    name: "keeper",
    args: {
      init: (context) => {
        contexts.push(context)
        spawned.push(context.spawn(puppet(), { ...options, name: "kept", keep: true, args: acts }))
      }
    }
  })
  const ref = spawned[0]!
  return {
    ref,
    ended: endOf(ref),
    stop: () => contexts[0]!.stopChild("kept"),
    restart: () => contexts[0]!.restartChild("kept")
  }
}

/** The end of its current life. */
export const endOf = (ref: ActorRef<never>): Effect.Effect<Ended> => {
  const endings: Array<Ended> = []
  const waiting: Array<(ended: Effect.Effect<Ended>) => void> = []
  ref.addWatcher({
    notice: (ended) => {
      endings.push(ended)
      for (const resume of waiting) resume(Effect.succeed(ended))
    }
  })
  return Effect.async((resume) => {
    if (endings[0] === undefined) waiting.push(resume)
    else resume(Effect.succeed(endings[0]))
  })
}

/** The end of its current life, which this act brings about. */
export const endAfter = (ref: ActorRef<never>, act: () => void): Effect.Effect<Ended> =>
  Effect.suspend(() => {
    const ended = endOf(ref)
    act()
    return ended
  })

export const call = (ref: ActorRef<Call>, act: string) => ask(ref, new Call({ act }), "1 minute")

/** An act. */
export const crash = (): never => {
  throw new Error("out of luck")
}

export type Note = (context: PuppetContext, message: Do) => void

/** Lets one puppet play from its act `begin`; notes which act came how many milliseconds after. */
export const played = (
  actsOf: (
    context: () => PuppetContext,
    note: Note,
    exits: Array<unknown>
  ) => Record<string, (context: PuppetContext, message: Do) => unknown>
) =>
  onStage((system, world) =>
    Effect.gen(function* () {
      const times: Array<string> = []
      const exits: Array<unknown> = []
      const contexts: Array<PuppetContext> = []
      const fromMillis = world.nowMillis
      const note: Note = (_, { act }) => void times.push(`${act} ${world.nowMillis - fromMillis}`)
      const acts = actsOf(() => contexts[0]!, note, exits)
      const one = system.spawn(puppet(), {
        args: { ...acts, init: (context) => void contexts.push(context) }
      })
      one.tell(new Do({ act: "begin" }))
      yield* Effect.sleep("3 seconds")
      return { times, exits }
    })
  )
