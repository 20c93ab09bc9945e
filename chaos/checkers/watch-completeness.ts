/**
 * Has a watch seen every change, once, and in order? Changes are named by their revisions. A watch that was
 * broken off and resumed behind the last revision that it had seen is one watch, and must look like it.
 *
 * The truth is all changes that were made, as the system remembers them in the end; or, where it cannot be
 * asked, those that clients know of. Then an event that nobody knows of may be a write whose answer was lost.
 */
export interface ChangeSeen {
  readonly revision: number
  readonly key: string
  /** Null: it was deleted. */
  readonly value: string | null
}

export interface Truth {
  /** In the order of their revisions. */
  readonly changes: ReadonlyArray<ChangeSeen>
  /** Whether that is all of them. */
  readonly isComplete: boolean
}

export interface WatchSeen {
  readonly name: string
  /** It watches all keys from the first to the last. */
  readonly first: string
  readonly last: string
  readonly fromRevision: number
  /** In the order in which they came, whatever came in between. */
  readonly events: ReadonlyArray<ChangeSeen>
  /** It had time to see everything up to and with this revision; by default, what it has seen last. */
  readonly throughRevision?: number
}

/** Bounds how much a watch that has gone wrong says. */
const problemsMax = 10

/** What is wrong with it, in lines; none is none. */
export const checkWatch = (truth: Truth, watch: WatchSeen): ReadonlyArray<string> => {
  const { events, first, fromRevision, last: lastKey, name } = watch
  const watches = (key: string) => key >= first && key <= lastKey
  const problems: Array<string> = []
  const byPlace = new Map(truth.changes.map((change) => [placeOf(change), change]))
  const seen = new Set<string>()
  let last = fromRevision - 1
  for (const event of events) {
    const place = placeOf(event)
    const change = byPlace.get(place)
    if (seen.has(place)) problems.push(`has seen ${shown(event)} more than once`)
    else if (event.revision < fromRevision)
      problems.push(`has seen ${shown(event)}, and began at revision ${fromRevision}`)
    else if (event.revision < last) problems.push(`has seen ${shown(event)} after revision ${last}`)
    if (!watches(event.key)) problems.push(`has seen ${shown(event)}, which it does not watch`)
    if (change === undefined && truth.isComplete) problems.push(`has seen ${shown(event)}, which never was`)
    if (change !== undefined && change.value !== event.value)
      problems.push(`has seen ${shown(event)}, and it was ${shown(change)}`)
    seen.add(place)
    last = Math.max(last, event.revision)
  }
  const through = Math.max(last, watch.throughRevision ?? last)
  for (const change of truth.changes) {
    const due = watches(change.key) && change.revision >= fromRevision && change.revision <= through
    if (due && !seen.has(placeOf(change))) problems.push(`has not seen ${shown(change)}`)
  }
  const more = problems.length - problemsMax
  return [
    ...problems.slice(0, problemsMax).map((problem) => `watch ${name} ${problem}`),
    ...(more > 0 ? [`watch ${name}: ${more} more`] : [])
  ]
}

/** Of one revision each key is changed once. */
const placeOf = ({ key, revision }: ChangeSeen): string => `${revision} ${key}`

const shown = ({ key, revision, value }: ChangeSeen): string =>
  value === null
    ? `the deletion of ${key} at revision ${revision}`
    : `${key} = ${value} at revision ${revision}`
