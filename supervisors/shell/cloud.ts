/**
 * The cluster as a shell sees it through the one node that it is attached to: which nodes there are, and asking each
 * of them. What a node does not answer is said with the others' answers instead of taking their place.
 */
import { Effect, Either } from "effect"
import type { Client, Failure, Request, Success } from "#protocols/client/client.ts"
import type { DeliveryFault } from "#protocols/delivery.ts"
import { Members } from "#protocols/membership.ts"
import { type ActorSnapshot, GetTree, type NoSuchActor } from "#protocols/runtime.ts"

/** What a command asks for must be there by then. */
export const patience = "10 seconds"
/** Of one node among several. */
const nodePatience = "3 seconds"

export interface NodeAnswer<A> {
  readonly node: string
  readonly answer: Either.Either<A, string>
}

export class Cloud {
  readonly client: Client

  constructor(client: Client) {
    this.client = client
  }

  ask<Asked extends Request>(
    path: string,
    request: Asked,
    deadline: Parameters<Client["ask"]>[2] = patience
  ): Effect.Effect<Success<Asked>, Failure<Asked> | DeliveryFault> {
    return this.client.ask(path, request, deadline)
  }

  /** Asks the introspection of the node that a path is on. */
  askAbout<Asked extends Request>(path: string, request: Asked) {
    return this.ask(introspectionOf(nodeOf(path)), request)
  }

  /** Those that are there, in order of their names. */
  get nodes(): Effect.Effect<ReadonlyArray<string>, DeliveryFault> {
    return Effect.map(this.members, (members) =>
      members
        .filter(({ status }) => status === "alive" || status === "suspect")
        .map(({ name }) => name)
        .toSorted()
    )
  }

  get members() {
    return this.ask(`/${this.client.node}/cluster/membership`, new Members())
  }

  /** The same of every node, at once. */
  everywhere<A, E extends { readonly message: string }>(
    asked: (node: string) => Effect.Effect<A, E>
  ): Effect.Effect<ReadonlyArray<NodeAnswer<A>>, DeliveryFault> {
    return Effect.flatMap(this.nodes, (nodes) =>
      Effect.forEach(
        nodes,
        (node) =>
          Effect.map(Effect.either(Effect.timeoutFail(asked(node), late)), (outcome) => ({
            node,
            answer: Either.mapLeft(outcome, ({ message }) => message)
          })),
        { concurrency: 16 }
      )
    )
  }

  tree(path: string, depth?: number): Effect.Effect<ActorSnapshot, NoSuchActor | DeliveryFault> {
    return this.askAbout(path, new GetTree({ path, ...(depth !== undefined && { depth }) }))
  }

  /** Of every node that answers. */
  get trees(): Effect.Effect<ReadonlyArray<NodeAnswer<ActorSnapshot>>, DeliveryFault> {
    return this.everywhere((node) => this.tree(`/${node}`))
  }
}

const late = {
  duration: nodePatience,
  onTimeout: () => new Error("it did not answer in time")
} as const

export const introspectionOf = (node: string): string => `/${node}/cluster/introspection`

export const nodeOf = (path: string): string => path.split("/")[1] ?? ""

export const parentOf = (path: string): string => path.slice(0, path.lastIndexOf("/"))

export const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1)

export const flatten = (actor: ActorSnapshot): ReadonlyArray<ActorSnapshot> => [
  actor,
  ...actor.children.flatMap(flatten)
]
