/**
 * What is known of a node, and what follows from it: is it alive, can it do its work, and if not, why.
 *
 *   live    the process answers and its tree has not ended. Who is not should be started anew
 *   ready   every component that the node's work needs is well. Who is not should be sent nothing
 *
 * A node that waits for others, such as for a leader, is alive: starting it anew would not help. Some troubles are
 * told and change nothing, such as a link to one of several others, or a console whose port is taken: to take the
 * node out of service for them would do more harm.
 *
 * It is read without login: of a crash there is the name of its fault alone, for its text may be anything, and of all
 * else what looks like a secret is left out.
 */
import type { ChainfireStatus } from "#protocols/chainfire.ts"
import type { LinkStatus } from "#protocols/links.ts"
import type { MemberStatus } from "#protocols/membership.ts"
import type { ActorSnapshot } from "#protocols/runtime.ts"
import { withoutSecrets } from "./log-line.ts"

/** Where a node is in its life. */
export type Phase = "starting" | "running" | "draining" | "stopping" | "ended"

/** What one was told, or why there was no answer. */
export type Told<A> = A | { readonly silent: string }

export interface Known {
  readonly node: string
  readonly phase: Phase
  /** Of the node's own process, with its cells. Undefined before there is one. */
  readonly tree: ActorSnapshot | undefined
  readonly chainfire: Told<ChainfireStatus>
  /** As membership believes, this node included. */
  readonly members: Told<ReadonlyArray<{ readonly name: string; readonly status: MemberStatus }>>
  readonly links: Told<ReadonlyArray<LinkStatus>>
}

export interface Check {
  readonly component: string
  /** One line each; none: it is well. */
  readonly reasons: ReadonlyArray<string>
  /** Whether the node is not ready while there are any. */
  readonly isNeeded: boolean
}

export interface Health {
  readonly live: boolean
  readonly ready: boolean
  readonly checks: ReadonlyArray<Check>
}

/** Of one component; how many more there are is said. */
const reasonsMax = 10
const reasonCharactersMax = 300
/** Committed and not yet applied: more than what is on its way under load. */
const lagMax = 10_000

/** In the way of nobody else's work; see supervisors/console. */
const dispensable: ReadonlySet<string> = new Set(["console"])

export const healthOf = (known: Known): Health => {
  const checks = [
    check("node", phaseTroubles(known), true),
    ...componentsOf(known),
    check("membership", memberTroubles(known), true),
    check("links", linkTroubles(known), false)
  ]
  return {
    live: known.phase !== "ended",
    ready: checks.every(({ isNeeded, reasons }) => !isNeeded || reasons.length === 0),
    checks
  }
}

const check = (component: string, troubles: ReadonlyArray<string>, isNeeded: boolean): Check => {
  const shown = troubles.slice(0, reasonsMax).map(oneLine)
  const more = troubles.length - shown.length
  return { component, reasons: more > 0 ? [...shown, `and ${more} more`] : shown, isNeeded }
}

const oneLine = (text: string): string => {
  const line = withoutSecrets(text).replaceAll(/\s+/g, " ").trim()
  return line.length > reasonCharactersMax ? `${line.slice(0, reasonCharactersMax)}…` : line
}

const phaseTroubles = ({ node, phase, tree }: Known): ReadonlyArray<string> => {
  switch (phase) {
    case "starting":
      return [`${node} is starting`]
    case "running":
      return tree === undefined ? [`${node} has no tree`] : []
    case "draining":
      return [`${node} was told to stop: it takes no new work`]
    case "stopping":
      return [`${node} is stopping`]
    case "ended":
      return [`the tree of ${node} has ended: start it anew`]
  }
}

// The tree

/** Each child of the root, with what of it does not run. */
const componentsOf = (known: Known): ReadonlyArray<Check> =>
  (known.tree?.children ?? []).map((component) => {
    const troubles = treeTroubles(component)
    const own = component.name === "chainfire" && troubles.length === 0 ? chainfireTroubles(known) : []
    return check(component.name, [...troubles, ...own], !dispensable.has(component.name))
  })

/** Of one that does not run those below it are no news. */
const treeTroubles = (actor: ActorSnapshot): ReadonlyArray<string> => {
  const trouble = troubleOf(actor)
  return trouble === undefined ? actor.children.flatMap(treeTroubles) : [trouble]
}

const troubleOf = ({ lastCrash, path, role, status }: ActorSnapshot): string | undefined => {
  const why = lastCrash === "" ? "" : `: it crashed${faultOf(lastCrash)}, its log says why`
  switch (status) {
    case "running":
      return undefined
    case "suspended":
      return `${path} waits by order of an operator`
    case "starting":
    case "stopping":
      // Connections come and go; components are declared.
      return role === "" ? undefined : `${path} is ${status}${why}`
    case "down":
    case "gone":
      if (role === "permanent") return `${path} is down${why}`
      return role === "transient" && lastCrash !== "" ? `${path} is down${why}` : undefined
  }
}

/** The name before the text, if it is one; what was thrown may have been a text alone. */
const faultOf = (crash: string): string => {
  const [, name] = /^([A-Z]\w{0,60}): /.exec(crash) ?? []
  return name === undefined ? "" : ` with ${name}`
}

// Chainfire

const isSilent = (told: object): told is { readonly silent: string } => "silent" in told

const chainfireTroubles = ({ chainfire }: Known): ReadonlyArray<string> => {
  if (isSilent(chainfire)) return [`its member does not answer: ${chainfire.silent}`]
  const { alarms, appliedIndex, commitIndex, failed, leader, learners, member, removed } = chainfire
  if (failed !== "") return [`its disk failed: ${failed}`]
  if (removed) return ["its member was removed from the group, and serves nobody any more"]
  const lag = commitIndex - appliedIndex
  return [
    ...(leader === 0 ? ["no leader is known: fewer than a majority of the members reach each other"] : []),
    ...(learners.includes(member) ? ["its member catches up: it does not vote yet"] : []),
    ...(lag > lagMax ? [`its member catches up: ${lag} entries are not applied yet`] : []),
    ...alarms.map((alarm) => `the alarm ${alarm} is raised: ${remedies[alarm] ?? "see etcdctl alarm list"}`)
  ]
}

const remedies: Readonly<Record<string, string>> = {
  NOSPACE: "writes are refused; compact and make room, then `etcdctl alarm disarm`",
  CORRUPT: "the members do not have the same; compare their hashes, then replace the one that differs"
}

// The cluster

const memberTroubles = ({ members, node, phase, tree }: Known): ReadonlyArray<string> => {
  if (tree === undefined || phase === "starting") return []
  if (isSilent(members)) return [`it does not answer: ${members.silent}`]
  const self = members.find(({ name }) => name === node)
  return self?.status === "left"
    ? [`${node} has said goodbye to the cluster: only a new start brings it back`]
    : []
}

/** To members that are alive, and are not linked. */
const linkTroubles = ({ links, members, node }: Known): ReadonlyArray<string> => {
  if (isSilent(links) || isSilent(members)) return []
  const linked = new Set(links.filter(({ state }) => state === "linked").map((link) => link.node))
  const wanted = members.filter(
    ({ name, status }) => name !== node && status === "alive" && !linked.has(name)
  )
  return wanted.map(({ name }) => `${name} is alive, and there is no link to it`)
}

// As text

/** As Kubernetes shows it: one line each, those that are well too where that was asked for. */
export const readyText = ({ checks, ready }: Health, isVerbose: boolean): string => {
  const lines = checks.flatMap(({ component, isNeeded, reasons }) => {
    if (reasons.length === 0) return isVerbose ? [`[+]${component} ok`] : []
    if (!isNeeded && !isVerbose) return []
    return reasons.map((reason) => `[-]${component}${isNeeded ? "" : " (not needed)"}: ${reason}`)
  })
  if (ready && !isVerbose) return "ok\n"
  return `${[...lines, `readyz check ${ready ? "passed" : "failed"}`].join("\n")}\n`
}

export const liveText = (isLive: boolean): string =>
  isLive ? "ok\n" : "[-]node: its tree has ended\nhealthz check failed\n"

/** In one line, for a log. */
export const whyNotReady = ({ checks }: Health): string =>
  checks
    .filter(({ isNeeded, reasons }) => isNeeded && reasons.length > 0)
    .map(({ component, reasons }) => `${component}: ${reasons.join(", ")}`)
    .join("; ")
