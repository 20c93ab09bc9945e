/**
 * A cell, seen from both ends: the actor that stands for it in the tree, and what hosts the tree inside.
 *
 * Outside, a cell is a child like any other. It counts as started once the tree inside has started; its
 * process dying is its crash; stopping it stops the tree inside, in order, then the process. Its
 * restart starts a new process. Actors inside are found at the paths they would have without a cell.
 */
import { Deferred, Effect, Exit, Schema, type Scope } from "effect"
import type { StartFailed } from "#protocols/runtime.ts"
import * as Actor from "./actor.ts"
import type { Tagged } from "./ask.ts"
import { Peer } from "./peer.ts"
import { type CellBatch, type CellLink, type CellMode, Cells } from "./ports/cell.ts"
import * as ActorSystem from "./system.ts"

/** Where the tree that a cell hosts is declared. */
export interface Placement {
  readonly mode: CellMode
  /** The file URL of the module that exports the actor. */
  readonly module: string
  /** The name under which it does. */
  readonly export: string
}

const CellArgument = Schema.Struct({ path: Schema.String, module: Schema.String, export: Schema.String })

/** What a cell is told at its start. */
export const decodeArgument = Schema.decodeUnknown(CellArgument)

/** The process or thread of a cell is gone. */
export class CellDied extends Schema.TaggedError<CellDied>()("CellDied", {
  path: Schema.String,
  pid: Schema.Int,
  reason: Schema.String
}) {
  override get message() {
    return `the cell ${this.path} (pid ${this.pid}) died: ${this.reason}; see its last output, its supervisor decides about a restart`
  }
}

class Exited extends Schema.TaggedClass<Exited>()("Exited", { reason: Schema.String }) {}

/** The actor that stands for a cell. `bootstrap` is the file URL of the module that hosts it. */
export const make = (
  name: string,
  placement: Placement,
  bootstrap: string
): Actor.Actor<never, void, Cells> =>
  Actor.make(name, {
    kind: `cell, ${placement.mode}`,
    messages: [Exited],
    services: [Cells],
    init: (context) =>
      Effect.gen(function* () {
        const { mode } = placement
        const exited = yield* Deferred.make<string>()
        const early: Array<CellBatch> = []
        let receive = (batch: CellBatch): void => void early.push(batch)
        const { pid, send } = yield* context.service(Cells).start(
          { name, mode, module: bootstrap, argument: { path: context.path, ...placement } },
          {
            onBatch: (batch) => receive(batch),
            onExit: (reason) => {
              peer.close(reason)
              Deferred.unsafeDone(exited, Effect.succeed(reason))
            }
          }
        )
        const peer = context.mount({ send })
        receive = (batch) => peer.receive(batch)
        for (const batch of early) receive(batch)
        context.pipe(Deferred.await(exited), (exit) => new Exited({ reason: Exit.getOrElse(exit, String) }))
        return { pid, mode, peer, exited }
      }),
    handlers: {
      Exited: (state, { reason }, context) => {
        throw new CellDied({ path: context.path, pid: state.pid, reason })
      }
    },
    // A crash of the cell finds nobody to stop. What still hangs on afterwards dies with the scope.
    onStop: ({ exited, peer }) => {
      peer.stop()
      return Effect.asVoid(Deferred.await(exited))
    },
    inspect: ({ mode, peer, pid }) => ({ mode, pid, malformed: peer.malformed })
  })

/** All that is not in the cell is behind its link. */
const outside = ""

/** Hosts `root` inside a cell, linked to the tree outside. Fails when the root does not start. */
export const host = <M extends Tagged, S>(
  root: Actor.Actor<M, void, S>,
  path: string,
  link: CellLink
): Effect.Effect<ActorSystem.ActorSystem<M>, StartFailed, S | ActorSystem.World | Scope.Scope> =>
  Effect.gen(function* () {
    const system = yield* ActorSystem.make(path.slice(1), root)
    const peer = new Peer(system, outside, {
      send: link.send,
      onStop: () => void system.fork(system.stop)
    })
    system.mount(peer)
    link.onBatch((batch) => peer.receive(batch))
    return system
  })
