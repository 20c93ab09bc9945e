/** Check: nothing crashed and nobody gave up but what was planned. */
import { type Check, finding, treesOf, unknown } from "./evidence.ts"
import { fewOf } from "./few.ts"

const check = "no unexpected crash"

/** `planned` are actors of nodes that a schedule strikes, which crash or fall with others when it does. */
export const noUnexpectedCrash = (planned: ReadonlyArray<RegExp> = []): Check => ({
  name: check,
  holds: "No actor was restarted and no node ended by itself, but for what the schedule did to them.",
  judge: ({ complaints, sights, timeline }) => {
    const looks = treesOf(sights)
    if (looks.length === 0 && complaints.length === 0) return unknown(check, "nobody looked into a node")
    const struck = new Set(timeline.flatMap(({ action }) => (action?._tag === "Crash" ? [action.path] : [])))
    const restarts = new Map<string, number>()
    for (const { restartsByPath } of looks)
      for (const [path, times] of Object.entries(restartsByPath))
        restarts.set(path, Math.max(times, restarts.get(path) ?? 0))
    const nodes = new Set(timeline.flatMap(({ nodes }) => nodes))
    const isPlanned = (path: string) =>
      struck.has(path) ||
      (nodes.has(path.split("/", 2)[1] ?? "") && planned.some((pattern) => pattern.test(path)))
    const unexpected = [...restarts].filter(([path]) => !isPlanned(path))
    const problems = [
      ...unexpected.map(([path, times]) => `${path} was restarted ${times} times, and nobody crashed it`),
      ...complaints.map(({ atMillis, node, what }) => `${node} at ${Math.round(atMillis)} ms: ${what}`)
    ]
    return finding(check, fewOf(problems), `${restarts.size} actors were restarted as planned, no other one`)
  }
})
