/** The services of a real node, and of every cell of it: real time, real processes, real supervisors. */
import { Layer } from "effect"
import { comedyCells } from "#actors/platform/comedy-cells.ts"
import { LiveWorld } from "#actors/platform/live-world.ts"
import { SupervisionLive } from "./engine/supervisor.ts"

export const live = Layer.mergeAll(LiveWorld, SupervisionLive, comedyCells)
export type Live = Layer.Layer.Success<typeof live>
