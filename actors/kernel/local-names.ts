/** The local registry: unique names for actors of one system, freed when their holder's life ends. */
import { Either } from "effect"
import { NameTaken } from "#protocols/delivery.ts"
import type { ActorRef } from "./ref.ts"

export class LocalNames {
  readonly #refs = new Map<string, ActorRef<never>>()

  register(name: string, ref: ActorRef<never>): Either.Either<void, NameTaken> {
    const holder = this.#refs.get(name)
    if (holder !== undefined && holder !== ref)
      return Either.left(new NameTaken({ name, holder: holder.path }))
    this.#refs.set(name, ref)
    return Either.void
  }

  unregister(name: string, ref: ActorRef<never>): void {
    if (this.#refs.get(name) === ref) this.#refs.delete(name)
  }

  lookup(name: string): ActorRef<never> | undefined {
    return this.#refs.get(name)
  }

  names(): ReadonlyArray<string> {
    return [...this.#refs.keys()]
  }
}
