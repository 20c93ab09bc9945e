import { basename } from "node:path"
import test from "ava"
import { leaf } from "./layers.ts"
import { repository } from "./repository.ts"
import { tidy } from "./tidy.ts"

test("this repository is tidy", (t) => {
  t.deepEqual(tidy(repository()), [])
})

/** A rule, a file that breaks it, and how the objection begins. Line 1 is the header. */
// biome-ignore format: a case is two or three lines
const refused: ReadonlyArray<readonly [rule: string, path: string, text: string, objection: string]> = [
  // Rooms
  ["a protocol knows nothing but protocols", "protocols/dns.ts",
    'import { Ref } from "#actors/kernel/ref.ts"',
    "2: may not import actors/kernel/ref.ts. Allowed here: protocols/. Ask others by message"],
  ["the kernel knows no component", "actors/kernel/actor.ts",
    'import { Zone } from "#actors/dns/zone.ts"', "2: may not import actors/dns/zone.ts"],
  ["a port of the kernel knows no platform", "actors/kernel/ports/disk.ts",
    'import { LmdbDisk } from "../../platform/lmdb-disk.ts"',
    "2: may not import actors/platform/lmdb-disk.ts"],
  ["the platform knows no component", "actors/platform/lmdb-disk.ts",
    'import { Zone } from "#actors/dns/zone.ts"', "2: may not import actors/dns/zone.ts"],
  ["a foundation does not import another foundation", "actors/cluster/failover-actor.ts",
    'import { RaftLog } from "#actors/raft/raft-log.ts"',
    "2: may not import actors/raft/raft-log.ts"],
  ["a foundation's pure core does not import another foundation either", "actors/raft/raft-log.ts",
    'import { Members } from "#actors/cluster/members.ts"',
    "2: may not import actors/cluster/members.ts"],
  ["a foundation imports no component", "actors/cluster/failover-actor.ts",
    'import { Zone } from "#actors/dns/zone.ts"', "2: may not import actors/dns/zone.ts"],
  ["a component does not import another component", "actors/dns/dns-actor.ts",
    'import { LeaseActor } from "#actors/lease/lease-actor.ts"',
    "2: may not import actors/lease/lease-actor.ts. Allowed here: actors/dns/, protocols/"],
  ["a component's pure core does not import another component, not even its types", "actors/dns/zone.ts",
    'import type { Lease } from "../lease/lease-table.ts"',
    "2: may not import actors/lease/lease-table.ts"],
  ["a component whose name begins like another's is another component", "actors/dns/dns-actor.ts",
    'import { Gate } from "#actors/dns-gate/gate.ts"', "2: may not import actors/dns-gate/gate.ts"],
  ["a component does not pick its platform", "actors/dns/dns-actor.ts",
    'import { LmdbDisk } from "#actors/platform/lmdb-disk.ts"',
    "2: may not import actors/platform/lmdb-disk.ts"],
  ["an actor does not know its supervisor", "actors/dns/dns-actor.ts",
    'import type { Tree } from "#supervisors/engine/tree.ts"',
    "2: may not import supervisors/engine/tree.ts"],
  ["the engine does not know whom it restarts", "supervisors/engine/supervisor.ts",
    'import { DnsActor } from "#actors/dns/dns-actor.ts"',
    "2: may not import actors/dns/dns-actor.ts"],
  ["a pure part of the engine does not know whom it restarts", "supervisors/engine/restart-policy.ts",
    'import { Zone } from "#actors/dns/zone.ts"', "2: may not import actors/dns/zone.ts"],
  ["a tree does not know who looks at it", "supervisors/trees/edge.ts",
    'import { Gateway } from "../shell/gateway-actor.ts"',
    "2: may not import supervisors/shell/gateway-actor.ts"],
  ["the shell does not know chaos", "supervisors/shell/terminal.ts",
    'import { World } from "#chaos/sim/world.ts"', "2: may not import chaos/sim/world.ts"],
  ["a node does not know chaos", "supervisors/node.ts",
    'import { World } from "#chaos/sim/world.ts"', "2: may not import chaos/sim/world.ts"],
  ["chaos does not know the documents", "chaos/sim/world.ts",
    'import { tidy } from "../../docs/tidy/tidy.ts"', "2: may not import docs/tidy/tidy.ts"],
  ["tidy imports nothing that it judges", "docs/tidy/rules.ts",
    'import { report } from "#protocols/fault.ts"', "2: may not import protocols/fault.ts"],
  ["the page of messages knows protocols only", "docs/messages/page.ts",
    'import { Gate } from "#actors/kernel/gate.ts"', "2: may not import actors/kernel/gate.ts"],
  ["nothing imports a test", "actors/dns/zone.ts",
    'import { example } from "./record.test.ts"',
    "2: may not import actors/dns/record.test.ts: move"],
  ["not even a test imports a test", "actors/dns/zone.test.ts",
    'import { example } from "./record.test.ts"',
    "2: may not import actors/dns/record.test.ts: move"],
  ["nothing imports a benchmark", "chaos/harness/run.ts",
    'import "#actors/dns/zone.bench.ts"', "2: may not import actors/dns/zone.bench.ts: move"],
  ["nothing imports a snippet of the documents", "chaos/harness/run.ts",
    'import { counter } from "../../docs/guide/counter.ts"',
    "2: may not import docs/guide/counter.ts: move"],
  ["a room that no row names is refused", "supervisors/gui/page.ts",
    "", "belongs to no room"],
  ["a component is one flat folder", "actors/dns/records/address-record.ts",
    "", "belongs to no room"],

  // How an import is written
  ["an import over several lines is seen, comments and all", "actors/dns/dns-actor.ts",
    'import {\n  LeaseActor, // "why\n  LeaseTable\n} from "#actors/lease/lease-actor.ts"',
    "2: may not import actors/lease/lease-actor.ts"],
  ["an import after another one is found on its own line", "actors/dns/dns-actor.ts",
    'import { Effect } from "effect"\n\nimport * as Lease from "#actors/lease/lease-table.ts"',
    "4: may not import actors/lease/lease-table.ts"],
  ["an import after a list of exports is found on its own line", "actors/dns/zone.ts",
    'export { a, b }\nimport { Effect } from "effect"',
    "3: is pure and may not use Effect of effect"],
  ["an export from elsewhere is an import", "actors/dns/dns-actor.ts",
    'export { LeaseActor } from "#actors/lease/lease-actor.ts"',
    "2: may not import actors/lease/lease-actor.ts"],
  ["an exported type from elsewhere is an import", "actors/dns/dns-actor.ts",
    'export type { Lease } from "#actors/lease/lease-actor.ts"',
    "2: may not import actors/lease/lease-actor.ts"],
  ["an import of a default is an import", "actors/dns/dns-actor.ts",
    'import lease from "#actors/lease/lease-actor.ts"',
    "2: may not import actors/lease/lease-actor.ts"],
  ["an import for its side effect is an import", "actors/dns/dns-actor.ts",
    'import "#actors/lease/lease-actor.ts"', "2: may not import actors/lease/lease-actor.ts"],
  ["a dynamic import is an import", "actors/dns/dns-actor.ts",
    'const late = () => import("#actors/lease/lease-actor.ts")',
    "2: may not import actors/lease/lease-actor.ts"],
  ["an import after a long comment is found on its own line", "actors/dns/dns-actor.ts",
    '/*\n\n*/ // "\nimport { open } from "lmdb"', "5: may not import lmdb"],
  ["a comment that looks open inside a text hides no import", "actors/dns/dns-actor.ts",
    'const glob = "docs/**"\nconst late = () => import("lmdb") // */', "3: may not import lmdb"],

  // Packages
  ["only the platform stores", "actors/dns/dns-actor.ts",
    'import { open } from "lmdb"',
    "2: may not import lmdb. Allowed here: effect. Reach the outside through a port"],
  ["a component listens through a port", "actors/dns/dns-actor.ts",
    'import { createSocket } from "node:dgram"', "2: may not import node:dgram"],
  ["a pure core takes no package but effect, not even for types", "actors/dns/zone.ts",
    'import type { Socket } from "node:dgram"', "2: may not import node:dgram"],
  ["a foundation sends through a port", "actors/cluster/failover-actor.ts",
    'import { Server } from "socket.io"', "2: may not import socket.io"],
  ["a foundation's pure core packs nothing", "actors/raft/raft-log.ts",
    'import { pack } from "msgpackr"', "2: may not import msgpackr"],
  ["the kernel runs in a browser too", "actors/kernel/actor.ts",
    'import { FileSystem } from "@effect/platform"', "2: may not import @effect/platform"],
  ["a protocol takes no package but effect", "protocols/wire/frame.ts",
    'import { pack } from "msgpackr"', "2: may not import msgpackr"],
  ["the platform takes only the packages of its row", "actors/platform/lmdb-disk.ts",
    'import { Command } from "@effect/cli"', "2: may not import @effect/cli"],
  ["the engine reaches nothing outside", "supervisors/engine/supervisor.ts",
    'import { fork } from "node:child_process"', "2: may not import node:child_process"],
  ["a pure part of the engine reaches nothing outside", "supervisors/engine/restart-policy.ts",
    'import { fork } from "node:child_process"', "2: may not import node:child_process"],
  ["a tree reaches nothing outside", "supervisors/trees/edge.ts",
    'import { hostname } from "node:os"', "2: may not import node:os"],
  ["the shell stores nothing", "supervisors/shell/terminal.ts",
    'import { open } from "lmdb"', "2: may not import lmdb"],
  ["a node leaves sockets to the platform", "supervisors/node.ts",
    'import { Server } from "socket.io"', "2: may not import socket.io"],
  ["chaos leaves storage to the platform", "chaos/faults/torn-write.ts",
    'import { open } from "lmdb"', "2: may not import lmdb"],
  ["tidy takes no package", "docs/tidy/rules.ts",
    'import { Array } from "effect"', "2: may not import effect"],
  ["a package whose name begins like another's is another package", "actors/platform/lmdb-disk.ts",
    'import { open } from "lmdb-store"', "2: may not import lmdb-store"],
  ["a subpath counts as its package", "actors/dns/dns-actor.ts",
    'import * as Terminal from "@effect/platform/Terminal"',
    "2: may not import @effect/platform/Terminal"],
  ["a subpath import outside of the rooms is refused", "actors/dns/dns-actor.ts",
    'import { secrets } from "#nix/secrets.ts"', "2: may not import #nix/secrets.ts"],

  // Purity
  ["a pure core has no clock", "actors/dns/zone.ts",
    'import { Clock, HashMap } from "effect"',
    "2: is pure and may not use Clock of effect: leave the doing to an actor"],
  ["a pure core does not get the runtime under another name", "actors/dns/zone.ts",
    'import { Option, Effect as Option2 } from "effect"',
    "2: is pure and may not use Effect of effect"],
  ["a pure core does not get the runtime by its own path", "actors/dns/zone.ts",
    'import * as Option from "effect/Effect"', "2: is pure and may not use Effect of effect"],
  ["a pure core does not get all of effect at once", "actors/dns/zone.ts",
    'import * as Option from "effect"', "2: is pure and may not use * of effect"],
  ["a pure core does not get effect later", "actors/dns/zone.ts",
    'const late = () => import("effect")', "2: is pure and may not use * of effect"],
  ["a type beside a value does not make the value a type", "actors/dns/zone.ts",
    'import { type Option, Ref } from "effect"', "2: is pure and may not use Ref of effect"],
  ["a pure core does not run its actor", "actors/dns/zone.ts",
    'import { DnsActor } from "./dns-actor.ts"',
    "2: is pure and may not import actors/dns/dns-actor.ts"],
  ["a foundation's rules are a pure core too", "actors/raft/raft-log.ts",
    'import { Random } from "effect"', "2: is pure and may not use Random of effect"],
  ["a protocol does nothing", "protocols/dns.ts",
    'import { Effect, Schema } from "effect"', "2: is pure and may not use Effect of effect"],
  ["the restart policy only decides", "supervisors/engine/restart-policy.ts",
    'import { Clock } from "effect"', "2: is pure and may not use Clock of effect"],
  ["supervision only decides", "supervisors/engine/supervision.ts",
    'import { supervise } from "./supervisor.ts"',
    "2: is pure and may not import supervisors/engine/supervisor.ts"],

  // Bans
  ["time comes from the clock", "actors/dns/dns-actor.ts",
    "\nconst now = Date.now()", "3: Date.now( is banned, use the WorldClock port"],
  ["time does not come from a date", "actors/dns/dns-actor.ts",
    "const now = new Date()", "2: new Date( is banned"],
  ["time does not come from effect behind the clock's back", "actors/dns/zone.ts",
    "const now = DateTime.unsafeNow()", "2: DateTime.unsafeNow( is banned"],
  ["time does not come from the engine's timer", "actors/kernel/dispatcher.ts",
    "const now = performance.now()", "2: performance.now( is banned"],
  ["code inside a template is code", "actors/dns/dns-actor.ts",
    `const text = \`now \${Date.now()}\``, "2: Date.now( is banned"],
  ["code after an address in a template inside a template is code", "actors/dns/dns-actor.ts",
    `const text = \`\${a ? \`http://\${b}\` : Date.now()}\``, "2: Date.now( is banned"],
  ["code after a pattern that looks like a comment is code", "actors/dns/dns-actor.ts",
    "const late = /^\\/\\/$/.test(text) && Date.now()", "2: Date.now( is banned"],
  ["code after a pattern that looks like an open comment is code", "actors/dns/dns-actor.ts",
    "const bare = text.replace(/\\/*$/, time) + Date.now() /* why */", "2: Date.now( is banned"],
  ["an actor waits by the clock", "actors/dns/dns-actor.ts",
    "setTimeout(later, 5)", "2: setTimeout( is banned"],
  ["an actor repeats by the clock", "actors/dns/dns-actor.ts",
    "globalThis.setInterval(again, 5)", "2: setInterval( is banned"],
  ["the dispatcher takes its turns from a port", "actors/kernel/dispatcher.ts",
    "setImmediate(slice)", "2: setImmediate( is banned, use the Scheduling port"],
  ["the dispatcher queues nothing behind the port's back", "actors/kernel/dispatcher.ts",
    "queueMicrotask(slice)", "2: queueMicrotask( is banned, use the Scheduling port"],
  ["chance comes from the seed", "chaos/sim/world.ts",
    "const one = Math.random()", "2: Math.random( is banned, use the Randomness port"],
  ["the shell is no entry to the outside for time", "supervisors/shell/main.ts",
    "const now = Date.now()", "2: Date.now( is banned"],
  ["a fault is not ignored", "actors/platform/lmdb-disk.ts",
    "const run = append.pipe(Effect.ignoreLogged)",
    "2: Effect.ignoreLogged is banned, use Effect.catchTag"],
  ["a fault is not declared a bug, not even in a test", "actors/dns/dns-actor.test.ts",
    "const run = append.pipe(Effect.orDie)", "2: Effect.orDie is banned"],
  ["a type is not thrown away", "actors/kernel/actor.ts",
    "const state = initial as any", "2: as any is banned, use a type that is true"],
  ["a type is not replaced by an unrelated one", "actors/kernel/actor.ts",
    "const state = initial as unknown as State", "2: as unknown as is banned"],
  ["the type checker is not switched off in a comment", "actors/kernel/actor.ts",
    "// @ts-expect-error", "2: @ts-expect-error is banned"],
  ["an actor does not print", "actors/dns/dns-actor.ts",
    "console.log(state)", "2: console.log is banned, use Effect.log"],
  ["a file whose name merely ends in main does not print", "chaos/sim/domain.ts",
    "console.log(state)", "2: console.log is banned"],
  ["nothing is left to do later", "protocols/dns.ts", "// TODO: names", "2: TODO is banned"],
  ["nothing is left to fix later", "protocols/dns.ts", "/* FIXME */", "2: FIXME is banned"],
  ["a file exports what it defines", "protocols/dns.ts",
    'export * from "./fault.ts"', "2: export * is banned"],

  // Shape
  ["a file is named after what it holds", "actors/dns/utils.ts",
    "", "is a name for anything"],
  ["a folder is named after what it holds", "chaos/shared/run.ts",
    "", "is a name for anything"],
  ["a test is named after what it tests", "actors/dns/helpers.test.ts",
    "", "is a name for anything"],
  ["a file has at most 600 lines, the header included", "actors/dns/zone.ts",
    "step()\n".repeat(600), "has 601 lines, at most 600"]
]

for (const [rule, path, text, objection] of refused) {
  test(rule, (t) => {
    const objections = objectionsTo(path, text)
    t.is(objections.length, 1, objections.join("\n"))
    t.true(objections[0]!.startsWith(objection), objections[0]!)
  })
}

/** What lies just on the right side of a border. */
// biome-ignore format: a case is two or three lines
const accepted: ReadonlyArray<readonly [rule: string, path: string, text: string]> = [
  ["a fixture, which a test puts into a process of its own, is as free as the test",
    "supervisors/engine/fixtures/adders.ts", 'import { appendFileSync } from "node:fs"\nsetTimeout(stop, 1)'],
  ["a component builds on the kernel, the foundations, the protocols and its own folder",
    "actors/dns/dns-actor.ts",
    [
      'import { actor } from "#actors/kernel/actor.ts"',
      'import { Disk } from "../kernel/ports/disk.ts"',
      'import { Members } from "#actors/cluster/members.ts"',
      'import { RaftLog } from "#actors/raft/raft-log.ts"',
      'import { Lease } from "#protocols/lease.ts"',
      'import { Zone } from "./zone.ts"',
      'import { Zone as Same } from "#actors/dns/zone.ts"'
    ].join("\n")],
  ["a pure core builds on the kernel and on other pure cores", "actors/dns/zone.ts",
    'import { assert } from "#actors/kernel/assert.ts"\nimport { index } from "#actors/raft/raft-log.ts"'],
  ["a pure core may name the type of its actor", "actors/dns/zone.ts",
    'import type { DnsActor } from "./dns-actor.ts"'],
  ["a pure core takes the data types of effect, all at once or one by one", "actors/dns/zone.ts",
    'import { HashMap, Option as Maybe, pipe } from "effect"\nimport * as Either from "effect/Either"'],
  ["a type does not make a core impure, wherever it is written", "actors/dns/zone.ts",
    [
      'import type { Effect } from "effect"',
      'import { type Fiber, Option } from "effect"',
      'export type * as Ref from "effect/Ref"'
    ].join("\n")],
  ["an actor has all of effect", "actors/dns/dns-actor.ts",
    'import { Clock, Effect, Queue } from "effect"\nimport * as Stream from "effect/Stream"'],
  ["a foundation's actor has all of effect", "actors/raft/raft-actor.ts",
    'import { Effect } from "effect"\nimport { RaftLog } from "./raft-log.ts"'],
  ["the kernel and its ports have all of effect", "actors/kernel/ports/disk.ts",
    'import { Context, Effect } from "effect"'],
  ["the kernel builds on the protocols and on its ports", "actors/kernel/actor.ts",
    'import { Fault } from "#protocols/fault.ts"\nimport { Disk } from "./ports/disk.ts"'],
  ["the platform builds on the protocols and on itself", "actors/platform/socket-link.ts",
    'import { Fault } from "#protocols/fault.ts"\nimport { listen } from "./listener.ts"'],
  ["the restart policy knows causes and exits, which are data", "supervisors/engine/restart-policy.ts",
    'import { Cause, Exit } from "effect"'],
  ["the supervisor itself has all of effect", "supervisors/engine/supervisor.ts",
    'import { Effect } from "effect"\nimport { wantsRestart } from "./restart-policy.ts"'],
  ["the platform reaches the outside", "actors/platform/lmdb-disk.ts",
    'import { open } from "lmdb"\nimport "node:path"\nimport { Disk } from "#actors/kernel/ports/disk.ts"'],
  ["a tree knows its actors and the engine", "supervisors/trees/edge.ts",
    'import { DnsActor } from "#actors/dns/dns-actor.ts"\nimport { supervisor } from "../engine/tree.ts"'],
  ["a tree holds other trees and knows the protocols", "supervisors/trees/edge.ts",
    'import { names } from "./names.ts"\nimport { Dns } from "#protocols/dns.ts"'],
  ["the shell speaks to terminals and sockets", "supervisors/shell/terminal.ts",
    'import { Server } from "socket.io"\nimport * as Terminal from "@effect/platform/Terminal"'],
  ["a node picks the real ports", "supervisors/node.ts",
    'import { LmdbDisk } from "#actors/platform/lmdb-disk.ts"\nimport "@effect/platform-node/NodeRuntime"'],
  ["chaos knows all that runs, and itself", "chaos/lab/cluster.ts",
    'import "#supervisors/node.ts"\nimport "#actors/dns/zone.ts"\nimport { run } from "../harness/run.ts"'],
  ["chaos searches with the tools of tests", "chaos/models/dns-model.ts",
    'import fc from "fast-check"\nimport test from "ava"\nimport { Effect } from "effect"'],
  ["tidy reads files", "docs/tidy/rules.ts", 'import "node:fs"\nimport { layers } from "./layers.ts"'],
  ["a test imports anything", "protocols/dns.test.ts",
    'import test from "ava"\nimport { open } from "lmdb"\nimport { world } from "#chaos/sim/world.ts"'],
  ["a benchmark imports its peers and prints", "actors/kernel/mailbox.bench.ts",
    'import comedy from "comedy"\nconsole.log(performance.now())'],
  ["a snippet of the documents imports anything", "docs/guide/counter.ts",
    'import { actor } from "#actors/kernel/actor.ts"\nimport { Effect } from "effect"'],
  ["a comment is no code", "actors/dns/zone.ts",
    [
      "// Not Date.now(), as that would be impure.",
      "const time = 1 // Math.random() neither",
      "/*",
      'import { open } from "lmdb"',
      "*/"
    ].join("\n")],
  ["a quoted text is no code", "actors/dns/zone.ts",
    'const url = "http://example.org"\nconst advice = "use no setTimeout(, nor console.log"'],
  ["a cast to a type that is meant is allowed", "actors/kernel/actor.ts",
    "const state = erased as State\nconst value = erased as unknown"],
  ["words that contain a banned one are allowed", "actors/dns/dns-actor.ts",
    "const update = candidate.now()\nconst all = has_any(consoles.length)\nconst text = `as anything`"],
  ["the platform is where time, turns and chance come from", "actors/platform/real-world.ts",
    [
      "Date.now() + DateTime.unsafeNow() + new Date() + performance.now() + Math.random()",
      "setTimeout(ring, 5) + setInterval(ring, 5) + setImmediate(slice) + queueMicrotask(slice)"
    ].join("\n")],
  ["the harness measures and prints", "chaos/harness/bench.ts", "console.log(performance.now())"],
  ["a node may read the time", "supervisors/node.ts", "const startedMillis = Date.now()"],
  ["a test may read the time", "actors/dns/zone.test.ts", "const startedMillis = Date.now()"],
  ["a command prints", "chaos/sim/main.ts", "console.log(1)"],
  ["a command with a longer name prints", "chaos/lab/cluster-main.ts", "console.log(1)"],
  ["a name may contain a word for anything", "actors/dns/inverted-index.ts", ""],
  ["a file of 600 lines is not too long", "actors/dns/zone.ts", "step()\n".repeat(599)]
]

for (const [rule, path, text] of accepted) {
  test(rule, (t) => {
    t.deepEqual(objectionsTo(path, text), [])
  })
}

test("a file says in its header why it exists", (t) => {
  const problem = "chaos/sim/main.ts:1: has no header, say in a doc comment why this file exists"
  t.deepEqual(tidy([{ path: "chaos/sim/main.ts", text: 'import "node:os"\n/** Late. */' }]), [problem])
  t.deepEqual(tidy([{ path: "chaos/sim/main.ts", text: "#!/usr/bin/env node\n/** Why. */" }]), [])
})

test("a benchmark says in its header what it expects, a test says it in its names", (t) => {
  t.is(tidy([{ path: "actors/dns/zone.bench.ts", text: "bench()" }]).length, 1)
  t.deepEqual(tidy([{ path: "actors/dns/zone.test.ts", text: "test()" }]), [])
})

test("a file that nothing imports is refused", (t) => {
  const world = { path: "chaos/sim/world.ts", text: "/** Why. */" }
  t.deepEqual(tidy([world]), ["chaos/sim/world.ts: is never imported, import it or delete it"])
})

test("a file is reached by whichever way it is imported", (t) => {
  const world = { path: "chaos/sim/world.ts", text: "/** Why. */" }
  for (const text of [
    'import { World } from "./world.ts"',
    'import type { World } from "#chaos/sim/world.ts"',
    'const world = import("./world.ts")'
  ]) {
    t.deepEqual(tidy([world, { path: "chaos/sim/world.test.ts", text }]), [], text)
  }
})

test("an import in a comment reaches nothing", (t) => {
  const world = { path: "chaos/sim/world.ts", text: "/** Why. */" }
  const mention = { path: "chaos/sim/world.test.ts", text: '/*\nimport "./world.ts"\n*/' }
  t.is(tidy([world, mention]).length, 1)
})

test("what is run needs nobody to import it", (t) => {
  for (const path of [
    "supervisors/main.ts",
    "supervisors/node.ts",
    "chaos/lab/cluster-main.ts",
    "chaos/scenarios/power-cut.ts",
    "actors/platform/cell-bootstrap.ts",
    "actors/platform/comedy.d.ts",
    "docs/guide/counter.ts"
  ]) {
    t.deepEqual(tidy([{ path, text: "/** Why. */" }]), [], path)
  }
})

test("a file whose name merely ends in main is not run", (t) => {
  t.is(tidy([{ path: "chaos/sim/domain.ts", text: "/** Why. */" }]).length, 1)
})

test("a pure core has its test beside it, also in the engine", (t) => {
  for (const path of [
    "actors/dns/zone.ts",
    "actors/raft/raft-log.ts",
    "supervisors/engine/restart-policy.ts",
    "supervisors/engine/supervision.ts"
  ]) {
    const testPath = path.replace(".ts", ".test.ts")
    const elsewhere = { path: "chaos/sim/main.ts", text: `/** Why. */\nimport "#${path}"` }
    const problem = `${path}: is a pure core without a test, write ${testPath}`
    t.deepEqual(tidy([{ path, text: "/** Why. */" }, elsewhere]), [problem])
    t.deepEqual(tidy([{ path, text: "/** Why. */" }, elsewhere, { path: testPath, text: "" }]), [])
  }
})

test("an actor, the kernel and a protocol need no test of their own", (t) => {
  for (const path of ["actors/dns/dns-actor.ts", "actors/kernel/ring.ts", "protocols/dns.ts"]) {
    const elsewhere = { path: "chaos/sim/main.ts", text: `/** Why. */\nimport "#${path}"` }
    t.deepEqual(tidy([{ path, text: "/** Why. */" }, elsewhere]), [])
  }
})

test("every occurrence is reported, in the order of the lines", (t) => {
  const text = `/** Why. */${"\nDate.now()".repeat(10)}`
  const lines = tidy([{ path: "chaos/sim/main.ts", text }]).map((problem) => problem.split(":")[1])
  t.deepEqual(lines, ["2", "3", "4", "5", "6", "7", "8", "9", "10", "11"])
})

/** What tidy says about a file that starts with a header, has a test beside it, and is imported there. */
const objectionsTo = (path: string, text: string): ReadonlyArray<string> => {
  const subject = { path, text: `/** Why. */\n${text}` }
  const user = { path: path.replace(".ts", ".test.ts"), text: `import "./${basename(path)}"` }
  return tidy(leaf.test(path) ? [subject] : [subject, user])
    .filter((problem) => problem.startsWith(`${path}:`))
    .map((problem) => problem.slice(path.length + 1).trimStart())
}
