/** What is said of recorded disks: success needs something that was looked for, and whatever is wrong is shown. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import test from "ava"
import { Effect } from "effect"
import { passed } from "#chaos/checkers/evidence.ts"
import { outcomeOf } from "#chaos/harness/outcomes.ts"
import { findingOf, leftOut, lookIntoCrashes } from "./crash-check.ts"
import type { CrashReport } from "./crash-run.ts"

const report = (more: Partial<CrashReport> = {}): CrashReport => ({
  points: 6,
  due: 60,
  lost: 0,
  corrupt: 0,
  findings: [],
  pending: 9,
  dropped: 4,
  torn: 1,
  repaired: 0,
  millisPerPoint: 100,
  ...more
})

test("cuts after which everything was there pass, with their numbers", (t) => {
  const { lines, verdict } = findingOf([report(), report()], 3)
  t.is(verdict, "passed")
  t.regex(lines[0] ?? "", /^12 power cuts of 3 disks, 8 of 18 unflushed writes dropped, 2 torn: 120 looks/)
})

test("an acknowledged write that is missing after one of many cuts fails, and is named", (t) => {
  const problems = ["a = 1.7 of revision 9 is on 1 of 3 disks"]
  const lost = report({ lost: 1, findings: [{ cut: 3, positions: [1, 2, 3], kind: "lost", problems }] })
  const { lines, verdict } = findingOf([report(), lost], 3)
  t.is(verdict, "failed")
  t.true(lines.some((line) => line.includes("cut 3 at 1, 2, 3: lost: a = 1.7 of revision 9")))
  t.is(findingOf([report({ corrupt: 1 })], 3).verdict, "failed")
})

test("on a machine too slow for a single look it was not looked into, which fails no run and is no success", (t) => {
  for (const reports of [[], [report({ points: 0, due: 0 })], [report({ due: 0 })]]) {
    const finding = findingOf(reports, 3)
    t.is(finding.verdict, "skipped")
    t.regex(finding.lines[0] ?? "", /^not looked into: /)
    t.is(outcomeOf([passed("order", ""), finding]).outcome, "passed")
  }
})

test("disks that cannot be used after any cut fail the run, although nothing could be looked for", (t) => {
  const finding = findingOf([report({ points: 6, due: 0, corrupt: 6 })], 3)
  t.is(finding.verdict, "failed")
  t.deepEqual(outcomeOf([finding]), { outcome: "failed", reason: "crash points: failed" })
})

test("where disks of a run with power cuts are not looked into, it says so and why", (t) => {
  const recorded = { cuts: 2, spares: 0, isFull: false }
  t.is(leftOut(recorded), undefined)
  t.deepEqual(leftOut({ ...recorded, cuts: 0, spares: 1 }), [])
  const said = (more: Partial<typeof recorded>) =>
    leftOut({ ...recorded, ...more })?.map(({ check, lines, verdict }) =>
      [check, verdict, ...lines].join(": ")
    )
  t.regex(
    said({ spares: 1 })?.join() ?? "",
    /^crash points: skipped: not looked into: disks of spare machines/
  )
  t.regex(
    said({ isFull: true })?.join() ?? "",
    /^crash points: skipped: not looked into: there were more writes/
  )
})

test("disks that are not there are unknown, with the reason", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "crash-check-"))
  try {
    const disk = {
      name: "node01",
      dataFolder: "/",
      basePath: join(folder, "base"),
      logPath: join(folder, "log")
    }
    const { lines, verdict } = await Effect.runPromise(
      lookIntoCrashes(
        { disks: [disk], writes: [], moments: [] },
        { seed: 1, millisMax: 1_000, workFolder: join(folder, "work"), keepFolder: undefined }
      )
    )
    t.is(verdict, "unknown")
    t.regex(lines[0] ?? "", /ENOENT/)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
