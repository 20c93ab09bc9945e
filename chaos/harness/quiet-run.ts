/** A run of a scenario as it is, whose progress nobody looks at: for tests and hunts, which look at what came of it. */
import type { RunOptions } from "./run.ts"

export const quietRun = (seed: number): RunOptions => ({
  seed,
  nodes: undefined,
  forMillis: undefined,
  playBack: undefined,
  folder: undefined,
  nowMillis: () => performance.now(),
  wallMillis: () => Date.now(),
  onProgress: () => {},
  onNote: () => {}
})
