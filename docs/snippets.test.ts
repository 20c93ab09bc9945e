import { execFile } from "node:child_process"
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { promisify } from "node:util"
import test from "ava"

const root = join(import.meta.dirname, "..")
const folder = join(root, "work", `snippets-${process.pid}`)
const run = promisify(execFile)

/** The TypeScript of a page, in order: later blocks may use what earlier ones declare. */
const moduleOf = (page: string): string =>
  [...readFileSync(page, "utf8").matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code).join("\n")

const pages = globSync("docs/**/*.md", { cwd: root }).filter((page) => moduleOf(join(root, page)) !== "")

test.before(() => {
  mkdirSync(folder, { recursive: true })
  for (const page of pages) {
    writeFileSync(join(folder, `${basename(page, ".md")}.ts`), moduleOf(join(root, page)))
  }
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      extends: "../../tsconfig.json",
      compilerOptions: { noUnusedLocals: false },
      include: ["."]
    })
  )
})

test.after.always(() => rmSync(folder, { recursive: true, force: true }))

test("the TypeScript of every page type-checks", async (t) => {
  const { stdout } = await run(join(root, "node_modules/.bin/tsc"), ["-p", folder], { cwd: root }).catch(
    (failed: { readonly stdout: string }) => failed
  )
  t.is(stdout, "")
})

for (const page of pages) {
  test(`the TypeScript of ${page} runs, assertions included`, async (t) => {
    await t.notThrowsAsync(
      run(process.execPath, [join(folder, `${basename(page, ".md")}.ts`)], { cwd: root })
    )
  })
}
