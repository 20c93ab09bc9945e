/**
 * A shell attached to a node over TLS: the token says who the operator is, and the certificate who the node is. Whoever
 * cannot tell that it is the node does not show the token.
 */
import { execFile, spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import anyTest from "ava"
import { Deferred, Effect, Fiber, Logger, type Scope } from "effect"
import { authority } from "#actors/platform/fixtures/grpc-visits.ts"
import { openTokens } from "#actors/platform/tokens.ts"
import type { Identity } from "#protocols/links.ts"
import { child } from "../engine/tree.ts"
import { runNode } from "../node.ts"
import { shop } from "../trees/demonstration.ts"
import { type AttachOptions, attach } from "./attach.ts"
import { Cloud } from "./cloud.ts"
import { freePorts } from "./fixtures/attached.ts"
import { runLine } from "./run-line.ts"

const test = spawnSync("openssl", ["version"]).status === 0 ? anyTest : anyTest.skip
const run = promisify(execFile)

interface TlsNode {
  readonly url: string
  readonly dataDirectory: string
  /** Of whom signs the node's certificate, and of somebody else who calls itself the same. */
  readonly authority: string
  readonly otherAuthority: string
  readonly tokenFile: (who: Identity, cluster?: string) => Promise<string>
}

const cluster = "secret"

const tlsNode: Effect.Effect<TlsNode, unknown, Scope.Scope> = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "shell-tls-"))),
    (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
  )
  const written = (file: string, text: string) => {
    writeFileSync(join(folder, file), text, { mode: 0o600 })
    return join(folder, file)
  }
  const signer = yield* authorityFor("west")
  const impostor = yield* authorityFor("west")
  const tls = signer.issue("node01")
  const dataDirectory = join(folder, "node01")
  mkdirSync(dataDirectory, { mode: 0o700 })
  const [port = 0, clientPort = 0] = yield* Effect.promise(() => freePorts(2))
  const started = yield* Deferred.make<void>()
  const node = yield* Effect.forkScoped(
    runNode(
      {
        name: "node01",
        cluster,
        dataDirectory,
        port,
        clientPort,
        tls,
        zone: "zone-a",
        seeds: [],
        work: [child(shop)]
      },
      () => Deferred.succeed(started, undefined)
    )
  )
  yield* Effect.raceFirst(Deferred.await(started), Fiber.join(node))
  return {
    url: `https://127.0.0.1:${port}`,
    dataDirectory,
    authority: written("ca.pem", tls.ca),
    otherAuthority: written("other-ca.pem", impostor.issue("node01").ca),
    tokenFile: async (who, of = cluster) => {
      // Of another cluster: signed with another key, too.
      const tokens = await Effect.runPromise(
        openTokens(of === cluster ? dataDirectory : join(folder, of), of)
      )
      return written(
        `${of}-${who.actorId.replaceAll(":", "")}.token`,
        await Effect.runPromise(tokens.sign(who))
      )
    }
  }
})

const authorityFor = (title: string) =>
  Effect.acquireRelease(
    Effect.sync(() => authority(title)),
    (made) => Effect.sync(() => made.remove())
  )

const withNode = (body: (node: TlsNode) => Promise<void>): Promise<void> =>
  tlsNode.pipe(
    Effect.flatMap((node) => Effect.promise(() => body(node))),
    Effect.scoped,
    Effect.provide(Logger.remove(Logger.defaultLogger)),
    Effect.runPromise
  )

/** What a line prints and complains of; attached for this line alone. */
const line = (options: AttachOptions, text: string): Promise<string> =>
  attach(options).pipe(
    Effect.flatMap((client) => {
      const said: Array<string> = []
      const voice = {
        print: (each: string) => void said.push(each),
        complain: (each: string) => void said.push(`! ${each}`),
        confirm: undefined,
        json: false,
        yes: true,
        screen: undefined
      }
      return Effect.as(runLine(text, new Cloud(client), voice), said)
    }),
    Effect.map((said) => said.join("\n")),
    Effect.catchTag("NotAttached", ({ message }) => Effect.succeed(`not attached: ${message}`)),
    Effect.scoped,
    Effect.runPromise
  )

const operator: Identity = { actorId: "HUMAN::bea", grants: [{ permission: "admin", prefix: "/" }] }
const observer: Identity = { actorId: "HUMAN::ann", grants: [{ permission: "observe", prefix: "/" }] }

test("over TLS a token is who one is, and the cluster's authority is how one knows the node", async (t) => {
  t.timeout(120_000)
  await withNode(async (node) => {
    const { dataDirectory, otherAuthority, tokenFile, url } = node
    const trusted = { url, authority: node.authority }

    // On the same machine the node's own folder says all of it.
    t.regex(await line({ dataDirectory }, "members"), /^node01 +alive /m)
    // From elsewhere an address, a token and the authority do.
    const known = { ...trusted, tokenFile: await tokenFile(operator) }
    t.is(await line(known, "restart /node01/shop/store"), "/node01/shop/store runs again")
    t.regex(await line(known, "links"), /^node01 +ops +shell\.\d+ +HUMAN::bea /m)
    // And who may only look does only that, TLS or not.
    const looking = { ...trusted, tokenFile: await tokenFile(observer) }
    t.regex(await line(looking, "tree /node01 --depth 0"), /^node01 +one-for-one +running/m)
    t.regex(
      await line(looking, "stop /node01/shop"),
      /^! HUMAN::ann may not send TerminateChild to \/node01: /
    )

    const foreign = { ...trusted, tokenFile: await tokenFile(operator, "another") }
    t.regex(
      await line(foreign, "members"),
      /^not attached: .*(belongs to cluster secret|signed with another key)/
    )
    // A node whose certificate nobody knows, or somebody else has signed, gets no token to see.
    t.regex(await line({ url, tokenFile: known.tokenFile }, "members"), /^not attached: .*certificate/)
    t.regex(await line({ ...known, authority: otherAuthority }, "members"), /^not attached: .*certificate/)
    t.regex(
      await line({ ...known, url: url.replace("https:", "http:") }, "members"),
      /^not attached: no node was found: no link to http:/
    )
  })
})

test("the command line attaches over TLS with --node, --token-file and --authority", async (t) => {
  t.timeout(120_000)
  await withNode(async (node) => {
    const main = join(import.meta.dirname, "../main.ts")
    const shell = (...args: ReadonlyArray<string>) =>
      run(process.execPath, [main, "shell", "--node", node.url, ...args], { timeout: 60_000 })
    const tokenFile = await node.tokenFile(operator)
    const attached = ["--token-file", tokenFile, "--authority", node.authority]
    const { stdout } = await shell(...attached, "-e", "tree /node01/shop --depth 1")
    t.regex(stdout, /^\/?\S*shop +rest-for-one +running/m)
    const refused = await t.throwsAsync(shell("--token-file", tokenFile, "-e", "members"))
    t.is(Reflect.get(Object(refused), "code"), 1)
    t.regex(String(Reflect.get(Object(refused), "stderr")), /certificate/)
  })
})
