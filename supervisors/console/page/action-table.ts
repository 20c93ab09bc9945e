/**
 * How each action looks on the page. What there is to do, what it is asked for in and how it is done comes from the
 * node, and is the shell's: a test holds this table against that one.
 */

export type Fields = Readonly<Record<string, string>>

export interface ActionLook {
  /** On the button that leads to it. */
  readonly label: string
  readonly icon: string
  readonly title: (fields: Fields) => string
  /** On the button that does it, where it is another word. */
  readonly does?: string
  readonly isDangerous?: true
  /** What it has done step by step is worth reading. */
  readonly hasSteps?: true
}

const at = ({ path = "" }: Fields): string => path.slice(path.lastIndexOf("/") + 1)
const scope = ({ breaker = "" }: Fields): string =>
  breaker === "fleet" ? "automation in the whole fleet" : breaker.replace(/^zone:/, "automation in ")
const breaker = (fields: Fields): string =>
  (fields["breaker"] ?? "").startsWith("/") ? at({ path: fields["breaker"] ?? "" }) : scope(fields)

export const actionTable = {
  restart: { label: "Restart", icon: "restart", title: (fields) => `Restart ${at(fields)}?` },
  stop: { label: "Stop", icon: "stop", title: (fields) => `Stop ${at(fields)}?`, isDangerous: true },
  start: { label: "Start", icon: "play", title: (fields) => `Start ${at(fields)}?` },
  suspend: { label: "Suspend", icon: "hold", title: (fields) => `Suspend ${at(fields)}?` },
  resume: { label: "Resume", icon: "play", title: (fields) => `Resume ${at(fields)}?` },
  kill: {
    label: "Crash",
    icon: "crash",
    title: (fields) => `Have ${at(fields)} crash?`,
    does: "Crash it",
    isDangerous: true
  },
  log: {
    label: "Log level",
    icon: "events",
    title: ({ node }) => `What ${node} logs from now on`,
    does: "Set it"
  },
  ask: { label: "Ask", icon: "send", title: ({ message = "" }) => message },
  tell: { label: "Tell", icon: "send", title: ({ message = "" }) => message },
  "breaker trip": {
    label: "Trip",
    icon: "crash",
    title: (fields) => `Trip ${breaker(fields)}?`,
    isDangerous: true
  },
  "breaker reset": { label: "Reset", icon: "restart", title: (fields) => `Reset ${breaker(fields)}?` },
  "breaker hold": { label: "Hold", icon: "hold", title: (fields) => `Hold ${breaker(fields)}?` },
  "breaker release": { label: "Release", icon: "play", title: (fields) => `Release ${breaker(fields)}?` },
  "failover hold": { label: "Hold", icon: "hold", title: () => "Hold failover?" },
  "failover release": { label: "Release", icon: "play", title: () => "Release failover?" },
  "failover veto": {
    label: "Veto",
    icon: "stop",
    title: ({ node, role }) => `Keep ${role} away from ${node}?`,
    isDangerous: true
  },
  "failover lift": {
    label: "Lift",
    icon: "play",
    title: ({ node, role }) => `Let ${node} have ${role} again?`
  },
  "failover force": {
    label: "Force",
    icon: "play",
    title: ({ node, role }) => `Give ${role} to ${node}?`,
    does: "Give it"
  },
  "failover unforce": {
    label: "Lift",
    icon: "play",
    title: ({ role }) => `Ask the policy about ${role} again?`
  },
  "failover yield": {
    label: "Yield",
    icon: "leave",
    title: ({ node }) => `Have ${node} give up coordinating failover?`
  },
  "transfer-leader": {
    label: "Have it lead",
    icon: "chainfire",
    title: ({ to }) => `Have ${to} lead chainfire?`,
    does: "Hand over"
  },
  "member add": {
    label: "Add a member",
    icon: "cluster",
    title: () => "Add a member to chainfire?",
    does: "Add"
  },
  "member promote": {
    label: "Promote",
    icon: "play",
    title: ({ member }) => `Have ${member} vote?`
  },
  "member remove": {
    label: "Remove",
    icon: "close",
    title: ({ member }) => `Remove ${member} from chainfire?`,
    isDangerous: true
  },
  "member replace": {
    label: "Replace",
    icon: "restart",
    title: ({ member }) => `Replace ${member} in chainfire?`,
    isDangerous: true
  },
  backup: { label: "Back up", icon: "copy", title: () => "Back chainfire up", does: "Save" },
  drain: {
    label: "Drain",
    icon: "leave",
    title: ({ node }) => `Drain ${node}?`,
    isDangerous: true,
    hasSteps: true
  }
} as const satisfies Readonly<Record<string, ActionLook>>

export type ActionName = keyof typeof actionTable

export const lookOf = (name: ActionName): ActionLook => actionTable[name]
