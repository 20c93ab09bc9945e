import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import test from "ava"

// Each snippet is one file of one run of the real compiler, which must object to it with these words.

const mustNotCompile: Record<string, readonly [snippet: string, objection: string]> = {
  "a message without a handler": [
    `make("a", { messages: [Add, Get], init: () => 0, handlers: { Add: (state) => state } })`,
    "Property 'Get' is missing"
  ],
  "a handler without a message": [
    `make("a", { messages: [Add], init: () => 0, handlers: { Add: (state) => state, Get: (state: number) => state } })`,
    "'Get' does not exist in type"
  ],
  "a reply of another type than the request declares": [
    `make("a", { messages: [Get], init: () => 0, handlers: { Get: (state) => reply(state, "text") } })`,
    "Type 'string' is not assignable to type 'number'"
  ],
  "a failure that the request does not declare": [
    `make("a", { messages: [Get], init: () => 0, handlers: { Get: (state) => refuse(state, "why") } })`,
    "Type 'string' is not assignable to type 'never'"
  ],
  "an effect that fails as the request does not declare": [
    `make("a", { messages: [Get], init: () => 0, handlers: { Get: () => Effect.fail("why") } })`,
    "Type 'string' is not assignable to type 'never'"
  ],
  "an effect of a tell that may fail": [
    `make("a", { messages: [Add], init: () => 0, handlers: { Add: () => Effect.fail("why") } })`,
    "Type 'string' is not assignable to type 'never'"
  ],
  "a forgotten answer": [
    `make("a", { messages: [Get], init: () => 0, handlers: { Get: (state) => state } })`,
    "Type 'number' is not assignable to type 'Answer"
  ],
  "a next state of another type": [
    `make("a", { messages: [Add], init: () => 0, handlers: { Add: () => "text" } })`,
    "Type 'string' is not assignable to type 'number"
  ],
  "a service that was not declared": [
    `make("a", { messages: [Add], init: () => 0, handlers: { Add: (state) => Effect.as(Disk, state) } })`,
    "Type 'Disk' is missing the following properties from type 'Scope'"
  ],
  "a service that nobody provides": [
    `const a = make("a", { messages: [Add], services: [Disk], init: () => 0, handlers: { Add: (state) => state } })
export const system: Effect.Effect<unknown, unknown, World | Scope.Scope> = System.make("a", a)`,
    "Type 'Disk' is not assignable to type"
  ],
  "a child that needs a service its parent has not": [
    `const child = make("b", { messages: [Add], services: [Disk], init: () => 0, handlers: { Add: (state) => state } })
make("a", { messages: [], init: (context) => { context.spawn(child); return 0 }, handlers: {} })`,
    "'Disk' is not assignable to"
  ],
  "an Effect as bare state": [
    `make("a", { messages: [], init: () => Effect.succeed(Effect.succeed(1)), handlers: {} })`,
    "a state may not itself be an Effect, Option or Either"
  ],
  "an Option as bare state": [
    `make("a", { messages: [], init: () => Effect.succeed(Option.some(1)), handlers: {} })`,
    "a state may not itself be an Effect, Option or Either"
  ],
  "a message that the actor does not take, told": [
    `declare const counter: ActorRef<Add>
counter.tell(new Other())`,
    "missing in type 'Other' but required in type 'Add'"
  ],
  "a request that the actor does not take, asked": [
    `declare const counter: ActorRef<Add>
ask(counter, new Get(), "1 second")`,
    "is not assignable to parameter of type"
  ],
  "an ask without a deadline": [
    `declare const counter: ActorRef<Get>
ask(counter, new Get())`,
    "Expected 3 arguments"
  ],
  "an answer taken for another type": [
    `declare const counter: ActorRef<Get>
export const answer: Effect.Effect<string, unknown> = ask(counter, new Get(), "1 second")`,
    "Type 'number' is not assignable to type 'string'"
  ],
  "arguments that are missing": [
    `const a = make("a", { messages: [], init: (_context, start: number) => start, handlers: {} })
make("b", { messages: [], init: (context) => { context.spawn(a); return 0 }, handlers: {} })`,
    "Expected 2 arguments"
  ],
  "a timer with a message that the actor does not take": [
    `make("a", { messages: [Add], init: (context) => { context.after("1 second", new Other()); return 0 }, handlers: { Add: (state) => state } })`,
    "missing in type 'Other' but required in type 'Add'"
  ],
  "other handlers that leave a message out": [
    `make("a", { messages: [Add, Get], init: () => 0, handlers: {
  Add: (state, _message, context) => { context.become({ Add: (state) => state }); return state },
  Get: (state) => reply(state, state)
} })`,
    "Property 'Get' is missing"
  ]
}

const mustCompile: Record<string, string> = {
  "pure handlers and effects side by side": `make("a", { messages: [Add, Get], services: [Disk], init: () => 0, handlers: {
  Add: (state, { amount }) => amount > 0 ? state + amount : Effect.as(Disk, state),
  Get: (state) => Effect.map(Effect.sleep("1 second"), () => reply(state, state))
} })`,
  "an init that fails, declines, or takes its time": `make("a", { messages: [], init: (context) =>
  context.incarnation > 1 ? ignore : Effect.fail("why"), handlers: {} })
make("b", { messages: [], init: () => Effect.map(Effect.sleep(1), () => ({ value: Option.some(1) })), handlers: {} })`,
  "an answer that comes later": `make("a", { messages: [Get], init: () => 0, handlers: {
  Get: (state, request, context) => { context.replyTo(request).reply(1); return later(state) }
} })`,
  "a ref to an actor that takes more": `declare const counter: ActorRef<Add | Get>
export const narrow: ActorRef<Add> = counter`
}

const header = `import { Context, Effect, Option, Schema, type Scope } from "effect"
import { ignore, later, make, refuse, reply } from "#actors/kernel/actor.ts"
import { ask } from "#actors/kernel/ask.ts"
import type { ActorRef } from "#actors/kernel/ref.ts"
import * as System from "#actors/kernel/system.ts"
import type { World } from "#actors/kernel/system.ts"
export const used = [Context, Effect, Option, ignore, later, make, refuse, reply, ask, System]
export type Used = Scope.Scope | World | ActorRef<never>
export class Add extends Schema.TaggedClass<Add>()("Add", { amount: Schema.Number }) {}
export class Other extends Schema.TaggedClass<Other>()("Other", {}) {}
export class Get extends Schema.TaggedRequest<Get>()("Get", { payload: {}, success: Schema.Number, failure: Schema.Never }) {}
export class Disk extends Context.Tag("test/Disk")<Disk, { readonly size: number }>() {}
`

const repository = fileURLToPath(new URL("../..", import.meta.url))

/** What the compiler says of each snippet. */
const compiled = (snippets: Record<string, string>): Record<string, string> => {
  const folder = mkdtempSync(join(tmpdir(), "declaration-"))
  try {
    const files = Object.entries(snippets).map(([what, snippet]) => {
      const file = `${what.replaceAll(/\W+/g, "-")}.ts`
      writeFileSync(join(folder, file), header + snippet)
      return [what, file] as const
    })
    for (const shared of ["node_modules", "actors", "protocols", "package.json"])
      symlinkSync(join(repository, shared), join(folder, shared))
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({ extends: join(repository, "tsconfig.json"), include: ["*.ts"] })
    )
    const said = messagesOf(folder)
    return Object.fromEntries(
      files.map(([what, file]) => [what, said.filter((text) => text.startsWith(file)).join("\n")])
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The compiler's messages, each with the lines that explain it. */
const messagesOf = (folder: string): ReadonlyArray<string> => {
  try {
    execFileSync(join(repository, "node_modules/.bin/tsc"), ["-p", folder, "--pretty", "false"], {
      cwd: folder
    })
    return []
  } catch (failed) {
    const said = String(failed instanceof Error && "stdout" in failed ? failed.stdout : failed)
    return said.split(/\n(?=\S)/)
  }
}

const said = compiled({
  ...Object.fromEntries(Object.entries(mustNotCompile).map(([what, [snippet]]) => [what, snippet])),
  ...mustCompile
})

for (const [what, [, objection]] of Object.entries(mustNotCompile)) {
  test(`does not compile: ${what}`, (t) => {
    t.true(said[what]!.includes(objection), said[what] || "it compiles")
  })
}

for (const what of Object.keys(mustCompile)) {
  test(`compiles: ${what}`, (t) => {
    t.is(said[what], "")
  })
}
