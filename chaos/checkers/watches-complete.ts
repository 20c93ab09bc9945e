/** Check: watches have seen every change once and in order, through all their resumptions; see watch-completeness.ts. */
import { type Check, finding, unknown } from "./evidence.ts"
import { fewOf } from "./few.ts"
import { checkWatch } from "./watch-completeness.ts"

const check = "watches complete"

export const watchesComplete: Check = {
  name: check,
  holds: "Every watch has seen every change of its keys, once and in order, whatever happened to its node.",
  judge: ({ changes, watches }) => {
    if (watches.length === 0) return unknown(check, "nobody watched")
    if (changes === undefined)
      return unknown(check, "no node could tell in the end what was written; see problems of clients")
    const problems = watches.flatMap((watch) => checkWatch({ changes, isComplete: true }, watch))
    const events = watches.reduce((sum, watch) => sum + watch.events.length, 0)
    return finding(check, fewOf(problems), `${watches.length} watches have seen ${events} events`)
  }
}
