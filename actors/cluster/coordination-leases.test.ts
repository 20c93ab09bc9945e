import test from "ava"
import { Effect, Schedule, Schema } from "effect"
import { type LiveMember, liveCluster } from "#actors/chainfire/fixtures/live-cluster.ts"
import * as Actor from "#actors/kernel/actor.ts"
import { leasesOn } from "#actors/kernel/coordination/coordination-leases.ts"
import { comesAbout } from "#actors/kernel/fixtures/eventually.ts"
import { leasesContract } from "#actors/kernel/fixtures/leases-contract.ts"
import type { WorldClock } from "#actors/kernel/ports/clock.ts"
import { CoordinationActor, TreeCoordination } from "./coordination-actor.ts"
import { leaderRole } from "./leader-role-actor.ts"

const ttlMillis = 2_000

for (const [promise, plays] of Object.entries(leasesContract)) {
  test.serial(`on chainfire: ${promise}`, async (t) => {
    t.timeout(60_000)
    await Effect.gen(function* () {
      const { members } = yield* liveCluster(1)
      const [{ system }] = members as readonly [LiveMember]
      const tree = new TreeCoordination({ members: [`/${system.name}/chainfire`] })
      system.spawn(CoordinationActor, { args: { tree } })
      const leases = leasesOn(tree.coordination, system.clock)
      yield* served(tree)
      yield* plays({ one: leases, two: leases, clock: system.clock, ttlMillis }, t)
    }).pipe(Effect.scoped, Effect.runPromise)
  })
}

test.serial("a role moves to another node when its holder's node stops, under a larger epoch", async (t) => {
  t.timeout(90_000)
  const lives: Array<{ readonly node: string; readonly epoch: number }> = []
  const Work = Actor.make("work", {
    messages: [Nothing],
    init: (context, epoch: { readonly epoch: number }) => {
      lives.push({ node: context.path.split("/")[1] ?? "", ...epoch })
      return {}
    },
    handlers: { Nothing: (state) => state }
  })
  const rules = { ttlMillis: 4_000, stopMillis: 500, retryMillis: 200, slackMillis: 200, answerMillis: 1_000 }
  const candidate = leaderRole({ role: "work", child: Work, args: (epoch) => ({ epoch }), rules })
  await Effect.gen(function* () {
    const { members } = yield* liveCluster(3, {
      workOf: (name) => {
        const others = ["node01", "node02", "node03"].filter((other) => other !== name)
        const tree = new TreeCoordination({
          members: [name, ...others].map((node) => `/${node}/chainfire`),
          deadlineMillis: 1_000
        })
        return {
          leases: leasesOn(tree.coordination, clock),
          start: (context) => {
            context.spawn(CoordinationActor, { args: { tree } })
            context.spawn(candidate, { args: { holder: `${name}#1` } })
          }
        }
      }
    })
    yield* comesAbout("one life", () => lives.length === 1)
    const first = lives[0]
    const stopped = members.find(({ system }) => system.name === first?.node)
    yield* stopped?.system.stop ?? Effect.void
    yield* comesAbout("another", () => lives.length === 2)
    const second = lives[1]
    t.not(second?.node, first?.node)
    t.true((second?.epoch ?? 0) > (first?.epoch ?? 0))
  }).pipe(Effect.scoped, Effect.runPromise)
})

// Fixtures

class Nothing extends Schema.TaggedClass<Nothing>()("Nothing", {}) {}

/** As the live world has it. */
const clock: WorldClock = {
  nowMillis: () => performance.now(),
  wallMillis: () => Date.now(),
  alarm: (delayMillis, ring) => {
    const timer = setTimeout(ring, delayMillis)
    return () => clearTimeout(timer)
  }
}

const served = ({ coordination }: TreeCoordination) =>
  Effect.retry(coordination.range({ key: Uint8Array.of(0), countOnly: true }), {
    schedule: Schedule.spaced("50 millis"),
    times: 100
  })
