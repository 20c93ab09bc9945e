/**
 * How the actor of a member finds out which member it is, before it takes part: from its own store, from the
 * configuration of a group that begins, or from the leader of one to which it was added.
 */
import { Effect, Option, type ParseResult, Schedule, Schema } from "effect"
import { ask } from "#actors/kernel/ask.ts"
import type { InitContext } from "#actors/kernel/context.ts"
import type { StorageFault } from "#actors/kernel/ports/storage-faults.ts"
import type { Store, StoreEnvironment } from "#actors/kernel/ports/store.ts"
import type { ActorRef } from "#actors/kernel/ref.ts"
import type { NodeId } from "#actors/raft/raft-messages.ts"
import { Announce, WasThere } from "#protocols/chainfire.ts"
import type { MemberRecord } from "./member-records.ts"

/** Nobody who is a member already would let it in. */
export class NotAdmitted extends Schema.TaggedError<NotAdmitted>()("NotAdmitted", {
  peerUrl: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `${this.peerUrl} is not let in: ${this.reason}; add it first, with \`etcdctl member add\` at a member that is there`
  }
}

const admissionMillis = 2_000
const admissionTries = 10
/** Once in the life of a member: others that begin as well do not answer yet. */
const lostMillis = 1_000

/** The members of other nodes. */
type NodeOf = (name: string) => ActorRef<Announce | WasThere>

interface Candidate {
  readonly name: string
  readonly peerUrl: string
  readonly clientUrl: string
  readonly initial: ReadonlyArray<MemberRecord>
  readonly joins?: boolean
}

export interface Identity {
  readonly id: NodeId
  readonly dataId: string
}

const idKey = new TextEncoder().encode("id")
const Stored = Schema.parseJson(Schema.Struct({ id: Schema.Int, dataId: Schema.NonEmptyString }))

/** As it was at the first start, when it followed from the configuration, or from who had added it. */
export const identity = (
  args: Candidate,
  { environment, self }: { readonly environment: StoreEnvironment; readonly self: Store },
  nodeOf: NodeOf,
  context: Pick<InitContext<never>, "wallMillis" | "random" | "log">
): Effect.Effect<Identity, NotAdmitted | StorageFault | ParseResult.ParseError> =>
  Effect.gen(function* () {
    const known = self.get(idKey)
    if (known !== undefined) return yield* Schema.decode(Stored)(new TextDecoder().decode(known))
    const dataId = `${context.wallMillis().toString(36)}-${Math.floor(context.random() * 2 ** 48).toString(36)}`
    const configured = args.initial.find(({ name }) => name === args.name)
    const joins = args.joins === true || configured === undefined
    const id = joins ? yield* admitted(args, dataId, nodeOf) : Number(configured.ID)
    if (!joins) yield* refusedIfLost(args, id, nodeOf)
    const value = new TextEncoder().encode(yield* Schema.encode(Stored)({ id, dataId }))
    environment.write([{ op: "put", store: self, key: idKey, value }])
    yield* environment.flushed
    context.log("info", `this is member ${id.toString(16)} of chainfire`)
    return { id, dataId }
  })

const othersOf = ({ initial, name }: Candidate): ReadonlyArray<string> =>
  initial.map((one) => one.name).filter((one) => one !== name && one !== "")

const admitted = (args: Candidate, dataId: string, nodeOf: NodeOf) => {
  const { clientUrl, name, peerUrl } = args
  const announcement = new Announce({ name, peerUrl, clientUrl, dataId })
  return Effect.firstSuccessOf(
    othersOf(args).map((other) => ask(nodeOf(other), announcement, admissionMillis))
  ).pipe(
    Effect.map(({ id }) => id),
    Effect.retry({ times: admissionTries, schedule: Schedule.spaced(admissionMillis) }),
    Effect.mapError(({ message }) => new NotAdmitted({ peerUrl, reason: message }))
  )
}

/**
 * A member of the first hour that comes with nothing has lost its data: what it acknowledged and whom it voted
 * for. Taking part again it could undo both. Where nobody answers, the group is as new as it is.
 */
const refusedIfLost = (args: Candidate, member: NodeId, nodeOf: NodeOf) =>
  Effect.forEach(
    othersOf(args),
    (other) => Effect.option(ask(nodeOf(other), new WasThere({ member }), lostMillis)),
    { concurrency: "unbounded" }
  ).pipe(
    Effect.flatMap((answers) =>
      answers.some((answer) => Option.getOrElse(answer, () => false))
        ? Effect.fail(
            new NotAdmitted({
              peerUrl: args.peerUrl,
              reason: `member ${member.toString(16)} was there with other data, and this is an empty directory: remove it`
            })
          )
        : Effect.void
    )
  )
