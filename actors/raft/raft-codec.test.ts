/** `UC_FUZZ=100000 npx ava actors/raft/raft-codec.test.ts` fuzzes for longer. */
import test from "ava"
import { Prng } from "#chaos/sim/prng.ts"
import { RaftCodecError } from "./raft-bytes.ts"
import { decodePacket, encodePacket, type GroupMessage, type Packet } from "./raft-codec.ts"
import { encodeMembership, Membership } from "./raft-membership.ts"
import type { Entry, EntryKind, Message } from "./raft-messages.ts"

const fuzzRuns = Number(process.env["UC_FUZZ"] ?? 3_000)

test("every message comes back as it was", (t) => {
  for (let seed = 1; seed <= 500; seed++) {
    const packet = packetOf(new Prng(seed))
    t.deepEqual(decodePacket(encodePacket(packet)), packet, `seed ${seed}`)
  }
})

test("a heartbeat among many takes nine bytes at most", (t) => {
  const messages = Array.from({ length: 1_000 }, (_, group): GroupMessage => {
    const message = {
      _tag: "Heartbeat",
      from: 1,
      to: 2,
      term: 9,
      commit: 99_999,
      round: 70,
      quiesce: false
    } as const
    return { group, message }
  })
  const { length } = encodePacket({ from: 1, to: 2, messages })
  t.true(length / 1_000 <= 9, `${length / 1_000} bytes`)
})

test("whatever the bytes are, they are messages or the one error", (t) => {
  for (let seed = 1; seed <= fuzzRuns; seed++) {
    const prng = new Prng(seed)
    const bytes = prng.chance(0.3)
      ? Uint8Array.from({ length: prng.below(60) }, () => (prng.chance(0.2) ? 1 : prng.below(256)))
      : damaged(encodePacket(packetOf(prng)), prng)
    try {
      const { messages } = decodePacket(bytes)
      const entries = messages.reduce(
        (sum, { message }) => sum + (message._tag === "Append" ? message.entries.length : 1),
        0
      )
      t.true(entries <= bytes.length)
    } catch (error) {
      if (!(error instanceof RaftCodecError)) t.fail(`seed ${seed}: ${error}`)
    }
  }
  t.pass()
})

test("a change that is no membership, a term that goes back and a strange version are refused", (t) => {
  const append = (...entries: ReadonlyArray<Entry>) =>
    encodePacket({
      from: 1,
      to: 2,
      messages: [
        {
          group: 1,
          message: {
            _tag: "Append",
            from: 1,
            to: 2,
            term: 5,
            prevIndex: 3,
            prevTerm: 2,
            commit: 0,
            round: 0,
            entries
          }
        }
      ]
    })
  const refused = (bytes: Uint8Array) => t.throws(() => decodePacket(bytes), { instanceOf: RaftCodecError })
  refused(append({ index: 4, term: 5, kind: "change", data: new Uint8Array([200]) }))
  refused(append({ index: 4, term: 1, kind: "noop", data: new Uint8Array(0) }))
  refused(append({ index: 4, term: 6, kind: "noop", data: new Uint8Array(0) }))
  const strange = append()
  strange[0] = 9
  refused(strange)
})

const damaged = (bytes: Uint8Array, prng: Prng): Uint8Array => {
  const copy = bytes.slice(0, prng.chance(0.3) ? prng.below(bytes.length) : bytes.length)
  for (let count = prng.below(4); count > 0 && copy.length > 0; count--)
    copy[prng.below(copy.length)] = prng.below(256)
  return copy
}

const packetOf = (prng: Prng): Packet => {
  const from = 1 + prng.below(9)
  const to = 1 + prng.below(300)
  const messages = Array.from({ length: prng.below(6) }, () => ({
    group: number(prng),
    message: messageOf(prng, from, to)
  }))
  return { from, to, messages }
}

const number = (prng: Prng): number => Math.floor(2 ** (prng.next() * 52)) - 1

const data = (prng: Prng): Uint8Array => Uint8Array.from({ length: prng.below(40) }, () => prng.below(256))

const membershipOf = (prng: Prng): Membership => {
  const nodes = () => Array.from({ length: prng.below(4) }, () => 1 + prng.below(500))
  return new Membership([1, ...nodes()], nodes(), prng.chance(0.5) ? nodes() : [])
}

const entriesOf = (
  prng: Prng,
  prevIndex: number,
  prevTerm: number,
  termMax: number
): ReadonlyArray<Entry> => {
  let term = prevTerm
  return Array.from({ length: prng.below(5) }, (_, at) => {
    term = Math.min(termMax, term + prng.below(3))
    const kind = (["normal", "change", "noop"] as ReadonlyArray<EntryKind>)[prng.below(3)] ?? "normal"
    const bytes = kind === "change" ? encodeMembership(membershipOf(prng)) : data(prng)
    return { index: prevIndex + 1 + at, term, kind, data: bytes }
  })
}

const messageOf = (prng: Prng, from: number, to: number): Message => {
  const yes = () => prng.chance(0.5)
  const prevTerm = prng.below(100)
  const head = { from, to, term: prevTerm + prng.below(9) }
  const prevIndex = prng.below(1e9)
  const membership = membershipOf(prng)
  const snapshot = {
    index: number(prng),
    term: number(prng),
    membership,
    id: number(prng),
    bytes: number(prng)
  }
  const all: ReadonlyArray<Message> = [
    { _tag: "Vote", ...head, pre: yes(), transfer: yes(), lastIndex: number(prng), lastTerm: number(prng) },
    { _tag: "VoteReply", ...head, pre: yes(), granted: yes() },
    {
      _tag: "Append",
      ...head,
      prevIndex,
      prevTerm,
      commit: number(prng),
      round: number(prng),
      entries: entriesOf(prng, prevIndex, prevTerm, head.term)
    },
    {
      _tag: "AppendReply",
      ...head,
      index: number(prng),
      rejected: yes(),
      hintIndex: number(prng),
      hintTerm: number(prng),
      round: number(prng)
    },
    { _tag: "Heartbeat", ...head, commit: number(prng), round: number(prng), quiesce: yes() },
    { _tag: "HeartbeatReply", ...head, round: number(prng), quiesced: yes() },
    { _tag: "Chunk", ...head, snapshot, offset: number(prng), data: data(prng) },
    {
      _tag: "ChunkReply",
      ...head,
      index: number(prng),
      id: number(prng),
      offset: number(prng),
      rejected: yes()
    },
    { _tag: "TimeoutNow", ...head },
    { _tag: "ReadIndex", ...head, request: number(prng) },
    { _tag: "ReadIndexReply", ...head, request: number(prng), index: number(prng), refused: yes() }
  ]
  return all[prng.below(all.length)] ?? { _tag: "TimeoutNow", ...head }
}
