/**
 * Chainfire against Debian's etcd: the same load on both in one run, groups of the same size on the loopback,
 * data on the same file system, fsync on and all settings as they come.
 *
 *   npm run bench chainfire                  all of it, about half an hour
 *   npm run bench chainfire 1 puts,watch     some sections of it
 *   npm run bench chainfire 0.01             a quick look, too short to compare
 */

import { oneMember, reads, threeMembersPut } from "./fixtures/bench/calls.ts"
import { leaderKilled } from "./fixtures/bench/failover.ts"
import type { Print } from "./fixtures/bench/figures.ts"
import { h2loadInstalled } from "./fixtures/bench/h2load.ts"
import { leasesKept } from "./fixtures/bench/leases.ts"
import { restarted } from "./fixtures/bench/restart.ts"
import { watchFanOut } from "./fixtures/bench/watch.ts"
import { etcdInstalled } from "./fixtures/etcd.ts"

const sections: Readonly<Record<string, (scale: number, print: Print) => Promise<void>>> = {
  one: oneMember,
  puts: threeMembersPut,
  reads,
  watch: watchFanOut,
  leases: leasesKept,
  failover: leaderKilled,
  restart: restarted
}

const [, , scaleText = "1", chosenText = Object.keys(sections).join()] = process.argv
const scale = Number(scaleText)
const chosen = chosenText.split(",")
const unknown = chosen.filter((name) => !Object.hasOwn(sections, name))
if (!(scale > 0) || unknown.length > 0) {
  const known = Object.keys(sections).join(", ")
  console.error(`usage: npm run bench chainfire [scale [sections]]; the sections are ${known}`)
  process.exit(2)
}
// The groups are stopped as this process ends.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130))

if (etcdInstalled() && h2loadInstalled()) {
  for (const name of chosen) await sections[name]?.(scale, console.log)
} else console.log("| nothing to compare with: apt-get install etcd-server nghttp2-client |")
