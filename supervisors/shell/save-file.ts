/** A file on the machine of the shell, written as it comes into a draft beside it: a file of that name is whole. */
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { Effect, Stream } from "effect"
import { CommandRefused, type Refusal, type Saved } from "./command.ts"

export const saveFile = ({ chunks, name, replaces }: Saved): Effect.Effect<number, Refusal> =>
  Effect.suspend(() =>
    existsSync(name) && !replaces
      ? Effect.fail<Refusal>(
          new CommandRefused({ reason: `${name} is there already; say another name, or --force` })
        )
      : Effect.acquireUseRelease(
          tried(() => {
            const draft = `${name}.${process.pid}.part`
            return { draft, descriptor: openSync(draft, "w", 0o600) }
          }),
          ({ descriptor, draft }) =>
            Effect.gen(function* () {
              let bytes = 0
              yield* Stream.runForEach(chunks, (chunk) =>
                tried(() => {
                  writeFileSync(descriptor, chunk)
                  bytes += chunk.length
                })
              )
              yield* tried(() => {
                fsyncSync(descriptor)
                renameSync(draft, name)
              })
              return bytes
            }),
          ({ descriptor, draft }) =>
            Effect.sync(() => {
              closeSync(descriptor)
              rmSync(draft, { force: true })
            })
        )
  )

const tried = <A>(act: () => A): Effect.Effect<A, Refusal> =>
  Effect.try({
    try: act,
    catch: (cause) => new CommandRefused({ reason: cause instanceof Error ? cause.message : String(cause) })
  })
