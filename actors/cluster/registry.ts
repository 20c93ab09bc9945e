/**
 * The registry of one node: what its own actors claim, and what the registries of other nodes say about
 * theirs. A core without I/O.
 *
 * Every node is the only writer of its own table, so tables never conflict: the later version of a table
 * is the right one, and all that has to travel is tables. Names can conflict, when two nodes that did not
 * know of each other let the same one be claimed. Who wins follows from the claims themselves: the earlier
 * one, then the smaller node name, then the smaller path. So every node decides alike, and the loser's own
 * node takes the claim back.
 */
import type { Claim, ClaimTable, Kind } from "#protocols/registry.ts"

export type RegistryChange =
  | { readonly _tag: "Registered"; readonly key: string; readonly path: string; readonly node: string }
  | { readonly _tag: "Freed"; readonly key: string; readonly path: string; readonly node: string }
  | {
      readonly _tag: "Lost"
      readonly key: string
      readonly path: string
      readonly node: string
      readonly winner: string
    }
  | { readonly _tag: "Joined"; readonly key: string; readonly path: string; readonly node: string }
  | { readonly _tag: "Left"; readonly key: string; readonly path: string; readonly node: string }

/** What has changed in our own table since it was last taken. */
export interface OwnDelta {
  readonly from: number
  readonly version: number
  readonly added: ReadonlyArray<Claim>
  readonly removed: ReadonlyArray<Claim>
}

interface Table {
  readonly node: string
  readonly bootId: string
  version: number
  readonly claims: Map<string, Claim>
}

interface Held {
  readonly claim: Claim
  readonly node: string
}

const noMembers: ReadonlyArray<string> = []

export class Registry {
  readonly #own: Table
  readonly #claimsMax: number
  readonly #tables = new Map<string, Table>()
  /** All claims of a name or group, by path. */
  readonly #holders = new Map<string, Map<string, Held>>()
  readonly #names = new Map<string, Held>()
  readonly #groups = new Map<string, ReadonlyArray<string>>()
  #changes: Array<RegistryChange> = []
  #added = new Map<string, Claim>()
  #removed = new Map<string, Claim>()
  #sentVersion: number

  /** `version`: of its table while it is empty. */
  constructor(node: string, bootId: string, claimsMax = 100_000, version = 0) {
    this.#own = { node, bootId, version, claims: new Map() }
    this.#sentVersion = version
    this.#claimsMax = claimsMax
    this.#tables.set(node, this.#own)
  }

  whereIs(name: string): string | undefined {
    return this.#names.get(name)?.claim.path
  }

  /** In order of their paths; the same array until the group changes. */
  members(group: string): ReadonlyArray<string> {
    return this.#groups.get(group) ?? noMembers
  }

  get full(): boolean {
    return this.#own.claims.size >= this.#claimsMax
  }

  get version(): number {
    return this.#own.version
  }

  versionOf(node: string, bootId: string): number | undefined {
    const table = this.#tables.get(node)
    return table?.bootId === bootId ? table.version : undefined
  }

  get tables(): ReadonlyArray<ClaimTable> {
    return [...this.#tables.values()].map(tableOf)
  }

  get ownTable(): ClaimTable {
    return tableOf(this.#own)
  }

  /** What an actor of our own claims. */
  claimsOf(path: string): ReadonlyArray<Claim> {
    return [...this.#own.claims.values()].filter((claim) => claim.path === path)
  }

  /** Claims for an actor of our own. Returns the path of who holds the name already, if that is another. */
  claim(kind: Kind, key: string, path: string, wallMillis: number): string | undefined {
    const holder = kind === "name" ? this.whereIs(key) : undefined
    if (holder !== undefined && holder !== path) return holder
    const claim: Claim = { kind, key, path, sinceMillis: wallMillis }
    const id = idOf(claim)
    if (this.#own.claims.has(id)) return undefined
    this.#own.version++
    this.#added.set(id, claim)
    this.#removed.delete(id)
    this.#put(this.#own, claim)
    return undefined
  }

  release(kind: Kind, key: string, path: string): void {
    const claim = this.#own.claims.get(idOf({ kind, key, path }))
    if (claim !== undefined) this.#takeBack(claim)
  }

  /** An actor of our own has ended. */
  releaseAll(path: string): void {
    for (const claim of this.claimsOf(path)) this.#takeBack(claim)
  }

  /** Another node's whole table. Older ones than we have change nothing. */
  merge({ bootId, claims, node, version }: ClaimTable): void {
    if (node === this.#own.node) return
    const known = this.#tables.get(node)
    if (known?.bootId === bootId && known.version >= version) return
    const table: Table = { node, bootId, version, claims: new Map() }
    const wanted = new Map(claims.map((claim) => [idOf(claim), claim]))
    if (known !== undefined) {
      for (const [id, claim] of known.claims) if (!wanted.has(id)) this.#remove(known, claim)
    }
    this.#tables.set(node, table)
    for (const claim of wanted.values()) this.#put(table, claim)
  }

  /** What has changed in another node's table. False: it starts from a version that we do not have. */
  mergeDelta(node: string, bootId: string, delta: OwnDelta): boolean {
    const table = this.#tables.get(node)
    if (table === undefined || table === this.#own || table.bootId !== bootId) return false
    if (table.version >= delta.version) return true
    if (table.version !== delta.from) return false
    table.version = delta.version
    for (const claim of delta.removed) this.#remove(table, claim)
    for (const claim of delta.added) this.#put(table, claim)
    return true
  }

  /** That process is gone for good. */
  forget(node: string, bootId: string): void {
    const table = this.#tables.get(node)
    if (table === undefined || table === this.#own || table.bootId !== bootId) return
    this.#tables.delete(node)
    for (const claim of table.claims.values()) this.#remove(table, claim)
  }

  /** Since this was last called, in order. */
  takeChanges(): ReadonlyArray<RegistryChange> {
    const changes = this.#changes
    this.#changes = []
    return changes
  }

  /** Of our own table, since this was last called; undefined when nothing has. */
  takeDelta(): OwnDelta | undefined {
    const { version } = this.#own
    if (version === this.#sentVersion) return undefined
    const delta = {
      from: this.#sentVersion,
      version,
      added: [...this.#added.values()],
      removed: [...this.#removed.values()]
    }
    this.#sentVersion = version
    this.#added = new Map()
    this.#removed = new Map()
    return delta
  }

  #takeBack(claim: Claim): void {
    const id = idOf(claim)
    this.#own.version++
    if (!this.#added.delete(id)) this.#removed.set(id, claim)
    this.#remove(this.#own, claim)
  }

  #put(table: Table, claim: Claim): void {
    table.claims.set(idOf(claim), claim)
    const about = keyOf(claim)
    const holders = this.#holders.get(about) ?? new Map<string, Held>()
    this.#holders.set(about, holders.set(claim.path, { claim, node: table.node }))
    this.#settle(claim, table.node, holders)
  }

  #remove(table: Table, claim: Claim): void {
    if (!table.claims.delete(idOf(claim))) return
    const about = keyOf(claim)
    const holders = this.#holders.get(about)
    if (holders === undefined) return
    holders.delete(claim.path)
    if (holders.size === 0) this.#holders.delete(about)
    this.#settle(claim, table.node, holders)
  }

  #settle({ key, kind, path }: Claim, node: string, holders: ReadonlyMap<string, Held>): void {
    if (kind === "name") return this.#settleName(key, holders)
    const members = [...holders.keys()].toSorted()
    const before = this.members(key)
    if (members.length === 0) this.#groups.delete(key)
    else this.#groups.set(key, members)
    if (members.length > before.length) this.#changes.push({ _tag: "Joined", key, path, node })
    if (members.length < before.length) this.#changes.push({ _tag: "Left", key, path, node })
  }

  #settleName(key: string, holders: ReadonlyMap<string, Held>): void {
    const before = this.#names.get(key)
    const winner = [...holders.values()].reduce<Held | undefined>(
      (best, held) => (best === undefined || beats(held, best) ? held : best),
      undefined
    )
    if (winner === undefined) this.#names.delete(key)
    else this.#names.set(key, winner)
    if (before?.claim.path !== winner?.claim.path) {
      if (before !== undefined && winner === undefined)
        this.#changes.push({ _tag: "Freed", key, path: before.claim.path, node: before.node })
      if (winner !== undefined)
        this.#changes.push({ _tag: "Registered", key, path: winner.claim.path, node: winner.node })
    }
    for (const { claim, node } of holders.values()) {
      if (node !== this.#own.node || winner === undefined || winner.claim === claim) continue
      this.#changes.push({ _tag: "Lost", key, path: claim.path, node, winner: winner.claim.path })
      this.#takeBack(claim)
    }
  }
}

const beats = (one: Held, other: Held): boolean =>
  one.claim.sinceMillis !== other.claim.sinceMillis
    ? one.claim.sinceMillis < other.claim.sinceMillis
    : one.node !== other.node
      ? one.node < other.node
      : one.claim.path < other.claim.path

const keyOf = ({ key, kind }: Pick<Claim, "key" | "kind">): string => `${kind} ${key}`
const idOf = (claim: Pick<Claim, "key" | "kind" | "path">): string => `${keyOf(claim)} ${claim.path}`

const tableOf = ({ bootId, claims, node, version }: Table): ClaimTable => ({
  node,
  bootId,
  version,
  claims: [...claims.values()]
})
