/**
 * What does membership cost, how soon does it see a crash, and how often is it wrong?
 *
 *   npm run bench membership            a simulated day of 50 nodes at each loss, about five minutes
 *   npm run bench membership 0.01       a quick look, too short to see a false positive
 *
 * Expected: cost per node does not grow with the cluster, but for the full states, whose size does; the
 * median detection is one interval and the shortest suspicion; no false positive at 10 % loss.
 * Cores on a simulated network; "with codec" adds what the actor does to a packet: encode, JSON, decode.
 */
import { Schema } from "effect"
import { Packet } from "#protocols/membership.ts"
import { SwimNetwork, type Weather } from "./fixtures/swim-network.ts"
import { defaultConfig, detectionMillisMax } from "./swim-config.ts"

const scale = Number(process.argv[2] ?? 1)
const times = (count: number): number => Math.max(1, Math.round(count * scale))
const dayMillis = 86_400_000
const wind: Weather = { loss: 0, delayMillisMax: 20, duplicate: 0.01 }

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string | number>>): void => {
  const line = (cells: ReadonlyArray<string | number>) => `| ${cells.join(" | ")} |`
  console.log([line(head), line(head.map(() => "---")), ...rows.map(line), ""].join("\n"))
}

const formed = (seed: number, size: number, weather: Weather): SwimNetwork => {
  const net = new SwimNetwork(seed, size, weather)
  net.run(60_000)
  net.heard.length = 0
  return net
}

/** Microseconds of CPU per node and simulated second. */
const cpuMicros = (net: SwimNetwork, millis: number): number => {
  const before = process.cpuUsage()
  net.run(millis)
  const { system, user } = process.cpuUsage(before)
  return (user + system) / net.nodes.size / (millis / 1_000)
}

const encode = Schema.encodeSync(Packet)
const decode = Schema.decodeUnknownSync(Packet)

const cost = (size: number, loss: number): ReadonlyArray<string | number> => {
  const net = formed(1, size, { ...wind, loss })
  const millis = Math.max(20_000, 600_000 * scale)
  const core = cpuMicros(net, millis)
  let bytes = 0
  let packets = 0
  net.onPacket = (packet) => {
    const text = JSON.stringify(encode(packet))
    decode(JSON.parse(text))
    bytes += Buffer.byteLength(text)
    packets++
  }
  const withCodec = cpuMicros(net, millis)
  const perNodeSecond = (count: number) => count / size / (millis / 1_000)
  return [
    size,
    `${loss * 100} %`,
    perNodeSecond(packets).toFixed(1),
    Math.round(perNodeSecond(bytes)),
    core.toFixed(0),
    withCodec.toFixed(0)
  ]
}

console.log("Cost per node and second, after the join\n")
table(
  ["members", "loss", "packets", "bytes", "CPU µs, core and network", "CPU µs, with codec"],
  [10, 100].flatMap((size) => [0, 0.1].map((loss) => cost(size, loss)))
)

const detection = (size: number, loss: number): ReadonlyArray<string | number> => {
  const millis: Array<number> = []
  const bound = detectionMillisMax(defaultConfig, { members: size, awareness: loss > 0.1 ? 1 : 0 })
  for (let seed = 1; seed <= times(size > 20 ? 200 : 1_000); seed++) {
    const net = formed(seed, size, { ...wind, loss })
    net.run(seed * 7)
    const startMillis = net.nowMillis
    net.crash("node1")
    net.run(bound)
    for (const { atMillis, event } of net.heard)
      if (event._tag === "MemberFailed" && event.member.name === "node1") millis.push(atMillis - startMillis)
  }
  millis.sort((left, right) => left - right)
  const seconds = (value: number | undefined) => ((value ?? Number.NaN) / 1_000).toFixed(1)
  const at = (share: number) => seconds(millis[Math.floor(share * (millis.length - 1))])
  return [size, `${loss * 100} %`, millis.length, at(0.5), at(0.99), at(1), seconds(bound)]
}

console.log("Seconds from a crash until a survivor reports it\n")
table(
  ["members", "loss", "reports", "p50", "p99", "max", "bound"],
  [3, 10, 100].flatMap((size) => [0, 0.1, 0.3].map((loss) => detection(size, loss)))
)

const falsePositives = (loss: number): ReadonlyArray<string | number> => {
  const size = 50
  const net = formed(1, size, { ...wind, loss })
  const hours = 24 * scale
  const count = { MemberFailed: 0, MemberSuspected: 0 }
  const victims = new Set<string>()
  for (let hour = 0; hour < hours; hour++) {
    net.run(Math.min(1, hours - hour) * (dayMillis / 24))
    for (const { event } of net.heard.splice(0)) {
      if (event._tag !== "MemberFailed" && event._tag !== "MemberSuspected") continue
      count[event._tag]++
      if (event._tag === "MemberFailed") victims.add(`${event.member.name} ${event.member.incarnation}`)
    }
  }
  const perDay = (value: number) => (value / scale).toFixed(scale === 1 ? 0 : 1)
  return [
    size,
    `${loss * 100} %`,
    hours.toFixed(2),
    perDay(count.MemberSuspected / size),
    perDay(victims.size),
    perDay(count.MemberFailed)
  ]
}

console.log("False positives per day of the whole cluster, in which nobody fails\n")
table(
  ["members", "loss", "hours played", "suspicions heard per node", "lives given up", "reports of them"],
  [0.1, 0.2, 0.3].map(falsePositives)
)
