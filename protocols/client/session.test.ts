import test from "ava"
import { Either } from "effect"
import fc from "fast-check"
import {
  ActorUnavailable,
  AnswerTooLarge,
  DeadlineExceeded,
  LinkLost,
  MailboxFull,
  MessageTooLarge
} from "../delivery.ts"
import { isFrame, takenBytes, takenFrames } from "../wire/frames.ts"
import { Feed } from "./feed.ts"
import { faultOf, play } from "./fixtures/test-node.ts"
import type { Ending } from "./session.ts"

test("what is asked and told in one turn leaves as one batch, in that order", (t) => {
  const { ask, node, session } = play()
  ask("a")
  t.is(session.tell("/n/a", "Put", { _tag: "Put" }), undefined)
  ask("b")
  t.is(node.batches, 0)
  node.run()
  t.is(node.batches, 1)
  t.deepEqual(
    node.frames.map(([kind]) => kind),
    ["ask", "tell", "ask"]
  )
})

test("an answer ends its ask, and whatever comes for it later is nobody's", (t) => {
  const { ask, node, session } = play()
  const endings = ask("a")
  node.run()
  node.say(["reply", 0, 1], ["reply", 0, 2], ["failed", 0, 3], ["died", 77, "who?"])
  t.deepEqual(endings, [["reply", 1]])
  t.deepEqual([session.pending, session.malformed], [0, 0])
})

test("when the link is lost: not sent stays, sent and repeatable is sent again, all else is lost", (t) => {
  const { ask, node, session } = play()
  const repeatable = ask("look", { repeatable: true })
  const once = ask("act")
  node.run()
  const late = ask("late")
  node.cut("the cable was pulled")
  t.true(faultOf(once) instanceof LinkLost)
  t.regex(String(faultOf(once)?.message), /the cable was pulled.*may have been acted on/)
  t.deepEqual([repeatable, late], [[], []])

  node.link()
  node.run()
  t.deepEqual(node.asked(), ["look", "late"])
  node.say(["reply", 0, "seen"], ["reply", 2, "done"])
  t.deepEqual([repeatable, late], [[["reply", "seen"]], [["reply", "done"]]])
  t.is(session.pending, 0)
})

test("what is part of a trace says so, also when it is sent again, and nothing else does", (t) => {
  const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
  const { ask, node, session } = play()
  const traced = () => node.frames.map((frame): unknown => [frame[0], [...frame].includes(trace)])
  const feed = new Feed({ path: "/n", tags: [], capacity: 1, decode: Either.right })
  session.subscribe(feed, trace)
  ask("look", { repeatable: true, trace })
  ask("act")
  session.tell("/n/a", "Put", { _tag: "Put" }, trace)
  node.run()
  t.true(node.frames.every(isFrame))
  t.deepEqual(traced(), [
    ["subscribe", true],
    ["ask", true],
    ["ask", false],
    ["tell", true]
  ])
  node.cut("the cable was pulled")
  node.link()
  node.run()
  t.deepEqual(traced(), [
    ["subscribe", true],
    ["ask", true]
  ])
})

test("a deadline that passes before anything was sent says that nothing happened", (t) => {
  const { ask, node, world } = play({ linked: false })
  const never = ask("a", { deadlineMillis: 1_000 })
  world.advance(1_000)
  t.true(faultOf(never) instanceof ActorUnavailable)

  node.link()
  const sent = ask("b", { deadlineMillis: 1_000, repeatable: true })
  node.run()
  node.cut("gone")
  world.advance(1_000)
  t.true(faultOf(sent) instanceof DeadlineExceeded)
  node.link()
  node.run()
  t.deepEqual(node.asked(), [], "nobody waits for either any more")
})

test("what is sent again has only the time that is left", (t) => {
  const { ask, node, world } = play()
  ask("a", { deadlineMillis: 1_000, repeatable: true })
  node.run()
  node.cut("gone")
  world.advance(400)
  node.link()
  node.run()
  t.like(node.frames[0], { 0: "ask", 3: 600 })
})

test("an ask that is withdrawn, or whose deadline passes, is withdrawn over there, if it had left", (t) => {
  const { node, session, world } = play()
  const question = { path: "/n/a", request: "Get", encoded: "", repeatable: false, ended: () => {} }
  session.ask({ ...question, deadlineMillis: 1_000 })()
  const withdraw = session.ask({ ...question, deadlineMillis: 1_000 })
  session.ask({ ...question, deadlineMillis: 500 })
  node.run()
  withdraw()
  world.advance(500)
  node.run()
  t.deepEqual(
    node.frames.map(([kind, id]) => [kind, id]),
    [
      ["ask", 1],
      ["ask", 2],
      ["withdraw", 1],
      ["withdraw", 2]
    ]
  )
})

test("an ask that is withdrawn before it is sent again is not heard of on the next link", (t) => {
  const { node, session } = play()
  const question = { path: "/n/a", request: "Get", encoded: "", deadlineMillis: 1_000, ended: () => {} }
  const withdraw = session.ask({ ...question, repeatable: true })
  node.run()
  node.cut("gone")
  node.link()
  withdraw()
  node.run()
  t.deepEqual(node.frames, [])
})

test("what was dealt with is reported to the node in time, so that it may go on", (t) => {
  const { node } = play()
  for (let count = 0; count < takenFrames; count++) node.say(["event", 9, count])
  node.run()
  t.deepEqual(node.taken, [takenFrames])
  node.say(["event", 9, "x".repeat(takenBytes)])
  node.run()
  t.deepEqual(node.taken, [takenFrames, 1])
})

test("a tell waits for no link: without one it is refused, and one that had not left comes back", (t) => {
  const { node, session, undelivered } = play()
  t.is(session.tell("/n/a", "Put", { _tag: "Put" }), undefined)
  node.cut("gone")
  t.deepEqual(
    undelivered.map(({ fault, path }) => [path, fault._tag]),
    [["/n/a", "ActorUnavailable"]]
  )
  t.true(session.tell("/n/a", "Put", { _tag: "Put" }) instanceof ActorUnavailable)
})

test("a tell that the node refuses comes back", (t) => {
  const { node, session, undelivered } = play()
  node.say(["undelivered", "/n/a", { _tag: "MailboxFull", path: "/n/a", request: "Put", capacity: 5 }])
  node.say(["undelivered", "/n/a", { _tag: "Whatever" }])
  t.true(undelivered[0]?.fault instanceof MailboxFull)
  t.deepEqual([undelivered.length, session.malformed], [1, 1])
})

test("beyond the bound asks are refused, linked or not, and what ends makes room", (t) => {
  const { ask, session, world } = play({
    linked: false,
    limits: { queuedFramesMax: 10, queuedBytesMax: 1_000_000 }
  })
  for (let count = 0; count < 10; count++) ask("a", { deadlineMillis: 100 })
  t.true(faultOf(ask("one more")) instanceof MailboxFull)
  world.advance(100)
  t.deepEqual(ask("and now"), [])
  ask("x".repeat(999_999))
  t.true(faultOf(ask("y")) instanceof MailboxFull)
  t.is(session.pending, 2)
  world.advance(60_000)
  t.deepEqual(ask("x".repeat(999_999)), [])
})

test("a message over the size is not sent; text counts by its bytes", (t) => {
  const { ask, node } = play({ messageBytesMax: 100_000 })
  const fault = faultOf(ask("x".repeat(100_001)))
  t.true(fault instanceof MessageTooLarge && fault.bytes >= 100_001 && fault.bytesMax === 100_000)
  const fits = ask("x".repeat(99_000))
  node.run()
  t.deepEqual([fits, node.asked()], [[], ["x".repeat(99_000)]])
})

test("a large answer is put together; one over the size is told apart from a request that was not taken", (t) => {
  const { ask, node, session } = play({ messageBytesMax: 200_000 })
  const whole = ask("a")
  const tooLarge = ask("b")
  node.run()
  node.sayLarge(["reply", 0, null], "z".repeat(150_000))
  node.sayLarge(["reply", 1, null], "z".repeat(250_000))
  node.sayLarge(["tell", "/client", null], "z".repeat(100_000))
  node.say(["part", new Uint8Array(5)])
  t.deepEqual(whole, [["reply", "z".repeat(150_000)]])
  t.true(faultOf(tooLarge) instanceof AnswerTooLarge)
  t.is(session.malformed, 2)
})

test("a large answer that does not unpack ends its ask", (t) => {
  const { ask, node, session } = play()
  const endings = ask("a")
  node.run()
  node.say(["large", ["reply", 0, null], 10], ["part", new Uint8Array(10).fill(0xc1)])
  t.is(faultOf(endings)?._tag, "MalformedMessage")
  t.is(session.malformed, 1)
})

test("whatever the node sends is counted and never thrown, and the session goes on", (t) => {
  const { ask, node, session } = play()
  const anything = fc.array(
    fc.oneof(
      fc.anything(),
      fc.tuple(
        fc.constantFrom(
          "reply",
          "failed",
          "event",
          "missed",
          "taken",
          "large",
          "part",
          "undelivered",
          "stop"
        ),
        fc.anything(),
        fc.anything()
      ),
      fc.constant(["watch", 1, "/client"])
    )
  )
  fc.assert(fc.property(anything, (batch) => void session.receive(batch)))
  session.receive("no batch")
  t.true(session.malformed > 0)
  const endings = ask("a")
  node.run()
  node.say(["reply", 0, "alive"])
  t.deepEqual(endings, [["reply", "alive"]])
})

test("whatever happens to the link and when: every ask ends once, for the right reason, and nothing is done twice", (t) => {
  const action = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant("ask" as const),
        repeatable: fc.boolean(),
        deadline: fc.integer({ min: 1, max: 3_000 }),
        size: fc.constantFrom(0, 0, 0, 100_000, 900_000)
      })
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("tell" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("withdraw" as const), which: fc.nat() }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("cut" as const) }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant("link" as const) }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant("run" as const) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("take" as const), count: fc.nat({ max: 50 }) }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant("answer" as const), which: fc.nat() }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const), millis: fc.nat({ max: 500 }) }) }
  )
  let resent = 0
  fc.assert(
    fc.property(fc.array(action, { maxLength: 120, size: "max" }), (actions) => {
      const { node, session, undelivered, world } = play({ takes: false })
      const asks: Array<{
        repeatable: boolean
        withdrawn: boolean
        endings: Array<Ending>
        withdraw: () => void
      }> = []
      const told: Array<number> = []
      let step = 0
      for (const it of actions) {
        step++
        if (it.do === "ask") {
          const endings: Array<Ending> = []
          const withdraw = session.ask({
            path: "/n/a",
            request: "Do",
            encoded: { step, ask: asks.length, filling: "x".repeat(it.size) },
            repeatable: it.repeatable,
            deadlineMillis: it.deadline,
            ended: (ending) => void endings.push(ending)
          })
          asks.push({ repeatable: it.repeatable, withdrawn: false, endings, withdraw })
        } else if (it.do === "tell") {
          if (session.tell("/n/a", "Say", { _tag: "Say", step }) === undefined) told.push(step)
        } else if (it.do === "withdraw") {
          const ask = asks[it.which % Math.max(1, asks.length)]
          if (ask === undefined || ask.endings.length > 0) continue
          ask.withdrawn = true
          ask.withdraw()
        } else if (it.do === "cut") node.cut("cut")
        else if (it.do === "link") node.link()
        else if (it.do === "run") node.run()
        else if (it.do === "take") node.take(it.count)
        else if (it.do === "answer") node.answer(it.which)
        else world.advance(it.millis)
      }
      world.advance(3_000)

      t.is(session.pending, 0)
      const handled = node.handled.filter(isHandled)
      for (const [index, { endings, repeatable, withdrawn }] of asks.entries()) {
        t.is(endings.length, withdrawn ? 0 : 1, `ask ${index} ended ${endings.length} times`)
        const arrived = handled.filter(({ ask }) => ask === index).length
        const begun = node.begun.filter((ask) => ask === index).length
        if (begun > 1) resent++
        t.true(repeatable || begun <= 1, `ask ${index} was sent ${begun} times`)
        const fault = faultOf(endings)
        if (fault instanceof ActorUnavailable) t.is(begun, 0, "nothing happened")
        if (fault instanceof LinkLost) t.true(!repeatable && begun === 1)
        if (fault?.definite === true) t.is(arrived, 0)
      }
      for (const link of node.links) {
        const steps = link.filter(isStep).map((message) => message.step)
        t.deepEqual(
          steps,
          steps.toSorted((one, other) => one - other),
          "in order on each link"
        )
      }
      const said = node.handled.filter(isStep).filter((message) => !isHandled(message))
      const lostForSure = undelivered.length
      t.true(said.length + lostForSure <= told.length)
      t.is(new Set(said.map(({ step }) => step)).size, said.length, "no tell arrives twice")
      return true
    }),
    { numRuns: 500 }
  )
  t.true(resent > 100, `${resent} were sent again`)
})

test("when the session closes, what could leave has left and everything ends", (t) => {
  const { ask, node, session } = play()
  const feed = new Feed({ path: "/n", tags: [], capacity: 1, decode: Either.right })
  session.subscribe(feed)
  const sent = ask("a", { repeatable: true })
  session.close("done")
  t.true(faultOf(sent) instanceof LinkLost)
  t.true(feed.fault instanceof LinkLost)
  t.deepEqual(
    node.frames.map(([kind]) => kind),
    ["subscribe", "ask"]
  )
  t.true(faultOf(ask("later")) instanceof ActorUnavailable)
})

const isStep = (message: unknown): message is { readonly step: number } =>
  typeof message === "object" && message !== null && "step" in message
const isHandled = (message: unknown): message is { readonly step: number; readonly ask: number } =>
  isStep(message) && "ask" in message
