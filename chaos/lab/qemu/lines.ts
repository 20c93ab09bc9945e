/** Text that comes in pieces, as lines. One without an end is given up at a length, so that nothing grows. Pure. */

const lineLengthMax = 16 << 20

export class Lines {
  #rest = ""

  /** The lines that are complete now, without their ends. */
  push(text: string): ReadonlyArray<string> {
    const lines = `${this.#rest}${text}`.split("\n")
    this.#rest = lines.pop() ?? ""
    if (this.#rest.length > lineLengthMax) this.#rest = ""
    return lines.map((line) => line.replace(/\r$/, "")).filter((line) => line !== "")
  }
}
