/** Keys and tokens in a data directory. */
import { execFileSync, spawn } from "node:child_process"
import { chmodSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { inspect } from "node:util"
import test from "ava"
import { Effect, Either } from "effect"
import { admin, cluster, operator, run, temporaryDirectory, tokens } from "./fixtures/link-visits.ts"
import { KeyFileRefused, openTokens } from "./tokens.ts"

test("the key and the operator's token are made at the first start, for the owner alone", (t) =>
  run(
    Effect.gen(function* () {
      const directory = join(yield* temporaryDirectory(), "data")
      const made = yield* openTokens(directory, cluster)
      const again = yield* openTokens(directory, cluster)
      for (const file of ["cluster.key", "token"]) t.is(statSync(join(directory, file)).mode & 0o777, 0o600)
      const token = readFileSync(join(directory, "token"), "utf8").trim()
      t.deepEqual(yield* again.verify(token), operator)
      const own = yield* made.sign({ actorId: "SYSTEM::a", grants: admin }, { expiresIn: "1 minute" })
      t.is((yield* again.verify(own)).actorId, "SYSTEM::a")
      t.deepEqual(
        yield* Effect.either(tokens.verify(own)),
        Either.left("the token was signed with another key")
      )
      const secret = readFileSync(join(directory, "cluster.key"), "utf8").trim()
      t.false(inspect(made, { depth: 9, showHidden: true }).includes(secret))
    })
  ))

test("a key that others may read, or that is none, is not used", (t) =>
  run(
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory()
      yield* openTokens(directory, cluster)
      const path = join(directory, "cluster.key")
      for (const mode of [0o640, 0o604, 0o620]) {
        chmodSync(path, mode)
        const fault = yield* Effect.flip(openTokens(directory, cluster))
        t.true(fault instanceof KeyFileRefused)
        t.regex(fault.message, /^\S+ is not used: others may read it \(mode 06\d\d\); run chmod 600 \S+$/)
      }
      chmodSync(path, 0o600)
      execFileSync("truncate", ["-s", "10", path])
      t.regex((yield* Effect.flip(openTokens(directory, cluster))).message, /32 bytes in hexadecimal/)
      const nowhere = yield* Effect.flip(openTokens(join(path, "below"), cluster))
      t.regex(nowhere.message, /cannot be (read|made) \(ENOTDIR\)/)
    })
  ))

test("several first starts at once agree on one key", (t) =>
  run(
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory()
      const script = `import { Effect } from "effect"
        import { openTokens } from ${JSON.stringify(import.meta.resolve("./tokens.ts"))}
        await Effect.runPromise(openTokens(${JSON.stringify(directory)}, "contract"))`
      const starts = Array.from({ length: 3 }, () =>
        Effect.promise(async () => {
          const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
            cwd: fileURLToPath(new URL("../..", import.meta.url))
          })
          return new Promise((resolve) => child.once("exit", resolve))
        })
      )
      t.deepEqual(yield* Effect.all(starts, { concurrency: "unbounded" }), [0, 0, 0])
      const agreed = yield* openTokens(directory, cluster)
      const token = readFileSync(join(directory, "token"), "utf8").trim()
      t.deepEqual(yield* agreed.verify(token), operator)
    })
  ))
