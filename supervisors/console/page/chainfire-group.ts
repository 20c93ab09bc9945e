/** Who belongs to chainfire's group, those included that do not run yet or any more; and a copy of everything. */
import { actionButton } from "./action-button.ts"
import type { ActionName, Fields } from "./action-table.ts"
import type { App } from "./app.ts"
import { type Child, h, replace } from "./dom.ts"
import { asking, pill, table } from "./table.ts"

interface Member {
  readonly id: number
  readonly name: string
  readonly peerUrls: ReadonlyArray<string>
  readonly learner: boolean
  readonly leads: boolean
}

export class ChainfireGroup {
  readonly element = h("div", {}, asking())
  readonly #app: App
  readonly #again: () => void
  #key = ""

  constructor(app: App, again: () => void) {
    this.#app = app
    this.#again = again
  }

  /** As the node says that the page is from, or else another one. */
  async look(): Promise<void> {
    const { hello, look, model } = this.#app
    const nodes = [hello.node, ...model.nodes.map(({ node }) => node).filter((node) => node !== hello.node)]
    let members: ReadonlyArray<Member> | undefined
    for (const node of nodes) {
      if (members !== undefined) break
      const request = { _tag: "GetChainfireMembers" }
      members = await look<ReadonlyArray<Member>>(`/${node}/chainfire/member/operations`, request)
    }
    const key = JSON.stringify([members, nodes])
    if (key === this.#key) return
    this.#key = key
    replace(this.element, this.#draw(members, nodes))
  }

  #draw(members: ReadonlyArray<Member> | undefined, nodes: ReadonlyArray<string>): Child {
    if (members === undefined) return h("p", { class: "dim" }, "No node says who belongs to it.")
    const sorted = members.toSorted((one, other) => (one.name < other.name ? -1 : 1))
    return [
      table(
        "Group of chainfire",
        ["Member", "Part", "At", ""],
        sorted.map((member) => [
          h("span", { title: `member ${member.id}` }, member.name || `${member.id}, not started yet`),
          pill(member.leads ? "leads" : member.learner ? "learns" : "votes", member.leads ? "well" : ""),
          h("code", {}, member.peerUrls.join(", ")),
          h("div", { class: "buttons" }, this.#actionsOn(member, nodes.includes(member.name)))
        ]),
        "It has no members."
      ),
      h("div", { class: "buttons below" }, this.#button("member add", {}), this.#backup())
    ]
  }

  #actionsOn({ id, leads, learner, name }: Member, runs: boolean): Child {
    const member = name || String(id)
    return [
      !leads && !learner && runs && this.#button("transfer-leader", { to: name }),
      learner && this.#button("member promote", { member }),
      this.#button("member replace", { member }),
      this.#button("member remove", { member })
    ]
  }

  /** Of the node that the page is from: what others would have to send would come by way of it. */
  #backup(): HTMLElement {
    const { cluster, node } = this.#app.hello
    const file = `${cluster}-${node}.db`
    return actionButton(this.#app, {
      name: "backup",
      fields: { file, node, force: "yes" },
      notes: [
        `All of chainfire as ${node} has it now is saved by this browser, as ${file}: whole, or not at all.`,
        "`ultracloud restore` and `etcdctl snapshot restore` read it."
      ]
    })
  }

  #button(name: ActionName, fields: Fields): HTMLElement {
    return actionButton(this.#app, { name, fields }, this.#again)
  }
}
