/**
 * The part of comedy 2.1.7 that hosts our cells. comedy ships types for users of its actors only; what
 * is here beyond them is internal to it, hence its exact version in package.json.
 */
declare module "comedy" {
  export interface ActorSystem {
    readonly sigintHandler: () => void
    readonly sigtermHandler: () => void
    generateActorId(): string
    generateActorCreationMessage(
      definitionPath: string,
      actor: import("comedy/lib/forked-actor.js").default,
      config: { readonly mode: "forked" | "threaded"; readonly name: string }
    ): PromiseLike<{ readonly type: "create-actor" }>
    destroy(): PromiseLike<void>
  }

  /** `test` is comedy's word for: log nothing, and neither read nor watch configuration files. */
  export function createSystem(options: {
    readonly test: true
    readonly config: Readonly<Record<string, never>>
    readonly pingTimeout: number
  }): ActorSystem
}

declare module "comedy/lib/actor-stub.js" {
  export default class ActorStub {
    constructor(options: {
      readonly system: import("comedy").ActorSystem
      readonly id: string
      readonly name: string
      readonly config: Readonly<Record<string, never>>
    })
  }
}

declare module "comedy/lib/forked-actor.js" {
  /** Our end of the connection to an actor elsewhere, for processes and threads alike. */
  export default class ForkedActor {
    constructor(options: {
      readonly system: import("comedy").ActorSystem
      readonly parent: {
        readonly getId: () => string
        readonly send: (topic: string, message: { readonly values: ReadonlyArray<unknown> }) => void
      }
      readonly definition: string
      readonly actor: import("comedy/lib/actor-stub.js").default
      readonly config: Readonly<Record<string, never>>
    })
    readonly timeoutWorkerInterval: NodeJS.Timeout
    bus: MessageBus
    initialize(): PromiseLike<void>
    sendAndReceive(topic: string, message: object): PromiseLike<unknown>
    _send0(message: ActorMessage | { readonly type: "destroy-actor" }): PromiseLike<void>
  }

  export interface ActorMessage {
    readonly type: "actor-message"
    readonly body: { readonly topic: "batch"; readonly message: { readonly values: ReadonlyArray<unknown> } }
  }

  export interface MessageBus {
    readonly send: (message: object, sent: (error: Error | null) => void) => void
    readonly on: (event: "message", listener: (message: unknown) => void) => void
    readonly once: (event: "exit", listener: () => void) => void
  }
}
