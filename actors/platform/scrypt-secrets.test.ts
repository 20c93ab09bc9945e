import test from "ava"
import { Either } from "effect"
import { scryptSecrets } from "./scrypt-secrets.ts"

const secrets = scryptSecrets({ rounds: 4 })
const hash = (password: string) =>
  new Promise<string>((resolve) => secrets.hash(password, (answer) => resolve(Either.getOrThrow(answer))))
const fits = (password: string, against: string | undefined) =>
  new Promise<boolean>((resolve) =>
    secrets.fits(password, against, (answer) => resolve(Either.getOrThrow(answer)))
  )

test("a password fits its hash and no other, and the hash does not show it", async (t) => {
  const password = "correct horse"
  const [one, other] = await Promise.all([hash(password), hash(password)])
  t.not(one, other, "the same password has another hash each time")
  t.false(one.includes(password) || one.includes(Buffer.from(password).toString("base64")))
  t.true(await fits(password, one))
  t.true(await fits(password, other))
  t.false(await fits("correct horsf", one))
  t.true(await fits("", await hash("")))
  t.true(await fits("p".repeat(1_024), await hash("p".repeat(1_024))))
  t.false(await fits("p".repeat(1_023), await hash("p".repeat(1_024))), "no byte of it is left out")
})

test("nothing fits where there is no hash, or none of ours", async (t) => {
  t.false(await fits("", undefined))
  t.false(await fits("password", "password"))
  t.false(await fits("", ""))
  t.false(await fits("x", "scrypt$40$8$1$c2FsdA==$aGFzaA=="), "nor is all the memory taken to find out")
})

test("a hash made at another cost still fits", async (t) => {
  const dearer = scryptSecrets({ rounds: 8 })
  const made = await new Promise<string>((resolve) =>
    dearer.hash("password", (answer) => resolve(Either.getOrThrow(answer)))
  )
  t.true(await fits("password", made))
})

test("who comes while too many wait is told so, and the others are answered", async (t) => {
  const busy = scryptSecrets({ rounds: 4 })
  const answer = () =>
    new Promise<string>((resolve) =>
      busy.fits("password", undefined, (found) => resolve(Either.isLeft(found) ? found.left : "answered"))
    )
  const answers = await Promise.all(Array.from({ length: 400 }, answer))
  // Two at a time, and 256 that wait.
  t.is(answers.filter((each) => each === "answered").length, 258)
  t.is(answers.filter((each) => each === "busy").length, 400 - 258)
  t.is(await answer(), "answered", "and later there is room again")
})

test("letters are letters, and not the same twice", (t) => {
  const drawn = Array.from({ length: 1_000 }, () => secrets.letters(16))
  t.is(new Set(drawn).size, 1_000)
  for (const letters of drawn) t.regex(letters, /^[a-zA-Z]{16}$/)
})
