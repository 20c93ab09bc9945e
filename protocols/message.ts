/**
 * What a message says about itself besides its fields: what it is for, and who may send it from outside.
 *
 * The third argument of every message class comes from here:
 *
 *   class GetTree extends Schema.TaggedRequest<GetTree>()("GetTree", { … }, observe("The tree below…")) {}
 *
 * The catalogue, the shell's help and the gate before the actors all read it. A message without it is
 * for the actors of the cluster among themselves: no client may send it.
 */
import { Option, Schema, SchemaAST } from "effect"

/**
 * What a client may do below a path, each level with all before it.
 *
 *   observe   look; changes nothing
 *   operate   what an operator on duty does: it can be undone, or mends
 *   admin     what can lose data, or changes who may do what
 */
export const Permission = Schema.Literal("observe", "operate", "admin")
export type Permission = typeof Permission.Type

const levels = Permission.literals

export const covers = (granted: Permission, needed: Permission): boolean =>
  levels.indexOf(granted) >= levels.indexOf(needed)

const PermissionAnnotation = Symbol.for("ultracloud/message/permission")
const RepeatableAnnotation = Symbol.for("ultracloud/message/repeatable")
const EventAnnotation = Symbol.for("ultracloud/message/event")
const TrafficAnnotation = Symbol.for("ultracloud/message/traffic")
const AttachedAnnotation = Symbol.for("ultracloud/message/attached")

/** Looking twice is as good as once, so a client may repeat such a request by itself. */
export const observe = (description: string) => ({
  description,
  [PermissionAnnotation]: "observe",
  [RepeatableAnnotation]: true
})

interface Nature {
  /** Handled twice it does no more than once. */
  readonly repeatable?: true
  /** Programs send it all the time, so that no event says each time who did. */
  readonly traffic?: true
}

const changing =
  (permission: Permission) =>
  (description: string, nature: Nature = {}) => ({
    description,
    [PermissionAnnotation]: permission,
    [RepeatableAnnotation]: nature.repeatable === true,
    [TrafficAnnotation]: nature.traffic === true
  })

export const operate = changing("operate")
export const admin = changing("admin")

/** Published by actors, never sent to one. Seeing it takes `observe`. */
export const event = (description: string) => ({
  description,
  [PermissionAnnotation]: "observe",
  [EventAnnotation]: true
})

/**
 * Who sends a message, as the receiving node has authenticated them: `SYSTEM::<node or service>` or
 * `HUMAN::<id>`. What a client writes into such a field of a message is overwritten on arrival.
 */
export const ActorId = Schema.NonEmptyString.annotations({
  identifier: "ActorId",
  description: "who sends this, attached by the receiving node",
  [AttachedAnnotation]: true
})

/** Any class of messages: a tell, an ask or an event. */
export interface MessageSchema {
  readonly _tag: string
  readonly ast: SchemaAST.AST
}

interface About {
  readonly permission: Permission | undefined
  readonly description: string
  readonly event: boolean
  readonly repeatable: boolean
  /** It changes something and is not sent all the time: who does is an event. */
  readonly audited: boolean
  /** The fields that the receiver fills in. */
  readonly attached: ReadonlyArray<string>
}

const known = new WeakMap<MessageSchema, About>()

export const about = (message: MessageSchema): About => {
  let found = known.get(message)
  if (found === undefined) {
    const type = SchemaAST.typeAST(message.ast)
    const flag = (annotation: symbol) =>
      Option.getOrElse(SchemaAST.getAnnotation<boolean>(annotation)(type), () => false)
    const permission = Option.getOrUndefined(SchemaAST.getAnnotation<Permission>(PermissionAnnotation)(type))
    found = {
      permission,
      description: Option.getOrElse(SchemaAST.getDescriptionAnnotation(type), () => ""),
      event: flag(EventAnnotation),
      repeatable: flag(RepeatableAnnotation),
      audited: permission !== undefined && permission !== "observe" && !flag(TrafficAnnotation),
      attached: SchemaAST.getPropertySignatures(SchemaAST.encodedAST(message.ast))
        .map(({ name }) => String(name))
        .filter((name) => isAttached(message, name))
    }
    known.set(message, found)
  }
  return found
}

const isAttached = ({ ast }: MessageSchema, field: string): boolean => {
  const fields = SchemaAST.isTransformation(ast) ? SchemaAST.getPropertySignatures(ast.from) : []
  const signature = fields.find(({ name }) => name === field)
  return (
    signature !== undefined &&
    Option.getOrElse(SchemaAST.getAnnotation<boolean>(AttachedAnnotation)(signature.type), () => false)
  )
}
