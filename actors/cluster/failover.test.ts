import test from "ava"
import fc from "fast-check"
import { type RolesReport, StaleEpoch, type StandingOrders } from "#protocols/failover.ts"
import {
  MemberFailed,
  MemberJoined,
  MemberLeft,
  type MemberRecord,
  MemberSuspected,
  Metadata
} from "#protocols/membership.ts"
import { defaultRules, Failover, type FailoverEffect, type FailoverRules } from "./failover.ts"
import type { HandOrder } from "./failover-orders.ts"
import { type Policy, stayOrLeastLoaded } from "./failover-policy.ts"
import { roleEpoch } from "./fence.ts"

const ann = { by: "ann", reason: "a drill" }
const path = "/n1/failover"
const term = 7
const epoch = (count: number) => roleEpoch(term, count)
const { giveUpMillis, learnMillis, retryMillis } = defaultRules

test("it decides nothing before all agents have said what they have, and then says what it learned", (t) => {
  const play = begin(["n1", "n2"])
  t.deepEqual(play.heard(), ["Report n1", "Report n2"])
  play.report("n1")
  t.deepEqual(play.heard(), [])
  play.report("n2", [{ role: "volumes", epoch: 900 }])
  t.deepEqual(play.heard(), [
    "RoleLearned volumes n2 900: the agent of n2 has it",
    "FailoverBegan: 2 of 2 agents have said what they have"
  ])
  t.like(play.core.status.roles[0], { role: "volumes", holder: "n2", epoch: 900, confirmed: true })
})

test("with agents that do not answer it goes on when its time is up, and takes back what they still have", (t) => {
  const play = begin(["n1", "n2"])
  play.report("n1")
  play.silent("n2")
  play.heard()
  play.at(learnMillis)
  t.true(play.heard().includes("FailoverBegan: 1 of 2 agents have said what they have"))
  play.allow()
  t.deepEqual(play.heard(), [
    `RoleAssigned volumes n1 ${epoch(1)}: nobody has it, and n1 has 0 others`,
    `Take n1 volumes ${epoch(1)}`
  ])
  play.report("n2", [{ role: "volumes", epoch: 900 }])
  t.deepEqual(play.heard(), [`GiveUp n2 volumes ${epoch(1)}`])
})

test("of two that say they have a role the one with the later epoch has it", (t) => {
  const play = begin(["n1", "n2", "n3"])
  play.report("n1", [{ role: "volumes", epoch: 900 }])
  play.report("n2", [{ role: "volumes", epoch: 901 }])
  play.report("n3", [], [{ role: "volumes", epoch: 901 }])
  t.is(play.core.status.roles[0]?.holder, "n2")
  play.heard()
  play.at(defaultRules.lookMillis)
  play.report("n1", [{ role: "volumes", epoch: 900 }])
  t.true(play.heard().includes("GiveUp n1 volumes 901"))
})

test("the role of a failed member goes to another, once the fleet breaker has agreed for both zones", (t) => {
  const play = running()
  play.fail("n2")
  t.deepEqual(play.heard(), ["MayAutomate volumes b"])
  play.allow()
  t.deepEqual(play.heard(), ["MayAutomate volumes a"])
  play.allow()
  t.deepEqual(play.heard(), [
    `RoleAssigned volumes n1 ${epoch(1)}: n2 cannot have it, and n1 has 0 others`,
    `Take n1 volumes ${epoch(1)}`
  ])
  t.like(play.events.at(-1), { previous: "n2", by: path, term })
})

test("while the fleet breaker says no nothing moves; it is said once, and asked again after a pause", (t) => {
  const play = running()
  play.fail("n2")
  play.heard()
  play.deny()
  t.deepEqual(play.heard(), ["FailoverStopped volumes n1: half the zone is dead"])
  t.is(play.core.status.roles[0]?.waits, "stopped n1 half the zone is dead")
  play.at(retryMillis - 1)
  t.deepEqual(play.heard(), [])
  play.at(retryMillis)
  t.deepEqual(play.heard(), ["MayAutomate volumes b"])
  play.deny()
  t.deepEqual(play.heard(), [])
})

test("within its grace a failed member keeps its roles, and it has them still when it comes back", (t) => {
  const play = running({ graceMillis: 10_000 })
  play.fail("n2")
  play.at(9_000)
  t.false(play.heard().some((line) => line.startsWith("MayAutomate")))
  t.is(play.core.status.roles[0]?.waits, "")
  play.join("n2")
  play.at(30_000)
  t.false(play.heard().some((line) => line.startsWith("MayAutomate")))
  play.fail("n2")
  play.at(40_000)
  t.true(play.heard().includes("MayAutomate volumes b"))
})

test("a policy that takes a role from a member in its grace waits for the end of it", (t) => {
  const eager: Policy = ({ members }) => {
    const holder = members.get("n2")?.status === "alive" ? "n2" : "n1"
    return new Map([["volumes", { holder, reason: "eager" }]])
  }
  const play = running({ graceMillis: 10_000 }, eager)
  play.fail("n2")
  t.deepEqual(play.heard(), [])
  t.is(play.core.status.roles[0]?.waits, "n2 has failed and keeps it for its grace")
  play.at(10_000)
  t.true(play.heard().includes("MayAutomate volumes b"))
})

test("a member that comes back does not get its role back", (t) => {
  const play = running()
  play.fail("n2")
  play.allow()
  play.allow()
  play.took(epoch(1))
  play.heard()
  play.join("n2")
  play.report("n2")
  play.at(60_000)
  t.false(play.heard().some((line) => /RoleAssigned|MayAutomate/.test(line)))
  t.is(play.core.status.roles[0]?.holder, "n1")
})

test("a live former holder gives the role up before the new one is told, unless it takes too long", (t) => {
  for (const answers of [true, false]) {
    const play = running()
    play.order({ _tag: "Force", role: "volumes", node: "n1", ...ann })
    t.true(play.heard().includes(`GiveUp n2 volumes ${epoch(1)}`))
    play.at(giveUpMillis - 1)
    t.false(play.heard().some((line) => line.startsWith("Take")))
    if (answers) play.gaveUp(epoch(1))
    else play.at(giveUpMillis)
    t.deepEqual(
      play.heard().filter((line) => !line.startsWith("Report")),
      [`Take n1 volumes ${epoch(1)}`]
    )
  }
})

test("what was not answered is told again under the same epoch, until it is", (t) => {
  const play = running()
  play.fail("n2")
  play.allow()
  play.allow()
  play.heard()
  play.took(epoch(1), "no answer")
  play.at(retryMillis)
  t.true(play.heard().includes(`Take n1 volumes ${epoch(1)}`))
  t.false(play.core.status.roles[0]?.confirmed ?? true)
  play.took(epoch(1))
  t.true(play.core.status.roles[0]?.confirmed)
  play.at(2 * retryMillis)
  t.false(play.heard().some((line) => line.startsWith("Take")))
})

test("a holder that has lost its role gets it again under a new epoch", (t) => {
  const play = running()
  play.at(defaultRules.lookMillis)
  play.heard()
  play.report("n2")
  play.allow()
  t.deepEqual(play.heard(), [
    "MayAutomate volumes b",
    `RoleAssigned volumes n2 ${epoch(1)}: the agent of n2 has it no longer`,
    `Take n2 volumes ${epoch(1)}`
  ])
})

test("a holder that has started anew gets its role under a new epoch, where nobody else can have it", (t) => {
  const play = running(
    {},
    stayOrLeastLoaded(["volumes"], ({ name }) => name === "n2")
  )
  play.fail("n2")
  play.join("n2", "another life")
  play.allow()
  t.true(play.heard().includes(`RoleAssigned volumes n2 ${epoch(1)}: n2 has started anew`))
})

test("one that leaves loses its roles at once, and one that is suspected none", (t) => {
  const play = running({ graceMillis: 10_000 })
  play.suspect("n2")
  t.deepEqual(play.heard(), [])
  play.leave("n2")
  t.deepEqual(play.heard(), ["MayAutomate volumes b"])
})

test("while it is held it moves nothing and says so once; by hand it does, and on release it goes on", (t) => {
  const play = running()
  play.order({ _tag: "Hold", ...ann })
  play.heard()
  play.fail("n2")
  t.deepEqual(play.heard(), ["DecisionVetoed volumes n1: failover is held: a drill"])
  play.at(1_000)
  t.deepEqual(play.heard(), [])
  play.order({ _tag: "Force", role: "names", node: "n1", ...ann })
  t.true(play.heard().includes(`RoleAssigned names n1 ${epoch(1)}: a drill`))
  play.order({ _tag: "Release", ...ann })
  t.true(play.heard().includes("MayAutomate volumes b"))
})

test("a move that was on its way when it was held is not made", (t) => {
  const play = running()
  play.fail("n2")
  play.order({ _tag: "Hold", ...ann })
  play.heard()
  play.allow()
  t.deepEqual(play.heard(), [])
  t.is(play.core.status.roles[0]?.holder, "n2")
})

test("a veto takes the role from its holder at once, and keeps it away", (t) => {
  const play = running()
  play.order({ _tag: "Veto", role: "volumes", node: "n2", ...ann })
  const heard = play.heard()
  t.true(heard.includes(`RoleUnassigned volumes nobody ${epoch(1)}: a drill`))
  t.true(heard.includes(`GiveUp n2 volumes ${epoch(1)}`))
  play.allow()
  play.allow()
  t.true(play.heard().includes(`RoleAssigned volumes n1 ${epoch(2)}: nobody has it, and n1 has 0 others`))
})

test("a policy that insists on whom an operator has vetoed is told so, and nobody has the role", (t) => {
  const insists: Policy = () => new Map([["volumes", { holder: "n2", reason: "it is the best" }]])
  const play = running({}, insists)
  play.order({ _tag: "Veto", role: "volumes", node: "n2", ...ann })
  t.true(play.heard().includes("DecisionVetoed volumes n2: a drill"))
  t.is(play.core.status.roles[0]?.holder, null)
})

test("a forced role stays, whatever the policy wants, until its node is gone", (t) => {
  const play = running({}, () => new Map([["volumes", { holder: "n1", reason: "it is the best" }]]))
  play.heard()
  play.order({ _tag: "Force", role: "volumes", node: "n2", ...ann })
  play.allow()
  play.allow()
  t.false(play.heard().some((line) => line.startsWith("RoleAssigned")))
  play.fail("n2")
  t.true(play.heard().includes("ForceEnded volumes n2: n2 is no member any more"))
  play.allow()
  play.allow()
  t.true(play.heard().includes(`RoleAssigned volumes n1 ${epoch(1)}: it is the best`))
})

test("a node that is no member is given nothing, and the policy is told", (t) => {
  const play = running({}, () => new Map([["volumes", { holder: "n9", reason: "why not" }]]))
  t.true(play.heard().includes("DecisionVetoed volumes n9: n9 is no live member"))
})

test("orders go to all agents at once, and a new coordinator begins with the latest of them", (t) => {
  const play = running()
  play.order({ _tag: "Hold", ...ann })
  t.deepEqual(
    play.heard().filter((line) => line.startsWith("Report")),
    ["Report n1 7.1", "Report n2 7.1"]
  )
  const next = begin(["n1", "n2"])
  const held: StandingOrders = { term: 6, number: 2, held: ann, vetoes: [], forced: [] }
  next.report("n1", [], [], { ...held, number: 1, held: null })
  next.report("n2", [], [], held)
  t.true(next.heard().includes("FailoverHeld: a drill"))
  t.deepEqual(next.core.status.orders.held, ann)
  t.true(next.events.some((event) => event._tag === "DecisionVetoed"))
})

test("an order while it is learning is refused, and nothing has happened", (t) => {
  const play = begin(["n1"])
  const refused = play.core.order({ _tag: "Hold", ...ann }, 1_000)
  t.like(refused, { _tag: "FailoverLearning", remainingMillis: 2_000 })
  t.is(play.core.status.orders.held, null)
})

test("a coordinator that meets the traces of a later one is over", (t) => {
  const stale = new StaleEpoch({ role: "volumes", epoch: epoch(1), current: roleEpoch(9, 0) })
  const play = running()
  play.feed(play.core.took("volumes", epoch(1), { _tag: "Stale", fault: stale }, 0))
  t.deepEqual(play.heard(), ["FailoverEnded: an agent obeys the coordinator of term 9", "Deposed"])
  t.true(play.core.over)
  play.fail("n2")
  t.deepEqual(play.heard(), [])
  t.is(play.core.wakeMillis, Number.POSITIVE_INFINITY)
  t.like(play.core.order({ _tag: "Hold", ...ann }, 0), { _tag: "FailoverDeposed", current: 9 })
})

test("whatever happens in whatever order: epochs grow, nothing moves unasked, held or to whom it may not", (t) => {
  const names = ["n1", "n2", "n3"]
  const node = fc.constantFrom(...names)
  const role = fc.constantFrom("volumes", "names")
  const input = fc.oneof(
    fc.record({ kind: fc.constantFrom("fail", "join", "leave", "suspect", "report", "silent"), node, role }),
    fc.record({ kind: fc.constantFrom("allow", "deny", "took", "missed", "pause"), node, role }),
    fc.record({
      kind: fc.constantFrom("Hold", "Release", "Veto", "LiftVeto", "Force", "LiftForce"),
      node,
      role
    })
  )
  fc.assert(
    fc.property(fc.array(input, { maxLength: 80 }), (inputs) => {
      const play = begin(
        names,
        {},
        stayOrLeastLoaded(["volumes", "names"], () => true)
      )
      for (const name of names) play.report(name)
      let turns = 0
      let highest = 0
      for (const { kind, node, role } of inputs) {
        const before = play.core.status.orders
        const seen = play.events.length
        if (kind === "fail" || kind === "join" || kind === "leave" || kind === "suspect") play[kind](node)
        else if (kind === "report" || kind === "silent") play[kind](node)
        else if (kind === "allow" || kind === "deny") play[kind]()
        else if (kind === "took") play.took(highest, undefined, role)
        else if (kind === "missed") play.took(highest, "no answer", role)
        else if (kind === "pause") play.at(++turns * 1_700)
        else play.order({ _tag: kind as "Veto", role, node, ...ann })
        for (const event of play.events.slice(seen)) {
          if (event._tag !== "RoleAssigned" && event._tag !== "RoleUnassigned") continue
          if (event.epoch <= highest) throw new Error(`epoch ${event.epoch} after ${highest}`)
          highest = event.epoch
          const byHand = event.by === "ann"
          if (byHand && !["Veto", "Force", "allow"].includes(kind)) throw new Error(`by hand on ${kind}`)
          if (!byHand && kind !== "allow") throw new Error(`moved on ${kind} without permission`)
          if (!byHand && before.held !== null) throw new Error("moved while held")
          const holder = event._tag === "RoleAssigned" ? event.holder : undefined
          const vetoes = play.core.status.orders.vetoes
          if (vetoes.some((veto) => veto.role === event.role && veto.node === holder))
            throw new Error("moved to whom it may not")
        }
      }
    }),
    { numRuns: 300 }
  )
  t.pass()
})

// Fixtures

const evidence = { source: "test", what: "probe" as const, confirmations: 0 }

/** Those with an even number live in zone b. */
const record = (name: string, incarnation: number, bootId = name): MemberRecord => {
  const zone = Number(name.slice(1)) % 2 === 0 ? "b" : "a"
  const metadata = new Metadata({ roles: [], zone, version: "1", ports: {} })
  return { name, address: name, bootId, incarnation, status: "alive", metadata }
}

const stays = stayOrLeastLoaded(["volumes"], () => true)

const begin = (names: ReadonlyArray<string>, rules: Partial<FailoverRules> = {}, policy: Policy = stays) => {
  const core = new Failover(term, path, policy, { ...defaultRules, ...rules })
  const events: Array<Extract<FailoverEffect, { _tag: "Publish" }>["event"]> = []
  let lines: Array<string> = []
  let asked: Array<{ readonly role: string; readonly ticket: number }> = []
  let nowMillis = 0
  let incarnation = 1
  const feed = (effects: ReadonlyArray<FailoverEffect>) => {
    for (const effect of effects) {
      if (effect._tag === "MayAutomate") asked.push(effect)
      if (effect._tag === "Publish") events.push(effect.event)
      lines.push(describe(effect))
    }
  }
  const permit = (permission: Parameters<Failover["mayAutomate"]>[2]) => {
    const questions = asked
    asked = []
    for (const { role, ticket } of questions) feed(core.mayAutomate(role, ticket, permission, nowMillis))
  }
  feed(
    core.begin(
      names.map((name) => record(name, 1)),
      0
    )
  )
  return {
    core,
    events,
    feed,
    /** What has been done since it was last looked at. */
    heard: () => {
      const heard = lines
      lines = []
      return heard
    },
    at: (millis: number) => {
      nowMillis = millis
      feed(core.tick(millis))
    },
    report: (
      node: string,
      held: RolesReport["held"] = [],
      seen: RolesReport["seen"] = held,
      orders: StandingOrders | null = null
    ) => feed(core.reported(node, { _tag: "Done", value: { node, term, held, seen, orders } }, nowMillis)),
    silent: (node: string) => feed(core.reported(node, { _tag: "Failed", reason: "no answer" }, nowMillis)),
    allow: () => permit(null),
    deny: () => permit({ by: "/n1/fleet-breaker", reason: "half the zone is dead" }),
    took: (epoch: number, reason?: string, role = "volumes") =>
      feed(
        core.took(
          role,
          epoch,
          reason === undefined ? { _tag: "Done", value: undefined } : { _tag: "Failed", reason },
          nowMillis
        )
      ),
    gaveUp: (epoch: number) =>
      feed(core.gaveUp("volumes", epoch, { _tag: "Done", value: undefined }, nowMillis)),
    order: (order: HandOrder) => {
      const outcome = core.order(order, nowMillis)
      if (!("_tag" in outcome)) feed(outcome)
    },
    fail: (name: string) =>
      feed(core.observe(new MemberFailed({ member: record(name, incarnation), evidence }), nowMillis)),
    suspect: (name: string) =>
      feed(core.observe(new MemberSuspected({ member: record(name, incarnation), evidence }), nowMillis)),
    leave: (name: string) =>
      feed(core.observe(new MemberLeft({ member: record(name, incarnation), evidence }), nowMillis)),
    join: (name: string, bootId = name) =>
      feed(
        core.observe(new MemberJoined({ member: record(name, ++incarnation, bootId), evidence }), nowMillis)
      )
  }
}

/** With n1 in zone a, and n2 in zone b, which has the role. */
const running = (rules: Partial<FailoverRules> = {}, policy: Policy = stays) => {
  const play = begin(["n1", "n2"], rules, policy)
  play.report("n1")
  if (policy === stays || rules.graceMillis !== undefined) play.heard()
  play.report("n2", [{ role: "volumes", epoch: 900 }])
  if (policy === stays || rules.graceMillis !== undefined) play.heard()
  return play
}

const describe = (effect: FailoverEffect): string => {
  switch (effect._tag) {
    case "Report": {
      const { node, orders } = effect
      return orders === null || orders.number === 0
        ? `Report ${node}`
        : `Report ${node} ${orders.term}.${orders.number}`
    }
    case "Take":
    case "GiveUp":
      return `${effect._tag} ${effect.node} ${effect.role} ${effect.epoch}`
    case "MayAutomate":
      return `MayAutomate ${effect.role} ${effect.zone}`
    case "Deposed":
      return "Deposed"
    case "Publish": {
      const { event } = effect
      const role = "role" in event ? ` ${event.role}` : ""
      const node =
        "node" in event
          ? ` ${event.node}`
          : "holder" in event
            ? ` ${event.holder}`
            : event._tag === "RoleUnassigned"
              ? " nobody"
              : ""
      return `${event._tag}${role}${node}${"epoch" in event ? ` ${event.epoch}` : ""}: ${event.reason}`
    }
  }
}
