/** What can be set of the parts that a node runs, the same on all nodes. */
import { Schema } from "effect"
import { autoCompactorOf } from "#actors/chainfire/auto-compaction.ts"
import { logLimits } from "#actors/chainfire/member-snapshots.ts"
import { defaultSettings } from "#actors/chainfire/settings.ts"
import { bytes, Millis, section, Text, whole, withDefault, word } from "./key.ts"

const mebibyte = 1024 * 1024

const AutoCompaction = Schema.Struct({
  mode: withDefault(
    word("periodic", "revision"),
    defaultSettings.autoCompactionMode,
    "`periodic` keeps what is younger than `retention`, `revision` keeps so many revisions."
  ),
  retention: withDefault(
    Schema.String.annotations({ title: 'a text such as "8", "90m" or "1000"' }),
    defaultSettings.autoCompactionRetention,
    'How much is kept: with `periodic` hours as a number, or a time such as "90m"; with `revision` how many. "0" is all, for an operator to compact.'
  )
}).pipe(
  Schema.filter(({ mode, retention }) => {
    try {
      autoCompactorOf({ autoCompactionMode: mode, autoCompactionRetention: retention })
      return true
    } catch {
      const expected =
        mode === "revision"
          ? 'a number of revisions such as "1000"'
          : 'hours such as "8", or a time such as "90m"'
      return { path: ["retention"], message: `expected ${expected}, got ${JSON.stringify(retention)}` }
    }
  }),
  Schema.annotations({ title: "a section of mode and retention" })
)

const RaftLog = Schema.Struct({
  entriesMax: withDefault(
    whole(100, 10_000_000, "entries"),
    logLimits.entriesMax,
    "With so many entries the log of a member is compacted."
  ),
  bytesMax: withDefault(
    bytes(mebibyte, 4096 * mebibyte),
    logLimits.bytesMax,
    "With so many bytes it is compacted as well."
  ),
  tailEntries: withDefault(
    whole(0, 10_000_000, "entries"),
    logLimits.tailEntries,
    "What is left then, for members that are a little behind; who is further behind gets a snapshot."
  )
}).pipe(
  Schema.filter(
    ({ entriesMax, tailEntries }) =>
      tailEntries < entriesMax || {
        path: ["tailEntries"],
        message: `expected fewer than entriesMax, ${entriesMax}, got ${tailEntries}`
      }
  ),
  Schema.annotations({ title: "a section of entriesMax, bytesMax and tailEntries" })
)

/** Of web pages. */
const Origins = Schema.Array(Text).pipe(
  Schema.maxItems(100),
  Schema.annotations({ title: "a list of up to 100 origins" })
)

/** What a browser says of a page: a scheme, a host and maybe a port, and nothing more. */
const isOrigin = (text: string): boolean => URL.canParse(text) && new URL(text).origin === text

/** Of web pages, each by its name: whoever may be a client is known. */
export const PageOrigins = Schema.Array(
  Text.pipe(
    Schema.filter(isOrigin),
    Schema.annotations({
      title: 'an origin such as "https://dashboard.example", without path and not "*"'
    })
  )
).pipe(Schema.maxItems(100), Schema.annotations({ title: "a list of up to 100 origins" }))

const Chainfire = Schema.Struct({
  quotaBytes: withDefault(
    bytes(mebibyte, 8192 * mebibyte),
    defaultSettings.quotaBytes,
    "What keys and leases may take up in the store of a member. Above it puts are refused, with the alarm NOSPACE, until an operator has made room and disarmed it."
  ),
  autoCompaction: section(AutoCompaction, "Whether old revisions are compacted by themselves."),
  log: section(RaftLog, "The log of the group, on each member."),
  requestBytesMax: withDefault(
    bytes(1024, 8 * mebibyte),
    defaultSettings.requestBytesMax,
    "A request that is larger is refused."
  ),
  transactionOpsMax: withDefault(
    whole(1, 10_000, "operations"),
    defaultSettings.transactionOpsMax,
    "A transaction with more operations is refused."
  ),
  watchesMax: withDefault(
    whole(1, 1_000_000, "watches"),
    defaultSettings.watchesMax,
    "A stream takes no more watches than these."
  ),
  watchProgressMillis: withDefault(
    Millis,
    defaultSettings.watchProgressMillis,
    "A watch that wants to be told how far it is hears so after so many milliseconds in which nothing else was told."
  ),
  origins: withDefault(
    Origins,
    [],
    'Of web pages that may call the JSON gateway, such as "https://dashboard.example"; "*" is all.'
  )
}).annotations({ title: "a section of settings" })

export const Components = Schema.Struct({
  chainfire: section(Chainfire, "The coordination store, which serves clients of etcd.")
}).annotations({ title: "a section of components" })
export type Components = typeof Components.Type
