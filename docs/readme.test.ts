/**
 * README's first ten minutes, exactly as printed. Each block of commands is pasted into a bash of its own, in a copy
 * of this repository, and what README says comes out must come out: the lines of the `text` block below it, in that
 * order, where `…` is anything. What runs until Ctrl-C has a terminal of its own.
 *
 * The copy has a network and processes of its own, so that the ports that are printed are free whatever else is
 * going on, `kill` finds nobody else, and nothing outlives the test.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import test from "ava"
import { blocksOf, isThis } from "./fixtures/page.ts"
import { type Place, Reader } from "./fixtures/terminal.ts"

const root = join(import.meta.dirname, "..")
const deadlineMillis = 150_000

// A machine of its own

const works = (program: string, ...args: ReadonlyArray<string>): boolean =>
  spawnSync(program, [...args]).status === 0

/** As root of this machine, or where that is allowed as a root that is none outside. */
const walls = [
  { made: ["--net", "--pid", "--mount-proc"], entered: ["-n", "-p", "-m"] },
  {
    made: ["--user", "--map-root-user", "--net", "--pid", "--mount-proc"],
    entered: ["-U", "--preserve-credentials", "-n", "-p", "-m"]
  }
].find(({ made }) => works("unshare", ...made, "--fork", "ip", "link", "set", "lo", "up"))

const lacks =
  walls === undefined
    ? "a network of its own (root, unshare, ip)"
    : ["npm", "etcdctl", "nsenter", "awk"].find((name) => !works("which", name))
const serial = lacks === undefined ? test.serial : test.serial.skip
const withReason = (title: string): string =>
  lacks === undefined ? title : `${title} (skipped: there is no ${lacks})`

const folder = mkdtempSync(join(tmpdir(), "readme-"))
const copy = join(folder, "ultracloud")
const reportSeen = join(folder, "report-as-a-browser-has-it.html")

/** A clone after its first `npm start`: what is installed is ours, so that set-up finds nothing to do. */
const copyRepository = () => {
  const left = new Set(["node_modules", "work", ".git"])
  cpSync(root, copy, { recursive: true, filter: (path) => !left.has(path.slice(root.length + 1)) })
  const modules = join(copy, "node_modules")
  mkdirSync(modules)
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (name !== ".installed" && name !== ".cache") {
      symlinkSync(join(root, "node_modules", name), join(modules, name))
    }
  }
  const lock = readFileSync(join(root, "package-lock.json"))
  writeFileSync(join(modules, ".installed"), createHash("sha256").update(lock).digest("hex"))
}

/** What opens a page on a desktop; here a browser without a screen, which leaves what it made of the page. */
const installOpener = () => {
  const path = join(folder, "bin", "xdg-open")
  mkdirSync(join(folder, "bin"))
  const browser = `chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \\
  --disable-background-networking --disable-component-update --disable-sync --user-data-dir='${folder}/browser' \\
  --dump-dom "file://$(realpath "$1")"`
  const shown = works("which", "chromium") ? browser : 'cat "$1"'
  writeFileSync(path, `#!/bin/sh\n${shown} > '${reportSeen}' 2>'${folder}/browser.log'\n`)
  chmodSync(path, 0o755)
}

/** As a newcomer has it: what npm sets for us, such as the pinned Node in the path, is not there. */
const environment = () => ({
  HOME: join(folder, "home"),
  LANG: "C.UTF-8",
  PATH: [
    join(folder, "bin"),
    ...(process.env["PATH"] ?? "").split(":").filter((part) => !/node_modules|node-gyp-bin/.test(part))
  ].join(":")
})

let machine: ChildProcess | undefined
let inside = ""

const bootMachine = async () => {
  const { made } = walls ?? { made: [] }
  const script = "ip link set lo up && echo up && while sleep 1; do :; done"
  machine = spawn("unshare", [...made, "--fork", "--kill-child", "bash", "-c", script])
  const { pid, stdout } = machine
  await new Promise((resolve) => stdout?.once("data", resolve))
  inside = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim()
}

const place = (): Place => ({
  way: ["nsenter", "-t", inside, ...(walls?.entered ?? []), "--"],
  folder: copy,
  environment: environment()
})

let reader: Reader | undefined

test.before(async () => {
  if (lacks !== undefined) return
  mkdirSync(join(folder, "home"))
  copyRepository()
  installOpener()
  await bootMachine()
  reader = new Reader(place(), deadlineMillis)
})

test.after.always(async () => {
  const gone = new Promise((resolve) => machine?.once("close", resolve))
  // With its first process all others of it end.
  if (machine?.kill("SIGKILL") === true) await gone
  rmSync(folder, { recursive: true, force: true })
})

// The tests

const blocks = blocksOf(readFileSync(join(root, "README.md"), "utf8"))

test("README has two commands, and five things to try, each with what comes of it", (t) => {
  const numbered = blocks.filter(({ heading }) => /^\d\. /.test(heading))
  t.deepEqual(
    [...new Set(numbered.map(({ heading }) => heading.slice(0, 2)))],
    ["1.", "2.", "3.", "4.", "5."]
  )
  t.true(blocks.some(isThis))
  for (const { commands, expected } of blocks.filter((block) => !isThis(block))) {
    t.true(expected.length > 0, commands)
  }
})

for (const block of blocks.filter((block) => !isThis(block))) {
  const [line = ""] = block.commands.split("\n")
  serial(withReason(`${block.heading}: ${line}`), async (t) => {
    t.timeout(2 * deadlineMillis)
    const beganMillis = performance.now()
    await t.notThrowsAsync(reader?.follow(block) ?? Promise.reject(new Error("there is no machine")))
    t.log(`${((performance.now() - beganMillis) / 1000).toFixed(1)} s`)
  })
}

serial(withReason("the report that was opened is a page that a browser can show"), (t) => {
  t.true(existsSync(reportSeen))
  t.regex(readFileSync(reportSeen, "utf8"), /leader-power-loss/)
})

serial(withReason("Ctrl-C leaves nothing behind, but for what is in work/"), async (t) => {
  t.timeout(deadlineMillis)
  await t.notThrowsAsync(reader?.stop() ?? Promise.reject(new Error("there is no machine")))
  const before = new Set(readdirSync(root))
  const added = readdirSync(copy).filter((name) => !before.has(name))
  t.deepEqual(
    added.filter((name) => name !== "work"),
    []
  )
})
