/** The log of a node as it is started from the command line, and one that nobody reads. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { Effect } from "effect"
import { withCluster } from "#actors/chainfire/fixtures/process-cluster.ts"
import { eventually } from "#actors/kernel/fixtures/eventually.ts"
import { nodeLog, writeLines } from "./log.ts"

test("a node that is no terminal's logs JSON and nothing else, from its start to its stop", async (t) => {
  t.timeout(120_000)
  await withCluster("chainfire", 1, async ({ folder, members: [member] }) => {
    const read = () => readFileSync(join(folder, "node01.log"), "utf8")
    await eventually(read, () => (read().includes('"message":"ready ') ? true : undefined))
    await member?.stop()
    const text = read()
    const lines = text.trimEnd().split("\n")
    const messages = lines.map((line): string => {
      const { level, message, node, time } = JSON.parse(line)
      t.is(node, "node01")
      t.true(["info", "warn", "error"].includes(level), line)
      t.false(Number.isNaN(Date.parse(time)))
      return message
    })
    for (const said of [/^listens for nodes at/, /^this is member/, /^ready \d+ ms/, /^stopped in order in/])
      t.true(
        messages.some((message) => said.test(message)),
        `${said}: ${text}`
      )
  })
})

test("whoever does not read loses lines, and is told how many", (t) => {
  const said: Array<string> = []
  const stream = { writableLength: 0, write: (text: string) => said.push(text) > 0 }
  const write = writeLines(stream, "json")
  write("one")
  stream.writableLength = 2_000_000
  for (let count = 0; count < 1_000; count++) write("lost")
  stream.writableLength = 0
  write("two")
  const notice = { level: "warn", message: "1000 lines were left out: nobody read them in time" }
  t.is(said.join(""), `one\n${JSON.stringify(notice)}\ntwo\n`)
})

test("annotations are fields, an actor is a path, and a cause is told", async (t) => {
  const lines: Array<string> = []
  const log = nodeLog({ node: "node01", format: "json", write: (line) => void lines.push(line) })
  await Effect.runPromise(
    Effect.logWarning("it is late", new Error("no")).pipe(
      Effect.annotateLogs({ system: "node01", actor: "/node01/shop", millis: 12 }),
      Effect.zipRight(Effect.logDebug("nobody wants to know")),
      Effect.provide(log)
    )
  )
  t.is(lines.length, 1)
  t.like(JSON.parse(lines[0] ?? ""), {
    ...{ level: "warn", node: "node01", path: "/node01/shop", message: "it is late Error: no" },
    fields: { millis: 12 }
  })
})
