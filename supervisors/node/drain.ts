/**
 * What a node does before it stops: it hands the lead of chainfire to another member, so that whoever writes waits for
 * a round trip and not for an election. All else that it holds goes back as its tree stops: roles and leases while
 * chainfire is there still, and last it says goodbye to the other nodes, which then need not miss it.
 */
import { Effect } from "effect"
import { ask, type Request, type Success } from "#actors/kernel/ask.ts"
import type { ActorSystem } from "#actors/kernel/system.ts"
import { type Address, address } from "#protocols/address.ts"
import { GetChainfire } from "#protocols/chainfire.ts"
import { GetChainfireMembers, TransferLeader } from "#protocols/chainfire-operations.ts"
import { Members } from "#protocols/membership.ts"
import { NoSuchActor } from "#protocols/runtime.ts"
import { memberPath } from "../trees/chainfire.ts"
import type { Say } from "./node-log.ts"

const lookMillis = 500
/** A member that does not lead by then is not there, or stops as well. Without it an election is as quick. */
const transferMillis = 1_000
const triesMax = 2

export const drain = (system: ActorSystem<never>, node: string, say: Say): Effect.Effect<void> =>
  Effect.catchAll(handOver(system, node, say), ({ message }) =>
    say("warn", `the lead of chainfire stays until the others miss it: ${message}`)
  )

const handOver = (system: ActorSystem<never>, node: string, say: Say) =>
  Effect.gen(function* () {
    const member = memberPath(node)
    const there = system.snapshot(member, 0)
    // Told to stop while it starts, it leads nothing yet.
    if (there instanceof NoSuchActor || there.status !== "running") return
    const asking = <Asked extends Request>(to: Address<Asked>, asked: Asked, millis = lookMillis) =>
      Effect.mapError(ask(system.at(to), asked, millis), (fault) =>
        fault instanceof Error ? fault : new Error(String(fault))
      )
    const { member: own, role, voters } = yield* asking(address(member, GetChainfire), new GetChainfire())
    if (role !== "leader" || voters.length < 2) return
    const operations = address(`${member}/operations`, GetChainfireMembers, TransferLeader)
    const members: Success<GetChainfireMembers> = yield* asking(operations, new GetChainfireMembers())
    const membership = address(`/${node}/cluster/membership`, Members)
    const seen = yield* asking(membership, new Members())
    const isAlive = (name: string) => seen.some((one) => one.name === name && one.status === "alive")
    const heirs = members.filter(({ id, name }) => id !== own && voters.includes(id) && isAlive(name))
    for (const { id, name } of heirs.slice(0, triesMax)) {
      const transfer = asking(operations, new TransferLeader({ member: id }), transferMillis)
      const led = yield* Effect.either(transfer)
      if (led._tag === "Right") return yield* say("info", `${name} leads chainfire now`, { leader: name })
      yield* say("warn", `${name} did not take the lead of chainfire: ${led.left.message}`)
    }
    return yield* Effect.fail(new Error("no other member that is alive has taken it"))
  })
