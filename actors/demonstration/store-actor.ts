/** The store of the demonstration: others write to it and read from it, so its crash takes them along. */
import * as Actor from "#actors/kernel/actor.ts"
import { Crash, Total, TotalUnknown, Write } from "#protocols/demonstration.ts"
import * as Totals from "./totals.ts"

export const Store = Actor.make("store", {
  messages: [Write, Total, Crash],
  init: () => Totals.empty,
  handlers: {
    Write: (totals, { by, key }) => Totals.write(totals, key, by),
    Total: (totals, { key }) => {
      const total = Totals.total(totals, key)
      return total === undefined
        ? Actor.refuse(totals, new TotalUnknown({ key }))
        : Actor.reply(totals, total)
    },
    Crash: (_totals, { why }) => {
      throw new Error(why)
    }
  },
  inspect: (totals) => Object.fromEntries(totals)
})
