/** Why an actor crashed last: what it was handling, the whole chain of causes, and what its supervisor decided. */
import type { App } from "./app.ts"
import type { Actor } from "./cluster-model.ts"
import { type Child, h } from "./dom.ts"
import { clock, count, duration } from "./figures.ts"

export interface CrashReport {
  readonly crash: {
    readonly incarnation: number
    readonly atMillis: number
    readonly handling: string
    readonly cause: string
  } | null
}

export interface ChildReport {
  readonly strategy: string
  readonly restarts: number
  readonly restartsMax: number
  readonly withinMillis: number
  readonly decision: {
    readonly atMillis: number
    readonly reason: string
    readonly decided: string
    readonly along: ReadonlyArray<string>
  } | null
}

export interface Why {
  readonly crash: CrashReport["crash"]
  readonly supervisor: string
  readonly child: ChildReport | undefined
}

/** Undefined where it has not crashed, as far as anybody remembers. */
export const lookForWhy = async (app: App, actor: Actor): Promise<Why | undefined> => {
  const { node, parent, path } = actor
  const [report, child] = await Promise.all([
    app.look<CrashReport>(`/${node}/cluster/introspection`, { _tag: "ExplainCrash", path }),
    parent === undefined
      ? undefined
      : app.look<ChildReport>(parent.path, { _tag: "ExplainChild", name: actor.name })
  ])
  const crash = report?.crash ?? null
  if (crash === null && (child?.decision ?? null) === null) return undefined
  return { crash, supervisor: parent?.name ?? "", child }
}

export const whyView = ({ child, crash, supervisor }: Why): Child => {
  const [first = "", ...rest] = (crash?.cause ?? child?.decision?.reason ?? "").split("\n")
  return h(
    "div",
    { class: "last-crash" },
    h("h3", {}, crash === null ? "Last end" : "Last crash"),
    h("p", { class: "crash-cause" }, first),
    crash !== null &&
      h(
        "p",
        { class: "dim" },
        `at ${clock(crash.atMillis)}, in life ${count(crash.incarnation)}${crash.handling === "" ? "" : `, while it handled ${crash.handling}`}`
      ),
    child?.decision !== null && child !== undefined && h("p", {}, decisionText(supervisor, child)),
    rest.length > 0 && h("details", {}, h("summary", {}, "Where"), h("pre", { tabindex: 0 }, rest.join("\n")))
  )
}

const decisionText = (
  supervisor: string,
  { decision, restarts, restartsMax, strategy, withinMillis }: ChildReport
): string => {
  const along =
    decision === null || decision.along.length === 0 ? "" : `, and with it ${decision.along.join(", ")}`
  return `${supervisor} (${strategy}): ${decision?.decided ?? ""}${along}. ${count(restarts)} of ${count(restartsMax)} restarts within ${duration(withinMillis)} are used.`
}
