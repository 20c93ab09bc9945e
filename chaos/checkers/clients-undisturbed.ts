/** Check: what clients noticed by themselves while they ran, such as a watch that was cancelled. */
import { type Check, finding } from "./evidence.ts"
import { fewOf } from "./few.ts"

const check = "clients undisturbed"

export const clientsUndisturbed: Check = {
  name: check,
  holds:
    "No client was told what it should never be told, and the store could tell its whole history in the end.",
  judge: ({ problems }) => finding(check, fewOf(problems), "no client complained")
}
