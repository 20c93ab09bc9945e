/** The few numbers that chainfire's state machine is besides its tables, as one row of the table `meta`. */
export interface StoredState {
  /** The entry of the log that was applied last, and its term. */
  readonly index: number
  readonly term: number
  readonly revision: number
  /** -1 before the first compaction. */
  readonly compactRevision: number
}

export const stateKey: Uint8Array = new TextEncoder().encode("state")

export const encodeState = ({ compactRevision, index, revision, term }: StoredState): Uint8Array => {
  const bytes = new Uint8Array(32)
  const view = new DataView(bytes.buffer)
  for (const [place, value] of [index, term, revision, compactRevision].entries())
    view.setFloat64(8 * place, value)
  return bytes
}

/** Without a row: that of a store in which nothing ever happened. */
export const decodeState = (row: Uint8Array | undefined): StoredState => {
  if (row === undefined) return { index: 0, term: 0, revision: 1, compactRevision: -1 }
  const view = new DataView(row.buffer, row.byteOffset, row.byteLength)
  return {
    index: view.getFloat64(0),
    term: view.getFloat64(8),
    revision: view.getFloat64(16),
    compactRevision: view.getFloat64(24)
  }
}

/** There while a snapshot is being restored: what is in the tables then is a part of it. */
export const restoringKey: Uint8Array = new TextEncoder().encode("restoring")

export class RestoreUnfinished extends Error {
  override readonly name = "RestoreUnfinished"

  constructor() {
    super("a snapshot was not restored to its end; restore it again, and then start this member")
  }
}
