import test from "ava"
import { AuthTokens, indexOfToken, tokensMax, tokensOfUserMax } from "./auth-tokens.ts"

const minute = 60_000

test("a token is good for five minutes from when it was last shown", (t) => {
  const tokens = new AuthTokens()
  tokens.assign("one.1", "ann", 0)
  t.is(tokens.show("one.1", 4 * minute), "ann")
  t.is(tokens.show("one.1", 8 * minute), "ann")
  t.is(tokens.show("one.1", 13 * minute), undefined)
  t.is(tokens.count, 0)
  t.is(tokens.show("two.2", 0), undefined)
})

test("those that nobody shows any more take no room, and those that are shown stay", (t) => {
  const tokens = new AuthTokens()
  for (let count = 0; count < 100; count++) tokens.assign(`old.${count}`, `user${count}`, count)
  tokens.show("old.7", 4 * minute)
  tokens.assign("new.1", "ann", 6 * minute)
  t.is(tokens.count, 2)
  t.is(tokens.show("old.7", 6 * minute), "user7")
})

test("a user's tokens go all at once, and nobody else's", (t) => {
  const tokens = new AuthTokens()
  tokens.assign("a.1", "ann", 0)
  tokens.assign("a.2", "ann", 0)
  tokens.assign("b.3", "bob", 0)
  tokens.forgetUser("ann")
  t.deepEqual(
    ["a.1", "a.2", "b.3"].map((token) => tokens.show(token, 1)),
    [undefined, undefined, "bob"]
  )
  tokens.clear()
  t.is(tokens.show("b.3", 1), undefined)
})

test("a user who asks for tokens without end loses his own that were not shown for longest", (t) => {
  const tokens = new AuthTokens()
  tokens.assign("theirs.0", "bob", 0)
  for (let count = 0; count < tokensOfUserMax; count++) tokens.assign(`mine.${count}`, "ann", 1)
  tokens.show("mine.0", 2_000)
  tokens.assign("mine.more", "ann", 2_001)
  t.is(tokens.show("theirs.0", 2_002), "bob")
  t.is(tokens.show("mine.0", 2_002), "ann")
  t.is(tokens.show("mine.1", 2_002), undefined)
  t.is(tokens.count, tokensOfUserMax + 1)
})

test("there are never more than so many tokens", (t) => {
  const tokens = new AuthTokens()
  for (let count = 0; count < tokensMax + 10; count++) tokens.assign(`t.${count}`, `user${count % 20}`, 0)
  t.is(tokens.count, tokensMax)
  t.is(tokens.show("t.9", 1), undefined)
  t.is(tokens.show("t.10", 1), "user10")
})

test("a token says where in the log it was assigned; what does not is none", (t) => {
  t.is(indexOfToken("abcdEFGH.42"), 42)
  for (const none of ["", "abc", "abc.", "abc.x", "a.b.1", "abc.-1", `abc.${"9".repeat(30)}`])
    t.is(indexOfToken(none), undefined, none)
})
