/** Whether machines may act by themselves, and which calls are let through: the fleet breaker and circuit breakers. */
import { report } from "./actions.ts"
import type { App, View } from "./app.ts"
import { breakerActions } from "./breaker-actions.ts"
import { confirm } from "./dialog.ts"
import { button, type Child, h, replace } from "./dom.ts"
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
        tripped.length < views.length &&
          button("Trip", {
            icon: "crash",
            class: "quiet danger-text",
            "data-key": `trip ${where}`,
            onclick: () => void this.#orderFleet("TripFleetBreaker", zone, views)
          }),
        tripped.length > 0 &&
          button("Reset", {
            icon: "restart",
            class: "quiet",
            "data-key": `reset ${where}`,
            onclick: () => void this.#orderFleet("ResetFleetBreaker", zone, views)
          })
      )
    )
  }

  /** Each node judges for itself, so all that were seen are told. */
  async #orderFleet(
    tag: "TripFleetBreaker" | "ResetFleetBreaker",
    zone: string | null,
    views: ReadonlyArray<ScopeView>
  ): Promise<void> {
    const where = zone ?? "the whole fleet"
    const isTrip = tag === "TripFleetBreaker"
    const nodes = views.map(({ node }) => node)
    const reason = await confirm({
      title: isTrip ? `Stop automation in ${where}?` : `Let automation go on in ${where}?`,
      says: isTrip
        ? [
            `No machine acts on its own in ${where} any more: no role is moved, except by hand.`,
            `This goes to ${nodes.join(", ")}, for each node judges for itself.`,
            "It stays so until somebody resets it; health alone does not."
          ]
        : [
            `Machines may act in ${where} again, at once.`,
            `This goes to ${nodes.join(", ")}. Who is dead now does not count again.`
          ],
      action: isTrip ? "Stop automation" : "Go on",
      isDangerous: isTrip,
      reason: "by hand, from the console"
    })
    if (reason === undefined) return
    const order = { _tag: tag, zone, by: this.#app.hello.actorId, reason }
    const answers = await Promise.all(
      nodes.map((node) => this.#app.ask(`/${node}/cluster/fleet-breaker`, order))
    )
    const failed = answers.find(({ outcome }) => outcome === "failed")
    report(
      this.#app,
      failed ?? { outcome: "reply", value: null },
      isTrip ? `automation is stopped in ${where}` : `automation goes on in ${where}`
    )
    this.#polling.now()
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
        breakerActions({ path, name })
          .filter((action) => isApt(action.name, status))
          .map(({ icon, name: action, run }) =>
            button(action, {
              icon,
              class: action === "Trip" ? "quiet danger-text" : "quiet",
              "data-key": `${action} ${path}`,
              onclick: () => void run(this.#app).then(() => this.#polling.now())
            })
          )
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

const isApt = (action: string, status: Breaker | undefined): boolean => {
  if (status === undefined) return false
  switch (action) {
    case "Trip":
      return status.state !== "open"
    case "Reset":
      return status.state !== "closed" || status.numbers.calls > 0
    case "Hold":
      return status.held === null
    default:
      return status.held !== null
  }
}
