/** `Coordination` on whatever way to a store of keys there is. */
import { Effect, Option } from "effect"
import type { Coordination } from "#actors/kernel/ports/coordination.ts"
import {
  CompactKeys,
  DeleteKeys,
  GetLease,
  GrantLease,
  KeepLease,
  ListLeases,
  PutKey,
  RangeKeys,
  RevokeLease,
  TxnKeys
} from "#protocols/chainfire-keys.ts"
import { heldLease } from "./held-lease.ts"
import type { KeysTransport } from "./keys-transport.ts"
import { campaign, observe } from "./queue-lock.ts"
import { watching } from "./watching.ts"

export const coordinationOf = (transport: KeysTransport): Coordination => ({
  // The two that leases are made of: what they hold is right by its type.
  get: (key) =>
    Effect.map(transport.ask(new RangeKeys({ key }, true)), ({ kvs: [kv] }) => Option.fromNullable(kv)),
  range: (request) => transport.ask(new RangeKeys(request)),
  put: (request) => transport.ask(new PutKey(request)),
  delete: (request) => transport.ask(new DeleteKeys(request)),
  txn: ({ compare, onFailure = [], onSuccess }) =>
    transport.ask(new TxnKeys({ compare, onSuccess, onFailure })),
  compact: (request) => transport.ask(new CompactKeys(request)),
  lease: (ttlSeconds) => heldLease(transport, ttlSeconds),
  grant: (request) => transport.ask(new GrantLease(request)),
  keep: (lease) => transport.ask(new KeepLease({ lease }, true)),
  revoke: (lease) => transport.ask(new RevokeLease({ lease })),
  timeToLive: (request) => transport.ask(new GetLease(request)),
  leases: Effect.suspend(() => transport.ask(new ListLeases())),
  watch: (keys) => watching(transport, keys),
  lock: (name, ttlSeconds) => campaign(transport, name, new Uint8Array(0), ttlSeconds),
  campaign: (name, value, ttlSeconds) => campaign(transport, name, value, ttlSeconds),
  observe: (name) => observe(transport, name)
})
