/** What an operator reads at /readyz: each trouble of a node, in one line, and whether it is in the way of its work. */
import test from "ava"
import * as fc from "fast-check"
import type { ChainfireStatus } from "#protocols/chainfire.ts"
import type { LinkStatus } from "#protocols/links.ts"
import type { ActorSnapshot } from "#protocols/runtime.ts"
import { healthOf, type Known, liveText, readyText, whyNotReady } from "./health.ts"

const actor = (
  path: string,
  given: Partial<ActorSnapshot> = {},
  ...children: ReadonlyArray<ActorSnapshot>
): ActorSnapshot => ({
  path,
  name: path.split("/").at(-1) ?? "",
  kind: "actor",
  role: "permanent",
  status: "running",
  incarnation: 1,
  mailbox: 0,
  handled: 0,
  dropped: 0,
  handlerMillis: 0,
  lastCrash: "",
  ...given,
  children
})

const tree = (...components: ReadonlyArray<ActorSnapshot>) => actor("/node01", { role: "" }, ...components)

const status: ChainfireStatus = {
  ...{ member: 1, role: "follower", term: 3, leader: 2, commitIndex: 90, appliedIndex: 90, revision: 9 },
  ...{ compactRevision: 0, leases: 0, authentication: false, watches: 0, parkedWatches: 0 },
  ...{ snapshotsInstalled: 0, firstIndex: 1, voters: [1, 2, 3], learners: [], removed: false },
  ...{ alarms: [], failed: "" }
}

const link = (node: string): LinkStatus => ({
  ...{ node, address: "127.0.0.1:7700", state: "linked", direction: "out", reason: "", attempts: 0 },
  ...{ queued: 0, queuedBytes: 0, malformed: 0, droppedDatagrams: 0 }
})

const well: Known = {
  node: "node01",
  phase: "running",
  tree: tree(actor("/node01/cluster"), actor("/node01/chainfire"), actor("/node01/roles")),
  chainfire: status,
  members: ["node01", "node02", "node03"].map((name) => ({ name, status: "alive" })),
  links: [link("node02"), link("node03")]
}

/** What keeps it from being ready. */
const reasons = (known: Partial<Known>) => {
  const health = healthOf({ ...well, ...known })
  return { ...health, why: whyNotReady(health) }
}
const chainfire = (given: Partial<ChainfireStatus>) => reasons({ chainfire: { ...status, ...given } })

test("a node of which all is well is ready, and says so in the words of Kubernetes", (t) => {
  const health = healthOf(well)
  t.true(health.live && health.ready)
  t.is(readyText(health, false), "ok\n")
  t.is(liveText(health.live), "ok\n")
  t.is(
    readyText(health, true),
    ["node", "cluster", "chainfire", "roles", "membership", "links"]
      .map((component) => `[+]${component} ok\n`)
      .join("")
      .concat("readyz check passed\n")
  )
})

test("a node is alive from the start to the end of its tree, and ready only while it runs", (t) => {
  for (const phase of ["starting", "draining", "stopping"] as const) {
    const { live, ready, why } = reasons({ phase })
    t.true(live)
    t.false(ready)
    t.regex(why, /^node: node01 (is|was told)/)
  }
  const { live, ready } = reasons({ phase: "ended" })
  t.false(live || ready)
})

test("chainfire is not ready without a leader, while it catches up, without its disk, and while an alarm is raised", (t) => {
  t.regex(chainfire({ leader: 0 }).why, /^chainfire: no leader is known: fewer than a majority/)
  t.regex(chainfire({ learners: [1] }).why, /^chainfire: its member catches up: it does not vote yet$/)
  t.regex(chainfire({ commitIndex: 20_000 }).why, /catches up: 19910 entries are not applied yet$/)
  t.regex(chainfire({ failed: "EIO" }).why, /^chainfire: its disk failed: EIO$/)
  t.regex(chainfire({ removed: true }).why, /^chainfire: its member was removed/)
  t.regex(
    chainfire({ alarms: ["NOSPACE"] }).why,
    /^chainfire: the alarm NOSPACE is raised: writes are refused/
  )
  t.is(
    reasons({ chainfire: { silent: "timed out" } }).why,
    "chainfire: its member does not answer: timed out"
  )
  t.true(chainfire({ alarms: [] }).ready)
})

test("whatever is stopped, keeps crashing or was told to wait is named with its path and the name of its last crash", (t) => {
  const below = (child: ActorSnapshot) =>
    reasons({ tree: tree(actor("/node01/shop", {}, actor("/node01/shop/store"), child)) }).why
  const crashed = { status: "down", lastCrash: "Error: no\n  at somewhere" } as const
  t.is(
    below(actor("/node01/shop/anna", crashed)),
    "shop: /node01/shop/anna is down: it crashed with Error, its log says why"
  )
  t.is(below(actor("/node01/shop/anna", { status: "down" })), "shop: /node01/shop/anna is down")
  t.is(below(actor("/node01/shop/anna", { status: "starting" })), "shop: /node01/shop/anna is starting")
  t.regex(below(actor("/node01/shop/anna", { status: "suspended" })), /anna waits by order of an operator$/)
  // What was meant to end, and has.
  t.is(below(actor("/node01/shop/job", { status: "down", role: "transient" })), "")
  t.is(below(actor("/node01/shop/job", { ...crashed, role: "temporary" })), "")
  t.is(below(actor("/node01/shop/guest", { status: "starting", role: "" })), "")
})

test("what a crash said stays inside: whoever asks has not logged in", (t) => {
  const password = "hunter2"
  const token = "eyJhbGciOiJIUzI1NiJ9.eyJhY3RvcklkIjoiSFVNQU4i.c2lnbmF0dXJlc2ln"
  for (const lastCrash of [`Refused: password ${password}, ${token}`, `${password}: ${token}`, password]) {
    const shop = actor("/node01/shop", { status: "down", lastCrash })
    const health = reasons({ tree: tree(shop), chainfire: { silent: `Bearer ${token}` } })
    for (const text of [readyText(health, true), readyText(health, false), health.why]) {
      t.true(text.includes("/node01/shop is down: it crashed"), text)
      for (const secret of [password, token]) t.false(text.includes(secret), text)
    }
  }
  t.is(chainfire({ failed: `Bearer ${token}` }).why, "chainfire: its disk failed: Bearer <redacted>")
})

test("troubles that are in nobody's way are told, and change nothing", (t) => {
  const one = reasons({ links: [link("node02")] })
  t.true(one.ready)
  t.regex(readyText(one, true), /^\[-\]links \(not needed\): node03 is alive, and there is no link to it$/m)
  t.is(readyText(one, false), "ok\n")
  const closed = reasons({ tree: tree(actor("/node01/console", { status: "down" })) })
  t.true(closed.ready)
  t.regex(readyText(closed, true), /^\[-\]console \(not needed\): /m)
})

test("who has said goodbye is not ready until its next start", (t) => {
  const { ready, why } = reasons({ members: [{ name: "node01", status: "left" }] })
  t.false(ready)
  t.regex(why, /^membership: node01 has said goodbye to the cluster/)
})

test("however much is wrong, the answer is short, and has a line for each reason", (t) => {
  const many = fc.array(fc.record({ name: fc.string(), lastCrash: fc.string() }), { maxLength: 50 })
  fc.assert(
    fc.property(many, (crashed) => {
      const children = crashed.map(({ lastCrash, name }) =>
        actor(`/node01/shop/${name}`, { status: "down", lastCrash })
      )
      const health = reasons({ tree: tree(actor("/node01/shop", {}, ...children)) })
      t.is(health.ready, crashed.length === 0)
      const lines = readyText(health, true).trimEnd().split("\n")
      t.true(lines.length <= 4 + 11)
      t.true(lines.every((line) => /^(\[[+-]\]|readyz check )/.test(line) && line.length < 400))
    })
  )
})
