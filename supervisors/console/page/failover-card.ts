/** Roles that one node at a time has: who has which and why, and what operators have said about it. */
import { report } from "./actions.ts"
import type { App } from "./app.ts"
import { confirm, type Question } from "./dialog.ts"
import { button, type Child, h } from "./dom.ts"
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
  const order = async (
    question: Question,
    request: { readonly _tag: string; readonly [field: string]: unknown },
    done: string
  ) => {
    const reason = await confirm({ reason: "by hand, from the console", ...question })
    if (reason === undefined) return
    report(app, await app.ask(path, { by: app.hello.actorId, reason, ...request }), done)
    again()
  }
  const held = orders.held !== null
  return [
    h(
      "div",
      { class: "tools" },
      pill(held ? "held" : phase, held ? "queued" : phase === "running" ? "well" : "restarted"),
      h("span", { class: "dim" }, `term ${count(term)} · ${path}`),
      button(held ? "Release" : "Hold", {
        icon: held ? "play" : "hold",
        class: "quiet",
        "data-key": "hold failover",
        onclick: () =>
          void order(
            held ? release : hold,
            { _tag: held ? "ReleaseFailover" : "HoldFailover" },
            held ? "failover goes on" : "failover is held"
          )
      })
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
          holder !== null &&
            button("Veto", {
              class: "quiet danger-text",
              "data-key": `veto ${role}`,
              onclick: () =>
                void order(
                  veto(role, holder),
                  { _tag: "VetoHolder", role, node: holder },
                  `${holder} may not have ${role}`
                )
            }),
          members
            .filter(({ name }) => name !== holder)
            .map(({ name }) =>
              button(`To ${name}`, {
                class: "quiet",
                "data-key": `force ${role} ${name}`,
                onclick: () =>
                  void order(
                    force(role, name),
                    { _tag: "ForceHolder", role, node: name },
                    `${role} goes to ${name}`
                  )
              })
            )
        )
      ]),
      "There are no roles to give out: the cluster's file names none."
    ),
    [
      ...orders.vetoes.map((each) => ({ ...each, tag: "LiftVeto", what: "may not be on" })),
      ...orders.forced.map((each) => ({ ...each, tag: "LiftForce", what: "has to be on" }))
    ].map(({ by, node, reason, role, tag, what }) =>
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
        button("Lift", {
          class: "quiet",
          "data-key": `${tag} ${role} ${node}`,
          onclick: () =>
            void order(
              lift(role),
              tag === "LiftVeto" ? { _tag: tag, role, node } : { _tag: tag, role },
              `the policy decides about ${role} again`
            )
        })
      )
    )
  ]
}

const hold: Question = {
  title: "Hold failover?",
  says: [
    "No role is moved by itself until somebody releases it, also when a node dies.",
    "What was decided before is carried out."
  ],
  action: "Hold"
}

const release: Question = {
  title: "Release failover?",
  says: ["It decides again, at once: roles of dead nodes are given to others."],
  action: "Release"
}

const veto = (role: string, node: string): Question => ({
  title: `Keep ${role} away from ${node}?`,
  says: [
    `${role} is taken from ${node} at once, and given to another node that may have it.`,
    "It stays so until the veto is lifted."
  ],
  action: "Veto",
  isDangerous: true
})

const force = (role: string, node: string): Question => ({
  title: `Give ${role} to ${node}?`,
  says: [
    `${node} gets ${role} whatever the policy says, also while failover is held or automation stopped.`,
    "It stays there until the node fails or leaves, the order is lifted, or somebody vetoes it."
  ],
  action: "Give it"
})

const lift = (role: string): Question => ({
  title: `Take the order about ${role} back?`,
  says: ["The policy is asked again, and may move the role."],
  action: "Lift"
})
