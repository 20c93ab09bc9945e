import test from "ava"
import fc from "fast-check"
import { ClusterMismatch, type Introduction, Unreachable } from "#protocols/links.ts"
import { defaultLinkRules, LinkBook, type LinkBookEffect } from "./link-book.ts"

const introduction = (name: string, bootId = `${name}#1`): Introduction => ({
  protocol: 1,
  cluster: "test",
  name,
  bootId,
  address: `${name}:7700`
})

const bookOf = (name: string) => new LinkBook(introduction(name), defaultLinkRules, () => 1)
const dials = (effects: ReadonlyArray<LinkBookEffect>) =>
  effects.flatMap((effect) => (effect._tag === "Dial" ? [effect.address] : []))
const opened = (name: string, link: number, dialed?: string, bootId?: string) =>
  ({ _tag: "Opened", link, introduction: introduction(name, bootId), dialed }) as const
const unreachable = new Unreachable({ address: "b:7700", reason: "connection refused" })

test("who is wanted is dialed once, however often", (t) => {
  const book = bookOf("a")
  t.deepEqual(dials(book.step({ _tag: "Wanted", address: "b:7700" }, 0)), ["b:7700"])
  t.deepEqual(dials(book.step({ _tag: "Wanted", address: "b:7700" }, 1)), [])
  book.step(opened("b", 1, "b:7700"), 2)
  t.deepEqual(dials(book.step({ _tag: "Wanted", address: "b:7700" }, 3)), [])
  t.is(book.linkTo("b:7700"), 1)
})

test("a node does not dial itself", (t) => {
  t.deepEqual(bookOf("a").step({ _tag: "Wanted", address: "a:7700" }, 0), [])
})

test("who cannot be reached is dialed again after waits that double, up to a bound", (t) => {
  const book = bookOf("a")
  const waits: Array<number> = []
  let nowMillis = 0
  book.step({ _tag: "Wanted", address: "b:7700" }, nowMillis)
  for (let attempt = 0; attempt < 10; attempt++) {
    book.step({ _tag: "Wanted", address: "b:7700" }, nowMillis)
    book.step({ _tag: "DialFailed", address: "b:7700", fault: unreachable }, nowMillis)
    waits.push(book.wakeMillis - nowMillis)
    nowMillis = book.wakeMillis
    t.deepEqual(dials(book.step({ _tag: "Tick" }, nowMillis)), ["b:7700"])
  }
  t.deepEqual(waits, [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000])
})

test("nobody is dialed for a wish that has lapsed", (t) => {
  const book = bookOf("a")
  book.step({ _tag: "Wanted", address: "b:7700" }, 0)
  book.step({ _tag: "DialFailed", address: "b:7700", fault: unreachable }, 59_990)
  t.deepEqual(book.step({ _tag: "Tick" }, 60_200), [])
  t.is(book.wakeMillis, Number.POSITIVE_INFINITY)
  t.deepEqual(book.unlinked, [])
})

test("why there is no link is kept for whoever looks", (t) => {
  const book = bookOf("a")
  const fault = new ClusterMismatch({ node: "b", belongsTo: "other", offered: "test" })
  book.step({ _tag: "Wanted", address: "b:7700" }, 0)
  book.step({ _tag: "DialFailed", address: "b:7700", fault }, 0)
  t.deepEqual(book.unlinked, [{ address: "b:7700", state: "waiting", attempts: 1, reason: fault.message }])
})

test("a lost link is made anew while somebody wants it", (t) => {
  const book = bookOf("a")
  book.step({ _tag: "Wanted", address: "b:7700" }, 0)
  book.step(opened("b", 1, "b:7700"), 10)
  const [drop] = book.step({ _tag: "Closed", link: 1, reason: "reset" }, 20)
  t.like(drop, { _tag: "Drop", link: 1, reason: "reset", nodeLost: false })
  t.deepEqual(dials(book.step({ _tag: "Tick" }, book.wakeMillis)), ["b:7700"])
})

test("a node that membership has given up loses its link, and is not dialed until it is wanted again", (t) => {
  const book = bookOf("a")
  book.step({ _tag: "Wanted", address: "b:7700" }, 0)
  book.step(opened("b", 1, "b:7700"), 10)
  t.deepEqual(book.step({ _tag: "NodeLost", node: "b", bootId: "b#0", reason: "old news" }, 20), [])
  const [drop] = book.step({ _tag: "NodeLost", node: "b", bootId: "b#1", reason: "failed" }, 20)
  t.like(drop, { _tag: "Drop", link: 1, nodeLost: true })
  t.is(book.wakeMillis, Number.POSITIVE_INFINITY)
  t.deepEqual(dials(book.step({ _tag: "Wanted", address: "b:7700" }, 30)), ["b:7700"])
})

test("a second process under a name that is linked is refused; the same process may come again", (t) => {
  const book = bookOf("a")
  book.step(opened("b", 1), 0)
  t.is(book.refuses(introduction("b", "b#2"))?._tag, "NodeNameTaken")
  t.is(book.refuses(introduction("b")), undefined)
  t.is(book.refuses(introduction("a", "a#2"))?._tag, "NodeNameTaken")
  t.is(book.refuses(introduction("a"))?._tag, "AlreadyLinked")
})

test("an address at which another process has a name that is linked is dialed after waits that double", (t) => {
  const book = bookOf("a")
  book.step(opened("b", 1), 0)
  book.step({ _tag: "Wanted", address: "elsewhere:7700" }, 0)
  const waits: Array<number> = []
  let nowMillis = 0
  for (let attempt = 2; attempt < 6; attempt++) {
    const effects = book.step(opened("b", attempt, "elsewhere:7700", "b#2"), nowMillis)
    t.deepEqual(
      effects.map(({ _tag }) => _tag),
      ["Drop"]
    )
    waits.push(book.wakeMillis - nowMillis)
    nowMillis = book.wakeMillis
    t.deepEqual(dials(book.step({ _tag: "Tick" }, nowMillis)), ["elsewhere:7700"])
  }
  t.deepEqual(waits, [100, 200, 400, 800])
  t.regex(book.unlinked[0]?.reason ?? "", /linked already/)
})

test("a node that reconnects before its old link is known to be dead replaces it", (t) => {
  const book = bookOf("a")
  book.step(opened("b", 1), 0)
  const effects = book.step(opened("b", 2), 10)
  t.deepEqual(
    effects.map((effect) => (effect._tag === "Dial" ? effect._tag : `${effect._tag} ${effect.link}`)),
    ["Drop 1", "Use 2"]
  )
})

test("however the dials of two nodes cross, both end with one link, and it is the same", (t) => {
  const order = fc.infiniteStream(fc.nat({ max: 9 }))
  fc.assert(
    fc.property(order, fc.boolean(), fc.boolean(), (choices, aDials, bDials) => {
      const pair = new Pair(() => choices.next().value ?? 0)
      if (aDials || !bDials) pair.wanted("a")
      if (bDials) pair.wanted("b")
      pair.run()
      t.deepEqual(pair.linksOf("a"), pair.linksOf("b"))
      t.is(pair.linksOf("a").length, 1)
    }),
    { numRuns: 2_000 }
  )
})

type Side = "a" | "b"

/** Two nodes whose dials, refusals, openings and closings take their time, in any order. */
class Pair {
  readonly #books = { a: bookOf("a"), b: bookOf("b") }
  readonly #choose: () => number
  readonly #pending: Array<() => void> = []
  readonly #open = new Set<number>()
  #links = 0
  #nowMillis = 0

  constructor(choose: () => number) {
    this.#choose = choose
  }

  wanted(side: Side): void {
    this.#step(side, { _tag: "Wanted", address: `${other(side)}:7700` })
  }

  linksOf(side: Side): ReadonlyArray<number> {
    return this.#books[side].linked.map(({ link }) => link)
  }

  run(): void {
    for (let turn = 0; turn < 500; turn++) {
      const [task] = this.#pending.splice(this.#choose() % Math.max(1, this.#pending.length), 1)
      if (task !== undefined) task()
      else {
        const wake = Math.min(this.#books.a.wakeMillis, this.#books.b.wakeMillis)
        if (wake === Number.POSITIVE_INFINITY) return
        this.#nowMillis = wake
        this.#step("a", { _tag: "Tick" })
        this.#step("b", { _tag: "Tick" })
      }
    }
  }

  #step(side: Side, event: Parameters<LinkBook["step"]>[0]): void {
    for (const effect of this.#books[side].step(event, this.#nowMillis)) {
      if (effect._tag === "Dial") this.#pending.push(() => this.#dial(side))
      if (effect._tag === "Drop") this.#close(effect.link)
    }
  }

  #dial(side: Side): void {
    const address = `${other(side)}:7700`
    const fault = this.#books[other(side)].refuses(introduction(side))
    if (fault !== undefined) {
      this.#pending.push(() => this.#step(side, { _tag: "DialFailed", address, fault }))
      return
    }
    const link = ++this.#links
    this.#open.add(link)
    const open = (at: Side, event: Parameters<LinkBook["step"]>[0]) => () => {
      if (this.#open.has(link)) this.#step(at, event)
      // The dialing side learns of an opening and of the end right after it, one after the other.
      else if (at === side) {
        this.#step(at, event)
        this.#step(at, { _tag: "Closed", link, reason: "closed" })
      }
    }
    this.#pending.push(open(other(side), opened(side, link)), open(side, opened(other(side), link, address)))
  }

  #close(link: number): void {
    if (!this.#open.delete(link)) return
    for (const side of ["a", "b"] as const)
      this.#pending.push(() => this.#step(side, { _tag: "Closed", link, reason: "closed" }))
  }
}

const other = (side: Side): Side => (side === "a" ? "b" : "a")
