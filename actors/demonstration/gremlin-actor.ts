/** The gremlin of the demonstration: every few seconds it makes another actor crash. */
import * as Actor from "#actors/kernel/actor.ts"
import { Crash, Tick } from "#protocols/demonstration.ts"
import { Store } from "./store-actor.ts"
import { Writer } from "./writer-actor.ts"

export interface Victims {
  readonly writers: ReadonlyArray<string>
  readonly stores: ReadonlyArray<string>
}

export const Gremlin = Actor.make("gremlin", {
  messages: [Tick],
  init: (context, { stores, writers }: Victims) => {
    context.every("3 seconds", new Tick())
    return { writers, stores, crashes: 0 }
  },
  handlers: {
    Tick: (state, _tick, context) => {
      const { crashes, stores, writers } = state
      const why = `the gremlin did it (${crashes + 1})`
      // Every third time a store: whoever depends on it restarts too.
      const oneOf = (paths: ReadonlyArray<string>) => paths[Math.floor(context.random() * paths.length)] ?? ""
      const victim =
        crashes % 3 === 2 ? context.lookup(oneOf(stores), Store) : context.lookup(oneOf(writers), Writer)
      victim?.tell(new Crash({ why }))
      return { ...state, crashes: crashes + 1 }
    }
  },
  inspect: (state) => state
})
