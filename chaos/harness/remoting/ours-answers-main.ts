/** The answering node of our own: says where it listens, and lives until its parent is gone. */
import { Effect } from "effect"
import { Links } from "#actors/kernel/ports/links.ts"
import { Adder, node } from "./ours.ts"

const { ports, started } = node("far", process.argv[2] ?? "")
process.on("disconnect", () => process.exit(0))

await Effect.gen(function* () {
  const { system } = yield* started
  system.spawn(Adder)
  const { self } = yield* Links
  process.send?.(self.address)
  return yield* Effect.never
}).pipe(Effect.scoped, Effect.provide(ports), Effect.runPromise)
