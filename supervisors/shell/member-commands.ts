/** Chainfire's members: who leads, who is one, a copy of everything; and taking a node out of service. */
import { Clock, Effect, Either, Option, Stream } from "effect"
import { GetChainfire, ReplaceMember } from "#protocols/chainfire.ts"
import {
  AddMember,
  BeginBackup,
  type ChainfireMember,
  PromoteMember,
  ReadBackup,
  RemoveMember,
  TransferLeader
} from "#protocols/chainfire-operations.ts"
import { GetFailover, VetoHolder, YieldRole } from "#protocols/failover.ts"
import { Leave } from "#protocols/membership.ts"
import { by } from "./actor-commands.ts"
import { type Cloud, nodeOf } from "./cloud.ts"
import { candidatesOf, chainfirePath, coordinator, membersOf, operationsPath } from "./cluster-commands.ts"
import { type Command, CommandRefused, reasonOf, reasonOption, said } from "./command.ts"
import type { Given } from "./command-spec.ts"

const slowPatience = "1 minute"

/** By the name of its node or by its number. */
const memberOf = (
  cloud: Cloud,
  given: string
): Effect.Effect<ChainfireMember, { readonly message: string }> =>
  Effect.flatMap(membersOf(cloud), (members) => {
    const found = members.find(({ id, name }) => name === given || String(id) === given)
    const known = members.map(({ id, name }) => `${name || "(no name yet)"} (${id})`).join(", ")
    const reason = `chainfire has no member ${given}; it has ${known}`
    return found === undefined ? Effect.fail(new CommandRefused({ reason })) : Effect.succeed(found)
  })

const leaderOf = (cloud: Cloud): Effect.Effect<ChainfireMember, { readonly message: string }> =>
  Effect.flatMap(membersOf(cloud), (members) => {
    const leader = members.find(({ leads }) => leads)
    const reason = "chainfire has no leader at the moment; see leaders, and try again"
    return leader === undefined ? Effect.fail(new CommandRefused({ reason })) : Effect.succeed(leader)
  })

const transfer: Command = {
  name: "transfer-leader",
  about: "has another member lead chainfire",
  parameters: [{ name: "to", kind: "node", optional: true }],
  examples: ["transfer-leader node02 --yes", "transfer-leader --yes"],
  danger: (given) =>
    `${given.text("to") || "another voter"} leads chainfire; writes wait for a moment meanwhile`,
  run: (given, { cloud, show }) =>
    Effect.gen(function* () {
      const leader = yield* leaderOf(cloud)
      const to = yield* given.text("to") === ""
        ? someOtherVoter(cloud, leader.name)
        : memberOf(cloud, given.text("to"))
      yield* cloud.ask(operationsPath(leader.name), new TransferLeader({ member: to.id }), slowPatience)
      yield* show(said({ from: leader.name, to: to.name }, `${to.name} leads, before ${leader.name}`))
    })
}

const someOtherVoter = (cloud: Cloud, not: string) =>
  Effect.gen(function* () {
    const [members, nodes] = [yield* membersOf(cloud), yield* cloud.nodes]
    const to = members.find(({ learner, name }) => !learner && name !== not && nodes.includes(name))
    if (to !== undefined) return to
    const reason = `${not} is the only voter that is there, so nobody else can lead`
    return yield* new CommandRefused({ reason })
  })

const member = [{ name: "member", kind: "node" }] as const

const add: Command = {
  name: "member add",
  about: "adds a member to chainfire; its node is started afterwards, with joins in its file",
  parameters: [{ name: "peer-url", kind: "text" }],
  examples: ["member add http://127.0.0.1:7730 --yes"],
  danger: (given) =>
    `chainfire has one more member, at ${given.text("peer-url")}; it gets the log, and votes once it has it`,
  run: (given, { cloud, show }) =>
    Effect.gen(function* () {
      const path = operationsPath(cloud.client.node)
      const added = yield* cloud.ask(path, new AddMember({ peerUrl: given.text("peer-url") }), slowPatience)
      yield* show(said(added, `member ${added.member} was added; start its node now`))
    })
}

const promote: Command = {
  name: "member promote",
  about: "has a member vote that has nearly all of the log",
  parameters: member,
  examples: ["member promote node04 --yes"],
  danger: (given) => `${given.text("member")} votes, and counts for the quorum`,
  run: (given, { cloud, show }) =>
    Effect.gen(function* () {
      const { id, name } = yield* memberOf(cloud, given.text("member"))
      yield* cloud.ask(operationsPath(cloud.client.node), new PromoteMember({ member: id }), slowPatience)
      yield* show(said({ promoted: id, name }, `${name} votes`))
    })
}

const remove: Command = {
  name: "member remove",
  about: "removes a member from chainfire for good",
  parameters: member,
  examples: ["member remove node03 --yes"],
  danger: (given) =>
    `${given.text("member")} serves chainfire no more, and its data directory is of no use after that; the others are the quorum`,
  run: (given, { cloud, show }) =>
    Effect.gen(function* () {
      const { id, name } = yield* memberOf(cloud, given.text("member"))
      yield* cloud.ask(operationsPath(cloud.client.node), new RemoveMember({ member: id }), slowPatience)
      yield* show(said({ removed: id, name }, `${name || id} was removed`))
    })
}

const replace: Command = {
  name: "member replace",
  about: "puts a new member in the place of another, step by step, without losing the quorum",
  parameters: [...member, { name: "peer-url", kind: "text" }],
  examples: ["member replace node03 http://127.0.0.1:7730 --yes"],
  danger: (given) =>
    `a member at ${given.text("peer-url")} takes the place of ${given.text("member")}, which is removed once the new one votes`,
  run: (given, { cloud, show }) =>
    Effect.gen(function* () {
      const { id, name } = yield* memberOf(cloud, given.text("member"))
      const order = new ReplaceMember({ old: id, peerUrl: given.text("peer-url") })
      const begun = yield* cloud.ask(chainfirePath(cloud.client.node), order, slowPatience)
      const line = `replacement ${begun.id} of ${name || id} is at: ${begun.step}; ask ${chainfirePath(cloud.client.node)} GetReplacement shows how it goes on`
      yield* show(said(begun, line))
    })
}

const backup: Command = {
  name: "backup",
  about: "writes all of chainfire to a file on this machine, as etcdctl snapshot save does",
  parameters: [{ name: "file", kind: "file" }],
  options: {
    node: { kind: "node", about: "whose member; the one that we are attached to unless said" },
    force: { about: "replaces a file that is there" }
  },
  examples: ["backup chainfire.db", "backup /var/backups/chainfire.db --node node02"],
  run: (given, { cloud, save, show }) =>
    Effect.gen(function* () {
      const file = given.text("file")
      const path = operationsPath(given.option("node") ?? cloud.client.node)
      const fromMillis = yield* Clock.currentTimeMillis
      const chunks = backupOf(cloud, path)
      const bytes = yield* save({ name: file, replaces: given.flag("force"), chunks })
      const tookMillis = (yield* Clock.currentTimeMillis) - fromMillis
      yield* show(
        said({ file, bytes, node: nodeOf(path), tookMillis }, `${file} has ${bytes} bytes of ${nodeOf(path)}`)
      )
    })
}

/** Part by part, as they are read: nothing of it waits here. */
const backupOf = (cloud: Cloud, path: string): Stream.Stream<Uint8Array, { readonly message: string }> =>
  Stream.unwrap(
    Effect.map(cloud.ask(path, new BeginBackup(), slowPatience), ({ backup: id }) =>
      Stream.unfoldEffect(true, (goesOn) =>
        goesOn
          ? Effect.map(cloud.ask(path, new ReadBackup({ backup: id }), slowPatience), ({ bytes, done }) =>
              Option.some([bytes, !done] as const)
            )
          : Effect.succeedNone
      )
    )
  )

const drain: Command = {
  name: "drain",
  about: "takes a node out of service: its leaderships and roles go to others, and it says goodbye",
  parameters: [{ name: "node", kind: "node" }],
  options: {
    stay: { about: "does not say goodbye: it goes on as a member without leading anything" },
    ...reasonOption
  },
  examples: ["drain node03 --yes", "drain node03 --stay --yes"],
  danger: (given) => {
    const leaves = given.flag("stay")
      ? "stays a member"
      : "says goodbye to the cluster; only a new start of its process brings it back"
    return `${given.text("node")} gives up the lead of chainfire and failover, its roles are vetoed there, and it ${leaves}. Its chainfire member goes on voting: member remove ends that`
  },
  run: (given, { cloud, show }) =>
    Effect.gen(function* () {
      const node = given.text("node")
      const nodes = yield* cloud.nodes
      if (!nodes.includes(node)) {
        const reason = `there is no live node ${node}; there are ${nodes.join(", ")}`
        return yield* new CommandRefused({ reason })
      }
      yield* handOverChainfire(cloud, node, (line) => show(said({ node, step: line }, line)))
      yield* giveUpRoles(cloud, given, (line) => show(said({ node, step: line }, line)))
      if (given.flag("stay"))
        return yield* show(said({ node, drained: true }, `${node} is drained, and stays`))
      yield* cloud.ask(`/${node}/cluster/membership`, new Leave(), slowPatience)
      yield* show(said({ node, drained: true, left: true }, `${node} has said goodbye; stop its process now`))
    })
}

type Tell = (line: string) => Effect.Effect<void>

const handOverChainfire = (cloud: Cloud, node: string, tell: Tell) =>
  Effect.gen(function* () {
    const status = yield* Effect.either(cloud.ask(chainfirePath(node), new GetChainfire()))
    if (Either.isLeft(status))
      return yield* tell(`chainfire of ${node} does not answer: ${status.left.message}`)
    if (status.right.role !== "leader") return yield* tell(`${node} does not lead chainfire`)
    const to = yield* someOtherVoter(cloud, node)
    yield* cloud.ask(operationsPath(node), new TransferLeader({ member: to.id }), slowPatience)
    yield* tell(`${to.name} leads chainfire now`)
  })

const giveUpRoles = (cloud: Cloud, given: Given, tell: Tell) =>
  Effect.gen(function* () {
    const node = given.text("node")
    const order = { by, reason: reasonOf(given) }
    const found = yield* Effect.either(coordinator(cloud))
    // First its roles: a coordinator that gives itself up gives out none.
    if (Either.isRight(found)) {
      const { roles } = yield* cloud.ask(found.right, new GetFailover())
      for (const { role } of roles.filter(({ holder }) => holder === node)) {
        yield* cloud.ask(found.right, new VetoHolder({ role, node, ...order }))
        yield* tell(`${role} is taken from ${node} and vetoed there`)
      }
    }
    const leads = (yield* candidatesOf(cloud)).filter(
      ({ path, phase }) => nodeOf(path) === node && phase !== "waiting"
    )
    for (const { path, role } of leads) {
      yield* cloud.ask(path, new YieldRole(order))
      yield* tell(`${node} gives up ${role}`)
    }
    if (leads.length === 0) yield* tell(`${node} holds no leader role`)
  })

export const memberCommands: ReadonlyArray<Command> = [transfer, add, promote, remove, replace, backup, drain]
