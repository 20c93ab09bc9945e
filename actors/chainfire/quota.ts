/**
 * The space quota: when the store of a member has grown above it, the member raises the alarm NOSPACE, and from
 * then on nobody in the group takes what needs more space, until an operator has made some and disarmed it.
 *
 * Refused in two places. At the door, by what this member's own store uses, since the store must not be full
 * before the alarm is there; and when a command is applied, by the alarm alone, which all members have alike.
 */

import { AlarmType } from "#protocols/wire/etcd/cluster.ts"
import { type EtcdError, etcdErrors } from "#protocols/wire/etcd/errors.ts"
import type { PutRequest } from "#protocols/wire/etcd/kv-fast.ts"
import type { LeaseGrantRequest } from "#protocols/wire/etcd/lease.ts"
import type { RequestOp, TxnRequest } from "#protocols/wire/etcd/txn-fast.ts"
import type { Alarms } from "./alarms.ts"
import type { Command } from "./command.ts"

/** What etcd reckons a key takes up besides its bytes, and a lease. */
const keyBytes = 256
const leaseBytes = 64

export const costOfPut = ({ key, value }: PutRequest): number => keyBytes + key.length + value.length

export const costOfGrant = (_request: LeaseGrantRequest): number => leaseBytes

/** Of the branch that puts more. Other than etcd's it sees what is put by transactions within. */
export const costOfTxn = ({ failure, success }: TxnRequest): number =>
  Math.max(costOfOps(success), costOfOps(failure))

const costOfOps = (ops: ReadonlyArray<RequestOp>): number =>
  ops.reduce((sum, { requestPut, requestTxn }) => {
    if (requestPut !== undefined) return sum + costOfPut(requestPut)
    return requestTxn === undefined ? sum : sum + costOfTxn(requestTxn)
  }, 0)

/** What an alarm forbids, for every member alike. */
export const refusedByAlarm = (alarms: Alarms, command: Command): EtcdError | undefined => {
  if (alarms.list().length === 0) return undefined
  switch (command._tag) {
    case "Put":
    case "LeaseGrant":
      return alarms.has(AlarmType.corrupt)
        ? etcdErrors.corrupt
        : alarms.has(AlarmType.noSpace)
          ? etcdErrors.noSpace
          : undefined
    case "Txn":
      if (alarms.has(AlarmType.corrupt)) return etcdErrors.corrupt
      return alarms.has(AlarmType.noSpace) && costOfTxn(command.request) > 0 ? etcdErrors.noSpace : undefined
    case "DeleteRange":
    case "Compact":
    case "LeaseRevoke":
      return alarms.has(AlarmType.corrupt) ? etcdErrors.corrupt : undefined
    default:
      return undefined
  }
}

export interface QuotaPorts {
  /** Negative: there is none. */
  readonly quotaBytes: number
  readonly usedBytes: () => number
  readonly alarms: () => Alarms
  /** Proposes this member's alarm. */
  readonly raise: () => void
}

/** Of one member. */
export class Quota {
  readonly #ports: QuotaPorts
  /** Whether something was written since it was looked at last. */
  #revisionSeen = 0

  constructor(ports: QuotaPorts) {
    this.#ports = ports
  }

  /** At the door: whether there is room for so much. What costs nothing always has room. */
  refuses(cost: number): EtcdError | undefined {
    if (cost === 0) return undefined
    if (this.#ports.alarms().has(AlarmType.noSpace)) return etcdErrors.noSpace
    if (this.#hasRoom(cost)) return undefined
    this.#ports.raise()
    return etcdErrors.noSpace
  }

  /**
   * What other members let in counts here as well. Looked at when something was written only: an alarm that was
   * disarmed too early comes back with the next put, as in etcd, and not before.
   */
  look(revision: number): void {
    if (revision === this.#revisionSeen) return
    this.#revisionSeen = revision
    if (!this.#hasRoom(0) && !this.#ports.alarms().has(AlarmType.noSpace)) this.#ports.raise()
  }

  #hasRoom(cost: number): boolean {
    const { quotaBytes, usedBytes } = this.#ports
    return quotaBytes < 0 || usedBytes() + cost < quotaBytes
  }
}
