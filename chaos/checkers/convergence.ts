/**
 * Check: after peace everybody is there, follows one leader, and has the same state. Nodes are those that have ever
 * answered, but for those that another one has replaced.
 */
import { type Check, type Evidence, finding, type Sight, unknown } from "./evidence.ts"
import { fewOf } from "./few.ts"

const check = "convergence"

export interface ConvergenceBound {
  /** Multiplied with the slowness of the world. */
  readonly withinMillis: number
}

export const convergence = ({ withinMillis }: ConvergenceBound): Check => ({
  name: check,
  holds: `Within ${withinMillis} ms after peace all nodes answer and follow one leader, and in the end all have the same state.`,
  judge: (evidence) => {
    const { final, peaceMillis, sights, slowness } = evidence
    const replaced = replacedIn(evidence)
    const nodes = [...new Set(sights.map(({ node }) => node))]
      .filter((node) => !replaced.has(node))
      .toSorted()
    const after = sights.filter(({ atMillis, node }) => atMillis > peaceMillis && !replaced.has(node))
    if (after.length === 0) return unknown(check, "nobody looked at the nodes after peace")
    const leader = after.findLast(({ status }) => status?.leader !== undefined)?.status?.leader
    const learners = new Set(final.flatMap(({ node, voter }) => (voter ? [] : [node])))
    const dissent = after.flatMap((sight) => {
      const what = dissentOf(sight, leader, learners.has(sight.node))
      return what === undefined ? [] : [{ sight, what }]
    })
    const last = dissent.at(-1)
    // Runs may end before the bound.
    const toTheEnd = dissent.filter(
      ({ sight }) => sight.status !== undefined && sight === after.findLast(({ node }) => node === sight.node)
    )
    const boundMillis = withinMillis * slowness
    const lateMillis = (last?.sight.atMillis ?? peaceMillis) - peaceMillis
    const problems = [
      ...(leader === undefined ? ["nobody leads after peace"] : []),
      ...(last !== undefined && lateMillis > boundMillis
        ? [
            `${last.sight.node} ${last.what}, ${Math.round(lateMillis)} ms after peace; it may take ${boundMillis} ms`
          ]
        : []),
      ...toTheEnd.map(({ sight, what }) => `${sight.node} ${what} when it was looked at last`),
      ...differencesOf(evidence, nodes)
    ]
    return finding(
      check,
      fewOf(problems),
      `${nodes.length} nodes agreed ${Math.round(lateMillis)} ms after peace, led by ${leader}`
    )
  }
})

const replacedIn = ({ timeline }: Evidence): ReadonlySet<string> =>
  new Set(timeline.flatMap(({ action }) => (action?._tag === "ReplaceNode" ? [action.node] : [])))

const dissentOf = ({ status }: Sight, leader: string | undefined, isLearner: boolean): string | undefined => {
  if (status === undefined) return "did not answer"
  if (isLearner || status.leader === leader) return undefined
  return status.leader === undefined ? "knew of no leader" : `still followed ${status.leader}`
}

const differencesOf = ({ final }: Evidence, nodes: ReadonlyArray<string>): ReadonlyArray<string> => {
  const missing = nodes.filter((node) => final.every((state) => state.node !== node))
  const [first, ...others] = final.filter(({ node }) => nodes.includes(node))
  return [
    ...missing.map((node) => `${node} could not tell its state in the end`),
    ...others.flatMap((state) => {
      if (first === undefined || (state.hash === first.hash && state.revision === first.revision)) return []
      return [
        `${state.node} has hash ${state.hash} at revision ${state.revision}, and ${first.node} hash ${first.hash} at revision ${first.revision}`
      ]
    })
  ]
}
