import { readFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { Schema } from "effect"
import { catalogueEntries, entryOf, type PublicMessage } from "#protocols/catalogue.ts"
import { ActorId, event, observe, operate } from "#protocols/message.ts"
import { messagesPage } from "./messages/page.ts"

const written = readFileSync(join(import.meta.dirname, "messages.md"), "utf8")

test("the page of messages is what the catalogue says", (t) => {
  if (messagesPage(catalogueEntries()) === written) t.pass()
  else t.fail("docs/messages.md is not what the message classes say: run npm run docs")
})

test("another description, permission, field or message makes another page", (t) => {
  const [first, ...others] = catalogueEntries()
  const page = messagesPage([first!, ...others])
  const changes = [
    { ...first!, description: "Something else." },
    { ...first!, permission: "admin" as const },
    { ...first!, payload: { properties: { surprise: { type: "string" } } } }
  ]
  for (const changed of changes) t.not(messagesPage([changed, ...others]), page)
  t.not(messagesPage(others), page)
})

test("whatever a message says is on the page", (t) => {
  t.is(
    section(Brew),
    `### Brew

*ask, operate, may be repeated.* Makes tea.

Fields:

\`\`\`text
by: string(1..), filled in by the node that receives it
kind: "green" | "black"
minutes?: integer(1..10)
\`\`\`

Answer: \`{ degrees: number, leaves: list of string }\`

Failures:

- \`NoWater\` with missing: The kettle is empty.`
  )
})

test("what needs no words gets none", (t) => {
  t.is(section(Brewed), "### Brewed\n\n*event, observe.* There is tea.")
  t.is(section(Pour), "### Pour\n\n*ask, observe, may be repeated.* Pours.\n\nAnswer: nothing.")
})

test("what does not fit on a line is broken up, and what contains itself has a name", (t) => {
  t.is(
    section(Look),
    `### Look

*ask, observe, may be repeated.* Looks.

Answer:

\`\`\`text
list(..3) of {
  aQuiteLongName: string(..256) | null
  anotherQuiteLongName: { [any key]: anything }
  aThirdLongName: [integer, boolean]
  shelf: Shelf
}
Shelf = { below: Shelf | null }
\`\`\``
  )
})

const section = (message: PublicMessage): string => {
  const page = messagesPage([entryOf("kitchen", message)])
  return page.slice(page.indexOf("### ")).trimEnd()
}

class NoWater extends Schema.TaggedError<NoWater>()(
  "NoWater",
  { missing: Schema.Number },
  { description: "The kettle is empty." }
) {}

class Brew extends Schema.TaggedRequest<Brew>()(
  "Brew",
  {
    payload: {
      by: ActorId,
      kind: Schema.Literal("green", "black"),
      minutes: Schema.optional(Schema.Int.pipe(Schema.between(1, 10)))
    },
    success: Schema.Struct({ degrees: Schema.Number, leaves: Schema.Array(Schema.String) }),
    failure: NoWater
  },
  operate("Makes tea.", { repeatable: true })
) {}

class Brewed extends Schema.TaggedClass<Brewed>()("Brewed", {}, event("There is tea.")) {}

class Pour extends Schema.TaggedRequest<Pour>()(
  "Pour",
  { payload: {}, success: Schema.Void, failure: Schema.Never },
  observe("Pours.")
) {}

interface Shelf {
  readonly below: Shelf | null
}
const Shelf: Schema.Schema<Shelf> = Schema.Struct({
  below: Schema.NullOr(Schema.suspend(() => Shelf))
}).annotations({ identifier: "Shelf" })

class Look extends Schema.TaggedRequest<Look>()(
  "Look",
  {
    payload: {},
    success: Schema.Array(
      Schema.Struct({
        aQuiteLongName: Schema.NullOr(Schema.String.pipe(Schema.maxLength(256))),
        anotherQuiteLongName: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
        aThirdLongName: Schema.Tuple(Schema.Int, Schema.Boolean),
        shelf: Shelf
      })
    ).pipe(Schema.maxItems(3)),
    failure: Schema.Never
  },
  observe("Looks.")
) {}
