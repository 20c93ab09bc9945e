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

const root = join(import.meta.dirname, "..")
const deadlineMillis = 150_000

// What README says

interface Block {
  readonly heading: string
  readonly commands: string
  readonly expected: ReadonlyArray<string>
}

const blocksOf = (page: string): ReadonlyArray<Block> => {
  const blocks: Array<Block> = []
  let heading = ""
  for (const [, title, language, body = ""] of page.matchAll(/^#+ ([^\n]*)$|^```(\w+)\n(.*?)^```$/gms)) {
    if (title !== undefined) heading = title
    else if (language === "sh") blocks.push({ heading, commands: body, expected: [] })
    else if (language === "text" && blocks.length > 0) {
      const last = blocks.pop()
      if (last !== undefined) blocks.push({ ...last, expected: body.trimEnd().split("\n") })
    }
  }
  return blocks
}

/** Runs until Ctrl-C. */
const goesOn = ({ commands }: Block): boolean => /^npm start( -- up .*)?\n$/.test(commands)

/** This is what runs it. */
const isThis = ({ commands }: Block): boolean => commands === "npm test\n"

const likeLine = (line: string): RegExp =>
  new RegExp(
    line
      .trim()
      .replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
      .replace(/\s+/g, "\\s+")
      .replaceAll("…", ".*")
  )

/** The first line that README promises and that has not come. */
const missing = (expected: ReadonlyArray<string>, output: string): string | undefined => {
  const lines = output.split("\n")
  let from = 0
  for (const line of expected) {
    const at = lines.findIndex((came, index) => index >= from && likeLine(line).test(came))
    if (at < 0) return line
    from = at + 1
  }
  return undefined
}

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

class Terminal {
  readonly bash: ChildProcess
  output = ""
  isClosed = false
  /** Everything that was started here has ended, or has let go of the terminal. */
  readonly closed: Promise<number | null>

  constructor(commands: string) {
    const { entered } = walls ?? { entered: [] }
    // Entering leads to the root directory.
    const shell = ["sh", "-c", 'cd "$1" && exec bash -e', "sh", copy]
    this.bash = spawn("nsenter", ["-t", inside, ...entered, "--", ...shell], {
      env: environment(),
      // Ctrl-C goes to all that runs in it.
      detached: true
    })
    const collect = (text: Buffer) => {
      this.output += text.toString()
    }
    this.bash.stdout?.on("data", collect)
    this.bash.stderr?.on("data", collect)
    this.closed = new Promise((resolve) =>
      this.bash.once("close", (code) => {
        this.isClosed = true
        resolve(code)
      })
    )
    this.bash.stdin?.end(commands)
  }

  ctrlC(): void {
    if (this.bash.pid !== undefined && !this.isClosed) process.kill(-this.bash.pid, "SIGINT")
  }
}

const withDeadline = async <Value>(
  value: Promise<Value>,
  whatElse: () => string,
  millis = deadlineMillis
): Promise<Value> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${millis / 1000} s: ${whatElse()}`)), millis)
  })
  return Promise.race([value, late]).finally(() => clearTimeout(timer))
}

/** Until all that is expected has come, while what was started there goes on. */
const shows = async (terminal: Terminal, expected: ReadonlyArray<string>): Promise<void> => {
  const untilMillis = performance.now() + deadlineMillis
  for (;;) {
    const line = missing(expected, terminal.output)
    if (line === undefined) return
    if (terminal.isClosed || performance.now() > untilMillis) {
      throw new Error(`${line} does not come in\n${terminal.output}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** What README has running in the first terminal. */
let first: Terminal | undefined

const stopFirst = async (): Promise<string> => {
  if (first === undefined) return ""
  const stopped = first
  first = undefined
  stopped.ctrlC()
  await withDeadline(stopped.closed, () => `Ctrl-C ends it\n${stopped.output}`, 30_000)
  const look = new Terminal("cat /proc/[0-9]*/cmdline | tr '\\0' ' '\n")
  await withDeadline(look.closed, () => "a look at the processes")
  return look.output
}

test.before(async () => {
  if (lacks !== undefined) return
  mkdirSync(join(folder, "home"))
  copyRepository()
  installOpener()
  await bootMachine()
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
    if (goesOn(block)) {
      t.notRegex(await stopFirst(), /node/, "Ctrl-C leaves nothing behind")
      const terminal = new Terminal(block.commands)
      first = terminal
      await shows(terminal, block.expected)
    } else {
      const terminal = new Terminal(block.commands)
      const code = await withDeadline(terminal.closed, () => `its end\n${terminal.output}`)
      t.is(missing(block.expected, terminal.output), undefined, terminal.output)
      t.is(code, 0, terminal.output)
    }
    t.log(`${((performance.now() - beganMillis) / 1000).toFixed(1)} s`)
  })
}

serial(withReason("the report that was opened is a page that a browser can show"), (t) => {
  t.true(existsSync(reportSeen))
  t.regex(readFileSync(reportSeen, "utf8"), /leader-power-loss/)
})

serial(withReason("Ctrl-C leaves nothing behind, but for what is in work/"), async (t) => {
  t.timeout(deadlineMillis)
  t.notRegex(await stopFirst(), /node/)
  const before = new Set(readdirSync(root))
  const added = readdirSync(copy).filter((name) => !before.has(name))
  t.deepEqual(
    added.filter((name) => name !== "work"),
    []
  )
})
