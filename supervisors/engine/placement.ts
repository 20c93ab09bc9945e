/**
 * Placement: where a subtree runs, as configuration. Its code is the same in each case.
 *
 *   local      in this process, on this thread
 *   threaded   on a thread of its own: another core
 *   forked     in a process of its own: another core, and a native crash stays there
 */
import type { Actor } from "#actors/kernel/actor.ts"
import type { Tagged } from "#actors/kernel/ask.ts"
import * as Cell from "#actors/kernel/cell.ts"
import type { Cells } from "#actors/kernel/ports/cell.ts"

const bootstrap = new URL("../cell-bootstrap.ts", import.meta.url).href

/** `module` and `export` say where `actor` is declared, so that the cell can load it there. */
export const place = <M extends Tagged, S>(
  actor: Actor<M, void, S>,
  mode: "local" | Cell.Placement["mode"],
  where: { readonly module: string; readonly export: string }
): Actor<never, void, S | Cells> =>
  mode === "local"
    ? actor
    : {
        ...Cell.make(actor.name, { mode, ...where }, bootstrap),
        ...("tree" in actor && { tree: actor.tree })
      }
