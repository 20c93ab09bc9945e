/**
 * Alarms: what is wrong with the group until an operator says that it is not any more. Replicated, so that every
 * member refuses the same: without space, whatever needs more of it; with corruption, whatever changes anything.
 *
 * They lie in the table of what the store is, one row each; there are a few at most.
 */
import { AlarmAction, type AlarmMember, type AlarmRequest, AlarmType } from "#protocols/wire/etcd/cluster.ts"
import type { Table } from "./mvcc.ts"

const prefix = new TextEncoder().encode("alarm/")
const rowBytes = prefix.length + 9

/** First by kind, then by member, as etcd lists them. */
const rowOf = ({ alarm, memberID }: AlarmMember): Uint8Array => {
  const row = new Uint8Array(rowBytes)
  row.set(prefix)
  row[prefix.length] = alarm
  new DataView(row.buffer).setBigUint64(prefix.length + 1, memberID)
  return row
}

/** Undefined for a row of that table that is no alarm. */
export const alarmOfRow = (row: Uint8Array): AlarmMember | undefined => {
  if (row.length !== rowBytes || prefix.some((byte, at) => row[at] !== byte)) return undefined
  const view = new DataView(row.buffer, row.byteOffset, row.byteLength)
  return { alarm: view.getUint8(prefix.length), memberID: view.getBigUint64(prefix.length + 1) }
}

const marker = Uint8Array.of(1)

export class Alarms {
  readonly #table: Table
  #raised: ReadonlyArray<AlarmMember> = []

  constructor(table: Table) {
    this.#table = table
    this.reload()
  }

  /** The table has been given another content. */
  reload(): void {
    const end = prefix.slice()
    end[end.length - 1]!++
    this.#raised = [...this.#table.range(prefix, end)].flatMap(([row]) => alarmOfRow(row) ?? [])
  }

  /** Of one kind, or with `none` of all. */
  list(kind: number = AlarmType.none): ReadonlyArray<AlarmMember> {
    return kind === AlarmType.none ? this.#raised : this.#raised.filter(({ alarm }) => alarm === kind)
  }

  has(kind: number): boolean {
    return this.#raised.some(({ alarm }) => alarm === kind)
  }

  /** As etcd answers it: what was asked for, what is raised now, or what was and is not any more. */
  carryOut({ action, alarm, memberID }: AlarmRequest): ReadonlyArray<AlarmMember> {
    const one = { memberID, alarm }
    if (action === AlarmAction.get) return this.list(alarm)
    if (action === AlarmAction.activate) {
      this.activate(one)
      return [one]
    }
    return action === AlarmAction.deactivate && this.deactivate(one) ? [one] : []
  }

  activate(alarm: AlarmMember): void {
    if (this.#raised.some((other) => isSame(other, alarm))) return
    this.#table.put(rowOf(alarm), marker)
    this.#raised = [...this.#raised, alarm].toSorted(inOrder)
  }

  /** Whether it was raised. */
  deactivate(alarm: AlarmMember): boolean {
    const left = this.#raised.filter((other) => !isSame(other, alarm))
    if (left.length === this.#raised.length) return false
    this.#table.delete(rowOf(alarm))
    this.#raised = left
    return true
  }
}

const isSame = (one: AlarmMember, other: AlarmMember): boolean =>
  one.alarm === other.alarm && one.memberID === other.memberID

const inOrder = (one: AlarmMember, other: AlarmMember): number =>
  one.alarm - other.alarm || (one.memberID < other.memberID ? -1 : 1)

/** As etcd shows it, the space at its end included. */
export const alarmText = ({ alarm, memberID }: AlarmMember): string => {
  const kind = kindOf(alarm)
  const member = memberID === 0n ? "" : `memberID:${memberID} `
  return alarm === AlarmType.none ? member : `${member}alarm:${kind} `
}

const kindOf = (alarm: number): string => ["NONE", "NOSPACE", "CORRUPT"][alarm] ?? String(alarm)

/** Each once, whoever raised it. */
export const alarmKinds = (alarms: ReadonlyArray<AlarmMember>): ReadonlyArray<string> => [
  ...new Set(alarms.filter(({ alarm }) => alarm !== AlarmType.none).map(({ alarm }) => kindOf(alarm)))
]
