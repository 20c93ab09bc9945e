/**
 * Where the entries of one group are: an array of places from the first entry that is there to the last.
 *
 *   compacted at index 7 ──► | 8 | 9 | 10 |  ◄── last index
 *
 * A place is a file and a position in it. With its length and term an entry takes 20 bytes of memory; the
 * entry itself stays on disk. Columns are typed arrays that slide: taken from the front, added to the end.
 */
const columnsMin = 16
const sequenceUnit = 2 ** 32

/** Told of each entry that goes: the file it was in, and what it took there. */
export type Released = (sequence: number, length: number) => void

export class GroupLog {
  compactedIndex = 0
  compactedTerm = 0
  #places = new Float64Array(columnsMin)
  #lengths = new Uint32Array(columnsMin)
  #terms = new Float64Array(columnsMin)
  #start = 0
  #count = 0

  get lastIndex(): number {
    return this.compactedIndex + this.#count
  }

  get lastTerm(): number {
    return this.#count === 0 ? this.compactedTerm : this.#terms[this.#start + this.#count - 1]!
  }

  has(index: number): boolean {
    return index > this.compactedIndex && index <= this.lastIndex
  }

  term(index: number): number | undefined {
    if (index === this.compactedIndex) return this.compactedTerm
    return this.has(index) ? this.#terms[this.#slot(index)] : undefined
  }

  sequence(index: number): number {
    return Math.floor(this.#places[this.#slot(index)]! / sequenceUnit)
  }

  position(index: number): number {
    return this.#places[this.#slot(index)]! % sequenceUnit
  }

  /** Of the whole record. */
  length(index: number): number {
    return this.#lengths[this.#slot(index)]!
  }

  /** Behind the last one. */
  push(term: number, sequence: number, position: number, length: number): void {
    if (this.#start + this.#count === this.#places.length) this.#makeRoom()
    const slot = this.#start + this.#count++
    this.#places[slot] = sequence * sequenceUnit + position
    this.#lengths[slot] = length
    this.#terms[slot] = term
  }

  /** The same entry, written once more elsewhere. */
  move(index: number, sequence: number, position: number): void {
    this.#places[this.#slot(index)] = sequence * sequenceUnit + position
  }

  truncate(fromIndex: number, released: Released): void {
    const from = Math.max(fromIndex, this.compactedIndex + 1)
    for (let index = this.lastIndex; index >= from; index--) {
      released(this.sequence(index), this.length(index))
      this.#count--
    }
  }

  compact(index: number, term: number, released: Released): void {
    if (index < this.compactedIndex) return
    if (this.term(index) !== term) this.truncate(0, released)
    while (this.#count > 0 && this.compactedIndex < index) {
      released(this.sequence(this.compactedIndex + 1), this.length(this.compactedIndex + 1))
      this.compactedIndex++
      this.#start++
      this.#count--
    }
    this.compactedIndex = index
    this.compactedTerm = term
  }

  #slot(index: number): number {
    return this.#start + index - this.compactedIndex - 1
  }

  #makeRoom(): void {
    const { length } = this.#places
    const roomy = this.#count <= length / 2
    const columns = roomy ? length : length * 2
    const [from, to] = [this.#start, this.#start + this.#count]
    const moved = <Column extends Float64Array | Uint32Array>(old: Column, made: Column): Column => {
      made.set(old.subarray(from, to))
      return made
    }
    this.#places = moved(this.#places, new Float64Array(columns))
    this.#lengths = moved(this.#lengths, new Uint32Array(columns))
    this.#terms = moved(this.#terms, new Float64Array(columns))
    this.#start = 0
  }
}
