/**
 * Messages as bytes, for the link between two nodes.
 *
 *   packet   version, from, to, count, then for each message: group, tag, term, what the tag says
 *   entry    kind | 4 if its term is that of the entry before, term if not, data
 *
 * One packet holds what one node has to say to another about any number of groups; a heartbeat takes about eight
 * bytes of it. Entries follow each other, so their indexes are not sent. An entry's data is copied once,
 * into the packet; on the other side it is a view of the packet, which lives as long as an entry of it does.
 *
 * Decoding ends in messages or in a RaftCodecError, and never makes more of a packet than its size allows.
 */
import { ByteReader, ByteWriter, numberBytes, RaftCodecError } from "./raft-bytes.ts"
import { decodeMembership, membershipBytes, readMembership, writeMembership } from "./raft-membership.ts"
import type { Entry, EntryKind, Message, NodeId, Snapshot } from "./raft-messages.ts"

export interface GroupMessage {
  readonly group: number
  readonly message: Message
}

/** All from one node to one other. */
export interface Packet {
  readonly from: NodeId
  readonly to: NodeId
  readonly messages: ReadonlyArray<GroupMessage>
}

const version = 1

// biome-ignore format: a list to be read at a glance
const tags = [
  "Vote", "VoteReply", "Append", "AppendReply", "Heartbeat", "HeartbeatReply", "Chunk", "ChunkReply",
  "TimeoutNow", "ReadIndex", "ReadIndexReply"
] as const satisfies ReadonlyArray<Message["_tag"]>

const tagNumbers = Object.fromEntries(tags.map((tag, at) => [tag, at])) as Record<Message["_tag"], number>

const kinds: ReadonlyArray<EntryKind> = ["normal", "change", "noop"]
const kindNumbers: Record<EntryKind, number> = { normal: 0, change: 1, noop: 2 }
const sameTerm = 4

export const encodePacket = ({ from, messages, to }: Packet): Uint8Array => {
  let size = 1 + numberBytes(from) + numberBytes(to) + numberBytes(messages.length)
  for (const { group, message } of messages) {
    size += numberBytes(group) + 1 + numberBytes(message.term) + bodyBytes(message)
  }
  const writer = new ByteWriter(size)
  writer.byte(version)
  writer.number(from)
  writer.number(to)
  writer.number(messages.length)
  for (const { group, message } of messages) {
    writer.number(group)
    writer.byte(tagNumbers[message._tag])
    writer.number(message.term)
    writeBody(writer, message)
  }
  return writer.bytes
}

export const decodePacket = (bytes: Uint8Array): Packet => {
  const reader = new ByteReader(bytes)
  const found = reader.byte()
  if (found !== version) throw new RaftCodecError(`version ${found} is not ${version}`)
  const from = reader.number()
  const to = reader.number()
  const count = reader.count(3)
  const messages: Array<GroupMessage> = []
  for (let at = 0; at < count; at++) {
    const group = reader.number()
    const tag = tags[reader.byte()]
    if (tag === undefined) throw new RaftCodecError("there is no message of such a tag")
    messages.push({ group, message: readBody(reader, tag, from, to, reader.number()) })
  }
  reader.end()
  return { from, to, messages }
}

const bodyBytes = (message: Message): number => {
  switch (message._tag) {
    case "Vote":
      return 1 + numberBytes(message.lastIndex) + numberBytes(message.lastTerm)
    case "VoteReply":
      return 1
    case "Append": {
      let bytes = numberBytes(message.prevIndex) + numberBytes(message.prevTerm)
      bytes += numberBytes(message.commit) + numberBytes(message.round) + numberBytes(message.entries.length)
      let term = message.prevTerm
      for (const entry of message.entries) {
        bytes += 1 + numberBytes(entry.data.length) + entry.data.length
        if (entry.term !== term) bytes += numberBytes(entry.term)
        term = entry.term
      }
      return bytes
    }
    case "AppendReply": {
      const { hintIndex, hintTerm, index, round } = message
      return 1 + numberBytes(index) + numberBytes(hintIndex) + numberBytes(hintTerm) + numberBytes(round)
    }
    case "Heartbeat":
      return 1 + numberBytes(message.commit) + numberBytes(message.round)
    case "HeartbeatReply":
      return 1 + numberBytes(message.round)
    case "Chunk":
      return (
        snapshotBytes(message.snapshot) +
        numberBytes(message.offset) +
        numberBytes(message.data.length) +
        message.data.length
      )
    case "ChunkReply":
      return 1 + numberBytes(message.index) + numberBytes(message.id) + numberBytes(message.offset)
    case "TimeoutNow":
      return 0
    case "ReadIndex":
      return numberBytes(message.request)
    case "ReadIndexReply":
      return 1 + numberBytes(message.request) + numberBytes(message.index)
  }
}

const writeBody = (writer: ByteWriter, message: Message): void => {
  switch (message._tag) {
    case "Vote":
      writer.byte(flags(message.pre, message.transfer))
      writer.number(message.lastIndex)
      return writer.number(message.lastTerm)
    case "VoteReply":
      return writer.byte(flags(message.pre, message.granted))
    case "Append":
      return writeAppend(writer, message)
    case "AppendReply":
      writer.byte(flags(message.rejected))
      writer.number(message.index)
      writer.number(message.hintIndex)
      writer.number(message.hintTerm)
      return writer.number(message.round)
    case "Heartbeat":
      writer.byte(flags(message.quiesce))
      writer.number(message.commit)
      return writer.number(message.round)
    case "HeartbeatReply":
      writer.byte(flags(message.quiesced))
      return writer.number(message.round)
    case "Chunk":
      writeSnapshot(writer, message.snapshot)
      writer.number(message.offset)
      return writer.data(message.data)
    case "ChunkReply":
      writer.byte(flags(message.rejected))
      writer.number(message.index)
      writer.number(message.id)
      return writer.number(message.offset)
    case "TimeoutNow":
      return
    case "ReadIndex":
      return writer.number(message.request)
    case "ReadIndexReply":
      writer.byte(flags(message.refused))
      writer.number(message.request)
      return writer.number(message.index)
  }
}

const readBody = (
  reader: ByteReader,
  _tag: Message["_tag"],
  from: NodeId,
  to: NodeId,
  term: number
): Message => {
  const number = () => reader.number()
  switch (_tag) {
    case "Vote": {
      const [pre, transfer] = readFlags(reader)
      return { _tag, from, to, term, pre, transfer, lastIndex: number(), lastTerm: number() }
    }
    case "VoteReply": {
      const [pre, granted] = readFlags(reader)
      return { _tag, from, to, term, pre, granted }
    }
    case "Append": {
      const [prevIndex, prevTerm, commit, round] = [number(), number(), number(), number()]
      const entries = readEntries(reader, prevIndex, prevTerm, term)
      return { _tag, from, to, term, prevIndex, prevTerm, commit, round, entries }
    }
    case "AppendReply": {
      const [rejected] = readFlags(reader)
      const [index, hintIndex, hintTerm, round] = [number(), number(), number(), number()]
      return { _tag, from, to, term, index, rejected, hintIndex, hintTerm, round }
    }
    case "Heartbeat": {
      const [quiesce] = readFlags(reader)
      return { _tag, from, to, term, commit: number(), round: number(), quiesce }
    }
    case "HeartbeatReply": {
      const [quiesced] = readFlags(reader)
      return { _tag, from, to, term, round: number(), quiesced }
    }
    case "Chunk": {
      const snapshot = readSnapshot(reader)
      return { _tag, from, to, term, snapshot, offset: number(), data: reader.data() }
    }
    case "ChunkReply": {
      const [rejected] = readFlags(reader)
      return { _tag, from, to, term, index: number(), id: number(), offset: number(), rejected }
    }
    case "TimeoutNow":
      return { _tag, from, to, term }
    case "ReadIndex":
      return { _tag, from, to, term, request: number() }
    case "ReadIndexReply": {
      const [refused] = readFlags(reader)
      return { _tag, from, to, term, request: number(), index: number(), refused }
    }
  }
}

const writeAppend = (writer: ByteWriter, message: Extract<Message, { readonly _tag: "Append" }>): void => {
  writer.number(message.prevIndex)
  writer.number(message.prevTerm)
  writer.number(message.commit)
  writer.number(message.round)
  writer.number(message.entries.length)
  let term = message.prevTerm
  for (const entry of message.entries) {
    writer.byte(kindNumbers[entry.kind] | (entry.term === term ? sameTerm : 0))
    if (entry.term !== term) writer.number(entry.term)
    writer.data(entry.data)
    term = entry.term
  }
}

const readEntries = (
  reader: ByteReader,
  prevIndex: number,
  prevTerm: number,
  termMax: number
): ReadonlyArray<Entry> => {
  const count = reader.count(2)
  const entries: Array<Entry> = []
  let term = prevTerm
  for (let at = 1; at <= count; at++) {
    const head = reader.byte()
    const kind = kinds[head & 3]
    if (kind === undefined || head > (sameTerm | 3))
      throw new RaftCodecError("there is no such kind of entry")
    if ((head & sameTerm) === 0) {
      const next = reader.number()
      if (next < term) throw new RaftCodecError(`term ${next} follows ${term}`)
      term = next
    }
    if (term > termMax) throw new RaftCodecError(`an entry of term ${term} is sent in ${termMax}`)
    const data = reader.data()
    if (kind === "change") decodeMembership(data)
    entries.push({ index: prevIndex + at, term, kind, data })
  }
  return entries
}

const snapshotBytes = ({ bytes, id, index, membership, term }: Snapshot): number =>
  numberBytes(index) + numberBytes(term) + numberBytes(id) + numberBytes(bytes) + membershipBytes(membership)

const writeSnapshot = (writer: ByteWriter, { bytes, id, index, membership, term }: Snapshot): void => {
  writer.number(index)
  writer.number(term)
  writer.number(id)
  writer.number(bytes)
  writeMembership(writer, membership)
}

const readSnapshot = (reader: ByteReader): Snapshot => {
  const [index, term, id, bytes] = [reader.number(), reader.number(), reader.number(), reader.number()]
  return { index, term, id, bytes, membership: readMembership(reader) }
}

const flags = (first: boolean, second = false): number => (first ? 1 : 0) | (second ? 2 : 0)

const readFlags = (reader: ByteReader): readonly [boolean, boolean] => {
  const byte = reader.byte()
  if (byte > 3) throw new RaftCodecError("there are no such flags")
  return [(byte & 1) !== 0, (byte & 2) !== 0]
}
