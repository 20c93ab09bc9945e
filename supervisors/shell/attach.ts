/**
 * Finding a node to attach to, and the right to do so.
 *
 *   <data directory>/door.json    where the node that has this directory listens; there while it runs
 *   <data directory>/token        the operator's token; of several nodes on one machine the first has it
 *
 * Without a data directory, or a URL and a token, every node below `work/` is tried: there `npm start` and
 * `npm start -- up --nodes 3` put theirs.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import { dirname, join } from "node:path"
import { Data, Effect, Either, Schema, type Scope } from "effect"
import { tokenFileName } from "#actors/platform/tokens.ts"
import * as Client from "#protocols/client/client.ts"
import type { LinkFault } from "#protocols/links.ts"
import { Door, doorFileName } from "./door.ts"

const decodeDoor = Schema.decodeUnknownEither(Schema.parseJson(Door))

export interface AttachOptions {
  readonly url?: string | undefined
  readonly tokenFile?: string | undefined
  readonly dataDirectory?: string | undefined
  /** Of the cluster's certificates: the file of who signs them. */
  readonly authority?: string | undefined
}

/** There is nothing to attach to. */
export class NotAttached extends Data.TaggedError("NotAttached")<{
  readonly tried: ReadonlyArray<string>
  readonly reason: string
}> {
  override get message() {
    const where = this.tried.length === 0 ? "" : ` (tried ${this.tried.join(", ")})`
    return `no node was found: ${this.reason}${where}; start one with npm start (ultracloud up where it is installed), or say --data-directory, or --node and --token-file`
  }
}

/** To which node, and what let us in. */
export interface Attachment {
  readonly client: Client.Client
  readonly url: string
  readonly tokenFile: string
}

interface Token {
  readonly text: string
  readonly file: string
}

interface Candidate {
  readonly url: string
  readonly token: Token
  readonly ca?: string | undefined
}

/** Attached for as long as the scope is open. */
export const attach = (options: AttachOptions): Effect.Effect<Client.Client, NotAttached, Scope.Scope> =>
  Effect.map(attachment(options), ({ client }) => client)

export const attachment = (options: AttachOptions): Effect.Effect<Attachment, NotAttached, Scope.Scope> =>
  Effect.gen(function* () {
    const candidates = yield* candidatesOf(options)
    let fault: LinkFault | undefined
    for (const { ca, token, url } of candidates) {
      const name = `shell.${process.pid}`
      const given = {
        url,
        token: token.text,
        name,
        entrance: "ops",
        ...(ca !== undefined && { ca })
      } as const
      const tried = yield* Effect.either(Client.connect(given))
      if (Either.isRight(tried)) return { client: tried.right, url, tokenFile: token.file }
      // Nobody home is the least that can be said.
      if (fault === undefined || fault._tag === "Unreachable") fault = tried.left
    }
    const tried = candidates.map(({ url }) => url)
    return yield* new NotAttached({ tried, reason: fault?.message ?? "no node runs on this machine" })
  })

const candidatesOf = (options: AttachOptions): Effect.Effect<ReadonlyArray<Candidate>, NotAttached> =>
  Effect.gen(function* () {
    const { authority, dataDirectory, tokenFile, url } = options
    const given = tokenFile === undefined ? undefined : { text: yield* readText(tokenFile), file: tokenFile }
    const ca = authority === undefined ? undefined : yield* readText(authority)
    const directories = dataDirectory === undefined ? knownDirectories() : [dataDirectory]
    if (url !== undefined) {
      const token = given ?? directories.map(tokenOf).find((found) => found !== undefined)
      if (token === undefined)
        return yield* new NotAttached({ tried: [url], reason: "there is no token to show" })
      return [{ url, token, ca }]
    }
    const found = directories.flatMap((directory) => {
      const door = doorOf(directory)
      const token = given ?? tokenOf(directory)
      return door === undefined || token === undefined ? [] : [{ url: door.url, token, ca: ca ?? door.ca }]
    })
    if (dataDirectory !== undefined && found.length === 0) {
      const reason = existsSync(join(dataDirectory, doorFileName))
        ? `there is no token in ${dataDirectory} or beside it`
        : `no node runs with ${dataDirectory}`
      return yield* new NotAttached({ tried: [], reason })
    }
    return found
  })

/** Below `work/`, whoever was started last first. */
const knownDirectories = (): ReadonlyArray<string> => {
  const below = (folder: string): ReadonlyArray<string> =>
    existsSync(folder)
      ? readdirSync(folder, { withFileTypes: true })
          .filter((entry) => entry.isDirectory())
          .map(({ name }) => join(folder, name))
      : []
  return below("work")
    .flatMap((folder) => [folder, ...below(folder)])
    .filter((folder) => existsSync(join(folder, doorFileName)))
    .map((folder) => ({ folder, atMillis: statSync(join(folder, doorFileName)).mtimeMs }))
    .toSorted((one, other) => other.atMillis - one.atMillis)
    .map(({ folder }) => folder)
}

const doorOf = (directory: string): Door | undefined => {
  const path = join(directory, doorFileName)
  return existsSync(path) ? Either.getOrUndefined(decodeDoor(readFileSync(path, "utf8"))) : undefined
}

/** In the directory, or in one beside it: nodes on one machine have one key, and the first of them the token. */
const tokenOf = (directory: string): Token | undefined => {
  const folder = dirname(directory)
  const beside = readdirSync(folder).map((name) => join(folder, name))
  const found = [directory, ...beside].find((one) => existsSync(join(one, tokenFileName)))
  if (found === undefined) return undefined
  const file = join(found, tokenFileName)
  return { text: readFileSync(file, "utf8").trim(), file }
}

const readText = (path: string): Effect.Effect<string, NotAttached> =>
  Effect.try({
    try: () => readFileSync(path, "utf8").trim(),
    catch: (cause) =>
      new NotAttached({ tried: [], reason: cause instanceof Error ? cause.message : String(cause) })
  })
