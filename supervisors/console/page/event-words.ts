/** Events in the words of a person: how bad, about whom, what happened and why. */
import type { NodeEvent } from "./wire.ts"

export type Severity = "bad" | "warn" | "good" | "plain"

export interface EventWords {
  readonly severity: Severity
  /** One or two words. */
  readonly what: string
  /** A path, a node, a breaker; may be empty. */
  readonly about: string
  readonly why: string
  /** More than a line, such as a cause with its stack; may be empty. */
  readonly detail: string
}

type Fields = NodeEvent["event"]

const text = (value: unknown): string => (value === undefined || value === null ? "" : String(value))
const lineOf = (value: unknown): string => text(value).split("\n", 1)[0] ?? ""

const memberOf = (event: Fields): Fields => {
  const { member } = event
  return typeof member === "object" && member !== null ? { _tag: "", ...member } : { _tag: "" }
}

const evidenceOf = (event: Fields): string => {
  const { evidence } = event
  if (typeof evidence !== "object" || evidence === null) return ""
  const { confirmations, source, what } = { confirmations: 0, source: "", what: "", ...evidence }
  const heard = text(source) === "" ? "" : ` of ${text(source)}`
  return `${text(what)}${heard}${Number(confirmations) > 0 ? `, confirmed by ${text(confirmations)}` : ""}`
}

const member = (severity: Severity, what: string) => (event: Fields) => ({
  severity,
  what,
  about: text(memberOf(event)["name"]),
  why: evidenceOf(event),
  detail: ""
})

const role = (severity: Severity, what: string) => (event: Fields) => ({
  severity,
  what,
  about: text(event["role"] ?? event["node"]),
  why: [text(event["holder"] ?? event["node"]), text(event["reason"]), by(event)].filter(Boolean).join(" · "),
  detail: ""
})

const ordered = (severity: Severity, what: string, event: Fields): EventWords => ({
  severity,
  what,
  about: text(event["path"]),
  why: `${by(event)} · ${text(event["reason"])}`,
  detail: ""
})

const by = (event: Fields): string => (text(event["by"]) === "" ? "" : `by ${text(event["by"])}`)

const words: Readonly<Record<string, (event: Fields) => EventWords>> = {
  ActorFailed: (event) => ({
    severity: "bad",
    what: "crashed",
    about: text(event["path"]),
    why: `${lineOf(event["cause"])}${text(event["handling"]) === "" ? "" : ` · handling ${text(event["handling"])}`}`,
    detail: text(event["cause"])
  }),
  ActorRestarted: (event) => ({
    severity: "good",
    what: "restarted",
    about: text(event["path"]),
    why: `life ${text(event["incarnation"])} · by ${text(event["supervisor"])}`,
    detail: ""
  }),
  ActorEnded: (event) => ({
    severity: event["reason"] === "killed" || event["reason"] === "lost" ? "warn" : "plain",
    what: event["reason"] === "shutdown" ? "stopped" : text(event["reason"]),
    about: text(event["path"]),
    why: lineOf(event["cause"]),
    detail: text(event["cause"])
  }),
  ActorAbandoned: (event) => ({
    severity: "warn",
    what: "abandoned",
    about: text(event["path"]),
    why: "it was killed and still holds on to something",
    detail: ""
  }),
  CrashInjected: (event) => ({
    severity: "warn",
    what: "crash ordered",
    about: text(event["path"]),
    why: `${by(event)} · ${text(event["reason"])}`,
    detail: ""
  }),
  ActorSuspended: (event) => ordered("warn", "suspended", event),
  ActorResumed: (event) => ordered("good", "resumed", event),
  ClientActed: (event) => ({
    severity: "plain",
    what: "asked for",
    about: text(event["path"]),
    why: [text(event["request"]), text(event["about"]), by(event)].filter(Boolean).join(" · "),
    detail: ""
  }),
  SupervisorEscalated: (event) => ({
    severity: "bad",
    what: "gave up",
    about: text(event["path"]),
    why: lineOf(event["reason"]),
    detail: text(event["reason"])
  }),
  MailboxOverflow: (event) => ({
    severity: "warn",
    what: "mailbox full",
    about: text(event["path"]),
    why: `${text(event["dropped"])} dropped, room for ${text(event["capacity"])}`,
    detail: ""
  }),
  SlowHandler: (event) => ({
    severity: "warn",
    what: "slow",
    about: text(event["path"]),
    why: `${text(event["handling"])} took ${Math.round(Number(event["tookMillis"]))} ms, and all others waited`,
    detail: ""
  }),
  DeadLetter: (event) => ({
    severity: "plain",
    what: "dead letter",
    about: text(event["path"]),
    why: `${text(event["message"])}: ${text(event["why"])} · ${text(event["total"])} in all`,
    detail: ""
  }),
  MemberJoined: member("good", "joined"),
  MemberSuspected: member("warn", "suspected"),
  MemberRecovered: member("good", "recovered"),
  MemberLeft: member("plain", "left"),
  MemberFailed: member("bad", "failed"),
  MemberUpdated: member("plain", "updated"),
  LinkUp: (event) => ({
    severity: "good",
    what: "link up",
    about: text(event["node"]),
    why: text(event["address"]),
    detail: ""
  }),
  LinkDown: (event) => ({
    severity: "warn",
    what: "link down",
    about: text(event["node"]),
    why: text(event["reason"]),
    detail: ""
  }),
  LinkRefused: (event) => ({
    severity: "warn",
    what: "not let in",
    about: text(event["name"]),
    why: text(event["reason"]),
    detail: ""
  }),
  BreakerChanged: (event) => ({
    severity: event["to"] === "closed" ? "good" : "warn",
    what: `breaker ${text(event["to"])}`,
    about: text(event["breaker"]),
    why: `${text(event["reason"])} · ${by(event)}`,
    detail: ""
  }),
  BreakerHoldBegan: (event) => ({
    severity: "warn",
    what: `breaker held ${text(event["state"])}`,
    about: text(event["breaker"]),
    why: `${text(event["reason"])} · ${by(event)}`,
    detail: ""
  }),
  BreakerHoldEnded: (event) => ({
    severity: "plain",
    what: "breaker released",
    about: text(event["breaker"]),
    why: `${text(event["reason"])} · ${by(event)}`,
    detail: ""
  }),
  FleetBreakerTripped: (event) => ({
    severity: "bad",
    what: "automation stopped",
    about: text(event["zone"] ?? "the fleet"),
    why: `${text(event["reason"])} · ${by(event)}`,
    detail: ""
  }),
  FleetBreakerReset: (event) => ({
    severity: "good",
    what: "automation goes on",
    about: text(event["zone"] ?? "the fleet"),
    why: `${text(event["reason"])} · ${by(event)}`,
    detail: ""
  }),
  ChainfireLed: (event) => ({
    severity: event["leader"] === 0 ? "warn" : "plain",
    what: event["leader"] === 0 ? "no leader" : "leader known",
    about: `chainfire term ${text(event["term"])}`,
    why: event["leader"] === 0 ? "it waits for an election" : `member ${text(event["leader"])}`,
    detail: ""
  }),
  RoleTaken: role("good", "role taken"),
  RoleLost: role("warn", "role lost"),
  RoleGranted: role("good", "role granted"),
  RoleRevoked: role("warn", "role revoked"),
  RoleAssigned: role("good", "role assigned"),
  RoleUnassigned: role("warn", "role unassigned"),
  DecisionVetoed: role("warn", "move vetoed"),
  FailoverStopped: role("warn", "move stopped"),
  FailoverHeld: role("warn", "failover held"),
  FailoverReleased: role("good", "failover released")
}

/** `CamelCase` as `camel case`, for those that have no words of their own. */
const spaced = (tag: string): string => tag.replaceAll(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase()

export const wordsOf = ({ event }: NodeEvent): EventWords =>
  words[event._tag]?.(event) ?? {
    severity: "plain",
    what: spaced(event._tag),
    about: text(event["path"] ?? event["node"] ?? event["name"] ?? event["role"]),
    why: [text(event["reason"]), by(event)].filter(Boolean).join(" · "),
    detail: ""
  }

/** When, in milliseconds since 1970, by the clock of its node; those without a time are of now. */
export const timeOf = ({ event }: NodeEvent, nowMillis: number): number =>
  typeof event["atMillis"] === "number" ? event["atMillis"] : nowMillis
