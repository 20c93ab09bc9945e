/**
 * An operator attached to one of three nodes: every command of the shell, against real nodes, as a script runs it.
 * What is printed here is what scripts of operators read, so it stays as it is.
 */
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { type Shell, startCluster, type TestCluster } from "./fixtures/attached.ts"
import { shellCommands } from "./shell-commands.ts"

let cluster: TestCluster
let shell: Shell
const used = new Set<string>()

test.before(async (t) => {
  t.timeout(120_000)
  cluster = await startCluster()
  shell = await cluster.attached()
})

test.after.always(async () => {
  await cluster?.close()
})

/** The line succeeds; what it prints. */
const ok = async (t: ExecutionContext, text: string): Promise<string> => {
  const { code, err, out } = await shell.line(text)
  t.deepEqual({ text, code, err }, { text, code: 0, err: [] })
  noteUse(text)
  return out.join("\n")
}

const noteUse = (text: string): void => {
  const [first = "", second = ""] = text.split(" ")
  used.add(shellCommands.some(({ name }) => name === `${first} ${second}`) ? `${first} ${second}` : first)
}

const refused = async (t: ExecutionContext, text: string, code: 1 | 2 = 1): Promise<string> => {
  const ran = await shell.line(text)
  t.is(ran.code, code, text)
  t.deepEqual(ran.out, [])
  return ran.err.join("\n")
}

const eventually = async (t: ExecutionContext, text: string, expected: RegExp): Promise<void> => {
  const untilMillis = performance.now() + 30_000
  let seen = ""
  while (performance.now() < untilMillis) {
    seen = (await shell.line(text)).out.join("\n")
    if (expected.test(seen)) {
      noteUse(text)
      t.pass()
      return
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  t.fail(`${text} never showed ${expected}: ${seen}`)
}

test.serial("through one node the whole cluster is seen", async (t) => {
  t.timeout(120_000)
  const tree = await ok(t, "tree")
  for (const node of ["node01", "node02", "node03"])
    t.regex(tree, new RegExp(`^${node} +one-for-one +running`, "m"))
  t.regex(await ok(t, "tree /node02/shop --depth 1"), /└─ writers/)
  t.regex(await ok(t, "top --rows 3 --sort handled"), /^actor +state +msgs\/s[\s\S]*\n(.*\n){2}.*$/)
  t.regex(await ok(t, "inspect /node03/cluster/membership"), /^kind +membership$/m)
  t.regex(await ok(t, "members"), /^node01 +alive +zone-1 +127\.0\.0\.1:\d+ +(leader|voter) +\d+$/m)
  t.regex(await ok(t, "leaders"), /^web +node0\d /m)
  t.regex(await ok(t, "links"), /^node02 +node03 .* linked /m)
  t.regex(await ok(t, "links"), /^node01 +ops +shell\.\d+ +HUMAN::operator /m)
  t.regex(await ok(t, "breakers"), /^\/node01\/breaker +closed [\s\S]*^node03 +the fleet +closed +3 +3$/m)
  t.regex(await ok(t, "config"), /^node02 +test +zone-2 .* abababababab +cluster\.json$/m)
  t.regex(await ok(t, "metrics etcd_server_has_leader --node node02"), /^# node02\netcd_server_has_leader 1$/)
  t.regex(await ok(t, "metrics ultracloud_actors"), /# node03\nultracloud_actors \d+/)
  t.regex(await ok(t, "deadletters"), /^node02: \d+ dead letters$/m)
  t.regex(await ok(t, "help"), /^ {2}breaker trip +opens/m)
  t.regex(await ok(t, "help failover"), /failover unforce/)
})

test.serial("JSON is one value a line, with the same content", async (t) => {
  const [trees] = (await shell.json("tree /node01 --depth 0")) as ReadonlyArray<unknown>
  t.like(trees, { 0: { node: "node01", answer: { path: "/node01", status: "running", children: [] } } })
  t.like((await shell.json("members"))[0], { nodes: { length: 3, 0: { name: "node01" } } })
  const samples = await shell.json("metrics ultracloud_actors_suspended")
  t.deepEqual(
    samples,
    ["node01", "node02", "node03"].map((node) => ({ node, metrics: { ultracloud_actors_suspended: 0 } }))
  )
  const { code, err, out } = await shell.line("inspect /node01/nobody --json")
  t.is(code, 1)
  t.deepEqual(err, [])
  t.like(JSON.parse(out[0] ?? ""), { error: { tag: "NoSuchActor" } })
})

test.serial("an actor is stopped, started, restarted, suspended and resumed, on any node", async (t) => {
  t.timeout(60_000)
  const store = "/node02/shop/store"
  t.regex(await refused(t, `restart ${store}`), /Nothing was done: say --yes/)
  t.is(await ok(t, `restart ${store} --yes`), `${store} runs again`)
  t.is(await ok(t, `stop ${store} --yes`), `${store} is stopped`)
  t.regex(await ok(t, `inspect ${store}`), /^status +down$/m)
  t.is(await ok(t, `start ${store}`), `${store} runs`)
  t.regex(await refused(t, `start ${store}`), /already runs store; stop it first/)
  t.regex(await refused(t, "stop /node02 --yes"), /is a whole node/)
  t.is(
    await ok(t, `suspend ${store} --for 20s --reason 'to look' --yes`),
    `${store} is suspended, for 20.0 s at most`
  )
  t.regex(await ok(t, `inspect ${store}`), /^status +suspended$/m)
  t.is(await ok(t, `resume ${store}`), `${store} goes on`)
  t.is(await ok(t, `resume ${store}`), `${store} was not suspended`)
})

test.serial("a crash is explained: its causes, the decision, the restarts that are left", async (t) => {
  const anna = "/node03/shop/writers/anna"
  t.regex(await ok(t, `why ${anna}`), /has not crashed/)
  t.regex(await ok(t, `kill ${anna} --reason 'a drill' --yes`), /has crashed; why/)
  await eventually(t, `why ${anna}`, /is running, in life 2/)
  const why = await ok(t, `why ${anna}`)
  t.regex(
    why,
    /life 1 ended at .*Z, while it was not handling a message:\n {2}Error: HUMAN::operator had it crash: a drill/
  )
  t.regex(why, /\/node03\/shop\/writers \(one-for-one\) decided at .*Z: started again at once/)
  t.regex(why, /^1 of 10 restarts within 10\.0 s are used up/m)
})

test.serial("messages are checked before they are sent, and errors point to the field", async (t) => {
  t.regex(await ok(t, "ask /node02/cluster/membership Members"), /"name": "node03"/)
  t.is(
    await ok(t, 'tell /node01/shop/store Write {"key": "pears", "by": 3} --yes'),
    "Write was sent to /node01/shop/store"
  )
  t.is(await ok(t, 'ask /node01/shop/store Total {"key": "pears"}'), "3")
  t.regex(await refused(t, 'ask /node01/shop/store Total {"key": "plums"}'), /nothing was written to plums/)
  t.regex(
    await refused(t, 'tell /node01/shop/store Write {"key": "pears"} --yes'),
    /Write was not sent: field by: is missing/
  )
  t.regex(await refused(t, "ask /node01/shop/store Members"), /does not take Members; it takes /)
  t.regex(await refused(t, 'ask /node01/shop/store Write {"key": "a", "by": 1} --yes'), /send it with tell/)
  t.regex(await refused(t, 'tell /node01/shop/store Total {"key": "a"}'), /send it with ask/)
  t.regex(await ok(t, "accepts /node01/shop/store"), /^Write +tell +operate +Adds to the total of a key\.$/m)
  t.regex(await ok(t, "accepts /node01/shop/store Total"), /"key": \{\n/)
})

test.serial("a trace shows shapes, and no texts", async (t) => {
  const trace = await ok(t, "trace /node02/shop/store --for 5s --max 4")
  t.regex(trace, /#\d+ (tell|ask) \w+ \{ .*key: text of \d+.* \}/)
  t.notRegex(trace, /anna|bert|cleo/)
})

test.serial("an order is seen by everybody who follows events, with who gave it", async (t) => {
  const other = await cluster.attached()
  const following = other.json("events ClientActed --follow --max 1 --for 20s")
  const suspending = other.json("events ActorSuspended --follow --max 1 --for 20s")
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  await ok(t, "suspend /node02/shop/store --for 1s --reason 'works' --yes")
  await ok(t, "resume /node02/shop/store")
  noteUse("events")
  t.like((await following)[0], {
    node: "node01",
    event: "ClientActed",
    by: "HUMAN::operator",
    path: "/node02/cluster/introspection",
    request: "SuspendActor",
    needs: "operate",
    about: "path /node02/shop/store, reason works"
  })
  t.like((await suspending)[0], {
    node: "node02",
    event: "ActorSuspended",
    by: "HUMAN::operator",
    reason: "works"
  })
  t.regex(await refused(t, "events Nothing --for 1s"), /no event begins with Nothing/)
})

test.serial("whoever may only look is refused, and nothing happens", async (t) => {
  const guest = await cluster.attached({
    actorId: "HUMAN::guest",
    grants: [{ permission: "observe", prefix: "/" }]
  })
  t.is((await guest.line("tree /node01 --depth 0")).code, 0)
  for (const line of [
    "restart /node01/shop --yes",
    "kill /node01/shop/store --yes",
    "transfer-leader --yes",
    "log debug"
  ]) {
    const { code, err, out } = await guest.line(line)
    t.is(code, 1, line)
    t.deepEqual(out, [])
    t.regex(err.join(), /^HUMAN::guest may not send \w+ to .*: it takes (operate|admin) there/)
  }
  t.regex(await ok(t, "inspect /node01/shop/store"), /^incarnation +1$/m)
})

test.serial("breakers, the fleet breaker and failover are held, moved and released by hand", async (t) => {
  t.timeout(60_000)
  t.is(
    await ok(t, "breaker trip /node01/breaker --reason 'a drill' --yes"),
    "/node01/breaker is open: a drill"
  )
  t.is(await ok(t, "breaker hold /node01/breaker --yes"), "/node01/breaker is open: a drill")
  t.regex(await refused(t, "breaker reset /node01/breaker --yes"), /HUMAN::operator holds it/)
  t.regex(await ok(t, "breaker release /node01/breaker"), /is open/)
  t.regex(await ok(t, "breaker reset /node01/breaker --yes"), /is closed/)
  t.regex(await ok(t, "breaker trip zone:zone-2 --yes"), /^node03: trip of zone-2 is done$/m)
  t.regex(await ok(t, "breakers"), /^node01 +zone-2 +tripped/m)
  t.regex(await ok(t, "breaker reset zone:zone-2 --yes"), /^node01: reset of zone-2 is done$/m)
  t.regex(await refused(t, "breaker hold fleet --yes"), /knows trip and reset only/)

  t.regex(await ok(t, "failover hold --yes"), /has taken it: hold$/)
  t.regex(await refused(t, "failover hold --yes"), /held already by HUMAN::operator/)
  t.regex(await ok(t, "failover release"), /has taken it: release$/)
  t.regex(await ok(t, "failover force web node03 --yes"), /has taken it: force web node03$/)
  await eventually(t, "leaders", /^web +node03 /m)
  t.regex(await ok(t, "failover unforce web"), /unforce web$/)
  t.regex(await ok(t, "failover veto web node03 --yes"), /veto web node03$/)
  await eventually(t, "leaders", /^web +node0[12] /m)
  t.regex(await ok(t, "failover lift web node03"), /lift web node03$/)
  const [, leads = ""] = /^\/(node0\d)\S+ +failover +leading/m.exec(await ok(t, "leaders")) ?? []
  t.is(await ok(t, `failover yield ${leads} --yes`), `${leads} gives up failover`)
  await eventually(t, "leaders", new RegExp(`^/(?!${leads})\\S+ +failover +leading`, "m"))
  t.regex(await refused(t, "failover yield node09 --yes"), /node09 does not campaign/)
})

test.serial("the level of the log is changed live", async (t) => {
  t.is(await ok(t, "log warn --node node02"), "node02 logs from warn on, before from info")
  t.is(await ok(t, "log info --node node02"), "node02 logs from info on, before from warn")
})

test.serial("a backup is a snapshot that etcd's own tool accepts", async (t) => {
  const file = join(cluster.folder, "backup.db")
  t.regex(await ok(t, `backup ${file} --node node02`), /backup\.db has \d+ bytes of node02$/)
  t.regex(await refused(t, `backup ${file}`), /is there already/)
  t.false(existsSync(`${file}.${process.pid}.part`))
  t.true(readFileSync(file).length > 1_000)
  const etcdctl = spawnSync("etcdctl", ["snapshot", "status", file], {
    env: { ...process.env, ETCDCTL_API: "3" },
    encoding: "utf8"
  })
  if (etcdctl.error === undefined) t.regex(etcdctl.stdout, /^[0-9a-f]+, \d+, \d+, /)
  else t.log("etcdctl is not installed")
})

test.serial("the leader goes where it is sent; members come and go", async (t) => {
  t.timeout(60_000)
  await ok(t, "transfer-leader node02 --yes")
  await eventually(t, "members", /^node02 .* leader /m)
  await ok(t, "transfer-leader --yes")
  await eventually(t, "members", /^node0[13] .* leader /m)
  t.regex(await refused(t, "transfer-leader node09 --yes"), /chainfire has no member node09; it has node01/)
  const added = await ok(t, "member add http://127.0.0.1:7991 --yes")
  const [, id = ""] = /^member (\d+) was added/.exec(added) ?? []
  t.regex(await ok(t, "members"), new RegExp(`member ${id}, at http://127.0.0.1:7991`))
  t.regex(await refused(t, `member promote ${id} --yes`), /learner/)
  noteUse("member promote")
  t.regex(await ok(t, `member remove ${id} --yes`), /was removed$/)
  t.regex(
    await ok(t, "member replace node03 http://127.0.0.1:7992 --yes"),
    /^replacement \d+ of node03 is at: adding/
  )
  await ok(t, "ask /node01/chainfire/member AbortReplacement --yes")
})

test.serial("a node is drained: it leads nothing, has no roles, and says goodbye", async (t) => {
  t.timeout(60_000)
  await ok(t, "transfer-leader node03 --yes")
  await ok(t, "failover force web node03 --yes")
  await eventually(t, "leaders", /^web +node03 /m)
  await ok(t, "failover unforce web")
  const steps = await ok(t, "drain node03 --yes")
  t.regex(steps, /^node0[12] leads chainfire now$/m)
  t.regex(steps, /^web is taken from node03 and vetoed there$/m)
  t.regex(steps, /^node03 has said goodbye; stop its process now$/m)
  await eventually(t, "members", /^node03 +left /m)
  await eventually(t, "leaders", /^web +node0[12] /m)
})

test.serial("what is not understood is not sent, and every command was used here", async (t) => {
  const said = await refused(t, "breaker trip", 2)
  t.is(said, "  breaker trip\n              ^ <breaker> is missing: breaker trip <breaker> [--reason text]")
  t.regex(await refused(t, "kill node01", 2), /<path> is a path such as/)
  const unused = shellCommands.map(({ name }) => name).filter((name) => !used.has(name))
  t.deepEqual(unused, [])
})
