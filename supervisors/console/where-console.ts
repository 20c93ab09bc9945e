/**
 * Where the console of a running node is. The node is found as a shell finds it, and asked: the port may be any, may
 * be taken by another program, and is on the loopback of that node's machine, wherever we are.
 */
import { Data, Effect, Schema, type Scope } from "effect"
import { Inspect } from "#protocols/runtime.ts"
import { type AttachOptions, attachment, type NotAttached } from "../shell/attach.ts"
import { consolePath } from "./console-tree.ts"

export interface ConsolePlace {
  readonly node: string
  readonly url: string
  /** Of the token that found it, which logs in there too. */
  readonly tokenFile: string
  /** The machine to build a tunnel to, where it is not this one. */
  readonly tunnelTo: string | undefined
}

/** A node runs, and nobody can look at it in a browser. */
export class NoConsole extends Data.TaggedError("NoConsole")<{
  readonly node: string
  readonly reason: string
  readonly remedy: string
}> {
  override get message() {
    return `${this.node} has no console: ${this.reason}; ${this.remedy}`
  }
}

const patience = "10 seconds"
/** As the console shows itself. */
const Shown = Schema.Struct({ address: Schema.String, closed: Schema.String })
const decodeShown = Schema.decodeUnknown(Shown)

export const findConsole = (
  options: AttachOptions
): Effect.Effect<ConsolePlace, NotAttached | NoConsole, Scope.Scope> =>
  Effect.gen(function* () {
    const { client, tokenFile, url } = yield* attachment(options)
    const { node } = client
    const path = consolePath(node)
    const none = (reason: string, remedy: string) => new NoConsole({ node, reason, remedy })
    const { state } = yield* client
      .ask(`/${node}/cluster/introspection`, new Inspect({ path }), patience)
      .pipe(
        Effect.catchTags({
          NoSuchActor: () =>
            none("it was started without one", "give it a port with `console` in the cluster's file")
        }),
        Effect.mapError((fault) =>
          fault._tag === "NoConsole"
            ? fault
            : none(fault.message, "ask again, or ask another node with --node")
        )
      )
    const { address, closed } = yield* decodeShown(state).pipe(
      Effect.mapError(() => none("it says nothing of itself", `see ultracloud shell -e 'inspect ${path}'`))
    )
    if (address === "") {
      return yield* none(
        closed,
        "it tries again by itself; free the port, or give it another in the cluster's file"
      )
    }
    const { hostname } = new URL(url)
    const isHere = hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127.")
    return { node, url: address, tokenFile, tunnelTo: isHere ? undefined : hostname }
  })

export type How = "text" | "url" | "json"

/** Prints it, or why not; the exit code. */
export const tellWhere = (options: AttachOptions, how: How): Effect.Effect<0 | 1> =>
  findConsole(options).pipe(
    Effect.map((place): 0 | 1 => {
      process.stdout.write(`${told(place, how)}\n`)
      return 0
    }),
    Effect.scoped,
    Effect.catchAll(({ message }) =>
      Effect.sync((): 0 | 1 => {
        process.stderr.write(`ultracloud: ${message}\n`)
        return 1
      })
    )
  )

export const told = ({ node, tokenFile, tunnelTo, url }: ConsolePlace, how: How): string => {
  switch (how) {
    case "url":
      return url
    case "json":
      return JSON.stringify({ node, url, tokenFile })
    case "text":
      return [
        `the console of ${node} is at ${url}`,
        ...(tunnelTo === undefined ? [] : [tunnel(tunnelTo, url)]),
        `log in with the token in ${tokenFile}`
      ].join("\n")
  }
}

const tunnel = (host: string, url: string): string => {
  const { port } = new URL(url)
  return `it is on the loopback of that machine: first ssh -N -L ${port}:127.0.0.1:${port} ${host}`
}
