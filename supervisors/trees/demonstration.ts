/**
 * What the demonstration node has to do.
 *
 * Children are listed in dependency order. In a shop the store comes first and the writers after it, so
 * rest-for-one restarts the writers with a crashed store and leaves the store alone when a writer crashes.
 * The annex is the same shop in a process of its own.
 */
import { Gremlin } from "#actors/demonstration/gremlin-actor.ts"
import { Store } from "#actors/demonstration/store-actor.ts"
import { Writer } from "#actors/demonstration/writer-actor.ts"
import { place } from "../engine/placement.ts"
import * as Supervisor from "../engine/supervisor.ts"
import { child } from "../engine/tree.ts"

const writers = Supervisor.make("writers", {
  strategy: "one-for-one",
  intensity: { restarts: 10, within: "10 seconds" },
  children: ["anna", "bert", "cleo"].map((name) => child(Writer, { name }))
})

export const shop = Supervisor.make("shop", {
  strategy: "rest-for-one",
  intensity: { restarts: 10, within: "10 seconds" },
  children: [child(Store), child(writers)]
})

const victims = (root: string) => ({
  stores: ["shop", "annex"].map((name) => `/${root}/${name}/store`),
  writers: ["shop", "annex"].flatMap((name) =>
    ["anna", "bert", "cleo"].map((writer) => `/${root}/${name}/writers/${writer}`)
  )
})

/** `root` is the name of the node; `annex` says where the second shop runs. */
export const demonstration = (root: string, annex: "local" | "threaded" | "forked") => [
  child(shop),
  child(place(shop, annex, { module: import.meta.url, export: "shop" }), { name: "annex" }),
  child(Gremlin, { args: victims(root) })
]
