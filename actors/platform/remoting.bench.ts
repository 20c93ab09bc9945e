/**
 * How fast does one process ask another, against Erlang's distribution, gRPC and a forked comedy actor?
 *
 *   npm run bench remoting           the measurement, about two minutes
 *   npm run bench remoting 0.01      a quick look, too short to compare
 *
 * Two processes on the loopback each. Ours runs with authentication, schemas and bounded queues on. Erlang
 * runs as it comes, with all cores for each node; gRPC calls carry bytes that need no encoding; comedy
 * speaks over its IPC channel and carries no bytes. Each figure is the best of three.
 */
import { spawnSync } from "node:child_process"
import { erlangAvailable, runErlangRemoting } from "#chaos/harness/erlang-peer.ts"

type Figures = Readonly<Record<string, number>>

const scale = Number(process.argv[2] ?? 1)

const contender = (name: string): Figures => {
  const main = new URL(`../../chaos/harness/remoting/${name}-main.ts`, import.meta.url).pathname
  const { status, stderr, stdout } = spawnSync(process.execPath, [main, String(scale)], {
    encoding: "utf8",
    timeout: 300_000
  })
  if (status !== 0) throw new Error(`the contender ${name} ended with ${status}: ${stderr}`)
  const lines = stdout.trim().split("\n")
  return Object.fromEntries(
    lines
      .map((line) => line.split(" "))
      .map(([figure = "", value]): [string, number] => [figure, Number(value)])
  )
}

const ours = contender("ours")
const grpc = contender("grpc")
const comedy = contender("comedy")
const erlang: Figures = erlangAvailable() ? await runErlangRemoting(scale) : {}

const show = (value: number | undefined, digits = 0): string =>
  value === undefined ? "–" : value.toLocaleString("en", { maximumFractionDigits: digits })
const ratio = (one: number | undefined, other: number | undefined): string =>
  one === undefined || other === undefined ? "–" : `${show(one / other, 2)}×`

const rows: ReadonlyArray<readonly [what: string, figure: string]> = [
  ["asks/s, 1 in flight", "asksPerSecond1"],
  ["p50 µs, 1 in flight", "p50Micros1"],
  ["p99 µs, 1 in flight", "p99Micros1"],
  ["asks/s, 256 in flight", "asksPerSecond256"],
  ["p50 µs, 256 in flight", "p50Micros256"],
  ["p99 µs, 256 in flight", "p99Micros256"],
  ["MiB/s in messages of 1 MiB", "mebibytesPerSecond"]
]

console.log("| figure | ours | Erlang | grpc-js | comedy | ours ÷ Erlang | ours ÷ grpc-js |")
console.log("| --- | --- | --- | --- | --- | --- | --- |")
for (const [what, figure] of rows) {
  const [own, beam, unary, forked] = [ours[figure], erlang[figure], grpc[figure], comedy[figure]]
  const ratios = `${ratio(own, beam)} | ${ratio(own, unary)}`
  console.log(`| ${what} | ${show(own)} | ${show(beam)} | ${show(unary)} | ${show(forked)} | ${ratios} |`)
}
if (!erlangAvailable()) console.log("\nErlang is not installed here: apt-get install erlang-base")

const at = (figures: Figures, figure: string): number => figures[figure] ?? Number.NaN
const sequentialMax = Math.min(200, 1.5 * at(grpc, "p50Micros1"))
const verdicts: ReadonlyArray<readonly [target: string, met: boolean]> = [
  [
    "256 in flight ≥ 1.0× Erlang's distribution",
    at(ours, "asksPerSecond256") >= at(erlang, "asksPerSecond256")
  ],
  ["256 in flight ≥ 10× grpc-js", at(ours, "asksPerSecond256") >= 10 * at(grpc, "asksPerSecond256")],
  [`sequential p50 ≤ ${show(sequentialMax)} µs`, at(ours, "p50Micros1") <= sequentialMax]
]
console.log("")
for (const [target, met] of verdicts) console.log(`${met ? "met" : "MISSED"}: ${target}`)
