/** Check: one member has taken the place of another, and nobody else went. */
import type { NodeName } from "#chaos/lab/world.ts"
import { type Check, finding, unknown } from "./evidence.ts"

const check = "replaced"

export interface Replaced {
  readonly node: NodeName
  readonly by: NodeName
}

export const replaced = ({ by, node }: Replaced): Check => ({
  name: check,
  holds: `In the end ${by} votes in the place of ${node}, and the group has as many voters as before.`,
  judge: ({ final }) => {
    const voters = final.filter(({ voter }) => voter).map((state) => state.node)
    if (final.length === 0) return unknown(check, "nobody could be asked in the end")
    const problems = [
      ...(voters.includes(by) ? [] : [`${by} does not vote`]),
      ...(voters.includes(node) ? [`${node} still votes`] : [])
    ]
    return finding(check, problems, `${voters.join(", ")} vote`)
  }
})
