/** Three node processes on the loopback: what the simulator shows of clusters must hold here, too. */
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import test from "ava"
import { Predicate } from "effect"
import { defaultConfig, detectionMillisMax } from "#actors/cluster/swim-config.ts"
import { eventually } from "#actors/kernel/fixtures/eventually.ts"
import { silenceMillisMax } from "#actors/kernel/ports/links.ts"

const etcdctlInstalled = spawnSync("etcdctl", ["version"]).status === 0
const withEtcdctl = etcdctlInstalled ? test : test.skip

test("nodes find each other, miss one that is killed, take back one that was stopped, and say goodbye", async (t) => {
  await inCluster(async (start) => {
    const n1 = await start("node01")
    const [n2, n3] = await Promise.all([start("node02", n1), start("node03", n1)])
    for (const node of [n1, n2, n3]) {
      for (const other of [n1, n2, n3]) {
        if (other !== node) await node.hears("MemberJoined", other.name)
      }
    }

    n1.order({ ask: "/node02/counter", forMillis: 0 })
    t.like(await n1.next(({ asked }) => asked === "/node02/counter"), { count: 1 })

    // A process that dies is missed at once by whoever waits for it, and given up by all in time.
    n1.order({ ask: "/node03/counter", forMillis: 25_000 })
    await n3.settled()
    const killedMillis = performance.now()
    n3.process.kill("SIGKILL")
    t.like(await n1.next(({ asked }) => asked === "/node03/counter"), { fault: "LinkLost" })
    t.true(performance.now() - killedMillis < 1_000, "the asker waits no longer than it takes")
    const bound = detectionMillisMax(defaultConfig, { members: 3, awareness: 1 })
    await Promise.all([n1.hears("MemberFailed", "node03"), n2.hears("MemberFailed", "node03")])
    const tookMillis = performance.now() - killedMillis
    t.log(`killed, and given up by all after ${tookMillis.toFixed(0)} ms`)
    t.true(tookMillis < bound, `${tookMillis} ms`)

    // One that hangs looks alive to the kernel. Its silence tells.
    const stoppedMillis = performance.now()
    n2.process.kill("SIGSTOP")
    n1.order({ ask: "/node02/counter", forMillis: 0 })
    t.like(await n1.next(({ asked }) => asked === "/node02/counter"), { fault: "LinkLost" })
    const silentMillis = performance.now() - stoppedMillis
    t.log(`stopped, and its asker told after ${silentMillis.toFixed(0)} ms`)
    t.true(silentMillis < silenceMillisMax + 2_000, `${silentMillis} ms`)
    await n1.hears("MemberFailed", "node02")
    n2.process.kill("SIGCONT")
    await n1.hears("MemberJoined", "node02", 2)
    const count = await answered(n1, "/node02/counter")
    t.true(count >= 2, "the same process goes on where it stopped")

    // A new process under the old name is another node.
    const again = await start("node03", n1)
    await Promise.all([n1.hears("MemberJoined", "node03", 2), again.hears("MemberJoined", "node02")])
    t.is(await answered(n1, "/node03/counter"), 1)

    n2.process.kill("SIGINT")
    await n1.hears("MemberLeft", "node02")
    const [code] = await once(n2.process, "exit")
    t.is(code, 0)
  })
})

test("a second process with the name of a live node is not let in, and all see why", async (t) => {
  await inCluster(async (start) => {
    const n1 = await start("node01")
    const n2 = await start("node02", n1)
    await n1.hears("MemberJoined", "node02")
    const twin = await start("node02", n1, "twin")
    const refused = await n1.next(({ _tag }) => _tag === "LinkRefused")
    t.regex(String(refused["reason"]), /^a node named node02 is linked already, from 127\.0\.0\.1:\d+ /)
    t.false(twin.heard.some(({ _tag }) => _tag === "MemberJoined"))
    t.is(await answered(n1, "/node02/counter"), 1)
    n2.order({ ask: "/node01/counter", forMillis: 0 })
    t.like(await n2.next(({ asked }) => asked === "/node01/counter"), { count: 1 })
  })
})

test("a node without the cluster's key is not let in, and all see why", async (t) => {
  await inCluster(async (start) => {
    const n1 = await start("node01")
    await start("node02", n1, "node02", "own key")
    const refused = await n1.next(({ _tag }) => _tag === "LinkRefused")
    t.regex(String(refused["reason"]), /the token was signed with another key/)
  })
})

withEtcdctl("etcdctl puts into a node, and what was acknowledged is there after a kill -9", async (t) => {
  await inCluster(async (start) => {
    const etcdctl = async (node: RunningNode, ...args: ReadonlyArray<string>) => {
      const env = { ...process.env, ETCDCTL_API: "3" }
      const { stdout } = await promisify(execFile)("etcdctl", ["--endpoints", node.etcd, ...args], { env })
      return stdout.trim()
    }
    const before = await start("node01")
    for (let count = 0; count < 20; count++) t.is(await etcdctl(before, "put", "count", `${count}`), "OK")
    before.process.kill("SIGKILL")
    await once(before.process, "exit")
    const after = await start("node01")
    t.is(await etcdctl(after, "get", "count", "--print-value-only"), "19")
    t.is(await etcdctl(after, "get", "count", "--rev=2", "--print-value-only"), "0")
  })
})

test("a port that is in use is named, in one line, with an exit code", async (t) => {
  await inCluster(async (start, root) => {
    const n1 = await start("node01")
    const second = launch({ name: "node02", dataDirectory: join(root, "node02"), port: n1.port, seeds: [] })
    const errors: Array<string> = []
    second.stderr?.on("data", (chunk) => errors.push(String(chunk)))
    const [code] = await once(second, "exit", { signal: AbortSignal.timeout(deadlineMillis) })
    t.not(code, 0)
    t.regex(errors.join(""), new RegExp(`cannot listen on 127.0.0.1:${n1.port}: the port is in use`))
  })
})

type Line = Readonly<Record<string, unknown>>

const deadlineMillis = 60_000

/** Starts a node, with the key of the first one unless it shall have its own. */
type Start = (name: string, seed?: RunningNode, folder?: string, key?: "own key") => Promise<RunningNode>

class RunningNode {
  readonly name: string
  readonly process: ChildProcess
  readonly heard: Array<Line> = []
  readonly errors: Array<string> = []
  address = ""
  etcd = ""

  constructor(name: string, process: ChildProcess) {
    this.name = name
    this.process = process
    process.stderr?.on("data", (chunk) => this.errors.push(String(chunk)))
    if (process.stdout === null) throw new Error("no output")
    createInterface({ input: process.stdout }).on("line", (line) => void this.heard.push(JSON.parse(line)))
  }

  get port(): number {
    return Number(this.address.split(":").at(-1))
  }

  order(order: unknown): void {
    this.process.stdin?.write(`${JSON.stringify(order)}\n`)
  }

  /** The first line like this that nobody has asked for before. */
  next(isLike: (line: Line) => boolean): Promise<Line> {
    const what = () => `a line of ${this.name} (${JSON.stringify(this.heard)} ${this.errors.join("")})`
    return eventually(what, () => {
      const index = this.heard.findIndex((line) => isLike(line))
      return index < 0 ? undefined : this.heard.splice(index, 1)[0]
    })
  }

  /** An event about a node, for the nth time. */
  async hears(tag: string, about: string, times = 1): Promise<void> {
    await eventually(
      () => `${this.name} hears ${tag} of ${about}`,
      () => {
        const all = this.heard.filter(({ _tag, member }) => {
          return _tag === tag && Predicate.hasProperty(member, "name") && member.name === about
        })
        return all.length >= times ? all : undefined
      }
    )
  }

  /** It has taken what was sent to it before. */
  async settled(): Promise<void> {
    this.order({ ask: `/${this.name}/counter`, forMillis: 0 })
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** Asks until there is an answer: a link may be on its way still. */
const answered = async (node: RunningNode, path: string): Promise<number> => {
  const untilMillis = performance.now() + deadlineMillis
  while (performance.now() < untilMillis) {
    node.order({ ask: path, forMillis: 0 })
    const { count } = await node.next(({ asked }) => asked === path)
    if (typeof count === "number") return count
  }
  throw new Error(`${path} does not answer ${node.name}`)
}

const launch = (options: {
  readonly name: string
  readonly dataDirectory: string
  readonly port: number
  readonly seeds: ReadonlyArray<string>
}): ChildProcess => {
  const file = fileURLToPath(import.meta.resolve("./fixtures/node-process.ts"))
  return spawn(process.execPath, [file, JSON.stringify(options)], {
    stdio: ["pipe", "pipe", "pipe"]
  })
}

const inCluster = async (body: (start: Start, root: string) => Promise<void>): Promise<void> => {
  const root = mkdtempSync(join(tmpdir(), "nodes-"))
  const nodes: Array<RunningNode> = []
  const start: Start = async (name, seed, folder = name, key) => {
    const dataDirectory = join(root, folder)
    mkdirSync(dataDirectory, { recursive: true, mode: 0o700 })
    const [first] = nodes
    if (first !== undefined && first.name !== name && key === undefined)
      copyFileSync(join(root, first.name, "cluster.key"), join(dataDirectory, "cluster.key"))
    const seeds = seed === undefined ? [] : [seed.address]
    const node = new RunningNode(name, launch({ name, dataDirectory, port: 0, seeds }))
    nodes.push(node)
    const { etcd, listening } = await node.next((line) => "listening" in line)
    node.address = String(listening)
    node.etcd = String(etcd)
    return node
  }
  try {
    await body(start, root)
  } finally {
    for (const { process } of nodes) process.kill("SIGKILL")
    rmSync(root, { recursive: true, force: true })
  }
}
