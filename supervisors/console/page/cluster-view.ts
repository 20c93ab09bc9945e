/**
 * The cluster: members in their zones, links between them, what each believes of the others, roles and who has them,
 * and who is connected. Every node is asked for itself, so that a view that differs is seen.
 */
import { actionButton } from "./action-button.ts"
import type { ActionName, Fields } from "./action-table.ts"
import type { App, View } from "./app.ts"
import { clusterMap, type LinkDrawn, type MemberDrawn } from "./cluster-map.ts"
import { type Child, h, replace } from "./dom.ts"
import { coordinatorPath, type Failover, failoverView } from "./failover-card.ts"
import { clock, count, duration } from "./figures.ts"
import { Polling } from "./polling.ts"
import { asking, card, pill, table } from "./table.ts"

interface Member {
  readonly name: string
  readonly address: string
  readonly bootId: string
  readonly incarnation: number
  readonly status: MemberDrawn["status"]
  readonly metadata: {
    readonly zone: string
    readonly version: string
    readonly roles: ReadonlyArray<string>
  }
}

interface Link {
  readonly address: string
  readonly node: string
  readonly state: "linked" | "dialing" | "waiting"
  readonly direction: string
  readonly reason: string
  readonly attempts: number
  readonly queued: number
  readonly malformed: number
  readonly droppedDatagrams: number
}

interface Client {
  readonly name: string
  readonly actorId: string
  readonly connectedMillis: number
  readonly queued: number
  readonly refused: number
}

interface LeaderRole {
  readonly role: string
  readonly phase: string
  readonly epoch: number | null
  readonly remainingMillis: number | null
  readonly reason: string
}

interface Chainfire {
  readonly role: string
}

interface Config {
  readonly version: string
  readonly file: string
  readonly digest: string
  readonly links: string
  readonly etcd: string
  readonly pid: number
  readonly startedAtMillis: number
}

interface DeadLetters {
  readonly total: number
}

interface Seen {
  readonly node: string
  readonly members: ReadonlyArray<Member> | undefined
  readonly links: ReadonlyArray<Link>
  readonly clients: ReadonlyArray<Client & { readonly entrance: string }>
  readonly failover: LeaderRole | undefined
  readonly chainfire: Chainfire | undefined
  readonly config: Config | undefined
  readonly deadLetters: DeadLetters | undefined
}

const lookMillis = 2_000

export class ClusterView implements View {
  readonly element: HTMLElement
  readonly #app: App
  readonly #polling: Polling
  readonly #content = h("div", { class: "cards" }, card("Cluster", "", asking()))
  #key = ""

  constructor(app: App) {
    this.#app = app
    this.element = h("section", { class: "page", "aria-label": "Cluster" }, this.#content)
    this.#polling = new Polling(() => this.#look(), lookMillis)
  }

  show(): void {
    this.#polling.start()
  }

  hide(): void {
    this.#polling.stop()
  }

  /** It looks for itself. */
  update(): void {}

  async #look(): Promise<void> {
    const { hello, model } = this.#app
    const names = model.nodes.map(({ node }) => node)
    const seen = await Promise.all(
      (names.length === 0 ? [hello.node] : names).map((node) => this.#lookAt(node))
    )
    const coordinator = coordinatorPath(this.#app)
    const failover =
      coordinator === undefined
        ? undefined
        : await this.#app.look<Failover>(coordinator, { _tag: "GetFailover" })
    const key = JSON.stringify({ seen, coordinator, failover }, withoutClocks)
    if (key === this.#key) return
    this.#key = key
    const roles =
      coordinator === undefined || failover === undefined
        ? undefined
        : card(
            "Failover",
            "roles that are given out",
            failoverView(this.#app, coordinator, failover, () => this.#polling.now())
          )
    replace(this.#content, this.#draw(seen, roles))
  }

  async #lookAt(node: string): Promise<Seen> {
    const { look, model } = this.#app
    const cluster = `/${node}/cluster`
    const hasCandidate =
      model.at(`/${node}/roles/failover-candidate`) !== undefined ||
      model.at(`/${node}/roles/failover`) !== undefined
    const candidate = model.at(`/${node}/roles/failover`) === undefined ? "failover-candidate" : "failover"
    const [members, links, clients, shells, failover, chainfire, config, deadLetters] = await Promise.all([
      look<ReadonlyArray<Member>>(`${cluster}/membership`, { _tag: "Members" }),
      look<ReadonlyArray<Link>>(`${cluster}/links`, { _tag: "GetLinks" }),
      look<ReadonlyArray<Client>>(`${cluster}/clients`, { _tag: "GetClients" }),
      look<ReadonlyArray<Client>>(`${cluster}/shells`, { _tag: "GetClients" }),
      hasCandidate ? look<LeaderRole>(`/${node}/roles/${candidate}`, { _tag: "GetLeaderRole" }) : undefined,
      look<Chainfire>(`/${node}/chainfire/member`, { _tag: "GetChainfire" }),
      look<Config>(`${cluster}/introspection`, { _tag: "GetConfig" }),
      look<DeadLetters>(`${cluster}/introspection`, { _tag: "GetDeadLetters" })
    ])
    return {
      node,
      members,
      links: links ?? [],
      clients: [
        ...(clients ?? []).map((client) => ({ ...client, entrance: "client" })),
        ...(shells ?? []).map((client) => ({ ...client, entrance: "shell" }))
      ],
      failover,
      chainfire,
      config,
      deadLetters
    }
  }

  #draw(seen: ReadonlyArray<Seen>, failover: Child): Child {
    const own = seen.find(({ node }) => node === this.#app.hello.node)
    const members = (own?.members ?? seen.find((each) => each.members !== undefined)?.members ?? []).toSorted(
      (one, other) => (one.name < other.name ? -1 : 1)
    )
    return [
      card("Map", `as ${this.#app.hello.node} sees it`, this.#map(seen, members)),
      card("Who believes what", "each line is one node's view of the others", beliefs(seen, members)),
      card(
        "Members",
        "",
        table(
          "Members",
          ["Member", "State", "Zone", "Address", "Boot", "Version", "Roles", ""],
          members.map((member) => [
            h("a", { href: `#/actor/${member.name}` }, member.name),
            pill(member.status, statusHealth[member.status]),
            member.metadata.zone,
            h("code", {}, member.address),
            h("code", { title: member.bootId }, member.bootId.slice(0, 8)),
            member.metadata.version,
            member.metadata.roles.join(", ") || "–",
            (member.status === "alive" || member.status === "suspect") &&
              this.#button("drain", { node: member.name })
          ]),
          "None are known."
        )
      ),
      card(
        "Nodes",
        "as each was started; those with the same digest were given the same",
        table(
          "Nodes",
          ["Node", "Since", "Process", "Version", "Digest", "Links", "etcd", "Dead letters", ""],
          seen.map(({ config, deadLetters, node }) => [
            node,
            config === undefined || config.startedAtMillis === 0
              ? "–"
              : clock(config.startedAtMillis).slice(0, 8),
            config === undefined || config.pid === 0 ? "–" : String(config.pid),
            config?.version ?? "–",
            config === undefined
              ? "–"
              : h("code", { title: `${config.digest} ${config.file}` }, config.digest.slice(0, 8)),
            h("code", {}, config?.links ?? "–"),
            h("code", {}, config?.etcd ?? "–"),
            deadLetters === undefined ? "–" : count(deadLetters.total),
            config !== undefined && this.#button("log", { node })
          ]),
          "Nobody answers."
        )
      ),
      card("Leader roles", "one node at a time", this.#roles(seen)),
      failover,
      card(
        "Links",
        "between nodes, from both ends",
        table(
          "Links",
          ["From", "To", "State", "Tries", "Queued", "Lost", "Why"],
          seen.flatMap(({ links, node }) =>
            links.map((link) => [
              node,
              link.node || h("code", {}, link.address),
              pill(link.state, link.state === "linked" ? "well" : "restarted"),
              count(link.attempts),
              count(link.queued),
              count(link.droppedDatagrams + link.malformed),
              link.reason || "–"
            ])
          ),
          "There are none: this node is alone."
        )
      ),
      card(
        "Clients and shells",
        "",
        table(
          "Clients and shells",
          ["At", "Name", "Who", "By", "For", "Queued", "Refused"],
          seen.flatMap(({ clients, node }) =>
            clients.map((client) => [
              node,
              client.name,
              h("code", {}, client.actorId),
              client.entrance,
              duration(Math.floor(client.connectedMillis / 10_000) * 10_000),
              count(client.queued),
              count(client.refused)
            ])
          ),
          "Nobody is connected by the message API or a shell. (Consoles are not counted here.)"
        )
      )
    ]
  }

  #button(name: ActionName, fields: Fields): HTMLElement {
    return actionButton(this.#app, { name, fields }, () => this.#polling.now())
  }

  #map(seen: ReadonlyArray<Seen>, members: ReadonlyArray<Member>): Child {
    const drawn = members
      .filter(({ status }) => status !== "left")
      .map(({ metadata, name, status }): MemberDrawn => {
        const at = seen.find(({ node }) => node === name)
        return {
          name,
          zone: metadata.zone,
          status,
          actors: this.#app.model.at(`/${name}`)?.total ?? 0,
          marks: [
            ...(at?.chainfire?.role === "leader" ? ["leads chainfire"] : []),
            ...(at?.failover?.phase === "leading" ? ["failover"] : [])
          ]
        }
      })
    const links = seen.flatMap(({ links: own, node }) =>
      own
        .filter(({ node: to }) => to !== "")
        .map(({ node: to, state }): LinkDrawn => ({ from: node, to, isUp: state === "linked" }))
    )
    return clusterMap(drawn, links)
  }

  #roles(seen: ReadonlyArray<Seen>): Child {
    const leading = seen.filter(({ failover }) => failover !== undefined)
    return table(
      "Leader roles",
      ["Role", "Candidate", "Phase", "Epoch", "Why", ""],
      leading.map(({ failover, node }) => [
        failover?.role ?? "",
        node,
        pill(failover?.phase ?? "", failover?.phase === "leading" ? "well" : ""),
        failover?.epoch === null || failover === undefined ? "–" : count(failover.epoch),
        failover?.reason ?? "",
        failover?.phase === "leading" && this.#button("failover yield", { node })
      ]),
      "No roles are campaigned for: this node is a group of its own."
    )
  }
}

/** What only says that time passes is no change. */
const withoutClocks = (key: string, value: unknown): unknown =>
  key === "remainingMillis"
    ? undefined
    : key === "connectedMillis" && typeof value === "number"
      ? Math.floor(value / 10_000)
      : value

const statusHealth = { alive: "well", suspect: "restarted", failed: "down", left: "" } as const

const beliefs = (seen: ReadonlyArray<Seen>, members: ReadonlyArray<Member>): Child => {
  const there = members.filter(({ status }) => status !== "left")
  return table(
    "Who believes what of whom",
    ["", ...there.map(({ name }) => name)],
    seen.map(({ members: believed, node }) => [
      h("strong", {}, node),
      ...there.map(({ name }) => {
        const found = believed?.find((each) => each.name === name)
        if (believed === undefined) return pill("?", "queued")
        return found === undefined
          ? pill("unknown", "restarted")
          : pill(found.status, statusHealth[found.status])
      })
    ]),
    "Nobody answers."
  )
}
