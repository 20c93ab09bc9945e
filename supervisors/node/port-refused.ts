/** A port that a node was told to listen on and cannot: which one, who may have it, and what in the file says otherwise. */
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
  const { config, name } = options
  const wanted = wantedFor(reason, keyOf(port, options))
  const change =
    config === undefined
      ? `describe ${name} in a cluster file with ${wanted} (a file to begin with: ultracloud cluster render --profile single-node-dev)`
      : `give ${name} ${wanted} in ${config.file}`
  const whose = `another node of this machine may have it, or what \`ss -ltnp sport = :${port}\` names: stop that, or`
  return new PortRefused({ address, reason, remedy: isInUse(reason) ? `${whose} ${change}` : change })
}

const isInUse = (reason: string): boolean => reason === "the port is in use"

/** The port itself is not to be had; with others it would be no different on another one. */
const isOfPort = (reason: string): boolean =>
  isInUse(reason) || /\bEACCES\b|^the last port there is/.test(reason)

const isOfHost = (reason: string): boolean =>
  /\b(?:EADDRNOTAVAIL|EAFNOSUPPORT|EAI_AGAIN|ENOTFOUND)\b/.test(reason)

/** What is to be said otherwise in the cluster file. */
const wantedFor = (reason: string, key: string): string => {
  if (isOfPort(reason)) return `another port as its ${key}`
  const isHealth = key.startsWith("health")
  // The port for health knows no certificates.
  if (isOfHost(reason) || isHealth)
    return `a name or an address of this machine as its ${isHealth ? "health.host" : "host"}`
  return "a certificate and a key that belong together as its tls"
}

/** Of the node in the cluster file. */
const keyOf = (port: number, { clientPort, consolePort, healthPort, port: links }: Ports): string => {
  if (port === links) return "links"
  if (port === clientPort) return "etcd"
  const isBeside = healthPort === undefined && consolePort !== undefined
  return isBeside && port === healthPortBeside(consolePort)
    ? "health.port, which is ten above console where nobody says it"
    : "health.port"
}
