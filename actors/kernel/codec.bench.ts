/**
 * What does it cost to bring a message into its encoded form and back, and how much of that is saved by
 * compiling its schema?
 *
 *   npm run bench codec             about a minute
 *
 * Expected: a small request is encoded within 0.1 µs and decoded within 0.3 µs; errors cost more, since
 * an instance of one takes its stack trace along.
 */
import { Either, Exit, Schema } from "effect"
import { Total, TotalUnknown, Write } from "#protocols/demonstration.ts"
import { MemberJoined, type MemberRecord, Metadata, Packet } from "#protocols/membership.ts"
import { ActorSnapshot, GetTree } from "#protocols/runtime.ts"
import { compile } from "./codec.ts"

const scale = Number(process.argv[2] ?? 1)

const nanos = (rounds: number, turn: () => unknown): number => {
  let last: unknown
  const timed = (count: number): number => {
    const before = process.hrtime.bigint()
    for (let round = 0; round < count; round++) last = turn()
    return Number(process.hrtime.bigint() - before) / count
  }
  timed(Math.ceil(rounds / 4))
  const best = Math.min(...Array.from({ length: 5 }, () => timed(rounds)))
  if (last === nanos) throw new Error("the result is used, so the work is done")
  return best
}

const metadata = new Metadata({
  roles: ["control", "storage"],
  zone: "z1",
  version: "1.0.0",
  ports: { links: 7000 }
})
const record: typeof MemberRecord.Type = {
  name: "node-1",
  address: "10.0.0.1:7000",
  bootId: "6f1f4f52",
  incarnation: 1_700_000_000_000,
  status: "alive",
  metadata
}
const leaf: ActorSnapshot = {
  path: "/node/store",
  name: "store",
  kind: "store",
  role: "permanent",
  status: "running",
  incarnation: 1,
  mailbox: 0,
  handled: 120,
  dropped: 0,
  handlerMillis: 1.5,
  lastCrash: "",
  children: []
}
const answer = Schema.Exit({ success: Schema.Int, failure: TotalUnknown, defect: Schema.Defect })
const evidence = { source: "node-2", what: "gossip", confirmations: 0 } as const

const messages: ReadonlyArray<readonly [name: string, schema: Schema.Schema.AnyNoContext, value: unknown]> = [
  ["request, 1 field", Total, new Total({ key: "orders" })],
  ["request, 2 optional fields", GetTree, new GetTree({ path: "/node", depth: 2 })],
  ["tell, 2 fields", Write, new Write({ key: "orders", by: 7 })],
  ["error, 1 field", TotalUnknown, new TotalUnknown({ key: "orders" })],
  ["answer: success", answer, Exit.succeed(7)],
  ["answer: failure", answer, Exit.fail(new TotalUnknown({ key: "orders" }))],
  ["event with a member", MemberJoined, new MemberJoined({ member: record, evidence })],
  ["packet without news", Packet, { kind: "ping", seq: 7, target: "node-1", news: [] }],
  [
    "packet with 4 news",
    Packet,
    { kind: "ping", seq: 7, target: "node-1", news: Array(4).fill({ record, by: "node-2" }) }
  ],
  [
    "tree of 111 actors",
    ActorSnapshot,
    { ...leaf, children: Array(10).fill({ ...leaf, children: Array(10).fill(leaf) }) }
  ]
]

const rows = messages.map(([name, schema, value]) => {
  const { decode, encode } = compile(schema)
  const encodeByEffect = Schema.encodeUnknownSync(schema)
  const decodeByEffect = Schema.decodeUnknownEither(schema)
  const encoded = encode(value)
  if (Either.isLeft(decode(encoded))) throw new Error(`${name} does not decode`)
  const rounds = Math.ceil((scale * 20_000_000) / Math.ceil(nanos(3, () => decodeByEffect(encoded))))
  const pair = (ours: () => unknown, effects: () => unknown) => {
    const our = nanos(rounds * 4, ours)
    const their = nanos(rounds, effects)
    return [our.toFixed(0), their.toFixed(0), `${(their / our).toFixed(1)}×`]
  }
  return [
    name,
    ...pair(
      () => encode(value),
      () => encodeByEffect(value)
    ),
    ...pair(
      () => decode(encoded),
      () => decodeByEffect(encoded)
    )
  ]
})

const line = (cells: ReadonlyArray<string>) => `| ${cells.join(" | ")} |`
const head = ["message", "encode, ns", "Effect's", "ratio", "decode, ns", "Effect's", "ratio"]
console.log([line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n"))
