/** Looking at the cluster: members, leaders, links, breakers, configuration, numbers. */
import { Effect, Either } from "effect"
import { GetBreaker, GetFleetBreaker } from "#protocols/breakers.ts"
import { GetChainfire } from "#protocols/chainfire.ts"
import { GetChainfireMembers, GetChainfireMetrics } from "#protocols/chainfire-operations.ts"
import { GetFailover, GetLeaderRole } from "#protocols/failover.ts"
import { GetClients, GetLinks } from "#protocols/links.ts"
import { GetConfig, GetRuntimeMetrics } from "#protocols/operations.ts"
import { type Cloud, flatten, introspectionOf, type NodeAnswer } from "./cloud.ts"
import type { Command, Shown } from "./command.ts"
import { momentOf, spanOf, table } from "./table.ts"

export const chainfirePath = (node: string): string => `/${node}/chainfire/member`
export const operationsPath = (node: string): string => `/${node}/chainfire/member/operations`

/** One row of a table for each thing, and a line for each node that did not answer. */
const perNode = <A>(
  answers: ReadonlyArray<NodeAnswer<A>>,
  head: ReadonlyArray<string>,
  rowsOf: (answer: A, node: string) => ReadonlyArray<ReadonlyArray<string | number | boolean>>
): Shown => {
  const rows = answers.flatMap(({ answer, node }) =>
    Either.isRight(answer) ? rowsOf(answer.right, node) : []
  )
  const problems = answers.flatMap(({ answer, node }) =>
    Either.isLeft(answer) ? [`${node}: ${answer.left}`] : []
  )
  const json = answers.map(({ answer, node }) =>
    Either.match(answer, {
      onLeft: (problem) => ({ node, problem }),
      onRight: (found) => ({ node, answer: found })
    })
  )
  return { json, lines: [...table(head, rows), ...problems] }
}

const members: Command = {
  name: "members",
  about: "the nodes of the cluster as this one believes, and the members of chainfire",
  parameters: [],
  examples: ["members", "members --json"],
  run: (_given, { cloud, show }) =>
    Effect.gen(function* () {
      const nodes = (yield* cloud.members).toSorted((one, other) => (one.name < other.name ? -1 : 1))
      const group = yield* membersOf(cloud)
      const inGroup = new Map(group.map((member) => [member.name, member]))
      const lines = [
        ...table(
          ["node", "status", "zone", "address", "chainfire", "member"],
          nodes.map(({ address, metadata, name, status }) => {
            const member = inGroup.get(name)
            return [
              name,
              status,
              metadata.zone,
              address,
              partOf(member),
              member === undefined ? "" : `${member.id}`
            ]
          })
        ),
        ...group
          .filter(({ name }) => !nodes.some((node) => node.name === name))
          .map(
            ({ id, name, peerUrls }) =>
              `chainfire also knows ${name || "one without a name"}, member ${id}, at ${peerUrls.join()}`
          )
      ]
      yield* show({ json: { nodes, chainfire: group }, lines })
    })
}

const partOf = (member: (typeof GetChainfireMembers.success.Type)[number] | undefined): string =>
  member === undefined ? "" : member.leads ? "leader" : member.learner ? "learner" : "voter"

/** As the node says that we are attached to, or else another one. */
export const membersOf = (cloud: Cloud) =>
  Effect.gen(function* () {
    const own = cloud.client.node
    const nodes = [own, ...(yield* cloud.nodes).filter((node) => node !== own)]
    const members = yield* Effect.firstSuccessOf(
      nodes.map((node) => cloud.ask(operationsPath(node), new GetChainfireMembers(), "3 seconds"))
    )
    return members.toSorted((one, other) => (one.name < other.name ? -1 : 1))
  })

const leaders: Command = {
  name: "leaders",
  about: "who leads chainfire, who coordinates failover, and who has which role",
  parameters: [],
  examples: ["leaders"],
  run: (_given, { cloud, show }) =>
    Effect.gen(function* () {
      const chainfire = yield* cloud.everywhere((node) => cloud.ask(chainfirePath(node), new GetChainfire()))
      const group = yield* membersOf(cloud)
      const name = (id: number) =>
        group.find((member) => member.id === id)?.name ?? (id === 0 ? "nobody" : `${id}`)
      const candidates = yield* candidatesOf(cloud)
      const failover = yield* Effect.either(coordinator(cloud))
      const roles = Either.isRight(failover)
        ? (yield* cloud.ask(failover.right, new GetFailover())).roles
        : []
      const shown = perNode(
        chainfire,
        ["node", "chainfire", "term", "leader", "revision", "applied"],
        ({ appliedIndex, leader, revision, role, term }, node) => [
          [node, role, term, name(leader), revision, appliedIndex]
        ]
      )
      const lines = [
        ...shown.lines,
        "",
        ...(candidates.length === 0
          ? ["no failover: a node alone is a cluster of its own"]
          : table(
              ["candidate", "role", "phase", "epoch", "why"],
              candidates.map(({ epoch, path, phase, reason, role }) => [
                path,
                role,
                phase,
                `${epoch ?? ""}`,
                reason
              ])
            )),
        ...(roles.length === 0
          ? []
          : [
              "",
              ...table(
                ["role", "holder", "epoch", "by", "why"],
                roles.map(({ by, epoch, holder, reason, role, waits }) => [
                  ...[
                    role,
                    holder ?? "nobody",
                    epoch,
                    by,
                    waits === "" ? reason : `${reason}; waits: ${waits}`
                  ]
                ])
              )
            ])
      ]
      yield* show({ json: { chainfire: shown.json, candidates, roles }, lines })
    })
}

/** Every candidate of a leader role that there is. */
export const candidatesOf = (cloud: Cloud) =>
  Effect.gen(function* () {
    const paths = yield* pathsOfKind(cloud, "leader-role")
    const found = yield* Effect.forEach(
      paths,
      (path) =>
        Effect.map(Effect.option(cloud.ask(path, new GetLeaderRole({}), "3 seconds")), (status) =>
          status._tag === "Some" ? [{ path, ...status.value }] : []
        ),
      { concurrency: 16 }
    )
    return found.flat()
  })

/** The path of the coordinator of failover, where there is one. */
export const coordinator = (cloud: Cloud) =>
  Effect.flatMap(pathsOfKind(cloud, "failover"), ([path]) =>
    path === undefined
      ? Effect.fail(new Error("nobody coordinates failover now; see leaders, and try again"))
      : Effect.succeed(path)
  )

export const pathsOfKind = (cloud: Cloud, kind: string) =>
  Effect.map(cloud.trees, (trees) =>
    trees
      .flatMap(({ answer }) => (Either.isRight(answer) ? flatten(answer.right) : []))
      .filter((actor) => actor.kind === kind)
      .map(({ path }) => path)
  )

const links: Command = {
  name: "links",
  about: "links between nodes, and who is attached",
  parameters: [],
  examples: ["links"],
  run: (_given, { cloud, show }) =>
    Effect.gen(function* () {
      const between = yield* cloud.everywhere((node) => cloud.ask(`/${node}/cluster/links`, new GetLinks()))
      const clients = yield* cloud.everywhere((node) =>
        Effect.map(
          Effect.all([
            cloud.ask(`/${node}/cluster/clients`, new GetClients()),
            cloud.ask(`/${node}/cluster/shells`, new GetClients())
          ]),
          ([programs, shells]) => [
            ...programs.map((client) => ({ ...client, door: "actors" })),
            ...shells.map((client) => ({ ...client, door: "ops" }))
          ]
        )
      )
      const nodes = perNode(between, ["node", "to", "at", "state", "dialed", "queued", "why"], (all, node) =>
        all.map(({ address, direction, node: to, queued, reason, state }) => [
          ...[node, to, address, state, direction, queued, reason]
        ])
      )
      const attached = perNode(
        clients,
        ["node", "door", "client", "who", "for", "queued", "refused"],
        (all, node) =>
          all.map(({ actorId, connectedMillis, door, name, queued, refused }) => [
            ...[node, door, name, actorId, spanOf(connectedMillis), queued, refused]
          ])
      )
      const json = { links: nodes.json, clients: attached.json }
      yield* show({ json, lines: [...nodes.lines, "", ...attached.lines] })
    })
}

const breakers: Command = {
  name: "breakers",
  about: "circuit breakers, and the fleet breaker of every node",
  parameters: [],
  examples: ["breakers"],
  run: (_given, { cloud, show }) =>
    Effect.gen(function* () {
      const paths = yield* pathsOfKind(cloud, "breaker")
      const circuit = yield* Effect.forEach(paths, (path) =>
        Effect.map(cloud.ask(path, new GetBreaker()), (status) => ({ path, ...status }))
      )
      const fleet = yield* cloud.everywhere((node) =>
        cloud.ask(`/${node}/cluster/fleet-breaker`, new GetFleetBreaker())
      )
      const fleetShown = perNode(
        fleet,
        ["fleet breaker of", "scope", "state", "healthy", "members", "why"],
        (scopes, node) =>
          scopes
            .toSorted(fleetFirst)
            .map(({ by, healthy, members: all, reason, tripped, zone }) => [
              ...[node, zone ?? "the fleet", tripped ? "tripped" : "closed", healthy, all],
              tripped ? `${reason} (${by})` : ""
            ])
      )
      const rows = circuit.map(({ held, numbers, path, reason, refused, state }) => [
        ...[
          path,
          held === null ? state : `${state}, held by ${held.by}`,
          numbers.calls,
          numbers.failed,
          refused
        ],
        reason
      ])
      const lines = [
        ...(rows.length === 0
          ? ["no circuit breakers"]
          : table(["breaker", "state", "calls", "failed", "refused", "why"], rows)),
        "",
        ...fleetShown.lines
      ]
      yield* show({ json: { breakers: circuit, fleet: fleetShown.json }, lines })
    })
}

const fleetFirst = (
  { zone: one }: { readonly zone: string | null },
  { zone: other }: { readonly zone: string | null }
): number => ((one ?? "") < (other ?? "") ? -1 : 1)

const config: Command = {
  name: "config",
  about: "what each node was started with, and whether all were given the same",
  parameters: [],
  examples: ["config"],
  run: (_given, { cloud, show }) =>
    Effect.gen(function* () {
      const found = yield* cloud.everywhere((node) => cloud.ask(introspectionOf(node), new GetConfig()))
      const shown = perNode(
        found,
        ["node", "cluster", "zone", "version", "links", "etcd", "pid", "since", "digest", "file"],
        (given) => [
          [
            ...[given.node, given.cluster, given.zone, given.version, given.links, given.etcd, given.pid],
            ...[momentOf(given.startedAtMillis), given.digest.slice(0, 12), given.file || "none"]
          ]
        ]
      )
      const digests = new Set(
        found.flatMap(({ answer }) => (Either.isRight(answer) ? [answer.right.digest] : []))
      )
      const differ = digests.size > 1 ? ["the nodes were given different files: compare them"] : []
      yield* show({ json: shown.json, lines: [...shown.lines, ...differ] })
    })
}

const metrics: Command = {
  name: "metrics",
  about: "the numbers of every node, as Prometheus reads them",
  parameters: [{ name: "filter", kind: "text", optional: true }],
  options: { node: { kind: "node", about: "of one node alone" } },
  examples: ["metrics", "metrics etcd_server --node node01"],
  run: (given, { cloud, show }) =>
    Effect.gen(function* () {
      const only = given.option("node")
      const nodes = only === undefined ? yield* cloud.nodes : [only]
      for (const node of nodes) {
        const runtime = yield* cloud.ask(introspectionOf(node), new GetRuntimeMetrics())
        const store = yield* Effect.either(
          cloud.ask(operationsPath(node), new GetChainfireMetrics(), "3 seconds")
        )
        const text = `${runtime}${Either.getOrElse(store, () => "")}`
        const samples = samplesOf(text).filter(({ name }) => name.includes(given.text("filter")))
        yield* show({
          json: { node, metrics: Object.fromEntries(samples.map(({ name, value }) => [name, value])) },
          lines: [`# ${node}`, ...samples.map(({ name, value }) => `${name} ${value}`)]
        })
      }
    })
}

/** Without help and types, which dashboards know. */
const samplesOf = (text: string) =>
  text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const space = line.lastIndexOf(" ")
      return { name: line.slice(0, space), value: Number(line.slice(space + 1)) }
    })

export const clusterCommands: ReadonlyArray<Command> = [members, leaders, links, breakers, config, metrics]
