/**
 * Addresses: a place in the tree of the whole cluster, and what is accepted there.
 *
 * An address crosses a boundary as its path. Every ref of an actor is one, so an actor can put itself
 * into a message; who takes it out of the message turns it into a ref again, wherever it lives by then.
 */
import { Schema } from "effect"
import type { MessageSchema } from "./message.ts"

/** A message class, as an address holds it. */
export type AddressedMessage = MessageSchema & Schema.Schema.AnyNoContext

export interface Address<in Message> {
  /** From the root: `/node01/chainfire/raft`. */
  readonly path: string
  readonly messages: ReadonlyMap<string, AddressedMessage>
  readonly "~accepts"?: (message: Message) => void
}

type Accepted<Classes extends ReadonlyArray<AddressedMessage>> = Schema.Schema.Type<Classes[number]>

export const address = <const Classes extends ReadonlyArray<AddressedMessage>>(
  path: string,
  ...messages: Classes
): Address<Accepted<Classes>> => ({
  path,
  messages: new Map(messages.map((message) => [message._tag, message]))
})

const isAddress = (value: unknown): value is Address<never> =>
  typeof value === "object" &&
  value !== null &&
  "path" in value &&
  typeof value.path === "string" &&
  "messages" in value &&
  value.messages instanceof Map

/** The field of a message that names an actor to which these messages may be sent. */
export const AddressOf = <const Classes extends ReadonlyArray<AddressedMessage>>(...messages: Classes) => {
  const accepts = (value: unknown): value is Address<Accepted<Classes>> =>
    isAddress(value) && messages.every(({ _tag }) => value.messages.has(_tag))
  return Schema.transform(
    Schema.String.pipe(Schema.startsWith("/"), Schema.maxLength(4_096)),
    Schema.declare(accepts, {
      identifier: `AddressOf(${messages.map(({ _tag }) => _tag).join(", ")})`,
      arbitrary: () => (fc) => fc.webPath().map((path) => address(`/node01${path}`, ...messages))
    }),
    {
      strict: true,
      decode: (path) => address(path, ...messages),
      encode: ({ path }) => path
    }
  )
}
