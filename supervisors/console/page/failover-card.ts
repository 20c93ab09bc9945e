/** Roles that one node at a time has: who has which and why, and what operators have said about it. */
import { actionButton } from "./action-button.ts"
import type { ActionName, Fields } from "./action-table.ts"
import type { App } from "./app.ts"
import { type Child, h } from "./dom.ts"
import { count } from "./figures.ts"
import { pill, table } from "./table.ts"

interface Order {
  readonly role: string
  readonly node: string
  readonly by: string
  readonly reason: string
}

export interface Failover {
  readonly term: number
  readonly phase: string
  readonly members: ReadonlyArray<{ readonly name: string }>
  readonly roles: ReadonlyArray<{
    readonly role: string
    readonly holder: string | null
    readonly epoch: number
    readonly confirmed: boolean
    readonly reason: string
    readonly waits: string
  }>
  readonly orders: {
    readonly held: { readonly by: string; readonly reason: string } | null
    readonly vetoes: ReadonlyArray<Order>
    readonly forced: ReadonlyArray<Order>
  }
}

/** The coordinator of now, wherever it runs; undefined while nobody leads. */
export const coordinatorPath = ({ model }: App): string | undefined => {
  for (const { path, row } of model.all()) {
    if (row.kind === "failover" && row.status === "running") return path
  }
  return undefined
}

export const failoverView = (
  app: App,
  path: string,
  { members, orders, phase, roles, term }: Failover,
  again: () => void
): Child => {
  const order = (name: ActionName, fields: Fields = {}, label?: string) =>
    actionButton(app, { name, fields }, again, label)
  const held = orders.held !== null
  return [
    h(
      "div",
      { class: "tools" },
      pill(held ? "held" : phase, held ? "queued" : phase === "running" ? "well" : "restarted"),
      h("span", { class: "dim" }, `term ${count(term)} · ${path}`),
      order(held ? "failover release" : "failover hold")
    ),
    orders.held !== null && h("p", {}, `held by ${orders.held.by}: ${orders.held.reason}`),
    table(
      "Roles",
      ["Role", "Node", "Epoch", "Why", "Waits for", ""],
      roles.map(({ confirmed, epoch, holder, reason, role, waits }) => [
        role,
        holder === null
          ? "nobody"
          : [holder, !confirmed && h("span", { class: "dim" }, " (not yet confirmed)")],
        count(epoch),
        reason,
        waits || "–",
        h(
          "div",
          { class: "buttons" },
          holder !== null && order("failover veto", { role, node: holder }),
          members
            .filter(({ name }) => name !== holder)
            .map(({ name }) => order("failover force", { role, node: name }, `To ${name}`))
        )
      ]),
      "There are no roles to give out: the cluster's file names none."
    ),
    [
      ...orders.vetoes.map((each) => ({ ...each, isVeto: true, what: "may not be on" })),
      ...orders.forced.map((each) => ({ ...each, isVeto: false, what: "has to be on" }))
    ].map(({ by, isVeto, node, reason, role, what }) =>
      h(
        "p",
        { class: "order" },
        h(
          "span",
          {},
          h("strong", {}, role),
          ` ${what} `,
          h("strong", {}, node),
          h("span", { class: "dim" }, ` · ${reason} · by ${by}`)
        ),
        isVeto ? order("failover lift", { role, node }) : order("failover unforce", { role })
      )
    )
  ]
}
