/** What is said of recorded disks: success needs something that was looked for, and whatever is wrong is shown. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import test from "ava"
import { Effect } from "effect"
import { findingOf, lookIntoCrashes } from "./crash-check.ts"
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

test("nothing that was looked for is no success", (t) => {
  t.is(findingOf([], 3).verdict, "unknown")
  t.is(findingOf([report({ due: 0 })], 3).verdict, "unknown")
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
