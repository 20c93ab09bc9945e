/** Somebody starts a node whose console finds its port taken: the node is ready all the same, and is said to be. */
import test from "ava"
import { Effect } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import * as ActorSystem from "#actors/kernel/system.ts"
import { type ChainfireStatus, GetChainfire } from "#protocols/chainfire.ts"
import * as Supervisor from "../engine/supervisor.ts"
import { child } from "../engine/tree.ts"
import { live } from "../live.ts"
import { ready } from "./watch-tree.ts"

const status: ChainfireStatus = {
  ...{ member: 1, role: "leader", term: 3, leader: 1, commitIndex: 90, appliedIndex: 90, revision: 9 },
  ...{ compactRevision: 0, leases: 0, authentication: false, watches: 0, parkedWatches: 0 },
  ...{ snapshotsInstalled: 0, firstIndex: 1, voters: [1], learners: [], removed: false },
  ...{ alarms: [], failed: "" }
}

/** A member that has a leader, and nothing else. */
const Member = Actor.make("member", {
  messages: [GetChainfire],
  init: () => status,
  handlers: { GetChainfire: (state) => Actor.reply(state, state) }
})

const chainfire = Supervisor.make("chainfire", { strategy: "one-for-one", children: [child(Member)] })
const withoutConsole = Supervisor.make("node01", { strategy: "one-for-one", children: [child(chainfire)] })

test("a node whose clients of etcd are served is ready, whether or not its console is open", async (t) => {
  await Effect.gen(function* () {
    const system = yield* ActorSystem.make("node01", withoutConsole)
    yield* Effect.timeout(ready(system), "10 seconds")
  }).pipe(Effect.scoped, Effect.provide(live), Effect.runPromise)
  t.pass()
})
