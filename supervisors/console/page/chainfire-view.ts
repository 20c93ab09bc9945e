/** The coordination store: its members and how far each has come, what is in it, and who changed places. */
import type { App, View } from "./app.ts"
import { ChainfireGroup } from "./chainfire-group.ts"
import { type Child, h, replace, setText } from "./dom.ts"
import { count, duration } from "./figures.ts"
import { jsonView } from "./json-view.ts"
import { Polling } from "./polling.ts"
import { asking, card, pill, table } from "./table.ts"

interface Status {
  readonly member: number
  readonly role: string
  readonly term: number
  readonly leader: number
  readonly commitIndex: number
  readonly appliedIndex: number
  readonly firstIndex: number
  readonly revision: number
  readonly compactRevision: number
  readonly leases: number
  readonly watches: number
  readonly parkedWatches: number
  readonly snapshotsInstalled: number
  readonly authentication: boolean
  readonly voters: ReadonlyArray<number>
  readonly learners: ReadonlyArray<number>
  readonly removed: boolean
  readonly failed: string
}

interface Bytes {
  readonly $text?: string
  readonly $base64?: string
}

interface Found {
  readonly revision: number
  readonly count: number
  readonly more: boolean
  readonly kvs: ReadonlyArray<{
    readonly key: Bytes
    readonly value: Bytes
    readonly modRevision: number
    readonly version: number
    readonly lease?: string
  }>
}

interface Lease {
  readonly ttlSeconds: number
  readonly grantedTtlSeconds: number
  readonly keys: ReadonlyArray<Bytes>
}

const lookMillis = 2_000
const keysShown = 200
const leasesShown = 50

export class ChainfireView implements View {
  readonly element: HTMLElement
  readonly #app: App
  readonly #polling: Polling
  readonly #members = h("div", {}, asking())
  readonly #group: ChainfireGroup
  readonly #keys = h("div", {}, asking())
  readonly #keysCount = h("span", { class: "found-count", "aria-live": "polite" })
  readonly #leases = h("div", {}, asking())
  readonly #replacement = h("div", {}, asking())
  readonly #prefix: HTMLInputElement
  readonly #rendered = new Map<HTMLElement, string>()

  constructor(app: App) {
    this.#app = app
    this.#polling = new Polling(() => this.#look(), lookMillis)
    this.#group = new ChainfireGroup(app, () => this.#polling.now())
    this.#prefix = h("input", {
      type: "search",
      placeholder: "Keys that begin with…",
      "aria-label": "Keys that begin with",
      autocomplete: "off",
      spellcheck: false,
      oninput: () => this.#polling.now()
    })
    this.element = h(
      "section",
      { class: "page", "aria-label": "Chainfire" },
      h(
        "div",
        { class: "cards" },
        card("Members", "of the group, each asked for itself", this.#members),
        card("Group", "who belongs to it, and what can be done about it", this.#group.element),
        card(
          "Keys",
          "the first of them, as they are now",
          h("div", { class: "tools" }, h("label", { class: "search" }, this.#prefix), this.#keysCount),
          this.#keys
        ),
        card("Leases", "with what they have left", this.#leases),
        card("Replacement of a member", "", this.#replacement)
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
    await Promise.all([
      this.#lookAtMembers(),
      this.#group.look(),
      this.#lookAtKeys(),
      this.#lookAtLeases(),
      this.#lookAtReplacement()
    ])
  }

  /** Only what is different is drawn anew. */
  #show(place: HTMLElement, value: unknown, draw: () => Child): void {
    const key = JSON.stringify(value) ?? "undefined"
    if (this.#rendered.get(place) === key) return
    this.#rendered.set(place, key)
    replace(place, draw())
  }

  get #store(): string {
    return `/${this.#app.hello.node}/chainfire/member`
  }

  async #lookAtMembers(): Promise<void> {
    const names = this.#app.model.nodes.map(({ node }) => node)
    const seen = await Promise.all(
      names.map(async (node) => ({
        node,
        status: await this.#app.look<Status>(`/${node}/chainfire/member`, { _tag: "GetChainfire" })
      }))
    )
    this.#show(this.#members, seen, () => this.#drawMembers(seen))
  }

  #drawMembers(seen: ReadonlyArray<{ readonly node: string; readonly status: Status | undefined }>): Child {
    const known = seen.flatMap(({ status }) => (status === undefined ? [] : [status]))
    const term = Math.max(0, ...known.map((status) => status.term))
    const leading = known.find((status) => status.role === "leader" && status.term === term)
    const front = leading?.commitIndex ?? Math.max(0, ...known.map((status) => status.commitIndex))
    const leader = seen.find(({ status }) => status === leading && status !== undefined)
    return [
      h(
        "div",
        { class: "facts" },
        fact("Leader", leader?.node ?? "none is known", leading === undefined ? "down" : "well"),
        fact("Term", count(term)),
        fact("Revision", count(Math.max(0, ...known.map(({ revision }) => revision)))),
        fact("Committed", count(front)),
        fact("Voters", `${leading?.voters.length ?? known[0]?.voters.length ?? 0}`),
        fact("Watches", count(known.reduce((sum, { watches }) => sum + watches, 0))),
        fact("Leases", count(leading?.leases ?? Math.max(0, ...known.map(({ leases }) => leases)))),
        fact("Users", leading?.authentication === true ? "log in" : "open to all")
      ),
      table(
        "Members of chainfire",
        ["Member", "Role", "Term", "Applied", "Behind", "Log from", "Watches", "Snapshots", "Trouble"],
        seen.map(({ node, status }) =>
          status === undefined
            ? [node, pill("no answer", "down"), "", "", "", "", "", "", ""]
            : [
                h("a", { href: `#/actor/${node}/chainfire/member`, title: `member ${status.member}` }, node),
                pill(status.role, roleHealth(status)),
                count(status.term),
                count(status.appliedIndex),
                lag(front - status.appliedIndex),
                count(status.firstIndex),
                status.parkedWatches > 0
                  ? `${count(status.watches)} (${count(status.parkedWatches)} parked)`
                  : count(status.watches),
                count(status.snapshotsInstalled),
                status.removed ? "it was removed" : status.failed || "–"
              ]
        ),
        "No member answers."
      )
    ]
  }

  async #lookAtKeys(): Promise<void> {
    const prefix = this.#prefix.value
    const range =
      prefix === ""
        ? { key: { $base64: "AA==" }, end: { $base64: "AA==" } }
        : { key: { $text: prefix }, end: { $base64: toBase64(endOf(new TextEncoder().encode(prefix))) } }
    const answer = await this.#app.ask(`${this.#store}/keys`, {
      _tag: "RangeKeys",
      ...range,
      limit: keysShown,
      serializable: true
    })
    if (answer.outcome === "failed") {
      setText(this.#keysCount, "")
      return this.#show(this.#keys, answer.fault.message, () =>
        h("p", { class: "bad" }, answer.fault.message)
      )
    }
    const found = answer.value as Found
    setText(
      this.#keysCount,
      `${count(found.count)} ${found.count === 1 ? "key" : "keys"}${found.more ? `, the first ${keysShown} are shown` : ""}`
    )
    this.#show(this.#keys, found.kvs, () =>
      table(
        "Keys",
        ["Key", "Value", "Revision", "Version", "Lease"],
        found.kvs.map(({ key, lease, modRevision, value, version }) => [
          h("code", {}, textOf(key)),
          h("code", { class: "value" }, cut(textOf(value))),
          count(modRevision),
          count(version),
          lease === undefined ? "–" : h("code", {}, lease)
        ]),
        prefix === "" ? "The store is empty. Try: etcdctl put greeting hello" : "No key begins like that."
      )
    )
  }

  async #lookAtLeases(): Promise<void> {
    const leases = await this.#app.look<ReadonlyArray<string>>(`${this.#store}/keys`, { _tag: "ListLeases" })
    const shown = await Promise.all(
      (leases ?? []).slice(0, leasesShown).map(async (lease) => ({
        lease,
        of: await this.#app.look<Lease>(`${this.#store}/keys`, { _tag: "GetLease", lease, keys: true })
      }))
    )
    this.#show(this.#leases, shown, () => [
      table(
        "Leases",
        ["Lease", "Left", "Granted", "Keys"],
        shown.map(({ lease, of }) => [
          h("code", {}, lease),
          of === undefined ? "–" : duration(of.ttlSeconds * 1_000),
          of === undefined ? "–" : duration(of.grantedTtlSeconds * 1_000),
          of === undefined || of.keys.length === 0
            ? "none"
            : h("code", { class: "value" }, of.keys.map(textOf).join(", "))
        ]),
        "There are none."
      ),
      (leases?.length ?? 0) > leasesShown &&
        h("p", { class: "dim" }, `${(leases?.length ?? 0) - leasesShown} more are not shown.`)
    ])
  }

  async #lookAtReplacement(): Promise<void> {
    const replacement = await this.#app.look<{ readonly step: string } | null>(this.#store, {
      _tag: "GetReplacement"
    })
    this.#show(this.#replacement, replacement, () =>
      replacement === null || replacement === undefined
        ? h("p", { class: "dim" }, "None is under way, and there was none.")
        : jsonView(replacement)
    )
  }
}

const fact = (name: string, value: string, health?: "well" | "down"): HTMLElement =>
  h("div", { class: "fact", "data-health": health }, h("span", {}, name), h("strong", {}, value))

const roleHealth = ({ failed, removed, role }: Status) =>
  failed !== "" || removed ? "down" : role === "leader" ? "well" : role === "follower" ? "" : "restarted"

const lag = (entries: number): Child =>
  entries <= 0
    ? "–"
    : pill(`${count(entries)} ${entries === 1 ? "entry" : "entries"}`, entries > 100 ? "restarted" : "")

const textOf = ({ $base64, $text }: Bytes): string => $text ?? `base64 ${$base64 ?? ""}`

const cut = (text: string): string => (text.length <= 160 ? text : `${text.slice(0, 160)}…`)

/** The first key behind all that begin like this. */
export const endOf = (prefix: Uint8Array): Uint8Array => {
  const end = Uint8Array.from(prefix)
  for (let index = end.length - 1; index >= 0; index--) {
    const byte = end[index] ?? 0
    if (byte === 0xff) continue
    end[index] = byte + 1
    return end.slice(0, index + 1)
  }
  return new Uint8Array([0])
}

const toBase64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes))
