/**
 * The keys of a member of chainfire, for the actors of the cluster: takes the messages of
 * protocols/chainfire-keys.ts, `/<node>/chainfire/keys`. What they do is in key-calls.ts.
 *
 * It ends with its member, and holds nothing: what waits for an answer then gets `ActorCrashed` or `LinkLost`,
 * which leave open what happened.
 */
import * as Actor from "#actors/kernel/actor.ts"
import { keysRequests } from "#protocols/chainfire-keys.ts"
import { KeyCalls, type KeysEndpoint } from "./key-calls.ts"

export interface KeysArgs {
  readonly endpoint: KeysEndpoint
}

/** As many as the member's own: more than that waits in raft. */
const mailboxMax = 100_000

export const Keys = Actor.make("keys", {
  messages: keysRequests,
  mailbox: { capacity: mailboxMax },
  init: (_context, { endpoint }: KeysArgs) => ({ calls: new KeyCalls(endpoint) }),
  handlers: {
    RangeKeys: (state, asked, context) => {
      state.calls.range(asked, context.replyTo(asked))
      return Actor.later(state)
    },
    PutKey: (state, asked, context) => {
      state.calls.put(asked, context.replyTo(asked))
      return Actor.later(state)
    },
    DeleteKeys: (state, asked, context) => {
      state.calls.delete(asked, context.replyTo(asked))
      return Actor.later(state)
    },
    TxnKeys: (state, asked, context) => {
      state.calls.txn(asked, context.replyTo(asked))
      return Actor.later(state)
    },
    CompactKeys: (state, asked, context) => {
      state.calls.compact(asked, context.replyTo(asked))
      return Actor.later(state)
    },
    GrantLease: (state, asked, context) => {
      state.calls.grant(asked, context.replyTo(asked))
      return Actor.later(state)
    },
    RevokeLease: (state, asked, context) => {
      state.calls.revoke(asked, context.replyTo(asked))
      return Actor.later(state)
    },
    KeepLease: (state, asked, context) => {
      state.calls.keep(asked, context.replyTo(asked))
      return Actor.later(state)
    },
    GetLease: (state, asked, context) => {
      state.calls.lease(asked, context.replyTo(asked))
      return Actor.later(state)
    },
    ListLeases: (state, asked, context) => {
      state.calls.leases(asked, context.replyTo(asked))
      return Actor.later(state)
    }
  }
})
