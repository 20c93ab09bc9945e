/**
 * What runs inside a cell: loads the declaration that the cell was placed with and hosts it on the
 * services of a real node. When the tree inside ends, the process or thread ends with it.
 */
import { Cause, Effect, Exit, Scope } from "effect"
import type { Actor } from "#actors/kernel/actor.ts"
import * as Cell from "#actors/kernel/cell.ts"
import type { CellHost } from "#actors/kernel/ports/cell.ts"
import { describeCause } from "#actors/kernel/ref.ts"
import { type Live, live } from "./live.ts"
import { cellLog } from "./node/log.ts"

export const host: CellHost = async (link, argument) => {
  const scope = Effect.runSync(Scope.make())
  const hosted = Effect.gen(function* () {
    const { export: name, module, path } = yield* Cell.decodeArgument(argument)
    const loaded: unknown = yield* Effect.promise(() => import(module))
    const root = yield* actorIn(loaded, module, name)
    const system = yield* Effect.provide(Cell.host(root, path, link), cellLog(path.split("/")[1] ?? path))
    return yield* Effect.forkDaemon(Effect.tap(system.ended, ({ cause }) => Effect.sync(() => exit(cause))))
  })
  const exited = await Effect.runPromiseExit(
    hosted.pipe(Effect.provide(live), Effect.provideService(Scope.Scope, scope))
  )
  if (Exit.isFailure(exited)) throw new Error(describeCause(exited.cause))
}

/** The supervisor outside sees the process end; why is on its error output. */
const exit = (cause: Cause.Cause<unknown>) => {
  if (!Cause.isEmpty(cause)) process.stderr.write(`${describeCause(cause)}\n`)
  process.exit(Cause.isEmpty(cause) ? 0 : 1)
}

const isActor = (value: unknown): value is Actor<never, void, Live> =>
  typeof value === "object" && value !== null && "definition" in value

const actorIn = (loaded: unknown, module: string, name: string) => {
  const exported: unknown =
    typeof loaded === "object" && loaded !== null ? Reflect.get(loaded, name) : undefined
  return isActor(exported)
    ? Effect.succeed(exported)
    : Effect.fail(
        new Error(`${module} exports no actor named ${name}; export its declaration under that name`)
      )
}
