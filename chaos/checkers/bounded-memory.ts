/** Check: nodes need no more memory the longer they run. Only where the world can tell how much a process has. */
import { type Check, finding, unknown } from "./evidence.ts"
import { fewOf } from "./few.ts"

const check = "bounded memory"

export interface MemoryBound {
  readonly mebibytesMax?: number
  /** How many times what it was in the second quarter of the run it may be in the last. */
  readonly growthMax?: number
}

/** Fewer looks than this in a quarter tell nothing of growth. */
const looksMin = 5
const mebibyte = 2 ** 20

export const boundedMemory = ({ growthMax, mebibytesMax }: MemoryBound): Check => ({
  name: check,
  holds: [
    ...(mebibytesMax === undefined ? [] : [`No node takes more than ${mebibytesMax} MiB.`]),
    ...(growthMax === undefined ? [] : [`None takes more than ${growthMax} times as much in the end.`])
  ].join(" "),
  judge: ({ endedMillis, sights }) => {
    const byNode = new Map<string, Array<{ readonly atMillis: number; readonly bytes: number }>>()
    for (const { atMillis, node, status } of sights) {
      if (status?.residentBytes === undefined) continue
      const looks = byNode.get(node) ?? []
      byNode.set(node, looks)
      looks.push({ atMillis, bytes: status.residentBytes })
    }
    if (byNode.size === 0) return unknown(check, "this world cannot tell how much memory a node has")
    const problems = [...byNode].flatMap(([node, looks]) => {
      const most = mostOf(looks) / mebibyte
      const inQuarter = (quarter: number) =>
        looks.filter(({ atMillis }) => Math.floor((4 * atMillis) / (endedMillis + 1)) === quarter)
      const [early, late] = [inQuarter(1), inQuarter(3)].map((some) => median(some.map(({ bytes }) => bytes)))
      const enough = Math.min(inQuarter(1).length, inQuarter(3).length) >= looksMin
      const growth = enough && early !== undefined && late !== undefined ? late / early : 0
      return [
        ...(mebibytesMax !== undefined && most > mebibytesMax
          ? [`${node} took ${Math.round(most)} MiB; it may take ${mebibytesMax} MiB`]
          : []),
        ...(growthMax !== undefined && growth > growthMax
          ? [`${node} took ${growth.toFixed(2)} times as much in the end; it may be ${growthMax} times`]
          : [])
      ]
    })
    const most = mostOf([...byNode.values()].flat()) / mebibyte
    return finding(
      check,
      fewOf(problems),
      `${byNode.size} nodes took ${Math.round(most)} MiB at most`
    )
  }
})

const median = (values: ReadonlyArray<number>): number | undefined =>
  values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)]

const mostOf = (looks: ReadonlyArray<{ readonly bytes: number }>): number =>
  looks.reduce((most, { bytes }) => Math.max(most, bytes), 0)
