/**
 * The state machine that chainfire replicates: key-values in their versions, leases, users and roles, and how
 * far the log has been applied. Every member that applies the same commands in the same order is in the same
 * state and gives the same answers; what differs between members (who watches, whose leases are counting, how
 * long a token is good) is told from here and kept elsewhere.
 *
 * All that one command changes is on the tables together, the applied index included, when `apply` returns:
 * whoever writes them down does so in one batch, and after a crash goes on at the index that he finds.
 */
import { Either } from "effect"
import type { NodeId } from "#actors/raft/raft-messages.ts"
import type { Replacement } from "#protocols/chainfire.ts"
import type { AuthenticateResponse } from "#protocols/wire/etcd/auth.ts"
import type { AlarmResponse, MemberUpdateResponse } from "#protocols/wire/etcd/cluster.ts"
import { type EtcdError, etcdErrors } from "#protocols/wire/etcd/errors.ts"
import type { CompactionResponse, ResponseHeader } from "#protocols/wire/etcd/kv.ts"
import type { DeleteRangeResponse, PutResponse } from "#protocols/wire/etcd/kv-fast.ts"
import type { LeaseGrantResponse, LeaseRevokeResponse } from "#protocols/wire/etcd/lease.ts"
import type { TxnResponse } from "#protocols/wire/etcd/txn-fast.ts"
import { Alarms } from "./alarms.ts"
import { AuthStore, type AuthTables } from "./auth-store.ts"
import { AuthTokens } from "./auth-tokens.ts"
import { refusesCommand } from "./authorisation.ts"
import type { AuthChange, AuthenticateCommand, Command } from "./command.ts"
import { deleteRange, headerAt, put, txn } from "./kv-write.ts"
import { type LeaseTables, Lessor } from "./lessor.ts"
import { dropRecord, type MemberRecord, putRecord, recordsIn } from "./member-records.ts"
import { type Change, Compacted, FutureRevision, Mvcc, type Table, type Tables } from "./mvcc.ts"
import { refusedByAlarm } from "./quota.ts"
import { decodeReplacement, encodeReplacement } from "./replacement.ts"
import { decodeState, encodeState, RestoreUnfinished, restoringKey, stateKey } from "./stored-state.ts"

export interface StateTables extends Tables, LeaseTables, AuthTables {
  readonly meta: Table
}

export type Response =
  | PutResponse
  | DeleteRangeResponse
  | TxnResponse
  | CompactionResponse
  | LeaseGrantResponse
  | LeaseRevokeResponse
  | AlarmResponse
  | MemberUpdateResponse
  | AuthenticateResponse
  /** To a change of who may do what. */
  | HeaderAlone

export interface HeaderAlone {
  readonly header: ResponseHeader | undefined
}

export type Outcome = Either.Either<Response, EtcdError>

export interface Listener {
  /** A transaction has changed keys. */
  readonly changed: (revision: number, changes: ReadonlyArray<Change>) => void
}

const encoder = new TextEncoder()
const replacementKey = encoder.encode("replacement")
const membershipKey = encoder.encode("membership")

export class StateMachine {
  readonly mvcc: Mvcc
  readonly lessor: Lessor
  readonly alarms: Alarms
  readonly auth: AuthStore
  /** Of this member: how long each is good is nothing that is agreed on. */
  readonly tokens = new AuthTokens()
  readonly #tables: StateTables
  readonly #listener: Listener
  readonly #nowMillis: () => number
  #appliedIndex: number
  #appliedTerm: number
  #membersVersion = 0
  /** As they were read last. */
  #records: { readonly version: number; readonly byId: ReadonlyMap<NodeId, MemberRecord> } | undefined

  /** `nowMillis`: for leases and tokens as this member counts them; nothing replicated depends on it. */
  constructor(tables: StateTables, leaseSecondsMin: number, nowMillis: () => number, listener: Listener) {
    this.#tables = tables
    this.#listener = listener
    this.#nowMillis = nowMillis
    if (tables.meta.get(restoringKey) !== undefined) throw new RestoreUnfinished()
    const counters = decodeState(tables.meta.get(stateKey))
    this.#appliedIndex = counters.index
    this.#appliedTerm = counters.term
    this.mvcc = new Mvcc(tables, counters)
    this.lessor = new Lessor(tables, leaseSecondsMin)
    this.alarms = new Alarms(tables.meta)
    this.auth = new AuthStore(tables)
  }

  /** A snapshot has taken the place of what was in the tables. */
  reload(): void {
    const counters = decodeState(this.#tables.meta.get(stateKey))
    this.#appliedIndex = counters.index
    this.#appliedTerm = counters.term
    this.mvcc.reload(counters)
    this.alarms.reload()
    this.auth.reload()
    // Whose tokens were to go meanwhile is not known.
    this.tokens.clear()
    this.#membersVersion++
  }

  /** The members as of the applied index, as raft encodes them; undefined in a member that has heard of none. */
  get membership(): Uint8Array | undefined {
    return this.#tables.meta.get(membershipKey)
  }

  set membership(encoded: Uint8Array) {
    this.#membersVersion++
    putMembership(this.#tables.meta, encoded)
  }

  /** Another number each time that who the members are, or what is known of them, has changed. */
  get membersVersion(): number {
    return this.#membersVersion
  }

  /** The last one, over or not. */
  get replacement(): Replacement | undefined {
    const bytes = this.#tables.meta.get(replacementKey)
    return bytes === undefined ? undefined : decodeReplacement(bytes)
  }

  get memberRecords(): ReadonlyMap<NodeId, MemberRecord> {
    if (this.#records?.version !== this.#membersVersion)
      this.#records = { version: this.#membersVersion, byId: recordsIn(this.#tables.meta) }
    return this.#records.byId
  }

  get appliedIndex(): number {
    return this.#appliedIndex
  }

  get appliedTerm(): number {
    return this.#appliedTerm
  }

  /** The next entry of the log; without a command it only counts. */
  apply(index: number, term: number, command: Command | undefined): Outcome | undefined {
    if (index !== this.#appliedIndex + 1) {
      throw new Error(`entry ${index} cannot be applied after entry ${this.#appliedIndex}`)
    }
    const outcome = command === undefined ? undefined : this.#execute(command, index)
    this.#appliedIndex = index
    this.#appliedTerm = term
    const { compactRevision, revision } = this.mvcc
    this.#tables.meta.put(stateKey, encodeState({ index, term, revision, compactRevision }))
    return outcome
  }

  #execute(command: Command, index: number): Outcome {
    const refused =
      (this.auth.enabled ? refusesCommand(this, command) : undefined) ?? refusedByAlarm(this.alarms, command)
    if (refused !== undefined) return Either.left(refused)
    switch (command._tag) {
      case "Put":
        return this.#committed(put(this, command.request))
      case "DeleteRange":
        return this.#committed(Either.right(deleteRange(this, command.request)))
      case "Txn":
        return this.#committed(txn(this, command.request))
      case "Compact":
        return this.#compact(command.request.revision)
      case "LeaseGrant":
        return this.#grant(command.request.ID, command.request.TTL)
      case "LeaseRevoke":
        return this.#revoke(command.request.ID)
      case "Alarm":
        return Either.right({
          header: headerAt(this.mvcc.revision),
          alarms: this.alarms.carryOut(command.request)
        })
      case "SetMember":
        putRecord(this.#tables.meta, command.request)
        return this.#membersChanged()
      case "DropMember":
        dropRecord(this.#tables.meta, command.request.ID)
        return this.#membersChanged()
      case "SetReplacement":
        this.#tables.meta.put(replacementKey, encodeReplacement(command.request))
        return this.#membersChanged()
      case "Authenticate":
        return this.#authenticate(command.request, index)
      default: {
        const problem = this.#changeAuth(command)
        return problem === undefined
          ? Either.right({ header: headerAt(this.mvcc.revision) })
          : Either.left(problem)
      }
    }
  }

  #membersChanged(): Outcome {
    this.#membersVersion++
    return Either.right({ header: headerAt(this.mvcc.revision), members: [] })
  }

  /** What was refused has opened no transaction. */
  #committed(outcome: Outcome): Outcome {
    if (Either.isRight(outcome)) this.#commit()
    return outcome
  }

  #commit(): void {
    const changes = this.mvcc.commit()
    if (changes.length > 0) this.#listener.changed(this.mvcc.revision, changes)
  }

  #compact(revision: number): Outcome {
    try {
      this.mvcc.compact(revision)
      return Either.right({ header: headerAt(this.mvcc.revision) })
    } catch (problem) {
      if (problem instanceof Compacted) return Either.left(etcdErrors.compacted)
      if (problem instanceof FutureRevision) return Either.left(etcdErrors.futureRevision)
      throw problem
    }
  }

  #grant(id: bigint, ttlSeconds: number): Outcome {
    const granted = this.lessor.grant(id, ttlSeconds, this.#nowMillis())
    if (granted === "exists") return Either.left(etcdErrors.leaseExists)
    if (granted === "ttl too large") return Either.left(etcdErrors.leaseTtlTooLarge)
    if (granted === "not found") return Either.left(etcdErrors.leaseNotFound)
    return Either.right({ header: headerAt(this.mvcc.revision), ID: id, TTL: granted, error: "" })
  }

  /** Its keys go in one transaction, in order. */
  #revoke(id: bigint): Outcome {
    const keys = this.lessor.revoke(id)
    if (typeof keys === "string") return Either.left(etcdErrors.leaseNotFound)
    this.mvcc.begin()
    for (const key of keys) this.mvcc.delete({ key, rangeEnd: alone })
    this.#commit()
    return Either.right({ header: headerAt(this.mvcc.revision) })
  }

  /** The password was right, if nothing has changed since it was looked at. */
  #authenticate({ authRevision, name, tokenPrefix }: AuthenticateCommand, index: number): Outcome {
    if (!this.auth.enabled) return Either.left(etcdErrors.authNotEnabled)
    if (authRevision !== this.auth.revision) return Either.left(etcdErrors.authOldRevision)
    const token = `${tokenPrefix}.${index}`
    this.tokens.assign(token, name, this.#nowMillis())
    return Either.right({ header: headerAt(this.mvcc.revision), token })
  }

  #changeAuth(command: AuthChange): EtcdError | undefined {
    const { auth, tokens } = this
    switch (command._tag) {
      case "AuthEnable":
        return auth.enable()
      case "AuthDisable":
        tokens.clear()
        return auth.disable()
      case "UserAdd":
        return auth.addUser(command.request)
      case "UserDelete":
        return this.#tokensGoUnless(auth.deleteUser(command.request.name), command.request.name)
      case "UserChangePassword":
        return this.#tokensGoUnless(auth.changePassword(command.request), command.request.name)
      case "UserGrantRole":
        return auth.grantRole(command.request.user, command.request.role)
      case "UserRevokeRole":
        return auth.revokeRole(command.request.name, command.request.role)
      case "RoleAdd":
        return auth.addRole(command.request.name)
      case "RoleDelete":
        return auth.deleteRole(command.request.role)
      case "RoleGrantPermission":
        return auth.grantPermission(command.request)
      case "RoleRevokePermission":
        return auth.revokePermission(command.request)
    }
  }

  #tokensGoUnless(refused: EtcdError | undefined, user: string): EtcdError | undefined {
    if (refused === undefined) this.tokens.forgetUser(user)
    return refused
  }
}

const alone = new Uint8Array(0)

export const putMembership = (meta: Table, encoded: Uint8Array): void => meta.put(membershipKey, encoded)
