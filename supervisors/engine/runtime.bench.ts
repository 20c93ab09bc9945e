/**
 * How fast is the runtime against Erlang/OTP, comedy and a plain Effect queue with a fiber?
 *
 *   npm run bench runtime            the measurement, about three minutes
 *   npm run bench runtime 0.01       a quick look, too short to compare
 *
 * Erlang runs with its default schedulers and with one; the better of the two counts. Ours runs with
 * counters, supervision and bounded mailboxes on. Each figure is the best of three.
 */
import { spawnSync } from "node:child_process"
import { erlangAvailable, runErlangPeer } from "#chaos/harness/erlang-peer.ts"

type Figures = Readonly<Record<string, number>>

const scale = Number(process.argv[2] ?? 1)

const contender = (name: string): Figures => {
  const main = new URL(`../../chaos/harness/runtime/${name}-main.ts`, import.meta.url).pathname
  const { status, stderr, stdout } = spawnSync(process.execPath, ["--expose-gc", main, String(scale)], {
    encoding: "utf8",
    timeout: 300_000
  })
  if (status !== 0) throw new Error(`the contender ${name} ended with ${status}: ${stderr.split("\n", 1)[0]}`)
  return Object.fromEntries(
    stdout
      .trim()
      .split("\n")
      .map((line) => line.split(" "))
      .map(([figure = "", value]): [string, number] => [figure, Number(value)])
  )
}

const better = (left: Figures, right: Figures): Figures =>
  Object.fromEntries(
    Object.keys(left).map((name) => {
      const [one, other] = [left[name] ?? 0, right[name] ?? 0]
      return [name, name.startsWith("bytes") ? Math.min(one, other) : Math.max(one, other)]
    })
  )

interface Row {
  readonly what: string
  readonly figure: string
  readonly target: string
  /** Whether ours against Erlang meets the target. */
  readonly met: (ours: number, erlang: number) => boolean
}

const rows: ReadonlyArray<Row> = [
  { what: "tells/s", figure: "tellsPerSecond", target: "≥ 1.0×", met: (ours, erlang) => ours >= erlang },
  {
    what: "actor-to-actor round trips/s",
    figure: "roundTripsPerSecond",
    target: "≥ 1.5×",
    met: (ours, erlang) => ours >= 1.5 * erlang
  },
  {
    what: "asks/s (gen_server:call)",
    figure: "callsPerSecond",
    target: "≥ 1.0×",
    met: (ours, erlang) => ours >= erlang
  },
  {
    what: "spawns/s",
    figure: "spawnsPerSecond",
    target: "≥ 1.5×",
    met: (ours, erlang) => ours >= 1.5 * erlang
  },
  {
    what: "bytes per idle actor",
    figure: "bytesPerProcess",
    target: "≤ 1,200",
    met: (ours) => ours <= 1_200
  },
  {
    what: "supervised crash-restarts/s",
    figure: "restartsPerSecond",
    target: "≥ 20,000",
    met: (ours) => ours >= 20_000
  }
]

const number = (value: number | undefined): string =>
  value === undefined || value === 0 ? "–" : Math.round(value).toLocaleString("en")

const ours = contender("ours")
const comedy = contender("comedy")
const queue = contender("queue")
const withErlang = erlangAvailable()
const all = withErlang ? await runErlangPeer({ scale }) : {}
const single = withErlang ? await runErlangPeer({ schedulers: 1, scale }) : {}
const erlang = better(all, single)
// With a long list of restarts OTP's own bookkeeping is what is measured; fresh supervisors are fairer.
const restarts = Math.max(erlang["restartsPerSecond"] ?? 0, erlang["restartsPerSecondFreshSupervisors"] ?? 0)
const fair: Figures = { ...erlang, restartsPerSecond: restarts }

console.log("| | ours | Erlang/OTP | Erlang +S 1 | comedy | Effect queue | ours ÷ better Erlang | target |")
console.log("| --- | --: | --: | --: | --: | --: | --: | --- |")
for (const { figure, met, target, what } of rows) {
  const [mine, theirs] = [ours[figure] ?? 0, fair[figure] ?? 0]
  const ratio = theirs === 0 ? "–" : `${(mine / theirs).toFixed(2)}×`
  const verdict =
    theirs === 0 && target.includes("×") ? "Erlang not installed" : met(mine, theirs) ? "met" : "missed"
  const cells = [mine, all[figure], single[figure], comedy[figure], queue[figure]].map(number)
  console.log(`| ${what} | ${cells.join(" | ")} | ${ratio} | ${target} ${verdict} |`)
}
if (restarts > 0)
  console.log(`\nErlang restarts/s with a fresh supervisor every 500 restarts: ${number(restarts)}`)
