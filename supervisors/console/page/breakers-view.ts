/** Whether machines may act by themselves, and which calls are let through: the fleet breaker and circuit breakers. */
import { actionButton } from "./action-button.ts"
import type { App, View } from "./app.ts"
import { type Child, h, replace } from "./dom.ts"
import { count, duration } from "./figures.ts"
import { Polling } from "./polling.ts"
import { asking, card, pill } from "./table.ts"

interface Scope {
  readonly zone: string | null
  readonly tripped: boolean
  readonly reason: string
  readonly by: string
  readonly dead: ReadonlyArray<string>
  readonly healthy: number
  readonly members: number
}

interface Breaker {
  readonly breaker: string
  readonly state: "closed" | "open" | "half-open"
  readonly reason: string
  readonly held: { readonly by: string; readonly reason: string } | null
  readonly remainingMillis: number | null
  readonly numbers: { readonly calls: number; readonly failed: number; readonly slow: number }
  readonly probes: number
  readonly refused: number
  readonly openings: number
  readonly changes: number
}

interface Fleet {
  readonly node: string
  readonly scopes: ReadonlyArray<Scope> | undefined
}

interface ScopeView {
  readonly node: string
  readonly scope: Scope
}

interface Found {
  readonly path: string
  readonly status: Breaker | undefined
}

const lookMillis = 1_000
const breakersShown = 200

export class BreakersView implements View {
  readonly element: HTMLElement
  readonly #app: App
  readonly #polling: Polling
  readonly #fleet = h("div", {}, asking())
  readonly #breakers = h("div", {}, asking())
  #fleetKey = ""
  #breakersKey = ""

  constructor(app: App) {
    this.#app = app
    this.#polling = new Polling(() => this.#look(), lookMillis)
    this.element = h(
      "section",
      { class: "page", "aria-label": "Breakers" },
      h(
        "div",
        { class: "cards" },
        card("Fleet breaker", "may machines act by themselves? Each node judges for itself", this.#fleet),
        card("Circuit breakers", "between callers and what they call, each in its process", this.#breakers)
      )
    )
  }

  show(): void {
    this.#polling.start()
  }

  hide(): void {
    this.#polling.stop()
  }

  update(): void {}

  async #look(): Promise<void> {
    const { look, model } = this.#app
    const fleets = await Promise.all(
      model.nodes.map(
        async ({ node }): Promise<Fleet> => ({
          node,
          scopes: await look<ReadonlyArray<Scope>>(`/${node}/cluster/fleet-breaker`, {
            _tag: "GetFleetBreaker"
          })
        })
      )
    )
    const paths = [...model.all()].filter(({ row }) => row.kind === "breaker").map(({ path }) => path)
    const breakers = await Promise.all(
      paths.slice(0, breakersShown).map(
        async (path): Promise<Found> => ({
          path,
          status: await look<Breaker>(path, { _tag: "GetBreaker" })
        })
      )
    )
    const fleetKey = JSON.stringify(fleets)
    if (fleetKey !== this.#fleetKey) replace(this.#fleet, this.#drawFleets(fleets))
    this.#fleetKey = fleetKey
    const breakersKey = JSON.stringify(breakers)
    if (breakersKey !== this.#breakersKey) replace(this.#breakers, this.#drawBreakers(breakers))
    this.#breakersKey = breakersKey
  }

  #drawFleets(fleets: ReadonlyArray<Fleet>): Child {
    const silent = fleets.filter(({ scopes }) => scopes === undefined).map(({ node }) => node)
    const zones = new Set(fleets.flatMap(({ scopes }) => (scopes ?? []).map(({ zone }) => zone)))
    const ordered = [...zones].toSorted((one, other) => ((one ?? "") < (other ?? "") ? -1 : 1))
    return [
      silent.length > 0 && h("p", { class: "bad" }, `No answer from ${silent.join(", ")}.`),
      h(
        "div",
        { class: "breaker-list" },
        ordered.map((zone) =>
          this.#drawScope(
            zone,
            fleets.flatMap(({ node, scopes }) =>
              (scopes ?? []).filter((scope) => scope.zone === zone).map((scope) => ({ node, scope }))
            )
          )
        )
      )
    ]
  }

  #drawScope(zone: string | null, views: ReadonlyArray<ScopeView>): HTMLElement {
    const where = zone ?? "the fleet"
    const target = zone === null ? "fleet" : `zone:${zone}`
    const tripped = views.filter(({ scope }) => scope.tripped)
    const state = tripped.length === 0 ? "closed" : tripped.length === views.length ? "open" : "half-open"
    return h(
      "article",
      { class: "breaker", "data-state": state, "aria-label": `automation in ${where}` },
      h(
        "header",
        {},
        h("h3", {}, where),
        state === "closed"
          ? pill("machines may act", "well")
          : pill(state === "open" ? "stopped" : `stopped on ${tripped.length} of ${views.length}`, "down")
      ),
      grouped(views).map(({ nodes, text }) =>
        h("p", {}, text, h("span", { class: "dim" }, ` · seen by ${nodes.join(", ")}`))
      ),
      h(
        "div",
        { class: "buttons" },
        tripped.length < views.length && this.#button("breaker trip", target),
        tripped.length > 0 && this.#button("breaker reset", target)
      )
    )
  }

  #button(name: Verb, target: string): HTMLElement {
    return actionButton(this.#app, { name, fields: { breaker: target } }, () => this.#polling.now())
  }

  #drawBreakers(breakers: ReadonlyArray<Found>): Child {
    if (breakers.length === 0) {
      return h("p", { class: "dim" }, "No actor of the cluster asks through a circuit breaker now.")
    }
    return h(
      "div",
      { class: "breaker-list" },
      breakers.map(({ path, status }) => this.#drawBreaker(path, status))
    )
  }

  #drawBreaker(path: string, status: Breaker | undefined): HTMLElement {
    const name = status?.breaker ?? path.split("/").at(-1) ?? path
    return h(
      "article",
      { class: "breaker", "data-state": status?.state, "aria-label": `breaker ${name}` },
      h(
        "header",
        {},
        h("h3", {}, name),
        h("a", { class: "dim", href: `#/actor${path}` }, path),
        status === undefined ? pill("no answer", "queued") : pill(status.state, stateHealth[status.state]),
        status !== undefined && status.held !== null && pill("held", "queued")
      ),
      status !== undefined && [
        h("p", {}, status.held === null ? status.reason : `held by ${status.held.by}: ${status.held.reason}`),
        h(
          "p",
          { class: "dim" },
          [
            `${count(status.numbers.calls)} calls, ${count(status.numbers.failed)} failed, ${count(status.numbers.slow)} slow`,
            `${count(status.refused)} refused`,
            ...(status.remainingMillis === null
              ? []
              : [`a probe in ${duration(Math.ceil(status.remainingMillis / 1_000) * 1_000)}`])
          ].join(" · ")
        )
      ],
      h(
        "div",
        { class: "buttons" },
        verbs.filter((verb) => isApt(verb, status)).map((verb) => this.#button(verb, path))
      )
    )
  }
}

/** Nodes that see the same say it once. */
const grouped = (views: ReadonlyArray<ScopeView>) => {
  const groups = new Map<string, Array<string>>()
  for (const { node, scope } of views) {
    const text = scopeText(scope)
    groups.set(text, [...(groups.get(text) ?? []), node])
  }
  return [...groups].map(([text, nodes]) => ({ text, nodes }))
}

const scopeText = ({ by, dead, healthy, members, reason, tripped }: Scope): string => {
  const died = dead.length > 0 ? `; dead: ${dead.join(", ")}` : ""
  return tripped ? `${reason} · by ${by}` : `${count(healthy)} of ${count(members)} are healthy${died}`
}

const stateHealth = { closed: "well", open: "down", "half-open": "restarted" } as const

const verbs = ["breaker trip", "breaker reset", "breaker hold", "breaker release"] as const
type Verb = (typeof verbs)[number]

const isApt = (verb: Verb, status: Breaker | undefined): boolean => {
  if (status === undefined) return false
  switch (verb) {
    case "breaker trip":
      return status.state !== "open"
    case "breaker reset":
      return status.state !== "closed" || status.numbers.calls > 0
    case "breaker hold":
      return status.held === null
    case "breaker release":
      return status.held !== null
  }
}
