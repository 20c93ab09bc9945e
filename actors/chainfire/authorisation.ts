/**
 * What a request needs to be allowed, as etcd 3.4 sees it. It is asked when a command is applied, by every
 * member alike, and before a read.
 *
 * Where etcd 3.4.23 lets pass what opens keys to somebody who has no permission for them, this does not: etcd has
 * closed these holes later.
 *
 * - Transactions within transactions are looked into.
 * - A put within a transaction needs what a put needs: its old value is read, and its lease may take along
 *   keys that others have put on it.
 * - Whoever asks for the keys of a lease needs to be allowed to read them.
 * - While authentication is on, nobody without a user may compact, or grant and revoke leases.
 */
import type { EtcdError } from "#protocols/wire/etcd/errors.ts"
import type { DeleteRangeRequest, PutRequest } from "#protocols/wire/etcd/kv-fast.ts"
import type { RequestOp, TxnRequest } from "#protocols/wire/etcd/txn-fast.ts"
import type { Asker, AuthStore } from "./auth-store.ts"
import type { AuthChange, Command } from "./command.ts"
import type { Lessor } from "./lessor.ts"

interface Known {
  readonly auth: AuthStore
  readonly lessor: Lessor
}

/** Why a command may not be carried out for who asks for it. */
export const refusesCommand = (known: Known, command: Command): EtcdError | undefined => {
  const { auth } = known
  if (!auth.enabled) return undefined
  const { asker } = command
  switch (command._tag) {
    case "Put":
      return refusesPut(known, asker, command.request)
    case "DeleteRange":
      return refusesDelete(known, asker, command.request)
    case "Txn":
      return refusesTxn(known, asker, command.request)
    case "Compact":
    case "LeaseGrant":
      return auth.refusesUser(asker)
    case "LeaseRevoke":
      return auth.refusesUser(asker) ?? refusesLease(known, asker, "write", command.request.ID)
    // Whoever asks for a token has shown his password to the member that proposes this. And what a leader
    // notes down about members is asked about where somebody has them changed.
    case "Authenticate":
    case "SetMember":
    case "DropMember":
    case "SetReplacement":
    // Members raise alarms by themselves; clients are asked at the door.
    case "Alarm":
      return undefined
    default:
      return refusesChange(known, command)
  }
}

const refusesChange = ({ auth }: Known, { asker }: AuthChange): EtcdError | undefined =>
  auth.refusesRoot(asker)

/** Of both branches: which one is taken is nothing to be learned by trying. */
export const refusesTxn = (
  known: Known,
  asker: Asker | undefined,
  { compare, failure, success }: TxnRequest
): EtcdError | undefined => {
  for (const { key, rangeEnd } of compare) {
    const refused = known.auth.refuses(asker, "read", key, rangeEnd)
    if (refused !== undefined) return refused
  }
  return refusesOps(known, asker, success) ?? refusesOps(known, asker, failure)
}

const refusesOps = (
  known: Known,
  asker: Asker | undefined,
  ops: ReadonlyArray<RequestOp>
): EtcdError | undefined => {
  for (const { requestDeleteRange, requestPut, requestRange, requestTxn } of ops) {
    const refused =
      (requestRange && known.auth.refuses(asker, "read", requestRange.key, requestRange.rangeEnd)) ??
      (requestPut && refusesPut(known, asker, requestPut)) ??
      (requestDeleteRange && refusesDelete(known, asker, requestDeleteRange)) ??
      (requestTxn && refusesTxn(known, asker, requestTxn))
    if (refused !== undefined) return refused
  }
  return undefined
}

const refusesPut = (
  known: Known,
  asker: Asker | undefined,
  { key, lease, prevKv }: PutRequest
): EtcdError | undefined =>
  known.auth.refuses(asker, "write", key) ??
  // Who could not revoke a lease may not put more on it either.
  (lease === 0n ? undefined : refusesLease(known, asker, "write", lease)) ??
  (prevKv ? known.auth.refuses(asker, "read", key) : undefined)

const refusesDelete = (
  { auth }: Known,
  asker: Asker | undefined,
  { key, prevKv, rangeEnd }: DeleteRangeRequest
): EtcdError | undefined =>
  auth.refuses(asker, "write", key, rangeEnd) ??
  (prevKv ? auth.refuses(asker, "read", key, rangeEnd) : undefined)

/** Why somebody may not do this to all keys of a lease. */
export const refusesLease = (
  { auth, lessor }: Known,
  asker: Asker | undefined,
  what: "read" | "write",
  lease: bigint
): EtcdError | undefined => {
  if (auth.refusesRoot(asker) === undefined) return undefined
  for (const key of lessor.keys(lease)) {
    const refused = auth.refuses(asker, what, key)
    if (refused !== undefined) return refused
  }
  return undefined
}
