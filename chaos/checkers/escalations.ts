/** Check: a supervisor whose child crashes again and again gives up, and is restarted itself; no more than that. */
import { type Check, finding, treesOf, unknown } from "./evidence.ts"
import { fewOf } from "./few.ts"

const check = "escalations"

export interface Expected {
  /** Of each a supervisor whose path matches gave up at least once. */
  readonly expected: ReadonlyArray<RegExp>
}

export const escalations = ({ expected }: Expected): Check => ({
  name: check,
  holds: "What crashes in a loop is given up by its supervisor, and the next one above deals with it.",
  judge: ({ complaints, sights, timeline }) => {
    const looks = treesOf(sights)
    if (looks.length === 0) return unknown(check, "nobody looked into a node")
    if (!timeline.some(({ action }) => action?._tag === "Crash")) return unknown(check, "nothing was crashed")
    const restarted = new Set(looks.flatMap(({ restartsByPath }) => Object.keys(restartsByPath)))
    const found = expected.map((pattern) => [...restarted].filter((path) => pattern.test(path)))
    const problems = [
      ...expected.flatMap((pattern, index) =>
        found[index]?.length === 0 ? [`no supervisor gave up whose path matches ${pattern}`] : []
      ),
      // A node that ended has given up at the very top.
      ...complaints
        .filter(({ what }) => !expected.some((pattern) => pattern.test(what.split(" gave up")[0] ?? "")))
        .map(({ node, what }) => `it went further than planned: ${node}: ${what}`)
    ]
    return finding(check, fewOf(problems), `${found.flat().join(", ")} gave up and were restarted`)
  }
})
