/** Check: of what only one may have at a time, one has it at a time; see holdings.ts. */
import { type Check, finding, unknown } from "./evidence.ts"
import { fewOf } from "./few.ts"
import { overlapsOf, shownHolding, shrinkingFences } from "./holdings.ts"

const check = "single holder"

/**
 * A former holder that still believes is no violation where everything that it does is refused: nobody can keep a
 * holder that stands still from believing. Two of one fence are always one.
 */
export const singleHolder: Check = {
  name: check,
  holds: "A lock or role has one holder at a time, or its former holder can do nothing any more.",
  judge: ({ holdings }) => {
    if (holdings.length === 0) return unknown(check, "nobody held anything")
    const overlaps = overlapsOf(holdings)
    const bad = overlaps.filter(({ former, later }) => !former.fenced || former.fence === later.fence)
    const problems = [
      ...bad.map(
        ({ former, fromMillis, later }) =>
          `at ${Math.round(fromMillis)} ms two held the same: ${shownHolding(former)}, and ${shownHolding(later)}`
      ),
      ...shrinkingFences(holdings).map(
        ({ former, later }) => `fences do not grow: ${shownHolding(later)}, after ${shownHolding(former)}`
      )
    ]
    const whats = new Set(holdings.map(({ what }) => what)).size
    const fenced = overlaps.length - bad.length
    return finding(
      check,
      fewOf(problems),
      `${holdings.length} holdings of ${whats} locks and roles, ${fenced} former holders that were fenced off`
    )
  }
}
