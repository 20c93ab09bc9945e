/** A port that a node was told to listen on and cannot: which one, who may have it, and what says another one. */
import { Schema } from "effect"
import type { ListenFailed } from "#protocols/links.ts"
import type { NodeOptions } from "../node.ts"
import { healthPortBeside } from "./health-port.ts"

/** The start ends with it, in one line. */
export class PortRefused extends Schema.TaggedError<PortRefused>()("PortRefused", {
  address: Schema.String,
  reason: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    return `cannot listen on ${this.address}: ${this.reason}; ${this.remedy}`
  }
}

type Ports = Pick<NodeOptions, "clientPort" | "config" | "consolePort" | "healthPort" | "name" | "port">

export const portRefused = ({ address, reason }: ListenFailed, options: Ports): PortRefused => {
  const port = Number(address.slice(address.lastIndexOf(":") + 1))
  const key = keyOf(port, options)
  const { config, name } = options
  const change =
    config === undefined
      ? `describe ${name} in a cluster file with another port as its ${key} (a file to begin with: ultracloud cluster render --profile single-node-dev)`
      : `give ${name} another port as its ${key} in ${config.file}`
  const whose = `another node of this machine may have it, or what \`ss -ltnp sport = :${port}\` names: stop that, or`
  return new PortRefused({ address, reason, remedy: isInUse(reason) ? `${whose} ${change}` : change })
}

const isInUse = (reason: string): boolean => reason === "the port is in use"

/** Of the node in the cluster file. */
const keyOf = (port: number, { clientPort, consolePort, healthPort, port: links }: Ports): string => {
  if (port === links) return "links"
  if (port === clientPort) return "etcd"
  const isBeside = healthPort === undefined && consolePort !== undefined
  return isBeside && port === healthPortBeside(consolePort)
    ? "health.port, which is ten above console where nobody says it"
    : "health.port"
}
