/** How each action of a schedule is carried out on simulated machines and the network between them. */
import { Cause, Effect } from "effect"
import type { Action, ActionTag, Network } from "#chaos/faults/action.ts"
import { type NodeName, WorldFailed } from "#chaos/lab/world.ts"
import { NoSuchActor } from "#protocols/runtime.ts"
import { fairDisk } from "./sim-disk.ts"
import { fairLinks, type LinkWeather, type SimLinks } from "./sim-links.ts"
import { addressesOf, type SimMachine } from "./sim-machine.ts"
import type { SimWorld } from "./world.ts"

export interface Struck {
  readonly world: SimWorld
  readonly machines: ReadonlyMap<NodeName, SimMachine>
  readonly links: SimLinks
  readonly note: (line: string) => void
}

export const cannot = (action: ActionTag): string | undefined =>
  action === "MemoryPressure"
    ? "all machines of the simulator are one process, and have no memory of their own"
    : action === "ReplaceNode"
      ? "it is asked of the group, not done to a machine"
      : undefined

export const strike = (struck: Struck, action: Action): Effect.Effect<void, WorldFailed> =>
  Effect.suspend(() => {
    const impossible = cannot(action._tag)
    const unknown = namesIn(action).find((name) => !struck.machines.has(name))
    if (impossible === undefined && unknown === undefined)
      return Effect.async<void>((resume) =>
        struck.world.accident(() => resume(Effect.suspend(() => carriedOut(struck, action))))
      )
    const reason = impossible ?? `there is no ${unknown}, but ${[...struck.machines.keys()].join(", ")}`
    return Effect.fail(new WorldFailed({ world: "sim", doing: action._tag, reason }))
  })

const namesIn = (action: Action): ReadonlyArray<NodeName> =>
  "node" in action ? [action.node] : "from" in action ? [...action.from, ...action.to] : []

const carriedOut = ({ links, machines, note }: Struck, action: Action): Effect.Effect<void> => {
  const at = (node: NodeName, doing: (machine: SimMachine) => Effect.Effect<void> | void) => {
    const machine = machines.get(node)
    return (machine && doing(machine)) ?? Effect.void
  }
  switch (action._tag) {
    case "PowerOff":
      return at(action.node, (machine) => machine.powerOff())
    case "PowerOn":
      return at(action.node, (machine) => machine.powerOn)
    case "Reset":
      return at(action.node, (machine) => {
        machine.powerOff()
        return machine.powerOn
      })
    case "ShutDown":
      return at(action.node, (machine) => machine.shutDown)
    case "Kill":
      return at(action.node, (machine) => machine.kill())
    case "Stop":
      // Whoever asks for it does not wait for its end.
      return at(action.node, (machine) => Effect.asVoid(Effect.forkDaemon(machine.stop)))
    case "Start":
      return at(action.node, (machine) => machine.start)
    case "Pause":
      return at(action.node, (machine) => machine.pause())
    case "Resume":
      return at(action.node, (machine) => machine.resume())
    case "Cut":
      return forPairs(action, (from, to) => links.cut(from, to))
    case "Mend":
      return forPairs(action, (from, to) => links.mend(from, to))
    case "Network":
      links.weather = weatherOf(action)
      return Effect.void
    case "SlowDisk": {
      const { syncMillis } = action
      return at(action.node, ({ disk }) => {
        disk.weather = { ...disk.weather, syncMillisMin: syncMillis, syncMillisMax: syncMillis }
      })
    }
    case "FullDisk":
      return at(action.node, ({ disk }) => {
        disk.weather = { ...disk.weather, bytesMax: 0 }
      })
    case "BrokenDisk":
      return at(action.node, ({ disk }) => {
        disk.weather = { ...disk.weather, ioErrors: 1 }
      })
    case "FairDisk":
      return at(action.node, ({ disk }) => {
        disk.weather = fairDisk
      })
    case "ClockJump":
      return at(action.node, ({ clock }) => clock.jump(action.millis))
    case "ClockRate":
      return at(action.node, ({ clock }) => clock.run(action.rate))
    case "Crash":
      return at(action.node, ({ system }) => {
        const absent = system?.inject(action.path, Cause.die(new Error("a defect, by chaos")))
        if (absent instanceof NoSuchActor) note(absent.message)
      })
    case "MemoryPressure":
    case "ReplaceNode":
      return Effect.void
  }
}

const forPairs = (
  { from, to }: { readonly from: ReadonlyArray<NodeName>; readonly to: ReadonlyArray<NodeName> },
  doing: (from: string, to: string) => void
): Effect.Effect<void> => {
  for (const one of from) for (const other of to) doing(addressesOf(one).links, addressesOf(other).links)
  return Effect.void
}

/** On a link everything arrives once, so nothing of what the network doubles is seen. */
const weatherOf = ({ bytesPerSecond, delayMillis, jitterMillis, loss, reorder }: Network): LinkWeather => {
  const weather = { bytesPerSecond, delayMillis, jitterMillis, loss, reorder }
  return Object.values(weather).every((value) => value === 0) ? fairLinks : weather
}
