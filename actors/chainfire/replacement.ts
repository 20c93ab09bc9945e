/**
 * Replacing a member by another one while the group serves, as a saga whose state is in the log. Whoever leads
 * takes the next step; a leader that dies is followed by one that goes on, since each step looks at what is
 * the case before it acts, and does nothing twice.
 *
 *   adding ──► catching up ──► promoting ──► removing ──► verifying ──► done
 *      └────────────┴──► aborted
 *
 * No step is taken that would cost the quorum: then it waits, and says for what. Each step leaves its evidence.
 */
import { Schema } from "effect"
import type { NodeId } from "#actors/raft/raft-messages.ts"
import { Replacement, type ReplacementStep } from "#protocols/chainfire.ts"

/** What the leader sees when it decides. */
export interface ReplacementView {
  readonly atMillis: number
  readonly commit: number
  readonly revision: number
  /** Those who have the new one's URL. */
  readonly added: NodeId | undefined
  readonly isNamed: boolean
  readonly isVoter: boolean
  readonly isOldMember: boolean
  /** The last index that the new one is known to have, if it answers. */
  readonly match: number | undefined
  /** Whether the others could commit without the old one. */
  readonly keepsQuorum: boolean
  readonly hasRead: boolean
}

export type ReplacementAction =
  | { readonly _tag: "Add" | "Promote" | "Remove" | "Read" }
  | { readonly _tag: "Record"; readonly next: Replacement }
  | { readonly _tag: "Wait" }

/** In entries: while others write, nobody is ever wholly level. */
const lagMax = 100
const evidenceMax = 100

export const isUnderWay = ({ step }: Replacement): boolean => step !== "done" && step !== "aborted"

export const begin = (id: number, old: NodeId, peerUrl: string, atMillis: number): Replacement => ({
  id,
  old,
  peerUrl,
  added: 0,
  step: "adding",
  waitsFor: "",
  evidence: [{ step: "adding", atMillis, commit: 0, what: `member ${old} is to be replaced by ${peerUrl}` }]
})

/** What to do next. */
export const decide = (replacement: Replacement, view: ReplacementView): ReplacementAction => {
  const { added, step } = replacement
  const advance = (
    to: ReplacementStep,
    what: string,
    more: Partial<Replacement> = {}
  ): ReplacementAction => ({
    _tag: "Record",
    next: { ...advanced(replacement, to, what, view), ...more }
  })
  switch (step) {
    case "adding":
      return view.added === undefined
        ? { _tag: "Add" }
        : advance("catching up", `member ${view.added} was added as a learner`, { added: view.added })
    case "catching up": {
      if (view.added !== added) return advance("adding", `member ${added} is none any more`, { added: 0 })
      if (!view.isNamed) return waiting(replacement, `${replacement.peerUrl} to announce itself`)
      if (view.match === undefined) return waiting(replacement, `member ${added} to answer`)
      const lag = view.commit - view.match
      if (view.match === 0 || lag > lagMax) return waiting(replacement, `member ${added} to catch up`)
      return advance("promoting", `it has the log up to ${view.match}, the group up to ${view.commit}`)
    }
    case "promoting":
      return view.isVoter ? advance("removing", `member ${added} votes`) : { _tag: "Promote" }
    case "removing":
      if (!view.isOldMember) return advance("verifying", `member ${replacement.old} is none any more`)
      return view.keepsQuorum
        ? { _tag: "Remove" }
        : waiting(
            replacement,
            `enough others to answer: without member ${replacement.old} there is no quorum`
          )
    case "verifying":
      if (!view.hasRead) return { _tag: "Read" }
      return view.match === undefined || view.commit - view.match > lagMax
        ? waiting(replacement, `member ${added} to have what is committed`)
        : advance(
            "done",
            `a linearizable read saw revision ${view.revision}; member ${added} has ${view.match}`
          )
    case "done":
    case "aborted":
      return { _tag: "Wait" }
  }
}

/** Until the new one votes. Then it is as good to go on. */
export const canAbort = ({ step }: Replacement): boolean => step === "adding" || step === "catching up"

export const aborted = (replacement: Replacement, atMillis: number, commit: number): Replacement =>
  advanced(replacement, "aborted", "it was called off", { atMillis, commit })

const advanced = (
  replacement: Replacement,
  step: ReplacementStep,
  what: string,
  { atMillis, commit }: Pick<ReplacementView, "atMillis" | "commit">
): Replacement => ({
  ...replacement,
  step,
  waitsFor: "",
  evidence: [...replacement.evidence, { step, atMillis, commit, what }].slice(-evidenceMax)
})

const waiting = (replacement: Replacement, waitsFor: string): ReplacementAction =>
  replacement.waitsFor === waitsFor
    ? { _tag: "Wait" }
    : { _tag: "Record", next: { ...replacement, waitsFor } }

const Json = Schema.parseJson(Replacement)
const decode = Schema.decodeSync(Json)
const encode = Schema.encodeSync(Json)

export const encodeReplacement = (replacement: Replacement): Uint8Array =>
  new TextEncoder().encode(encode(replacement))

export const decodeReplacement = (bytes: Uint8Array): Replacement => decode(new TextDecoder().decode(bytes))
