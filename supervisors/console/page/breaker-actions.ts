/** What an operator can do to a circuit breaker: trip, reset, hold, release. */
import { report } from "./actions.ts"
import type { App } from "./app.ts"
import { confirm } from "./dialog.ts"

export interface BreakerPlace {
  readonly path: string
  readonly name: string
}

export interface BreakerAction {
  readonly name: string
  readonly icon: string
  readonly run: (app: App) => Promise<void>
}

interface Order {
  readonly name: string
  readonly icon: string
  readonly tag: string
  readonly done: string
  readonly says: ReadonlyArray<string>
}

const orders: ReadonlyArray<Order> = [
  {
    name: "Trip",
    icon: "crash",
    tag: "TripBreaker",
    done: "is open",
    says: [
      "It opens: callers are refused at once, and the target is not asked.",
      "After its wait it lets probes through and closes by itself if they succeed; hold it to keep it open."
    ]
  },
  {
    name: "Reset",
    icon: "restart",
    tag: "ResetBreaker",
    done: "is closed",
    says: ["It closes and forgets what it has counted: the target gets all calls again."]
  },
  {
    name: "Hold",
    icon: "hold",
    tag: "HoldBreaker",
    done: "is held",
    says: ["It stays in the state that it is in, whatever happens, until somebody releases it."]
  },
  {
    name: "Release",
    icon: "play",
    tag: "ReleaseBreaker",
    done: "decides again",
    says: ["It decides by itself again, at once, by what it has counted meanwhile."]
  }
]

export const breakerActions = ({ name: breaker, path }: BreakerPlace): ReadonlyArray<BreakerAction> =>
  orders.map(({ done, icon, name, says, tag }) => ({
    name,
    icon,
    run: async (app) => {
      const reason = await confirm({
        title: `${name} ${breaker}?`,
        says: [...says, `It is ${path}, and it protects the callers of its own process.`],
        action: name,
        isDangerous: name === "Trip",
        reason: "by hand, from the console"
      })
      if (reason === undefined) return
      report(app, await app.ask(path, { _tag: tag, by: app.hello.actorId, reason }), `${breaker} ${done}`)
    }
  }))
