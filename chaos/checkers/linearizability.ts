/**
 * Is there an order of all operations in which each takes effect at one moment between its invocation and its
 * answer, and every answer is the one that the model gives? The search is Wing and Gong's with the
 * improvements of Lowe's "Testing for linearizability": calls and returns in a linked list, from which an
 * operation is lifted when it is placed, and put back when the search turns round; a cache of what was tried.
 *
 *   known operations     must be placed; one can come next if it was called before the first return in the list
 *   unknown outcomes     may be placed once they were called, and need not be
 *
 * Unknown outcomes would double the search with each of them. So they are placed only right before a known
 * operation and as few as possible; a configuration is not tried again with more of them used up, since
 * whatever could follow then could follow now; and those that do the same are used up from the first one on.
 * What was tried is named by what is missing before its highest operation, which is short, instead of by
 * all that was placed.
 *
 * The search is exact, and may take for ever: the problem is NP-complete. It has bounds in time and memory,
 * and beyond them the answer is that nobody knows.
 */
import type { History, Operation } from "./history.ts"

/** What a correct system would do, one operation after the other. */
export interface Model<State, Input, Output> {
  readonly initial: State
  /**
   * The states after an operation, or none if its answer is not one that could be given here. Without an
   * output the operation was carried out and its answer is not known.
   */
  readonly step: (state: State, input: Input, output: Output | undefined) => ReadonlyArray<State>
  /** Equal for states that are equal, and for no others. */
  readonly key: (state: State) => string
  /**
   * Parts that can be checked one by one, since no operation of one has to do with those of another. What has
   * an unknown outcome may be left out where it changes nothing, and get another input where no answer can
   * tell the two apart.
   */
  readonly partition: (history: History<Input, Output>) => ReadonlyMap<string, History<Input, Output>>
  /** Inputs of the same name do the same: of those with unknown outcomes the first one stands for all. */
  readonly nameOf?: (input: Input) => string
  /** Where in the order its answer says that it came: what can come next is tried from the smallest on. */
  readonly rank?: (output: Output) => number
  readonly showState: (state: State) => string
  readonly showOperation: (input: Input, output: Output | undefined) => string
}

export interface Bounds {
  readonly nowMillis: () => number
  /** For all partitions together. */
  readonly millisMax: number
  /** Of each partition. One takes some hundred bytes. */
  readonly cacheEntriesMax: number
}

export type Verdict<State, Input, Output> = Linearizable | Violated<State, Input, Output> | Undecided

export interface Linearizable {
  readonly _tag: "Linearizable"
  readonly partitions: number
}

/** No order exists. */
export interface Violated<State, Input, Output> {
  readonly _tag: "Violated"
  readonly partition: string
  /** How many of the partition have to be placed. */
  readonly operations: number
  /** The longest beginning of an order that was found, operations with unknown outcomes included. */
  readonly prefix: History<Input, Output>
  /** After it. */
  readonly state: State
  /** One of these would have to come next, and none can. */
  readonly blocked: History<Input, Output>
}

/** A bound was reached before the search was over. */
export interface Undecided {
  readonly _tag: "Unknown"
  readonly bound: "time" | "memory"
  readonly partition: string
  readonly operations: number
  /** How many operations of it were placed at most. */
  readonly placed: number
}

/** A violation of one partition counts for more than another one that could not be decided. */
export const checkLinearizability = <State, Input, Output>(
  model: Model<State, Input, Output>,
  history: History<Input, Output>,
  bounds: Bounds
): Verdict<State, Input, Output> => {
  const endMillis = bounds.nowMillis() + bounds.millisMax
  const partitions = model.partition(history)
  let undecided: Undecided | undefined
  for (const [name, operations] of partitions) {
    const verdict = new Search(model, name, operations, bounds, endMillis).run()
    if (verdict?._tag === "Violated") return asRecorded(verdict, history)
    undecided ??= verdict
  }
  return undecided ?? { _tag: "Linearizable", partitions: partitions.size }
}

/** With the operations that were recorded, whatever the model made of them. */
const asRecorded = <State, Input, Output>(
  verdict: Violated<State, Input, Output>,
  history: History<Input, Output>
): Violated<State, Input, Output> => {
  const byId = new Map(history.map((operation) => [operation.id, operation]))
  const recorded = (operations: History<Input, Output>) =>
    operations.map((operation) => byId.get(operation.id) ?? operation)
  return { ...verdict, prefix: recorded(verdict.prefix), blocked: recorded(verdict.blocked) }
}

/** A call or a return of a known operation. */
interface Entry<Input, Output> {
  readonly operation: Operation<Input, Output>
  /** Of the operation, in the order of calls. */
  readonly place: number
  readonly output: Output
  readonly isCall: boolean
  /** Of a call, its return. */
  returned: Entry<Input, Output> | undefined
  previous: Entry<Input, Output> | undefined
  next: Entry<Input, Output> | undefined
}

/** A beginning of an order: all that is lifted from the list, and these unknown outcomes. */
interface Configuration<State> {
  readonly state: State
  /** One bit for each. */
  readonly used: bigint
}

interface Chain<State, Input, Output> extends Configuration<State> {
  /** Unknown outcomes that were placed on the way. */
  readonly taken: History<Input, Output>
}

interface Alternative<State, Input, Output> extends Chain<State, Input, Output> {
  readonly call: Entry<Input, Output>
}

interface Frame<State, Input, Output> extends Configuration<State> {
  /** How it came about; the first one has nothing before it. */
  readonly by: Alternative<State, Input, Output> | undefined
  /** The highest place of a known operation that is placed. */
  readonly highest: number
  readonly alternatives: Iterator<Alternative<State, Input, Output>, undefined>
}

interface Unanswered<Input, Output> {
  readonly operation: Operation<Input, Output>
  readonly bit: bigint
}

class BoundReached extends Error {
  readonly bound: "time" | "memory"

  constructor(bound: "time" | "memory") {
    super(`the search has reached its bound in ${bound}`)
    this.bound = bound
  }
}

/** Looking at the clock costs more than a step. */
const stepsBetweenLooks = 256

class Search<State, Input, Output> {
  readonly #model: Model<State, Input, Output>
  readonly #partition: string
  readonly #bounds: Bounds
  readonly #endMillis: number
  /** Those that do the same together, by the time of their calls. */
  readonly #unknown: ReadonlyArray<ReadonlyArray<Unanswered<Input, Output>>>
  readonly #known: number
  #first: Entry<Input, Output> | undefined
  /** Of what is placed, the smallest sets of unknown outcomes with which it was tried. */
  readonly #tried = new Map<string, ReadonlyArray<bigint>>()
  #cacheEntries = 0
  #steps = 0
  /** How many known operations were placed at most, and before turning round. */
  #longest = 0
  #deadEnd = -1
  #violated: Violated<State, Input, Output> | undefined

  constructor(
    model: Model<State, Input, Output>,
    partition: string,
    history: History<Input, Output>,
    bounds: Bounds,
    endMillis: number
  ) {
    this.#model = model
    this.#partition = partition
    this.#bounds = bounds
    this.#endMillis = endMillis
    const byCall = history.toSorted((one, other) => one.invoked.order - other.invoked.order)
    this.#unknown = groupsOf(model, byCall)
    const entries = entriesOf(byCall)
    this.#first = entries[0]
    this.#known = entries.length / 2
  }

  /** Undefined: there is an order. */
  run(): Violated<State, Input, Output> | Undecided | undefined {
    try {
      return this.#search()
    } catch (problem) {
      if (!(problem instanceof BoundReached)) throw problem
      const { bound } = problem
      const [partition, operations, placed] = [this.#partition, this.#known, this.#longest]
      return { _tag: "Unknown", bound, partition, operations, placed }
    }
  }

  #search(): Violated<State, Input, Output> | undefined {
    const frames: Array<Frame<State, Input, Output>> = []
    let frame = this.#frame({ state: this.#model.initial, used: 0n }, undefined, -1)
    while (this.#first !== undefined) {
      const { done, value: alternative } = frame.alternatives.next()
      if (done === true) {
        this.#turnRound(frames, frame)
        const before = frames.pop()
        if (before === undefined || frame.by === undefined) return this.#violated
        this.#unlift(frame.by.call)
        frame = before
        continue
      }
      const { call } = alternative
      this.#lift(call)
      const highest = Math.max(frame.highest, call.place)
      if (!this.#isNew(alternative, highest)) {
        this.#unlift(call)
        continue
      }
      frames.push(frame)
      frame = this.#frame(alternative, alternative, highest)
      this.#longest = Math.max(this.#longest, frames.length)
    }
    return undefined
  }

  #frame(
    { state, used }: Configuration<State>,
    by: Alternative<State, Input, Output> | undefined,
    highest: number
  ): Frame<State, Input, Output> {
    return { state, used, by, highest, alternatives: this.#alternatives({ state, used }) }
  }

  /** What can come next: first without unknown outcomes before it, then with one, and so on. */
  *#alternatives({
    state,
    used
  }: Configuration<State>): Generator<Alternative<State, Input, Output>, undefined> {
    const { calls, firstReturn } = this.#candidates()
    const reached = new Map([[this.#model.key(state), [used] as ReadonlyArray<bigint>]])
    let chains: ReadonlyArray<Chain<State, Input, Output>> = [{ state, used, taken: [] }]
    while (chains.length > 0) {
      for (const chain of chains) {
        for (const call of calls) {
          const { operation, output } = call
          for (const next of this.#step(chain.state, operation.input, output))
            yield { ...chain, state: next, call }
        }
      }
      chains = this.#longer(chains, firstReturn, reached)
    }
    return undefined
  }

  /** By one unknown outcome that was called before the first return, and that leads where nobody was. */
  #longer(
    chains: ReadonlyArray<Chain<State, Input, Output>>,
    firstReturn: number,
    reached: Map<string, ReadonlyArray<bigint>>
  ): ReadonlyArray<Chain<State, Input, Output>> {
    const longer: Array<Chain<State, Input, Output>> = []
    for (const { state, taken, used } of chains) {
      for (const group of this.#unknown) {
        const first = group.find(({ bit }) => (used & bit) === 0n)
        if (first === undefined || first.operation.invoked.order > firstReturn) continue
        const { bit, operation } = first
        const more = used | bit
        for (const next of this.#step(state, operation.input, undefined)) {
          const key = this.#model.key(next)
          const known = reached.get(key) ?? []
          if (isCovered(known, more)) continue
          reached.set(key, [...known, more])
          longer.push({ state: next, used: more, taken: [...taken, operation] })
        }
      }
    }
    return longer
  }

  #candidates() {
    const calls: Array<Entry<Input, Output>> = []
    let entry = this.#first
    for (; entry?.isCall === true; entry = entry.next) calls.push(entry)
    const { rank } = this.#model
    if (rank !== undefined) calls.sort((one, other) => rank(one.output) - rank(other.output))
    return { calls, firstReturn: entry === undefined ? 0 : orderOf(entry) }
  }

  #step(state: State, input: Input, output: Output | undefined): ReadonlyArray<State> {
    if (this.#steps++ % stepsBetweenLooks === 0 && this.#bounds.nowMillis() >= this.#endMillis)
      throw new BoundReached("time")
    return this.#model.step(state, input, output)
  }

  #isNew({ state, used }: Configuration<State>, highest: number): boolean {
    const key = `${this.#placed(highest)} ${this.#model.key(state)}`
    const before = this.#tried.get(key) ?? []
    if (isCovered(before, used)) return false
    if (this.#cacheEntries >= this.#bounds.cacheEntriesMax) throw new BoundReached("memory")
    this.#cacheEntries++
    this.#tried.set(key, [...before, used])
    return true
  }

  /** All up to the highest, without these. */
  #placed(highest: number): string {
    let text = `${highest}`
    for (let entry = this.#first; entry !== undefined; entry = entry.next) {
      if (!entry.isCall) continue
      if (entry.place > highest) break
      text += `-${entry.place}`
    }
    return text
  }

  /** From here nothing goes on. Keeps the longest way that came to such an end. */
  #turnRound(frames: ReadonlyArray<Frame<State, Input, Output>>, frame: Frame<State, Input, Output>): void {
    if (frames.length <= this.#deadEnd) return
    this.#deadEnd = frames.length
    this.#violated = {
      _tag: "Violated",
      partition: this.#partition,
      operations: this.#known,
      prefix: [...frames, frame].flatMap(({ by }) => (by ? [...by.taken, by.call.operation] : [])),
      state: frame.state,
      blocked: this.#candidates().calls.map(({ operation }) => operation)
    }
  }

  // The list

  #lift(call: Entry<Input, Output>): void {
    this.#unlink(call)
    if (call.returned !== undefined) this.#unlink(call.returned)
  }

  /** In the reverse order, so that each finds its neighbours where they were. */
  #unlift(call: Entry<Input, Output>): void {
    if (call.returned !== undefined) this.#relink(call.returned)
    this.#relink(call)
  }

  #unlink({ next, previous }: Entry<Input, Output>): void {
    if (previous === undefined) this.#first = next
    else previous.next = next
    if (next !== undefined) next.previous = previous
  }

  #relink(entry: Entry<Input, Output>): void {
    if (entry.previous === undefined) this.#first = entry
    else entry.previous.next = entry
    if (entry.next !== undefined) entry.next.previous = entry
  }
}

/** Whether it was tried with these, or with some of these and no others. */
const isCovered = (tried: ReadonlyArray<bigint>, used: bigint): boolean =>
  tried.some((fewer) => (fewer & used) === fewer)

const orderOf = <Input, Output>({ isCall, operation }: Entry<Input, Output>): number =>
  isCall || operation.ending._tag === "Unknown" ? operation.invoked.order : operation.ending.at.order

/** Calls and returns of what was answered, linked in their order. */
const entriesOf = <Input, Output>(byCall: History<Input, Output>): ReadonlyArray<Entry<Input, Output>> => {
  const entries: Array<Entry<Input, Output>> = []
  for (const operation of byCall) {
    const { ending } = operation
    if (ending._tag !== "Ok") continue
    const place = entries.length / 2
    const entry = { operation, place, output: ending.output, previous: undefined, next: undefined }
    const returned: Entry<Input, Output> = { ...entry, isCall: false, returned: undefined }
    entries.push({ ...entry, isCall: true, returned }, returned)
  }
  // What has the same number happened at once, as far as anybody knows: so the calls come first.
  entries.sort((one, other) => orderOf(one) - orderOf(other) || Number(other.isCall) - Number(one.isCall))
  for (const [index, entry] of entries.entries()) {
    entry.previous = entries[index - 1]
    entry.next = entries[index + 1]
  }
  return entries
}

const groupsOf = <State, Input, Output>(
  { nameOf }: Model<State, Input, Output>,
  byCall: History<Input, Output>
): ReadonlyArray<ReadonlyArray<Unanswered<Input, Output>>> => {
  const groups = new Map<string, Array<Unanswered<Input, Output>>>()
  let bit = 1n
  for (const operation of byCall) {
    if (operation.ending._tag !== "Unknown") continue
    const name = nameOf === undefined ? `${operation.id}` : nameOf(operation.input)
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [{ operation, bit }])
    else group.push({ operation, bit })
    bit <<= 1n
  }
  return [...groups.values()]
}

// In words

const prefixLinesMax = 12
const blockedLinesMax = 12

/** What an operator reads. */
export const renderVerdict = <State, Input, Output>(
  { showOperation, showState }: Model<State, Input, Output>,
  verdict: Verdict<State, Input, Output>
): ReadonlyArray<string> => {
  if (verdict._tag === "Linearizable")
    return [`linearizable: an order was found for each of ${verdict.partitions} partitions`]
  const { operations, partition } = verdict
  if (verdict._tag === "Unknown") {
    const { bound, placed } = verdict
    return [
      `undecided: the search over ${partition} reached its bound in ${bound} with ${placed} of ${operations} operations placed`,
      `  raise ${bound === "time" ? "millisMax" : "cacheEntriesMax"}, record less, or let fewer operations end without an answer`
    ]
  }
  const { blocked, prefix, state } = verdict
  const line = ({ client, ending, input, invoked }: Operation<Input, Output>) => {
    const output = ending._tag === "Ok" ? ending.output : undefined
    const until = ending._tag === "Ok" ? `${ending.at.millis}` : "?"
    return `    ${client} ${invoked.millis}–${until} ms  ${showOperation(input, output)}`
  }
  const hidden = Math.max(0, prefix.length - prefixLinesMax)
  const known = prefix.filter(({ ending }) => ending._tag === "Ok").length
  return [
    `${partition} is not linearizable: of ${operations} answered operations ${known} can be put in an order, and then none can follow`,
    ...(prefix.length > 0 ? ["  the order found"] : []),
    ...(hidden > 0 ? [`    ... ${hidden} before these`] : []),
    ...prefix.slice(hidden).map(line),
    `  after which ${showState(state)}`,
    "  and none of these can come next",
    ...blocked.slice(0, blockedLinesMax).map(line),
    ...(blocked.length > blockedLinesMax ? [`    ... and ${blocked.length - blockedLinesMax} more`] : [])
  ]
}
