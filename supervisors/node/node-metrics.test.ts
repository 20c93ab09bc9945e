/** What Prometheus reads of a node: valid for a strict reader, bounded whatever the tree, and complete about the process. */
import test from "ava"
import type { ActorSnapshot } from "#protocols/runtime.ts"
import { readExposition } from "#protocols/wire/fixtures/exposition-reader.ts"
import { healthOf, type Known } from "./health.ts"
import { nodeMetrics, type ProcessFigures } from "./node-metrics.ts"

const actor = (path: string, children: ReadonlyArray<ActorSnapshot> = []): ActorSnapshot => ({
  ...{ path, name: path.split("/").at(-1) ?? "", kind: "actor", role: "permanent", status: "running" },
  ...{ incarnation: 2, mailbox: 3, handled: 400, dropped: 1, handlerMillis: 1_500, lastCrash: "", children }
})

const process: ProcessFigures = {
  ...{ cpuSeconds: 1.5, residentBytes: 1e8, heapBytes: 1e7, externalBytes: 1e6, startedSeconds: 1.7e9 },
  ...{ openFiles: 40, openFilesMax: undefined, loopUtilization: 0.5, loopDelaySecondsP99: 0.001 }
}

const build = { version: "0.1.0", node: "node01", cluster: 'a "cluster"', zone: "zone\\a" }

const metricsOf = (tree: ActorSnapshot | undefined) => {
  const known: Known = {
    node: "node01",
    phase: "running",
    tree,
    chainfire: { silent: "it is not there yet" },
    members: [
      { name: "node01", status: "alive" },
      { name: "node02", status: "failed" }
    ],
    links: []
  }
  const text = nodeMetrics({ known, health: healthOf(known), build, process, silent: ["chainfire"] })
  return new Map(readExposition(text).map((family) => [family.name, family]))
}

test("a node shows whether it is ready, whom it knows, its actors one by one, and its process", (t) => {
  const found = metricsOf(actor("/node01", [actor("/node01/shop", [actor("/node01/shop/anna")])]))
  const value = (name: string, labels = {}) =>
    found.get(name)?.samples.find((sample) => JSON.stringify(sample.labels) === JSON.stringify(labels))?.value
  t.is(value("ultracloud_build_info", build), 1)
  t.is(value("ultracloud_live"), 1)
  t.is(value("ultracloud_ready"), 1)
  t.is(value("ultracloud_component_well", { component: "shop" }), 1)
  t.is(value("ultracloud_component_silent", { component: "chainfire" }), 1)
  t.is(value("ultracloud_members", { status: "alive" }), 1)
  t.is(value("ultracloud_members", { status: "failed" }), 1)
  t.is(value("ultracloud_actor_up", { path: "/node01/shop/anna" }), 1)
  t.is(value("ultracloud_actor_lives_total", { path: "/node01/shop" }), 2)
  t.is(value("ultracloud_actor_handler_seconds_total", { path: "/node01" }), 1.5)
  t.is(value("ultracloud_actors_unlisted"), 0)
  t.is(value("process_cpu_seconds_total"), 1.5)
  t.is(value("process_open_fds"), 40)
  t.is(found.get("process_max_fds"), undefined, "what is not known is not there")
})

test("of very many actors those nearest to the root are shown, and how many are not", (t) => {
  const group = (index: number) =>
    actor(
      `/node01/group-${index}`,
      Array.from({ length: 100 }, (_, each) => actor(`/node01/group-${index}/worker-${each}`))
    )
  const found = metricsOf(
    actor(
      "/node01",
      Array.from({ length: 50 }, (_, index) => group(index))
    )
  )
  const shown = found.get("ultracloud_actor_up")?.samples ?? []
  t.is(shown.length, 200)
  t.is(shown.filter(({ labels }) => labels["path"]?.split("/").length === 3).length, 50)
  t.is(found.get("ultracloud_actors_unlisted")?.samples[0]?.value, 1 + 50 + 5_000 - 200)
})

test("before there is a tree the node says what it can", (t) => {
  const found = metricsOf(undefined)
  t.is(found.get("ultracloud_ready")?.samples[0]?.value, 0)
  t.is(found.get("ultracloud_actor_up"), undefined)
})
