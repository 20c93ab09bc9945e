/** Whatever somebody writes into the file, he is told what is wrong, where, and never by a stack. */
import test from "ava"
import { Either } from "effect"
import fc from "fast-check"
import { stringify } from "yaml"
import { clusterOf } from "./cluster-file.ts"
import { charactersMax } from "./document.ts"

const linesOf = (text: string, file = "c.yaml"): ReadonlyArray<string> =>
  Either.match(clusterOf(text, file), {
    onLeft: ({ message }) => message.split("\n"),
    onRight: () => ["it was taken"]
  })

test("every problem is a line with its place, in the order of the file", (t) => {
  const text = `cluster: West
nodes:
  - name: node01
    links: 70000
    etdc: 2379
  - host: 3
    joins: perhaps
  - node03
roles: [dns, 5]
components:
  chainfire:
    quotaBytes: 5
    autoCompaction: { retention: soon }
`
  t.deepEqual(linesOf(text), [
    'c.yaml:1:10: at cluster: expected a name of small letters, digits and dashes, up to 63 of them, got "West"',
    "c.yaml:4:12: at nodes.0.links: expected a port, 0 to 65535, got 70000",
    "c.yaml:5:5: at nodes.0.etdc: is no key that is known; did you mean etcd?",
    "c.yaml:6:5: at nodes.1.name: expected a name of small letters, digits and dashes, up to 63 of them, got nothing",
    "c.yaml:6:11: at nodes.1.host: expected a text that is not empty, got 3",
    'c.yaml:7:12: at nodes.1.joins: expected true or false, got "perhaps"',
    'c.yaml:8:5: at nodes.2: expected a node: a section with a name, got "node03"',
    "c.yaml:9:14: at roles.1: expected a name of small letters, digits and dashes, up to 63 of them, got 5",
    "c.yaml:12:17: at components.chainfire.quotaBytes: expected bytes, 1048576 to 8589934592, got 5",
    'c.yaml:13:34: at components.chainfire.autoCompaction.retention: expected hours such as "8", or a time such as "90m", got "soon"'
  ])
})

test("JSON has places, too", (t) => {
  const text = '{\n\t"cluster": "west",\n\t"nodes": [\n\t\t{ "name": "node01", "etcd": "2379" }\n\t]\n}\n'
  t.deepEqual(linesOf(text, "c.json"), [
    'c.json:4:31: at nodes.0.etcd: expected a port, 0 to 65535, got "2379"'
  ])
  t.regex(linesOf('{\n  "cluster": "west",\n}', "c.json")[0] ?? "", /^c\.json:3:1: is YAML and no JSON/)
  t.regex(linesOf("{", "c.json")[0] ?? "", /^c\.json:1:2: /)
})

test("what holds between keys is said at one of them", (t) => {
  const file = (...nodes: ReadonlyArray<string>) =>
    `cluster: west\nnodes:\n${nodes.map((node) => `  - {${node}}\n`).join("")}`
  const other = "links: 1, etcd: 2, console: 0, dataDirectory: /b"
  t.deepEqual(linesOf(file("name: a", `name: a, ${other}`)), [
    "c.yaml:4:12: at nodes.1.name: expected another name than that of a, got a"
  ])
  t.deepEqual(linesOf(file("name: a", "name: b, links: 1, console: 0, dataDirectory: /b")), [
    "c.yaml:4:5: at nodes.1.etcd: expected another address for clients of etcd than that of a, got 127.0.0.1:2379"
  ])
  t.deepEqual(linesOf(file("name: a", "name: b, links: 1, etcd: 2, console: 0")), [
    "c.yaml:4:5: at nodes.1.dataDirectory: expected another data directory on that host than that of a, got /var/lib/ultracloud of 127.0.0.1"
  ])
  t.deepEqual(linesOf(file("name: a", `name: b, ${other}, advertise: {links: 7700}`)), [
    "c.yaml:4:76: at nodes.1.advertise: expected another advertised address of links than that of a, got 127.0.0.1:7700"
  ])
  t.deepEqual(linesOf(file("name: a, host: 10.0.0.1")), [
    "c.yaml:3:5: at nodes.0.tls: expected tls for a host off the loopback, got none for 10.0.0.1"
  ])
  t.deepEqual(linesOf(file("name: a, joins: true")), [
    "c.yaml:3:3: at nodes: expected a node that does not join, got none with which chainfire could begin"
  ])
  t.deepEqual(linesOf(file("name: a, dialFrom: localhost")), [
    'c.yaml:3:25: at nodes.0.dialFrom: expected an IP address, got "localhost"'
  ])
  // Any free port is another one each time.
  t.deepEqual(
    linesOf(file("name: a, links: 0, etcd: 0", "name: b, links: 0, etcd: 0, console: 0, dataDirectory: /b")),
    ["it was taken"]
  )
})

test("consoles and ports for health of one host are apart, also those that follow from others", (t) => {
  const two = (one: string, other: string) =>
    linesOf(
      `cluster: west\nnodes:\n  - {name: a, ${one}}\n  - {name: b, links: 1, etcd: 2, dataDirectory: /b, ${other}}\n`
    ).map((line) => line.replace(/^\S+ /, ""))
  const expected = "expected another address for"
  t.deepEqual(two("zone: z", "zone: z"), [
    `at nodes.1.console: ${expected} the console on that host than that of the console of a, got 127.0.0.1:7780 of 127.0.0.1`
  ])
  t.deepEqual(two("zone: z", "console: 7790"), [
    `at nodes.1.console: ${expected} the console on that host than that of health of a, got 127.0.0.1:7790 of 127.0.0.1`
  ])
  t.deepEqual(two("zone: z", "console: 7770"), [
    `at nodes.1.console: ${expected} health, ten above it, on that host than that of the console of a, got 127.0.0.1:7780 of 127.0.0.1`
  ])
  t.deepEqual(two("zone: z", "console: 0, health: {port: 7790}"), [
    `at nodes.1.health: ${expected} health on that host than that of health of a, got 127.0.0.1:7790 of 127.0.0.1`
  ])
  t.deepEqual(two("health: {port: 7780}", "console: 0"), [
    `at nodes.0.health: ${expected} health on that host than that of the console of a, got 127.0.0.1:7780 of 127.0.0.1`
  ])
  for (const other of ["console: 0", "console: 7781", "host: 127.0.0.2", "console: 0, health: {port: 0}"])
    t.deepEqual(two("zone: z", other), ["was taken"], other)
})

test("an origin that no browser would say is refused, since it would let nobody in", (t) => {
  const said = (origin: string) => linesOf(`cluster: west\nnodes: [{name: a}]\norigins: ["${origin}"]\n`)
  for (const origin of [
    "*",
    "dashboard.example",
    "https://dashboard.example/",
    "HTTPS://a.example",
    "https://a.example:443"
  ])
    t.deepEqual(said(origin), [
      `c.yaml:3:11: at origins.0: expected an origin such as "https://dashboard.example", without path and not "*", got "${origin}"`
    ])
  for (const origin of ["https://a.example", "http://127.0.0.1:8080"])
    t.deepEqual(said(origin), ["it was taken"])
})

test("patience that cannot work is refused, and so is a log that would be compacted at once", (t) => {
  const file = (more: string) => `cluster: west\nnodes: [{name: a}]\n${more}\n`
  t.deepEqual(linesOf(file("timing: {chainfire: {electionMillis: 299}}")), [
    "c.yaml:3:38: at timing.chainfire.electionMillis: expected at least three heartbeats of 100 ms, got 299"
  ])
  t.deepEqual(linesOf(file("timing: {membership: {probeTimeoutMillis: 400}}")), [
    "c.yaml:3:22: at timing.membership.probeIntervalMillis: expected at least three times the timeout of 400 ms, got 1000"
  ])
  t.deepEqual(linesOf(file("components: {chainfire: {log: {entriesMax: 200}}}")), [
    "c.yaml:3:31: at components.chainfire.log.tailEntries: expected fewer than entriesMax, 200, got 5000"
  ])
})

test("what is no YAML, or twice, or a trap, is refused in words that help", (t) => {
  t.deepEqual(linesOf("a: 1\na: 2\n"), ["c.yaml:2:1: is there twice: a key is said once"])
  t.deepEqual(linesOf("a:\n\tb: 1\n"), ["c.yaml:2:1: is indented with a tab: YAML takes spaces"])
  t.deepEqual(linesOf("a: 1\n---\nb: 1\n"), [
    "c.yaml:2:1: begins a second document: a file describes one cluster"
  ])
  t.deepEqual(linesOf("? [a]\n: 1\n"), ["c.yaml:1:3: is no key: keys are names"])
  t.deepEqual(linesOf("a: !here 1\n"), ["c.yaml:1:4: Unresolved tag: !here"])
  t.deepEqual(linesOf("a: *b\n"), [
    "c.yaml:1:1: Unresolved alias (the anchor must be set before the alias): b"
  ])
  t.deepEqual(linesOf("%YAML 1.1\n---\na: no\n"), ["c.yaml:1:1: is YAML 1.1: write YAML 1.2"])
  t.deepEqual(linesOf(""), ["c.yaml:1:1: expected a cluster: a section with cluster and nodes, got nothing"])
  t.deepEqual(linesOf("x".repeat(charactersMax + 1)), [
    `c.yaml:1:1: expected up to ${charactersMax} characters, got ${charactersMax + 1}`
  ])
  const deep = linesOf("[".repeat(100_000))
  t.is(deep.length, 1)
  t.regex(deep[0] ?? "", /^c\.yaml:1:\d+: is nested too deeply$/)
  const more = "abcdefgh".split("").map((letter, index, all) => {
    const below = all[index - 1]
    return `${letter}: &${letter} [${Array.from({ length: 9 }, () => (below === undefined ? "lol" : `*${below}`)).join()}]`
  })
  t.deepEqual(linesOf(more.join("\n")), [
    "c.yaml:1:1: Excessive alias count indicates a resource exhaustion attack"
  ])
})

test("who writes more wrong than can be read is told how much", (t) => {
  const keys = Array.from({ length: 50 }, (_, index) => `key${index}: 1`).join("\n")
  const lines = linesOf(`cluster: west\nnodes: [{name: a}]\n${keys}\n`)
  t.is(lines.length, 21)
  t.is(lines.at(-1), "c.yaml: and 30 more problems")
})

test("what was written once may be said again by its name", (t) => {
  const text = `cluster: west
nodes:
  - &first { name: a, zone: &zone z }
  - { name: b, zone: *zone, links: 1, etcd: 70000, dataDirectory: /b }
`
  t.deepEqual(linesOf(text), ["c.yaml:4:45: at nodes.1.etcd: expected a port, 0 to 65535, got 70000"])
})

// Any text

const isLine = /^c\.(yaml|json)(:\d+:\d+)?: [^\n]+$/

const told = (text: string): boolean =>
  ["c.yaml", "c.json"].every((file) => {
    const lines = linesOf(text, file)
    return lines.length <= 21 && lines.every((line) => line === "it was taken" || isLine.test(line))
  })

const piece = fc.oneof(
  fc.constantFrom(
    "cluster: ",
    "nodes:",
    "\n  - ",
    "name: ",
    "host",
    "{",
    "}",
    "[",
    "]",
    ", ",
    ": ",
    "\n",
    "\t"
  ),
  fc.constantFrom(
    "&a ",
    "*a",
    "!x ",
    "? ",
    "| ",
    "> ",
    "'",
    '"',
    "#",
    "%YAML 1.1\n---\n",
    "<<: *a",
    "---\n",
    "..."
  ),
  fc.constantFrom(
    "null",
    "~",
    "1e999",
    ".nan",
    "0x10",
    "true",
    "__proto__",
    "constructor",
    "\\u0000",
    "\uFEFF"
  ),
  fc.string({ unit: "binary", maxLength: 8 })
)

test("no text crashes it, and every answer is lines with places", (t) => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => told(pieces.join(""))),
    { numRuns: 3_000 }
  )
  t.pass()
})

test("no value crashes it either", (t) => {
  const key = fc.constantFrom(
    ...["profile", "cluster", "nodes", "roles", "components", "limits", "timing", "name", "tls", "host"],
    ...["log", "level", "telemetry", "otlp", "ratio", "stopMillis", "health", "port"],
    ...["chainfire", "etcd", "links", "autoCompaction", "retention", "__proto__", "toString", "zone"]
  )
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom<unknown>(
        "single-node-dev",
        "three-node-control-plane",
        "bare-metal-bootstrap",
        "node01",
        null
      ),
      fc.integer(),
      fc.boolean(),
      fc.array(tie("value"), { maxLength: 4 }),
      fc.dictionary(key, tie("value"), { maxKeys: 6 })
    )
  }))
  fc.assert(
    fc.property(value, (written) => told(JSON.stringify(written)) && told(stringify(written))),
    { numRuns: 2_000 }
  )
  t.pass()
})
