/**
 * Who may import whom. The first row that matches a file is its layer; a file that no row matches is
 * refused, so a new room is a decision and a line here.
 *
 *   protocols <- kernel <- {cluster, raft} <- components <- trees <- supervisors/*.ts <- chaos
 *                  ^------- platform <------------------------------------'
 *
 * Read a row as "these files import those files, and those packages". `{own}` is the file's own
 * folder. A component imports no other component: it imports the other's protocol and asks its address.
 * Packages that touch the outside stay in `actors/platform` and in the shell and console of operators.
 */
export interface Layer {
  readonly files: RegExp
  /** How the paths of ours begin that these files may import; an empty one is all of them. */
  readonly imports: ReadonlyArray<string>
  /** Packages with all their subpaths; an empty one is all of them. */
  readonly packages: ReadonlyArray<string>
  /** Of Effect these files use the data types at run time, and not the runtime. */
  readonly pure?: true
}

/** Tests, benchmarks, and the snippets of the documents: they import anything, and nothing imports them. */
export const leaf = /\.(test|bench)\.ts$|^docs\/(?!(tidy|messages|fixtures)\/)/

/** What tests put into processes of their own: as free as tests, but imported by them. */
export const fixture = /\/fixtures\//

const foundation = ["{own}", "protocols/", "actors/kernel/"]
const component = [...foundation, "actors/cluster/", "actors/raft/"]
const engine = ["supervisors/engine/", "actors/kernel/", "protocols/"]
const supervisors = ["supervisors/", "actors/", "protocols/"]

const host = ["effect", "@effect/platform", "@effect/platform-node", "node:"]

export const layers: ReadonlyArray<Layer> = [
  { files: leaf, imports: [""], packages: [""] },
  { files: fixture, imports: [""], packages: [""] },
  {
    files: /^protocols\/client\//,
    imports: ["protocols/"],
    packages: ["effect", "msgpackr", "socket.io-client"]
  },
  { files: /^protocols\//, imports: ["protocols/"], packages: ["effect"], pure: true },
  { files: /^actors\/kernel\//, imports: ["protocols/", "actors/kernel/"], packages: ["effect"] },
  {
    files: /^actors\/platform\//,
    imports: ["actors/platform/", "actors/kernel/", "protocols/"],
    packages: [
      ...host,
      "@grpc/grpc-js",
      "comedy",
      "jose",
      "lmdb",
      "msgpackr",
      "socket.io",
      "socket.io-client"
    ]
  },
  { files: /^actors\/(cluster|raft)\/[^/]+-actor\.ts$/, imports: foundation, packages: ["effect"] },
  { files: /^actors\/(cluster|raft)\/[^/]+$/, imports: foundation, packages: ["effect"], pure: true },
  { files: /^actors\/[^/]+\/[^/]+-actor\.ts$/, imports: component, packages: ["effect"] },
  { files: /^actors\/[^/]+\/[^/]+$/, imports: component, packages: ["effect"], pure: true },
  {
    files: /^supervisors\/engine\/(restart-policy|supervision)\.ts$/,
    imports: engine,
    packages: ["effect"],
    pure: true
  },
  { files: /^supervisors\/engine\//, imports: engine, packages: ["effect"] },
  {
    files: /^supervisors\/trees\//,
    // Of package.json the version.
    imports: ["supervisors/trees/", "supervisors/engine/", "actors/", "protocols/", "package.json"],
    packages: ["effect"]
  },
  {
    // Makes the package; nothing in it.
    files: /^supervisors\/package\//,
    imports: ["supervisors/package/", "package.json", "package-lock.json"],
    packages: ["node:"]
  },
  {
    // What a browser runs: as it lies here, but for its types.
    files: /^supervisors\/console\/page\//,
    imports: ["supervisors/console/page/"],
    packages: []
  },
  {
    files: /^supervisors\/(shell|console)\//,
    imports: supervisors,
    packages: [...host, "@effect/cli", "msgpackr", "socket.io"]
  },
  {
    // What the operation of a node needs beside its tree.
    files: /^supervisors\/node\//,
    imports: supervisors,
    packages: [...host, "@effect/opentelemetry"]
  },
  {
    // Reads YAML, and knows the defaults of what nodes run.
    files: /^supervisors\/cluster-file\//,
    imports: supervisors,
    packages: [...host, "@effect/cli", "yaml"]
  },
  {
    files: /^supervisors\/[^/]+$/,
    imports: supervisors,
    packages: [...host, "@effect/cli"]
  },
  {
    // A yardstick of the remoting benchmark; nothing that ships needs it.
    files: /^chaos\/harness\/remoting\//,
    imports: ["chaos/", ...supervisors],
    packages: ["@grpc/grpc-js", "effect", "node:"]
  },
  {
    // The command line of the suite, as supervisors have theirs.
    files: /^chaos\/[^/]+$/,
    imports: ["chaos/", ...supervisors],
    packages: ["effect", "@effect/cli", "@effect/platform-node", "node:"]
  },
  {
    // What guests of the lab run, and copies of the sources in which something was changed.
    files: /^chaos\/lab\/bundle\.ts$/,
    imports: ["chaos/"],
    packages: ["effect", "esbuild", "node:"]
  },
  {
    // Loads what the command of a node loads.
    files: /^chaos\/lab\/qemu\/guest-main\.ts$/,
    imports: ["chaos/", ...supervisors],
    packages: [...host, "@effect/cli"]
  },
  {
    files: /^chaos\//,
    imports: ["chaos/", ...supervisors],
    packages: ["ava", "effect", "fast-check", "node:"]
  },
  { files: /^docs\/tidy\//, imports: ["docs/tidy/"], packages: ["node:"] },
  { files: /^docs\/messages\//, imports: ["docs/messages/", "protocols/"], packages: ["node:"] }
]

/** What a pure file may take from Effect: values, and functions over values. */
// biome-ignore format: a list to be read at a glance
export const pureEffectModules: ReadonlySet<string> = new Set([
  "Array", "BigDecimal", "BigInt", "Boolean", "Brand", "Cause", "Chunk", "Data", "DateTime", "Duration",
  "Either", "Encoding", "Equal", "Equivalence", "Exit", "FiberId", "Function", "Hash", "HashMap", "HashRing",
  "HashSet", "Iterable", "JSONSchema", "List", "Match", "Number", "Option", "Order", "Ordering", "ParseResult",
  "Pipeable", "Predicate", "PrimaryKey", "Record", "RedBlackTree", "Redacted", "Schema", "SchemaAST", "SortedMap",
  "SortedSet", "String", "Struct", "Trie", "Tuple", "absurd", "flow", "identity", "pipe"
])
