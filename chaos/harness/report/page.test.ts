import test from "ava"
import { madeUpOptions, madeUpRun } from "../fixtures/made-up-run.ts"
import type { Run } from "../run.ts"
import { page } from "./page.ts"
import { resultOf } from "./result.ts"

const machine = { cpu: "2 cores", kvm: false, node: "v24", git: "0123abc" }
const pageOf = (run: Run) =>
  page({ run, result: resultOf(run, machine, undefined), replayCommand: "npm run chaos -- replay latest" })

/** All elements with their attributes, as a browser reads them; throws at what is none. */
const elementsOf = (text: string) =>
  [...text.matchAll(/<([a-z][a-z0-9]*)((?:\s+[a-z-]+(?:="[^"<]*")?)*)\s*\/?>/gi)].map(
    ([, name = "", attributes = ""]) => ({
      name,
      attributes: new Map(
        [...attributes.matchAll(/([a-z-]+)="([^"]*)"/gi)].map(([, key = "", value = ""]) => [key, value])
      )
    })
  )

test("the operations that violate are marked in the picture, and linked with what is told of them", (t) => {
  const text = pageOf(madeUpRun())
  const elements = elementsOf(text)
  const ids = new Set(elements.flatMap(({ attributes }) => attributes.get("id") ?? []))
  for (const id of [12, 30, 31]) {
    t.true(ids.has(`op-${id}`), `no row for #${id}`)
    t.true(ids.has(`bar-${id}`), `no bar for #${id}`)
  }
  const marked = elements.filter(
    ({ attributes, name }) => name === "rect" && attributes.get("class")?.includes("violating")
  )
  t.is(marked.length, 3)
  for (const { attributes, name } of elements) {
    const target = attributes.get("href")
    if (name !== "a" || target === undefined) continue
    t.true(target.startsWith("#") && ids.has(target.slice(1)), `${target} leads nowhere`)
  }
})

test("it says what happened, who led, and how to play it again", (t) => {
  const text = pageOf(madeUpRun())
  for (const said of [
    "npm run chaos -- replay latest",
    "the power of node01 is cut",
    "node02 leads in term 3",
    "a supervisor gave up",
    "every answer is right at some moment"
  ])
    t.true(text.includes(said), said)
})

test("nothing is loaded from anywhere", (t) => {
  const text = pageOf(madeUpRun())
  t.notRegex(text, /https?:|\bsrc=|@import|url\(|<link\b/i)
  t.regex(text, /default-src 'none'/)
})

test("names, keys and errors of strangers stay text", (t) => {
  const hostile = `</title></script><script>alert(1)</script><img onerror='x' a="&\u202e\u0000`
  const text = pageOf(madeUpRun({ name: hostile }))
  for (const dangerous of ["<script>alert", "<img", "\u202e", "\u0000"]) t.false(text.includes(dangerous))
  t.is(elementsOf(text).filter(({ name }) => name === "script").length, 1)
  t.regex(text, /&lt;script&gt;alert\(1\)/)
})

test("a run of a hundred thousand operations is a page of bounded size, with all that violate on it", (t) => {
  const text = pageOf(madeUpRun({ operations: 100_000 }))
  t.true(text.length < 3_000_000, `${text.length} characters`)
  t.regex(text, /3000 of 100000 operations are shown/)
  for (const id of [12, 30, 31]) t.true(text.includes(`id="bar-${id}"`), `no bar for #${id}`)
})

test("a run that was not played has a page that says why", (t) => {
  const run: Run = {
    ...madeUpRun({ options: madeUpOptions }),
    world: "qemu",
    outcome: "blocked",
    reason: "qemu-system-x86_64 is not installed; apt-get install qemu-system-x86",
    actions: [],
    findings: [],
    evidence: undefined
  }
  const text = pageOf(run)
  t.regex(text, /qemu-system-x86_64 is not installed/)
  t.notRegex(text, /<svg/)
})
