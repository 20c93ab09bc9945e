/** The package in the hands of somebody who has no checkout: it installs, it runs, and programs can be written with it. */
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { copyFileSync, readFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { promisify } from "node:util"
import test from "ava"
import { Schema } from "effect"
import { eventually } from "#actors/kernel/fixtures/eventually.ts"
import { type Block, blocksOf } from "../../docs/fixtures/page.ts"
import { stopMillis } from "../local-nodes.ts"
import { Installed, manifest } from "./fixtures/installed.ts"
import { asVersion, healthPort, type Machine, Machines } from "./fixtures/machines.ts"
import { client, office, wrong } from "./fixtures/programs.ts"

const run = promisify(execFile)
const Lock = Schema.parseJson(
  Schema.Struct({
    packages: Schema.Record({
      key: Schema.String,
      value: Schema.Struct({
        version: Schema.optional(Schema.String),
        integrity: Schema.optional(Schema.String),
        dev: Schema.optional(Schema.Boolean)
      })
    })
  })
)
const etcdctlInstalled = spawnSync("etcdctl", ["version"]).status === 0
/** A network of its own, where the ports of `ultracloud up` are free whatever else runs here. */
const alone = ["--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
const canBeAlone = spawnSync("unshare", [...alone, "true"]).status === 0

let installed: Installed

test.before("it is built, packed and installed", async (t) => {
  t.timeout(240_000)
  installed = await Installed.make()
  for (const [name, text] of Object.entries({ client, office, wrong })) installed.write(`${name}.ts`, text)
  const { build, install } = installed.tookMillis
  t.log(`built and packed in ${(build / 1_000).toFixed(1)} s, installed in ${(install / 1_000).toFixed(1)} s`)
})

test.after.always(() => installed?.remove())

test("there is nothing in it but what runs, its types, and the docs", (t) => {
  const others = installed.packed.filter(
    (path) =>
      !/^(LICENSE|README\.md|package\.json|dist\/(package|npm-shrinkwrap)\.json)$/.test(path) &&
      !/^docs\/(components\/)?[\w-]+\.md$/.test(path) &&
      !/^dist\/(protocols|actors|supervisors)\/[\w/-]+(\.js|\.d\.ts)$/.test(path) &&
      !/^dist\/supervisors\/console\/page\/\w+\.(html|css|svg)$/.test(path) &&
      !/^dist\/systemd\/ultracloud(@\.service|\.sysusers\.conf)$/.test(path)
  )
  t.deepEqual(others, ["dist/actors/platform/cell-orphan-watch.mjs"])
  t.deepEqual(
    installed.packed.filter((path) =>
      /\.(test|bench)\.|\/fixtures\/|^dist\/supervisors\/package\//.test(path)
    ),
    []
  )
  for (const path of [
    "supervisors/main",
    "supervisors/console/page/main",
    "actors/platform/store-verify-main"
  ])
    t.true(installed.packed.includes(`dist/${path}.js`), path)
})

test("its docs link to nothing that is not in it", (t) => {
  const folder = join(installed.folder, "node_modules/ultracloud")
  const broken = installed.packed
    .filter((path) => path.endsWith(".md"))
    .flatMap((path) =>
      [...readFileSync(join(folder, path), "utf8").matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)]
        .filter(([, target = ""]) => !installed.packed.includes(join(dirname(path), target)))
        .map(([, target]) => `${path}: ${target}`)
    )
  t.deepEqual(broken, [])
})

test("what npm runs before it packs is what was packed here", (t) => {
  t.is(manifest.scripts["prepack"], "npm run build")
  t.is(manifest.scripts["build"], "node supervisors/package/build-main.ts")
})

test("npx finds the command, and its version is that of the package", async (t) => {
  const { stdout } = await run("npx", ["--no-install", "ultracloud", "--version"], { cwd: installed.folder })
  t.is(stdout.trim(), manifest.version)
})

test("an older Node is told so in one line", async (t) => {
  t.is(manifest.engines.node, ">=24")
  const pretend = `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "22.9.0" } })`
  const main = join(installed.folder, "node_modules/ultracloud/dist/supervisors/main.js")
  const args = ["--import", `data:text/javascript,${encodeURIComponent(pretend)}`, main, "--version"]
  const failed = await t.throwsAsync<Error & { readonly stderr: string; readonly code: number }>(
    run(process.execPath, args)
  )
  t.is(failed?.code, 1)
  t.regex(failed?.stderr ?? "", /^ultracloud: this is Node 22\.9\.0, and ultracloud needs 24 or later: .+\n$/)
})

test("what is left out says where it is to be had", async (t) => {
  for (const [command, instead] of [
    ["chaos", "npm run chaos"],
    ["bench", "npm run bench"]
  ] as const) {
    const failed = await t.throwsAsync<Error & { readonly stderr: string; readonly code: number }>(
      run(installed.command, [command])
    )
    t.is(failed?.code, 3)
    t.regex(failed?.stderr ?? "", new RegExp(`^ultracloud: .+ not part of this package: .+${instead}\n$`))
  }
})

test("programs are checked against its types, and one with actors of its own runs them in a second process", async (t) => {
  t.regex(
    await installed.typeCheck(),
    /^[^\n]*wrong\.ts\(\d+,\d+\): error TS2322: Type 'number' is not assignable to type 'string'\.$/
  )
  const { stdout } = await run(process.execPath, ["office.ts"], { cwd: installed.folder, timeout: 60_000 })
  t.regex(stdout, /^a clerk in process \d+\n$/)
})

const withSystemd = spawnSync("systemd-analyze", ["--version"]).status === 0 ? test : test.skip

// Skipped where there is no systemd to ask.
withSystemd("systemd has nothing to say against the unit, and leaves a node time to stop", async (t) => {
  const folder = join(installed.folder, "node_modules/ultracloud/dist/systemd")
  const unit = readFileSync(join(folder, "ultracloud@.service"), "utf8")
  const found = unit.replace("ExecStart=ultracloud ", `ExecStart=${installed.command} `)
  t.not(found, unit)
  installed.write("ultracloud@.service", found)
  const path = join(installed.folder, "ultracloud@.service")
  const { stderr, stdout } = await run("systemd-analyze", ["verify", "--man=no", path])
  t.is(`${stdout}${stderr}`, "")
  t.true(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]) * 1_000 > stopMillis)
  await t.notThrowsAsync(run("systemd-sysusers", ["--dry-run", join(folder, "ultracloud.sysusers.conf")]))
})

const upTest = etcdctlInstalled && canBeAlone ? test : test.skip

// Skipped without etcdctl, or where nobody may have a network of his own (unshare, as root).
upTest("ultracloud up answers etcdctl, a browser, a shell and a program, and stops in order", async (t) => {
  t.timeout(120_000)
  const fromMillis = performance.now()
  // What follows replaces this process, which therefore is the node.
  const node = spawn("unshare", [...alone, installed.command, "up"], { cwd: installed.folder })
  let said = ""
  for (const stream of [node.stdout, node.stderr]) stream.on("data", (text: Buffer) => (said += text))
  try {
    const within = async (...args: ReadonlyArray<string>): Promise<string> => {
      const { stdout } = await run("nsenter", [`--net=/proc/${node.pid}/ns/net`, ...args], {
        cwd: installed.folder,
        env: { ...process.env, ETCDCTL_API: "3" },
        timeout: 30_000
      })
      return stdout
    }
    await eventually(
      () => `no node: ${said}`,
      () => said.includes("node01 is ready")
    )
    t.is(await within("etcdctl", "put", "greeting", "hello"), "OK\n")
    t.log(`started, and written to, in ${((performance.now() - fromMillis) / 1_000).toFixed(1)} s`)

    t.regex(await within("curl", "--silent", "http://127.0.0.1:7780/"), /src="\/page\/main\.js"/)
    const scripts = await everyScript((path) =>
      within("curl", "--silent", "--fail", `http://127.0.0.1:7780${path}`)
    )
    t.true(scripts.size > 20, `${[...scripts].join()}`)

    const program = join(installed.folder, "client.ts")
    t.regex(await within(process.execPath, program), /^\/node01\/cluster \/node01\/chainfire /)

    const backup = ["backup", "--out", "saved.db", "--json"]
    t.regex(await within(installed.command, ...backup), /"file":"saved\.db"/)
    const restore = ["restore", "--snapshot", "saved.db", "--data-directory", "restored"]
    t.regex(await within(installed.command, ...restore), /^restored has revision 2, 1 versions of keys /)

    // The annex is a process of its own, of which the package has the first module.
    const annex = /annex runs in process (\d+)/.exec(said)?.[1]
    process.kill(Number(annex), "SIGKILL")
    await eventually(
      () => `no new annex: ${said}`,
      () => /restarted\s+\/node01\/annex \(life 2\)/.test(said)
    )
  } finally {
    await stopped(node)
  }
  t.is(node.exitCode, 0, said)
  t.regex(said, /stopped\s+\/node01\/chainfire/)
})

// docs/install.md, rehearsed as it is printed

const page = blocksOf(readFileSync(join(import.meta.dirname, "../../docs/install.md"), "utf8"))
const block = (heading: string, words: string): Block => {
  const found = page.find((one) => one.heading === heading && one.commands.includes(words))
  if (found === undefined) throw new Error(`install.md has no commands with ${words} under ${heading}`)
  return found
}

const lacking =
  process.getuid?.() !== 0 || !canBeAlone
    ? "networks and mounts of its own (root, unshare)"
    : ["etcdctl", "systemd-sysusers", "runuser", "setpriv"].find(
        (name) => spawnSync("which", [name]).status !== 0
      )
const rehearsal = lacking === undefined ? test.serial : test.serial.skip
const withReason = (title: string): string =>
  lacking === undefined ? title : `${title} (skipped: there is no ${lacking})`

let machines: Machines | undefined
let three: ReadonlyArray<readonly [node: string, machine: Machine]> = []
test.after.always(() => machines?.remove())

const names = ["node01", "node02", "node03"] as const
const endpoints = "--endpoints 127.0.0.1:2379,127.0.0.2:2379,127.0.0.3:2379"
const cluster = JSON.stringify({
  cluster: "west",
  nodes: names.map((name, index) => ({
    name,
    host: `127.0.0.${index + 1}`,
    zone: `zone-${index}`,
    // One network, and consoles are on the loopback of a machine.
    console: 7_800 + index,
    health: { host: "127.0.0.1", port: healthPort(name) },
    dataDirectory: `/var/lib/ultracloud/${name}`
  }))
})

const first = (): Machine => {
  const machine = three[0]?.[1]
  if (machine === undefined) throw new Error("there is no machine")
  return machine
}

rehearsal(withReason("installed for good it has the versions and digests of the lock"), async (t) => {
  t.timeout(600_000)
  machines = await Machines.make()
  copyFileSync(installed.tarball, join(machines.folder, basename(installed.tarball)))
  asVersion(installed.tarball, "0.2.0", machines.folder)
  const image = await machines.add("image")
  await image.follow(block("The package", "npm ci"))
  const got = await image.type("cat /opt/ultracloud/dist/node_modules/.package-lock.json")
  const packages = Object.entries(Schema.decodeUnknownSync(Lock)(got).packages)
  const lock = Schema.decodeUnknownSync(Lock)(
    readFileSync(join(import.meta.dirname, "../../package-lock.json"), "utf8")
  )
  t.true(packages.length > 100)
  for (const [path, { integrity, version }] of packages) {
    t.like(lock.packages[path], { version, integrity }, path)
    t.not(lock.packages[path]?.dev, true, path)
  }
  await image.follow(block("With systemd", "systemd-sysusers"))
  // The new version beside the old one. It is what all machines have, to install it once only.
  await image.follow(block("Upgrading", "npm ci"))
  await image.type(`mkdir -p /etc/ultracloud && echo '${cluster}' > /etc/ultracloud/cluster.json`)
  await image.remove()
})

rehearsal(withReason("three machines become a cluster, as the page says"), async (t) => {
  t.timeout(600_000)
  const made: Array<readonly [string, Machine]> = []
  for (const name of names) made.push([name, (await machines?.add(name, "image")) ?? first()])
  three = made
  await first().follow(block("With systemd", "enable --now ultracloud@node01"))
  await first().type(`key=/var/lib/ultracloud/node01/cluster.key
    until [ -s "$key" ]; do sleep 0.1; done
    until [ -s "\${key%cluster.key}token" ]; do sleep 0.1; done
    cp "$key" "\${key%cluster.key}token" .`)
  for (const [name, machine] of three.slice(1)) {
    await machine.follow(block("With systemd", "enable --now ultracloud@node02"), name)
  }
  for (const [name, machine] of three) await machine.follow(block("With systemd", "readyz"), name)
  t.pass()
})

rehearsal(
  withReason("an upgrade, machine by machine, loses nothing that was acknowledged meanwhile"),
  async (t) => {
    t.timeout(600_000)
    await first().type(`etcdctl ${endpoints} put before upgrade`)
    const writer = first().open(`i=0
    while [ ! -e enough ]; do
      i=$((i + 1))
      if etcdctl ${endpoints} put "written/$i" "$i" >/dev/null 2>&1; then echo "$i"; fi
    done`)
    try {
      // Beside the old one, nothing that runs takes notice: on all machines at once.
      await Promise.all(three.map(([name, machine]) => machine.follow(block("Upgrading", "npm ci"), name)))
      for (const [name, machine] of three) await machine.follow(block("Upgrading", "systemctl restart"), name)
    } finally {
      await first().type("touch enough")
    }
    t.is(await writer.closed, 0, writer.output)
    const acknowledged = writer.output.trim().split("\n")
    t.true(acknowledged.length > 10, writer.output)
    const there = new Set(
      (await first().type(`etcdctl ${endpoints} get written/ --prefix --keys-only`)).split("\n")
    )
    t.deepEqual(
      acknowledged.filter((number) => !there.has(`written/${number}`)),
      []
    )
    t.is(await first().type(`etcdctl ${endpoints} get before`), "before\nupgrade\n")
    t.log(`${acknowledged.length} writes were acknowledged meanwhile`)
  }
)

rehearsal(
  withReason("a cluster begins again with its backup: keys, revisions, leases and users"),
  async (t) => {
    t.timeout(600_000)
    const lease = /lease (\w+) granted/.exec(await first().type(`etcdctl ${endpoints} lease grant 3600`))?.[1]
    await first().type(`etcdctl ${endpoints} put leased thing --lease ${lease}
    etcdctl ${endpoints} put twice one
    etcdctl ${endpoints} put twice two
    etcdctl ${endpoints} user add root:secret
    etcdctl ${endpoints} auth enable`)
    const login = `${endpoints} --user root:secret`
    const value = (key: string): Promise<string> =>
      first().type(`etcdctl ${login} get ${key} --write-out fields`)
    /** But for the group, and the members that answer. */
    const fields = async (key: string): Promise<ReadonlyArray<string>> =>
      (await value(key)).split("\n").filter((line) => !/^"(ClusterID|MemberID|RaftTerm)"/.test(line))
    const before = [await fields("twice"), await fields("leased")]
    await first().follow(block("Backup and restore", "ultracloud backup"))
    await first().type(
      `cp /var/backups/chainfire.db . && etcdctl ${login} put after backup && etcdctl ${login} del twice`
    )

    for (const [name, machine] of three)
      await machine.follow(block("Backup and restore", "systemctl stop"), name)
    for (const [name, machine] of three) {
      await machine.type("[ -e /var/backups/chainfire.db ] || cp chainfire.db /var/backups/")
      await machine.follow(block("Backup and restore", "ultracloud restore"), name)
    }
    for (const [name, machine] of three)
      await machine.follow(block("Backup and restore", "systemctl start"), name)
    for (const [name, machine] of three) await machine.follow(block("Backup and restore", "readyz"), name)

    t.deepEqual([await fields("twice"), await fields("leased")], before)
    t.is(await first().type(`etcdctl ${login} get after`), "")
    t.regex(
      await first().type(`etcdctl ${login} lease timetolive ${lease} --keys`),
      /granted with TTL\(3600s\).*attached keys\(\[leased\]\)/
    )
    await t.throwsAsync(first().type(`etcdctl ${endpoints} get twice`), { message: /user name is empty/ })
  }
)

/** Follows the imports of the page's first module; a file that is missing fails. */
const everyScript = async (
  load: (path: string) => Promise<string>,
  path = "/page/main.js",
  seen = new Set<string>()
): Promise<ReadonlySet<string>> => {
  if (seen.has(path)) return seen
  seen.add(path)
  const text = await load(path)
  for (const [, from] of text.matchAll(/from "(\.[^"]+)"/g))
    await everyScript(load, new URL(from ?? "", `http://page${path}`).pathname, seen)
  return seen
}

const stopped = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, "exit")
  child.kill("SIGINT")
  const overdue = setTimeout(() => child.kill("SIGKILL"), 20_000)
  await exit
  clearTimeout(overdue)
}
