/** Text for a terminal, as lines: tables, times, sizes. Pure. */
import { DateTime } from "effect"

/** Columns as wide as what is in them; numbers to the right. The last column is not padded. */
export const table = (
  head: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string | number | boolean>>
): ReadonlyArray<string> => {
  const cells = rows.map((row) => row.map((cell) => oneLine(String(cell))))
  const widths = head.map((title, column) =>
    Math.max(title.length, ...cells.map((row) => row[column]?.length ?? 0))
  )
  const numeric = head.map(
    (_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === "number")
  )
  const line = (row: ReadonlyArray<string>) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0
        if (numeric[column] === true) return cell.padStart(width)
        return column === row.length - 1 ? cell : cell.padEnd(width)
      })
      .join("  ")
      .trimEnd()
  return [line(head), ...cells.map(line)]
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ").trim()

/** `12:30:05.120`, as UTC. */
export const timeOf = (atMillis: number): string =>
  DateTime.formatIso(DateTime.unsafeMake(Math.trunc(atMillis))).slice(11, 23)

export const momentOf = (atMillis: number): string =>
  `${DateTime.formatIso(DateTime.unsafeMake(Math.trunc(atMillis))).slice(0, 19)}Z`

export const spanOf = (millis: number): string =>
  millis < 1_000
    ? `${Math.round(millis)} ms`
    : millis < 120_000
      ? `${(millis / 1_000).toFixed(1)} s`
      : `${Math.round(millis / 60_000)} min`

export const indented = (text: string, by = "  "): ReadonlyArray<string> =>
  text.split("\n").map((line) => `${by}${line}`.trimEnd())
