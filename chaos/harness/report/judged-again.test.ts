import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import test from "ava"
import { Effect } from "effect"
import { clientsUndisturbed } from "#chaos/checkers/clients-undisturbed.ts"
import { linearizable } from "#chaos/checkers/linearizable.ts"
import { noUnexpectedCrash } from "#chaos/checkers/unexpected-crashes.ts"
import { madeUpRun } from "../fixtures/made-up-run.ts"
import type { Run } from "../run.ts"
import { judgedAgain } from "./judged-again.ts"
import { openFolder, readReport, writeReport } from "./report-folder.ts"

const machine = { cpu: "2 cores", kvm: false, node: "v24", git: "0123abc" }
const checks = [linearizable, clientsUndisturbed, noUnexpectedCrash()]
const bounds = { nowMillis: () => 0, millisMax: 1 }

/** What checks say of a run, from its report. */
const fromReport = (run: Run, meanwhile: (folder: string) => void = () => {}) =>
  Effect.acquireUseRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "judged-again-"))),
    (root) =>
      Effect.gen(function* () {
        const folder = yield* openFolder(root, "made-up", 0)
        yield* writeReport(folder, run, machine, undefined)
        meanwhile(folder)
        return yield* judgedAgain(yield* readReport(folder), checks, bounds)
      }),
    (root) => Effect.sync(() => rmSync(root, { recursive: true, force: true }))
  )

test("a run is judged from its report as it was when it was played", async (t) => {
  const run = madeUpRun()
  const { evidence } = run
  if (evidence === undefined) return t.fail("the run that is made up has no evidence")
  const before = checks.map(({ judge }) => judge(evidence, bounds))
  t.deepEqual(await Effect.runPromise(fromReport(run)), before)
})

test("evidence that cannot be read is no success, and says which line", async (t) => {
  const fault = await Effect.runPromise(
    Effect.flip(fromReport(madeUpRun(), (folder) => writeFileSync(join(folder, "evidence.jsonl"), "{}\n")))
  )
  t.regex(fault.message, /line 1 of the evidence cannot be read/)
})
