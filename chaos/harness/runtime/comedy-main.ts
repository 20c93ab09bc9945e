/** comedy's own actors in memory, as a contender. It has no supervisor to restart a crashed in-memory actor. */
import { createRequire } from "node:module"
import { measure } from "./contender.ts"

interface ComedyActor {
  send(topic: string, message: unknown): Promise<void>
  sendAndReceive(topic: string, message: unknown): Promise<unknown>
  createChild(behaviour: object, options: object): Promise<ComedyActor>
  destroy(): Promise<void>
}

interface Comedy {
  createSystem(options: object): { rootActor(): Promise<ComedyActor>; destroy(): Promise<void> }
}

/** Its own types leave out most of it. */
const isComedy = (value: unknown): value is Comedy =>
  value !== null && (typeof value === "object" || typeof value === "function") && "createSystem" in value

const loaded: unknown = createRequire(import.meta.url)("comedy")
if (!isComedy(loaded)) throw new Error("comedy exports no createSystem")
const system = loaded.createSystem({ test: true })
const root = await system.rootActor()
const inMemory = { mode: "in-memory" }

await measure(
  {
    tells: async (count) => {
      let seen = 0
      let done = () => {}
      const finished = new Promise<void>((resolve) => {
        done = resolve
      })
      const add = () => {
        if (++seen === count) done()
      }
      const actor = await root.createChild({ add }, inMemory)
      for (let sent = 0; sent < count; sent++) {
        actor.send("add", 1)
        // It has no bound: without a pause now and then five million promises are alive at once.
        if (sent % 1_000 === 999) await new Promise((resolve) => setImmediate(resolve))
      }
      await finished
      await actor.destroy()
    },
    asks: async (count) => {
      const actor = await root.createChild({ total: () => 1 }, inMemory)
      for (let asked = 0; asked < count; asked++) await actor.sendAndReceive("total", 0)
      await actor.destroy()
    },
    spawns: async (count) => {
      const actors: Array<ComedyActor> = []
      for (let spawned = 0; spawned < count; spawned++)
        actors.push(await root.createChild({ add: () => 0 }, inMemory))
      return async () => {
        for (const actor of actors) await actor.destroy()
      }
    }
  },
  Number(process.argv[2] ?? 1) / 10
)
await system.destroy()
process.exit(0)
