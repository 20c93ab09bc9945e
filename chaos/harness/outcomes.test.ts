import test from "ava"
import { Finding, passed, skipped, unknown } from "#chaos/checkers/evidence.ts"
import { madeUpOptions, madeUpRun } from "./fixtures/made-up-run.ts"
import { countText, exitCode, isUndecided, outcomeOf, runText } from "./outcomes.ts"
import { resultOf } from "./report/result.ts"
import { counted, emptyTally, tallyTable } from "./soak-table.ts"

test("success takes that something passed and nothing failed", (t) => {
  t.is(exitCode(["passed"]), 0)
  t.is(exitCode(["passed", "skipped"]), 0)
  t.is(exitCode(["passed", "failed", "blocked"]), 1)
  t.is(exitCode(["passed", "blocked"]), 3)
  t.is(exitCode(["skipped", "skipped"]), 3)
  t.is(exitCode([]), 3)
})

test("outcomes are counted in words", (t) => {
  t.is(countText(["passed", "skipped", "passed", "failed"]), "2 passed, 1 failed, 1 skipped")
  t.is(countText([]), "nothing was played")
})

test("of a check that failed the beginning and the end are said, and how much is between them", (t) => {
  const run = madeUpRun()
  const [wrong] = run.findings
  const lines = ["one", "two", "three", "four", "five", "six"]
  const said = runText({ ...run, findings: wrong === undefined ? [] : [new Finding({ ...wrong, lines })] })
  t.deepEqual(said.slice(1), [
    "  failed  linearizability: one",
    "          two",
    "          ... 2 more, in the report",
    "          five",
    "          six"
  ])
})

const undecided = {
  ...madeUpRun(),
  findings: [new Finding({ check: "order", verdict: "unknown", lines: ["out of time"], operations: [] })]
}

test("what could not be decided is no success, and not called a failure of a check", (t) => {
  t.true(isUndecided(undecided))
  t.false(isUndecided(madeUpRun()))
  t.false(isUndecided(madeUpRun({ isWrong: false })))
})

test("what was not looked into changes no outcome, and is shown with its reason", (t) => {
  const left = skipped("disks", "out of time")
  t.is(outcomeOf([passed("order", "fine"), left]).outcome, "passed")
  t.deepEqual(outcomeOf([unknown("order", "out of time"), left]), {
    outcome: "failed",
    reason: "order: unknown"
  })
  const run = { ...madeUpRun({ isWrong: false }), findings: [left] }
  t.is(runText(run)[1], "  skipped disks: not looked into: out of time")
  const { scope, steps } = resultOf(run, { cpu: "", kvm: false, node: "", git: "" }, undefined)
  t.deepEqual(steps, [])
  t.true(scope.includes("disks: not looked into: out of time"))
})

test("a soak counts runs by scenario, and names seeds that did not pass", (t) => {
  const wrongAt = (seed: number) => madeUpRun({ options: { ...madeUpOptions, seed }, operations: 10 })
  const runs = [wrongAt(3), undecided, madeUpRun({ isWrong: false }), wrongAt(8)]
  const skipped = { ...madeUpRun(), outcome: "skipped" as const, evidence: undefined }
  const table = tallyTable([
    runs.reduce(counted, emptyTally("leader-power-loss")),
    counted(emptyTally("full-disk"), skipped)
  ])
  t.deepEqual(
    table.map((line) => line.replaceAll(/ +/g, " ")),
    [
      "scenario runs passed failed unknown skipped operations",
      "leader-power-loss 4 1 2 1 0 1,220 seeds 3, 7, 8",
      "full-disk 0 0 0 0 1 0",
      "all 4 1 2 1 1 1,220"
    ]
  )
})
