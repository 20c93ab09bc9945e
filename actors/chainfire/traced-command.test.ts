import test from "ava"
import { notedSpans } from "#actors/kernel/fixtures/noted-spans.ts"
import { PutRequest } from "#protocols/wire/etcd/kv-fast.ts"
import { decodeCommand, encodeCommand } from "./command.ts"
import { noteApplied, spanOfProposal, traceOf, withoutTrace, withTrace } from "./traced-command.ts"

const trace = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" }

test("a command keeps its trace through the log, and is read as if it had none", (t) => {
  const key = new TextEncoder().encode("a")
  for (const asker of [undefined, { user: "ann", revision: 7 }]) {
    const command = encodeCommand("Put", PutRequest.encode(PutRequest.make({ key })), asker)
    const traced = withTrace(command, trace)
    t.deepEqual(traceOf(traced), trace)
    t.deepEqual(withoutTrace(traced), command)
    t.deepEqual(decodeCommand(traced), decodeCommand(command))
  }
})

test("a command that is not traced is what it was, and has no trace", (t) => {
  const command = encodeCommand("Put", PutRequest.encode(PutRequest.make({ key: new Uint8Array([1]) })))
  t.is(withTrace(command, undefined), command)
  t.is(traceOf(command), undefined)
  t.is(withoutTrace(command), command)
  t.is(traceOf(new Uint8Array([126, 1])), undefined)
})

test("each member notes that it carries a traced command out, and whoever leads how long it took", (t) => {
  const { noted, spans } = notedSpans()
  const command = encodeCommand("Put", PutRequest.encode(PutRequest.make({ key: new Uint8Array([1]) })))
  const traced = withTrace(command, trace)
  spanOfProposal(spans, traced)?.end()
  noteApplied(spans, traced, 7)
  t.deepEqual(
    noted.map(({ name, parent }) => ({ name, parent })),
    [
      { name: "chainfire propose", parent: trace },
      { name: "chainfire apply", parent: trace }
    ]
  )
  t.is(noted[1]?.attributes["chainfire.index"], 7)

  // Of one that is not traced there is nothing, and nothing where nobody wants to know.
  t.is(spanOfProposal(spans, command), undefined)
  noteApplied(spans, command, 8)
  noteApplied(undefined, traced, 9)
  t.is(noted.length, 2)
})
