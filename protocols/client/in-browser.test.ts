/**
 * The client in a real browser: bundled as an application would do it, served from the loopback, against a live node. A
 * page from an origin that the node does not list is not let in, whatever token it has.
 */
import { once } from "node:events"
import { createServer, type Server } from "node:http"
import { fileURLToPath } from "node:url"
import anyTest from "ava"
import { Effect, Logger, type Scope } from "effect"
import { build } from "esbuild"
import { isBrowserInstalled, launch } from "#supervisors/console/fixtures/browser.ts"
import { liveNode, operatorToken, tokens } from "./fixtures/live-node.ts"
import type { Visited } from "./fixtures/page-program.ts"

const test = isBrowserInstalled ? anyTest : anyTest.skip

const bundle = async (): Promise<string> => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("fixtures/page-program.ts", import.meta.url))],
    bundle: true,
    write: false,
    platform: "browser",
    format: "iife",
    target: "es2022",
    logLevel: "silent"
  })
  return outputFiles[0]?.text ?? ""
}

const page = `<!doctype html><link rel="icon" href="data:," /><script src="/program.js"></script>`

const served = (program: string): Effect.Effect<string, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(async (): Promise<Server> => {
        const server = createServer(({ url }, response) => {
          const isProgram = url === "/program.js"
          response.setHeader("content-type", isProgram ? "text/javascript; charset=utf-8" : "text/html")
          response.end(isProgram ? program : page)
        }).listen(0, "127.0.0.1")
        await once(server, "listening")
        return server
      }),
      (server) =>
        Effect.sync(() => {
          server.close()
          server.closeAllConnections()
        })
    ),
    (server) => {
      const address = server.address()
      return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`
    }
  )

/** Calls what the program has put where the browser's console finds it. */
const call = <A>([name, given]: readonly [string, unknown]): Promise<A> =>
  Reflect.apply(Reflect.get(globalThis, name), undefined, [given])

test("a page asks, follows events and is refused what its token does not permit", async (t) => {
  t.timeout(120_000)
  await Effect.gen(function* () {
    const program = yield* Effect.promise(bundle)
    const origin = yield* served(program)
    const elsewhere = yield* served(program)
    const { port } = yield* liveNode({ origins: [origin] })
    const url = `http://127.0.0.1:${port}`
    const operator = { url, token: yield* operatorToken }
    const observer = {
      url,
      token: yield* tokens.sign({
        actorId: "HUMAN::ann",
        grants: [{ permission: "observe", prefix: "/" }]
      })
    }
    const browser = yield* Effect.acquireRelease(Effect.promise(launch), (opened) =>
      Effect.promise(() => opened.close())
    )
    yield* Effect.promise(async () => {
      const ours = await browser.newPage()
      const complaints: Array<string> = []
      ours.on("pageerror", (error) => complaints.push(String(error)))
      await ours.goto(origin)
      const visited = await ours.evaluate(call<Visited>, ["visit", { operator, observer }] as const)
      const { message } = visited.refusal
      t.deepEqual(visited, {
        node: "node01",
        time: "node01",
        hours: [0, 1, 2],
        refusal: { tag: "NotPermitted", message },
        malformed: 0
      })
      t.regex(message, /^HUMAN::ann may not send Wind to \/node01\/clock: it takes operate there/)
      t.deepEqual(complaints, [])

      const foreign = await browser.newPage()
      await foreign.goto(elsewhere)
      const refused = await foreign.evaluate(call<Visited["refusal"]>, ["refused", operator] as const)
      t.is(refused.tag, "Unreachable")
    })
  }).pipe(Effect.scoped, Effect.provide(Logger.remove(Logger.defaultLogger)), Effect.runPromise)
})
