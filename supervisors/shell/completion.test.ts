import test from "ava"
import { Either } from "effect"
import fc from "fast-check"
import { wordsOf } from "./command-line.ts"
import { complete, type Knowledge } from "./completion.ts"
import { shellCommands } from "./shell-commands.ts"

const knowledge: Knowledge = {
  nodes: ["node01", "node02"],
  paths: ["/node01", "/node01/shop", "/node01/shop/store", "/node02"],
  breakers: ["fleet", "/node01/shop/breaker"],
  roles: ["web"],
  events: ["ActorFailed", "ActorRestarted", "MemberJoined"],
  messagesOf: (path) => (path === "/node01/shop/store" ? ["Total", "Write"] : ["GetTree"]),
  fieldsOf: (message) => (message === "Write" ? ["key", "by"] : [])
}

const candidates = (line: string) => complete(shellCommands, knowledge, line).candidates

test("commands are completed, and the second word of those that have two", (t) => {
  t.deepEqual(candidates("tr"), ["trace", "transfer-leader", "tree"])
  t.deepEqual(candidates("breaker t"), ["trip"])
  t.deepEqual(candidates("member "), ["add", "promote", "remove", "replace"])
})

test("paths, messages and fields come from the cluster", (t) => {
  t.deepEqual(candidates("inspect /node01/sh"), ["/node01/shop", "/node01/shop/store"])
  t.deepEqual(candidates("ask /node01/shop/store "), ["Total", "Write"])
  t.deepEqual(candidates("tell /node01/shop/store Write "), ["{"])
  t.deepEqual(candidates("tell /node01/shop/store Write {"), ['{"key": ', '{"by": '])
  t.deepEqual(candidates('tell /node01/shop/store Write {"key": "a", b'), ['{"key": "a", "by": '])
  t.deepEqual(candidates('tell /node01/shop/store Write {"key": "a", "by": 2}'), [])
})

test("options and their values are completed, wherever they stand", (t) => {
  t.deepEqual(candidates("suspend /node01/shop --f"), ["--for"])
  t.deepEqual(candidates("top --sort "), ["busy", "dropped", "handled", "mailbox", "rate", "restarts"])
  t.deepEqual(candidates("metrics --node node02 --n"), ["--node"])
  t.deepEqual(candidates("events Actor"), ["ActorFailed", "ActorRestarted"])
  t.deepEqual(candidates("drain n"), ["node01", "node02"])
  t.deepEqual(candidates("failover veto web "), ["node01", "node02"])
})

test("whatever is typed, a candidate stands in the place of the line's end and goes on with it", (t) => {
  const piece = fc.oneof(
    fc.constantFrom(...shellCommands.flatMap(({ name }) => name.split(" "))),
    fc.constantFrom("/node01", "/node01/shop/store", "Write", "--", "--node", '{"key": 1, ', "node0"),
    fc.string({ maxLength: 4 })
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 5 }), fc.boolean(), (pieces, space) => {
      const line = `${pieces.join(" ")}${space ? " " : ""}`
      const { candidates: found, partial } = complete(shellCommands, knowledge, line)
      t.true(line.endsWith(partial))
      for (const candidate of found) {
        t.true(candidate.startsWith(partial.replace(/"?\w*$/, "")), `${partial} and ${candidate}`)
        // What was completed has the words of before, and reads on.
        const completed = `${line.slice(0, line.length - partial.length)}${candidate}`
        t.true(Either.isRight(wordsOf(completed)) || candidate.includes("{"), completed)
      }
    })
  )
  t.pass()
})
