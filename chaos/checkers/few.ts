/** Lines for people, of which there may be very many: the first ones, and how many more there are. */
const shownMax = 10

export const fewOf = (lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.length > shownMax ? [...lines.slice(0, shownMax), `and ${lines.length - shownMax} more`] : lines
