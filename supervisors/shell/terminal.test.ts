/**
 * The shell as an operator starts it: a node in one process, and `ultracloud shell` in another, in the same folder
 * and without a word about where the node is. The terminal is a real one, by `script` of util-linux.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import test from "ava"
import { freePorts } from "./fixtures/attached.ts"

const main = fileURLToPath(new URL("../main.ts", import.meta.url))
const hasScript = spawnSync("script", ["--version"]).status === 0
const inTerminal = hasScript ? test.serial : test.serial.skip

let folder = ""
let node: ChildProcess | undefined

test.before(async (t) => {
  t.timeout(120_000)
  folder = mkdtempSync(join(tmpdir(), "terminal-"))
  const [links, etcd] = await freePorts(2)
  const spec = { host: "127.0.0.1", links, etcd, zone: "a", dataDirectory: "work/node01", name: "node01" }
  writeFileSync(join(folder, "cluster.json"), JSON.stringify({ cluster: "test", nodes: [spec] }))
  node = spawn(process.execPath, [main, "node", "--cluster", "cluster.json", "--name", "node01"], {
    cwd: folder,
    stdio: "ignore"
  })
  await until("the node answers a shell", async () => {
    const { code, out } = await shell("-e", "leaders")
    return code === 0 && / leader /.test(out)
  })
})

test.after.always(async () => {
  if (node !== undefined && node.exitCode === null) {
    node.kill("SIGKILL")
    await once(node, "exit")
  }
  rmSync(folder, { recursive: true, force: true })
})

const until = async (
  what: string | (() => string),
  holds: () => boolean | Promise<boolean>
): Promise<void> => {
  const untilMillis = performance.now() + 60_000
  while (performance.now() < untilMillis) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`not in time: ${typeof what === "string" ? what : what()}`)
}

const shell = async (...args: ReadonlyArray<string>) => {
  const ran = promisify(execFile)(process.execPath, [main, "shell", ...args], {
    cwd: folder,
    timeout: 60_000
  })
  ran.child.stdin?.end()
  return ran.then(
    ({ stderr, stdout }) => ({ code: 0, out: stdout, err: stderr }),
    ({ code, stderr, stdout }) => ({ code: Number(code), out: String(stdout), err: String(stderr) })
  )
}

test.serial("a script runs lines until one fails; its exit code says how", async (t) => {
  t.timeout(120_000)
  const json = await shell("--json", "-e", "tree /node01/cluster --depth 0", "-e", "config")
  t.is(json.code, 0, json.err)
  const values = json.out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
  t.like(values[0], { 0: { node: "node01", answer: { path: "/node01/cluster", status: "running" } } })
  t.like(values[1], {
    0: { answer: { node: "node01", cluster: "test", pid: node?.pid, file: "cluster.json" } }
  })

  const failed = await shell("-e", "inspect /node01/nobody", "-e", "members")
  t.deepEqual({ code: failed.code, out: failed.out }, { code: 1, out: "" })
  t.regex(
    failed.err,
    /there is no actor at \/node01\/nobody; \/node01 exists and has cluster, chainfire, roles/
  )

  const unasked = await shell("-e", "kill /node01/cluster/registry")
  t.is(unasked.code, 1)
  t.regex(unasked.err, /say --yes/)

  const wrong = await shell("-e", "inspct /node01")
  t.is(wrong.code, 2)
  t.regex(wrong.err, /\^ there is no command inspct/)

  const nowhere = await shell("--node", "http://127.0.0.1:9", "-e", "members")
  t.is(nowhere.code, 1)
  t.regex(nowhere.err, /no node was found: no link to http:\/\/127\.0\.0\.1:9/)
})

test.serial("lines may come by a pipe", async (t) => {
  t.timeout(60_000)
  const piped = spawn(process.execPath, [main, "shell", "--json"], {
    cwd: folder,
    stdio: ["pipe", "pipe", "inherit"]
  })
  piped.stdin.end("# who is there\nconfig\n\nlog info\n")
  const out: Array<string> = []
  piped.stdout.on("data", (chunk) => out.push(String(chunk)))
  const [code] = await once(piped, "close")
  t.is(code, 0)
  t.is(out.join("").trim().split("\n").length, 2)
})

inTerminal(
  "in a terminal lines are completed, questions asked, commands ended, and all is remembered",
  async (t) => {
    t.timeout(120_000)
    const state = join(folder, "state")
    const terminal = spawn("script", ["-qec", `${process.execPath} ${main} shell`, "/dev/null"], {
      cwd: folder,
      env: { ...process.env, XDG_STATE_HOME: state, TERM: "xterm" },
      stdio: ["pipe", "pipe", "inherit"]
    })
    let screen = ""
    terminal.stdout.on("data", (chunk) => {
      screen += String(chunk)
    })
    /** What appears after this was typed. */
    const types = async (keys: string, appears: RegExp): Promise<void> => {
      screen = ""
      terminal.stdin.write(keys)
      await until(`${JSON.stringify(keys)} shows ${appears}, and not ${JSON.stringify(screen)}`, () =>
        appears.test(screen)
      )
    }
    try {
      await until("a prompt", () => /node01> /.test(screen))
      await types("insp\t", /inspect /)
      await types("/node01/cluster/memb\t", /ership /)
      await types("\r", /kind +membership[\s\S]*node01> /)

      await types("tree /node01/cluster --depth 0\r", /cluster +one-for-one +running[\s\S]*node01> /)

      await types("ask /node01/cluster/introspection GetT\t", /ree /)
      await types('{"pa\t', /\{"path": /)
      await types('"/node01/cluster", "depth": 0}\r', /"path": "\/node01\/cluster"[\s\S]*node01> /)

      await types("kill /node01/cluster/registry\r", /Do it\? \[y\/N\] /)
      await types("n\r", /node01> /)
      await types("why /node01/cluster/registry\r", /has not crashed[\s\S]*node01> /)
      // Once more what was said before the last line.
      await types("\u001b[A\u001b[A\r", /Do it\? \[y\/N\] /)
      await types("y\r", /has crashed[\s\S]*node01> /)

      await types("events --follow\r", /events --follow/)
      await types("\u0003", /node01> /)
      await types("half a line\u0003", /\^C[\s\S]*node01> /)
      await types("top --rows 3\r", /msgs\/s[\s\S]*msgs\/s/)
      await types("\u0003", /node01> /)
      const ended = once(terminal, "close")
      terminal.stdin.write("exit\r")
      t.deepEqual(await ended, [0, null])
      const path = join(state, "ultracloud", "shell-history")
      t.is(statSync(path).mode & 0o777, 0o600)
      const history = readFileSync(path, "utf8").split("\n")
      t.is(history.filter((line) => line === "kill /node01/cluster/registry").length, 2)
      t.false(history.includes("y"))
    } finally {
      terminal.kill("SIGKILL")
    }
  }
)

test.serial("a node that stops in order takes its address away, and a shell says what to do", async (t) => {
  t.timeout(60_000)
  const door = join(folder, "work/node01/door.json")
  t.is(statSync(door).mode & 0o777, 0o600)
  node?.kill("SIGINT")
  if (node !== undefined) await once(node, "exit")
  t.false(existsSync(door))
  const { code, err } = await shell("-e", "members")
  t.is(code, 1)
  t.regex(
    err,
    /no node runs on this machine; start one with npm start .+, or say --data-directory, or --node/
  )
})
