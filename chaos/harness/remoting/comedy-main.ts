/** A forked actor of comedy as a contender: asks over its IPC channel. It carries no bytes. */
import { createRequire } from "node:module"
import { measure, withCallbacks } from "./contender.ts"

interface ComedyActor {
  sendAndReceive(topic: string, message: unknown): Promise<unknown>
  createChild(behaviour: object, options: object): Promise<ComedyActor>
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
const adder = await root.createChild({ add: (n: number) => n + 1 }, { mode: "forked" })

await measure(
  {
    asks: withCallbacks((done) => {
      adder.sendAndReceive("add", 1).then(done, (cause) => {
        throw cause
      })
    }),
    stop: () => system.destroy()
  },
  Number(process.argv[2] ?? 1),
  0.1
)
process.exit(0)
