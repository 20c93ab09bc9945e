/**
 * The node as few files: `supervisors/main.ts` and what it puts into processes of their own, bundled, with beside
 * them the packages that have native code or load themselves by path.
 *
 *   <folder>/supervisors/main.js       run it with Node; the arguments are those of `npm start --`
 *   <folder>/node_modules/…            lmdb, msgpackr-extract, comedy, and what they need
 *
 * A guest without KVM needs ten seconds and more to import the node from a thousand files, and one or two from
 * these. The result is kept by the content of what it is made of.
 *
 * A module of ours that asks where it is (`import.meta.url`) is answered with its place in the sources, moved to
 * the folder: so a path relative to it means the same in the bundle.
 */
import { createHash } from "node:crypto"
import { cpSync, existsSync, globSync, readFileSync, realpathSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, Schema } from "effect"
import { build, type Plugin } from "esbuild"
import { cacheFolder, inDraft, keepRecent } from "./cache.ts"

export interface Bundle {
  readonly folder: string
  readonly digest: string
}

export class BundleFailed extends Schema.TaggedError<BundleFailed>()("BundleFailed", {
  root: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `the node in ${this.root} could not be bundled: ${this.reason}; does it run unbundled (npm start)?`
  }
}

const ownRoot = fileURLToPath(new URL("../..", import.meta.url))

/** What runs as a process, thread or module of its own, and is found by its path. */
const entries = [
  "supervisors/main.ts",
  "supervisors/cell-bootstrap.ts",
  "supervisors/trees/demonstration.ts",
  "actors/platform/cell-bootstrap.ts",
  "actors/platform/store-verify-main.ts",
  "chaos/lab/qemu/guest-main.ts"
]

const copied = ["actors/platform/cell-orphan-watch.mjs"]

const external = ["lmdb", "msgpackr-extract", "comedy"]

/** What packages try to load, and do without where it is missing. */
const optional = ["bufferutil", "utf-8-validate"]

const sources = [
  "protocols/**/*.ts",
  "actors/**/*.{ts,mjs}",
  "supervisors/**/*.ts",
  "chaos/sim/prng.ts",
  "chaos/lab/qemu/{guest-main,rehearsal,rehearsal-names}.ts"
]
const noSource = /\.(test|bench)\.ts$|\/fixtures\//

/** Bundles the sources below `root`: this repository's, or a copy in which something was changed. */
export const bundleNode = (root = ownRoot): Effect.Effect<Bundle, BundleFailed> =>
  Effect.gen(function* () {
    const digest = digestOf(root)
    const folder = join(cacheFolder, "bundles", digest)
    if (!existsSync(folder)) yield* make(root, folder)
    yield* keepRecent(folder)
    return { folder, digest }
  })

const digestOf = (root: string): string => {
  const hash = createHash("sha256").update(readFileSync(fileURLToPath(import.meta.url)))
  const names = [...sources.flatMap((pattern) => globSync(pattern, { cwd: root })), "package-lock.json"]
  for (const name of names.filter((name) => !noSource.test(name)).sort())
    hash.update(`${name}\0`).update(readFileSync(join(root, name)))
  return hash.digest("hex").slice(0, 24)
}

const make = (root: string, folder: string): Effect.Effect<void, BundleFailed> =>
  inDraft(folder, (draft) =>
    Effect.tryPromise({
      try: () => bundleInto(root, draft),
      catch: (cause) =>
        new BundleFailed({ root, reason: cause instanceof Error ? cause.message : String(cause) })
    })
  )

const bundleInto = async (root: string, draft: string): Promise<void> => {
  await build({
    absWorkingDir: root,
    entryPoints: entries,
    outdir: draft,
    outbase: root,
    chunkNames: "chunks/[name]-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node24",
    // Names stay, for the sake of stack traces.
    minifyWhitespace: true,
    minifySyntax: true,
    external: [...external, ...optional],
    banner: { js: banner },
    plugins: [placesOf(root)],
    logLevel: "silent"
  })
  for (const name of copied) cpSync(join(root, name), join(draft, name))
  for (const name of ["LICENSE", "package.json"]) cpSync(join(root, name), join(draft, name))
  for (const [from, to] of closure(root)) copyPackage(from, join(draft, "node_modules", to))
  writeFileSync(join(draft, "index.json"), JSON.stringify({ entries: entries.map(built) }))
}

/** Packages that are not modules themselves ask for others by `require`. */
const banner = `import{createRequire as __requireOf}from"node:module";globalThis.require??=__requireOf(import.meta.url);`

const built = (path: string): string => path.replace(/\.ts$/, ".js")

/** Answers a module of ours that asks where it is, and whose neighbours have another ending now. */
const placesOf = (root: string): Plugin => ({
  name: "places",
  setup: ({ onLoad }) => {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      if (path.includes("/node_modules/")) return undefined
      const text = readFileSync(path, "utf8")
      if (!text.includes("import.meta.url")) return undefined
      const place = built(relative(root, path))
      // All that is built lies two folders deep or one; the place is counted from the nearest package.json.
      const contents = text
        .replace(/(new URL\("[^"]+)\.ts"/g, '$1.js"')
        .replaceAll("import.meta.url", `__place(${JSON.stringify(place)})`)
      return {
        contents: `import{findPackageJSON as __nearest}from"node:module";import{pathToFileURL as __urlOf}from"node:url";const __place=(path)=>new URL(path,__urlOf(__nearest(import.meta.url))).href;${contents}`,
        loader: "ts"
      }
    })
  }
})

/** The packages that stay outside, with all that they need: where each lies, and where it goes below node_modules. */
const closure = (root: string): ReadonlyMap<string, string> => {
  const found = new Map<string, string>()
  const modules = realpathSync(join(root, "node_modules"))
  const visit = (name: string, from: string): void => {
    const folder = folderOf(name, from)
    if (folder === undefined || found.has(folder)) return
    found.set(folder, relative(modules, folder))
    for (const needed of needs(folder)) visit(needed, folder)
  }
  for (const name of external) visit(name, modules)
  return found
}

const folderOf = (name: string, from: string): string | undefined => {
  const paths = createRequire(join(from, "package.json")).resolve.paths(name) ?? []
  // Resolved from within `node_modules` itself, whose name Node leaves out.
  const folders = [from, ...paths].map((path) => join(path, name))
  const folder = folders.find((folder) => existsSync(join(folder, "package.json")))
  return folder === undefined ? undefined : realpathSync(folder)
}

const Manifest = Schema.parseJson(
  Schema.Struct({
    dependencies: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.String })),
    optionalDependencies: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.String }))
  })
)

const needs = (folder: string): ReadonlyArray<string> => {
  const text = readFileSync(join(folder, "package.json"), "utf8")
  const { dependencies, optionalDependencies } = Schema.decodeUnknownSync(Manifest)(text)
  // Types are not loaded.
  return Object.keys({ ...dependencies, ...optionalDependencies }).filter(
    (name) => !name.startsWith("@types/")
  )
}

const left = /\.(d\.[cm]?ts|ts|map|md|cc?|cpp|h|gyp)$|\/(\.git|test|tests|docs|benchmark)$/i

const copyPackage = (from: string, to: string): void =>
  cpSync(from, to, {
    recursive: true,
    dereference: true,
    filter: (path) => !left.test(path) && !path.endsWith("/node_modules") && !isForeign(path)
  })

/** Sources of lmdb, and what was built for musl: guests and we have glibc. */
const isForeign = (path: string): boolean => /\/lmdb\/(dependencies|src)$|\.musl\.node$/.test(path)
