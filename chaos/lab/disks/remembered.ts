/**
 * What a member of chainfire remembers on its disk, and whether that is all that clients were told.
 *
 * One member cannot know which of the last entries in its journal are committed. It can be held to what it
 * promised: what it acknowledged to its leader, or as the only member to its clients, is in its store or in its
 * journal. So `Remembered` is the state after all entries there are, and the rule for a group is: each write
 * that a client was told of before the power went is remembered, at its revision, by a majority of the disks.
 */
import { createHash } from "node:crypto"
import { Schema } from "effect"

const shownMax = 100

/** A long value is told from others by its hash. */
export const brief = (value: string): string =>
  value.length <= shownMax
    ? value
    : `${value.slice(0, 20)}… ${createHash("sha256").update(value).digest("base64")}`

/** One version of a key, its value in brief; a deletion has none. */
export const RememberedChange = Schema.Struct({
  revision: Schema.Int,
  key: Schema.String,
  value: Schema.NullOr(Schema.String)
})
export type RememberedChange = typeof RememberedChange.Type

export const Remembered = Schema.Struct({
  revision: Schema.Int,
  /** What was overwritten before it is gone. */
  compactRevision: Schema.Int,
  /** Up to which entry the store was when the power went. */
  storedIndex: Schema.Int,
  /** Of the journal. */
  lastIndex: Schema.Int,
  changes: Schema.Array(RememberedChange),
  /** Parts of it do not fit each other. */
  contradictions: Schema.Array(Schema.String)
})
export type Remembered = typeof Remembered.Type

/** A put by a client, of a value that no other put of that key has. */
export interface ClientWrite {
  readonly key: string
  readonly value: string
  /** Undefined: the client does not know whether it was carried out. */
  readonly acknowledged?: Acknowledgement
}

export interface Acknowledgement {
  readonly revision: number
  /** How long the log of each disk was when the client had its answer. */
  readonly logBytes: ReadonlyArray<number>
}

export interface Judgement {
  /** What clients were told of before the power went, and what a majority has to remember. */
  readonly due: number
  /** In lines for people. */
  readonly lost: ReadonlyArray<string>
  /** Of these keys somebody remembers a value that nobody ever put there. */
  readonly invented: ReadonlyArray<string>
}

/** `logBytes`: how long the log of each disk was when the power went. */
export const judge = (
  writes: ReadonlyArray<ClientWrite>,
  logBytes: ReadonlyArray<number>,
  members: ReadonlyArray<Remembered>
): Judgement => {
  const majority = Math.floor(members.length / 2) + 1
  const versions = members.map(({ changes }) => new Set(changes.map(versionOf)))
  const lost: Array<string> = []
  let due = 0
  for (const write of writes) {
    const { acknowledged, key } = write
    if (acknowledged === undefined || !isDue(write, logBytes)) continue
    const { revision } = acknowledged
    // Of what a member has compacted it does not say whether it was there.
    if (members.some(({ compactRevision }) => revision < compactRevision)) continue
    due++
    const value = brief(write.value)
    const version = versionOf({ revision, key, value })
    const having = versions.filter((known) => known.has(version)).length
    if (having < majority)
      lost.push(`${key} = ${value} of revision ${revision} is on ${having} of ${members.length} disks`)
  }
  return { due, lost, invented: inventedIn(writes, members) }
}

/** The client had its answer before the power of any of the machines went. */
export const isDue = ({ acknowledged }: ClientWrite, logBytes: ReadonlyArray<number>): boolean =>
  acknowledged?.logBytes.every((length, disk) => length <= (logBytes[disk] ?? 0)) ?? false

const versionOf = ({ key, revision, value }: RememberedChange): string => `${revision} ${key} ${value}`

const inventedIn = (
  writes: ReadonlyArray<ClientWrite>,
  members: ReadonlyArray<Remembered>
): ReadonlyArray<string> => {
  const tried = new Map<string, Set<string>>()
  for (const { key, value } of writes) tried.set(key, (tried.get(key) ?? new Set()).add(brief(value)))
  const invented = new Set<string>()
  for (const { changes } of members)
    for (const { key, value } of changes)
      if (value !== null && tried.get(key)?.has(value) === false) invented.add(`${key} = ${value}`)
  return [...invented]
}
