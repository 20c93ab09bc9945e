/**
 * The workloads of a run, as actors of its lab: an operator sees what each of them does, and can end one.
 *
 * A workload that crashes is not begun again, since what its clients had in flight is known to nobody then. Whoever
 * waits for its end is told.
 */
import { Cause, Deferred, Effect, Exit, Schema } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import { ask } from "#actors/kernel/ask.ts"
import type { InitContext } from "#actors/kernel/context.ts"
import type { ActorSystem } from "#actors/kernel/system.ts"
import type { Employed } from "#chaos/workloads/workload.ts"
import { observe } from "#protocols/message.ts"
import { StartDynamicChild } from "#protocols/supervision.ts"
import * as Supervisor from "#supervisors/engine/supervisor.ts"
import { labName } from "./lab-door.ts"
import { WorkloadLost } from "./world.ts"

const Work = Schema.Struct({
  workload: Schema.String,
  state: Schema.Literal("works", "over"),
  answered: Schema.Int,
  failed: Schema.Int,
  unknown: Schema.Int,
  /** Writes among those answered. */
  acknowledged: Schema.Int
})

export class GetWork extends Schema.TaggedRequest<GetWork>()(
  "GetWork",
  { payload: {}, success: Work, failure: Schema.Never },
  observe("What the clients of a workload have asked so far, and what came of it.")
) {}

class Ended extends Schema.TaggedClass<Ended>()("Ended", {
  /** Why, if it crashed. */
  crash: Schema.NullOr(Schema.String)
}) {}

interface WorkloadArgs {
  readonly employed: Employed
  readonly over: Deferred.Deferred<void, WorkloadLost>
}

interface State extends WorkloadArgs {
  readonly state: (typeof Work.Type)["state"]
}

const lost = ({ workload }: Employed, reason: string) => new WorkloadLost({ workload, reason })

const workOf = ({ employed, state }: State): typeof Work.Type => ({
  workload: employed.workload,
  state,
  ...employed.counts()
})

export const Workload = Actor.make("workload", {
  messages: [GetWork, Ended],
  init: (context: InitContext<GetWork | Ended>, args: WorkloadArgs) =>
    Effect.gen(function* () {
      const { employed, over } = args
      yield* Effect.addFinalizer(() => Deferred.fail(over, lost(employed, "its actor was ended")))
      context.pipe(
        employed.run,
        (exit) => new Ended({ crash: Exit.isFailure(exit) ? Cause.pretty(exit.cause) : null })
      )
      const state: State = { ...args, state: "works" }
      return state
    }),
  handlers: {
    GetWork: (state) => Actor.reply(state, workOf(state)),
    Ended: (state, { crash }) => {
      const { employed, over } = state
      if (crash !== null)
        return Effect.zipRight(
          Deferred.fail(over, lost(employed, crash)),
          Effect.dieMessage(`${employed.workload}: ${crash}`)
        )
      return Effect.as(Deferred.succeed(over, undefined), { ...state, state: "over" as const })
    }
  },
  inspect: workOf
})

const folder = "workloads"

/** A child of the lab. */
export const Workloads = Supervisor.dynamic(folder, { child: Workload, restart: "temporary" })

const startMillisMax = 10_000

/** Returns when it is over. */
export const employ = (
  system: ActorSystem,
  name: string,
  employed: Employed
): Effect.Effect<void, WorkloadLost> =>
  Effect.gen(function* () {
    const workloads = system.lookup(`/${labName}/${folder}`, Workloads)
    if (workloads === undefined) return yield* lost(employed, "the lab has nobody to supervise it")
    const over = yield* Deferred.make<void, WorkloadLost>()
    const args: WorkloadArgs = { employed, over }
    yield* Effect.mapError(
      ask(workloads, new StartDynamicChild({ name, args }), startMillisMax),
      ({ message }) => lost(employed, message)
    )
    yield* Deferred.await(over)
  })
