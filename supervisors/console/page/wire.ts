/**
 * What the console's server and its page say to each other. Types only: the server writes these values as JSON, the
 * page reads them.
 *
 * The tree of a node travels as a table of rows that refer to their parents by number. First it comes whole, then
 * only what has changed; a viewer that is too slow is left out and gets it whole again.
 */

/** What there is to know of an actor, in a table's row. */
export interface Row {
  /** Counts from 1, never used twice. */
  readonly id: number
  /** 0 for the root of the node. */
  readonly parent: number
  /** Among its siblings, in start order. */
  readonly place: number
  readonly name: string
  readonly kind: string
  readonly role: string
  readonly status: string
  readonly incarnation: number
  readonly mailbox: number
  readonly handled: number
  readonly dropped: number
  readonly handlerMillis: number
  readonly lastCrash: string
}

/** The numbers of a row of which nothing else has changed: id, mailbox, handled, handlerMillis. */
export type Numbers = readonly [id: number, mailbox: number, handled: number, handlerMillis: number]

export interface TreeChange {
  readonly node: string
  /** Of the node that took the sample, which steadily grows. */
  readonly atMillis: number
  /** Forget what was there before. */
  readonly whole: boolean
  readonly rows: ReadonlyArray<Row>
  readonly numbers: ReadonlyArray<Numbers>
  readonly gone: ReadonlyArray<number>
  /** Actors that the table has no room for. */
  readonly omitted: number
}

export interface NodeState {
  readonly node: string
  /** Why nothing is known of it now; empty while it answers. */
  readonly unreachable: string
}

export interface Hello {
  readonly node: string
  readonly cluster: string
  readonly actorId: string
  /** Whether it may do more than look, somewhere. */
  readonly operates: boolean
  readonly wallMillis: number
}

/** An event of a node in its encoded form. */
export interface NodeEvent {
  readonly node: string
  readonly event: { readonly _tag: string; readonly [field: string]: unknown }
}

export interface Missed {
  readonly node: string
  readonly count: number
}

/** Every message of the stream, by the name of its event. */
export interface StreamMessages {
  readonly hello: Hello
  readonly nodes: ReadonlyArray<NodeState>
  readonly tree: TreeChange
  readonly event: NodeEvent
  readonly missed: Missed
}

export interface AskBody {
  readonly path: string
  readonly request: { readonly _tag: string; readonly [field: string]: unknown }
}

/** Something that an operator can do: one command of the shell. */
export interface Action {
  readonly name: string
  readonly about: string
  readonly fields: ReadonlyArray<ActionField>
}

export interface ActionField {
  readonly name: string
  /** Of a choice what there is; a flag is said or not. */
  readonly kind: string | ReadonlyArray<string>
  readonly isOptional: boolean
  readonly about: string
}

export interface ActBody {
  readonly name: string
  readonly fields: Readonly<Record<string, string>>
  /** Somebody has read what will happen. */
  readonly confirmed: boolean
}

export type ActAnswer =
  /** What will happen; empty where nobody has to be asked. */
  | { readonly outcome: "asks"; readonly says: string }
  | { readonly outcome: "done"; readonly lines: ReadonlyArray<string>; readonly value: unknown }
  | { readonly outcome: "refused"; readonly message: string; readonly field?: string }

/** How an ask ended. What is not JSON comes as `{ "$text": … }`, `{ "$base64": … }` or text. */
export type AskAnswer =
  | { readonly outcome: "reply"; readonly value: unknown }
  | {
      readonly outcome: "failed"
      readonly fault: {
        readonly _tag: string
        readonly message: string
        readonly [field: string]: unknown
      }
    }
