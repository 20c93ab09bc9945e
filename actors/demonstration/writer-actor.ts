/** A writer of the demonstration: writes to the store every few milliseconds and now and then reads back. */
import { Exit } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import type { ActorRef } from "#actors/kernel/ref.ts"
import { describeCause } from "#actors/kernel/ref.ts"
import { Checked, Crash, Tick, Total, Write } from "#protocols/demonstration.ts"
import { Store } from "./store-actor.ts"

const writesPerTick = 100
const ticksPerCheck = 10

interface Writing {
  readonly key: string
  readonly store: ActorRef<Write | Total> | undefined
  readonly ticks: number
  readonly lastTotal: number | null
  readonly lastFault: string
}

export const Writer = Actor.make("writer", {
  messages: [Tick, Checked, Crash],
  init: (context): Writing => {
    // Not all on the same millisecond.
    context.after(1 + context.random() * 10, new Tick(), "start")
    // Two steps up and one to the side: the writers' supervisor stands beside the store.
    const store = context.lookup(`${context.path.split("/").slice(0, -2).join("/")}/store`, Store)
    return { key: context.path, store, ticks: 0, lastTotal: null, lastFault: "" }
  },
  handlers: {
    Tick: (writing, tick, context) => {
      const { key, store, ticks } = writing
      if (ticks === 0) context.every(10, tick, "tick")
      for (let write = 0; write < writesPerTick; write++) store?.tell(new Write({ key, by: 1 }))
      if (store !== undefined && ticks % ticksPerCheck === 0) {
        context.ask(store, new Total({ key }), "1 second", (answered) =>
          Exit.isSuccess(answered)
            ? new Checked({ total: answered.value, fault: "" })
            : new Checked({ total: null, fault: describeCause(answered.cause) })
        )
      }
      return { ...writing, ticks: ticks + 1 }
    },
    Checked: (writing, { fault, total }) => ({ ...writing, lastTotal: total, lastFault: fault }),
    Crash: (_writing, { why }) => {
      throw new Error(why)
    }
  },
  inspect: ({ store: _store, ...writing }) => writing
})
