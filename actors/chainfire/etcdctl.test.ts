/** The stock command line of the field, told the same by us and by etcd, word for word but for numbers of members. */
import { spawn } from "node:child_process"
import test from "ava"
import { Etcd, etcdInstalled } from "./fixtures/etcd.ts"
import { etcdctlInstalled, inCluster } from "./fixtures/etcdctl.ts"

const withEtcd = etcdInstalled() && etcdctlInstalled ? test : test.skip

/** Commands, with what they read; all that follows sees what was done before. */
const session: ReadonlyArray<readonly [args: ReadonlyArray<string>, input?: string]> = [
  [["put", "fruit/apple", "red"]],
  [["put", "fruit/banana", "yellow"]],
  [["put", "fruit/apple", "green", "--prev-kv"]],
  [["put", "fruit/none", "x", "--ignore-value"]],
  [["get", "fruit/apple"]],
  [["get", "fruit/", "--prefix", "--keys-only"]],
  [["get", "fruit/", "--prefix", "--order=DESCEND", "--sort-by=VALUE"]],
  [["get", "--prefix", "fruit", "--limit=1", "--print-value-only"]],
  [["get", "fruit/apple", "fruit/c", "--count-only", "--write-out=fields"]],
  [["get", "nothing", "--write-out=json"]],
  [["get", "fruit/apple", "--rev=99999"]],
  [["del", "fruit/banana", "--prev-kv"]],
  [["del", "fruit/banana"]],
  [
    ["txn"],
    'value("fruit/apple") = "green"\n\nput fruit/apple brown\nget fruit/apple\n\ndel fruit/apple\n\n'
  ],
  [["txn"], 'mod("fruit/apple") > "9999"\n\nput a b\n\nget fruit/apple\n\n'],
  [["txn"], "\n\nput twice 1\nput twice 2\n\n\n"],
  [["watch", "fruit/apple", "--rev=1", "--prev-kv"], "until it has said enough"],
  [["lease", "list"]],
  [["lease", "revoke", "0abc"]],
  [["lease", "timetolive", "0abc"]],
  [["compaction", "99999"]],
  [["alarm", "list"]],
  [["defrag"]],
  [["role", "add", "reader"]],
  [["role", "add", "reader"]],
  [["role", "grant-permission", "reader", "read", "fruit/", "--prefix"]],
  [["role", "grant-permission", "reader", "write", "a", "b"]],
  [["role", "get", "reader"]],
  [["role", "revoke-permission", "reader", "a", "b"]],
  [["role", "list"]],
  [["user", "add", "ann:secret"]],
  [["user", "add", "ann:secret"]],
  [["user", "grant-role", "ann", "reader"]],
  [["user", "grant-role", "ann", "nobody"]],
  [["user", "get", "ann"]],
  [["user", "list"]],
  [["auth", "enable"]],
  [["user", "add", "root:top"]],
  [["role", "add", "root"]],
  [["user", "grant-role", "root", "root"]],
  [["auth", "enable"]],
  [["get", "fruit/apple"]],
  [["--user=ann:secret", "get", "fruit/apple"]],
  [["--user=ann:secret", "put", "fruit/apple", "no"]],
  [["--user=ann:wrong", "get", "fruit/apple"]],
  [["--user=root:top", "user", "delete", "root"]],
  [["--user=root:top", "auth", "disable"]],
  [["get", "fruit/apple"]],
  [["user", "delete", "ann"]],
  [["role", "delete", "reader"]],
  [["member", "remove", "abcdef"]],
  [["member", "promote", "abcdef"]],
  [["member", "update", "abcdef", "--peer-urls=http://127.0.0.1:1"]],
  [["move-leader", "abcdef"]]
]

const linesOfWatch = 12

/** What it prints and how it ends. A watch is ended once it has said so much. */
const told = (endpoint: string, args: ReadonlyArray<string>, input: string | undefined): Promise<string> =>
  new Promise((resolve) => {
    const child = spawn("etcdctl", ["--endpoints", endpoint, ...args], {
      env: { ...process.env, ETCDCTL_API: "3" },
      timeout: 20_000
    })
    let printed = ""
    let errors = ""
    child.stdout.on("data", (chunk: Buffer) => {
      printed += chunk.toString()
      if (args[0] === "watch" && printed.split("\n").length > linesOfWatch) child.kill("SIGKILL")
    })
    child.stderr.on("data", (chunk: Buffer) => {
      errors += chunk.toString()
    })
    child.stdin.end(args[0] === "watch" ? undefined : input)
    child.once("close", (code) => resolve(normal(`${printed}\n${errors}\nended with ${code}`, endpoint)))
  })

/** Without what differs between two clusters, and without what the client says of its own tries. */
const normal = (text: string, endpoint: string): string =>
  text
    .split("\n")
    .filter((line) => !line.startsWith("{"))
    .join("\n")
    .replaceAll(endpoint, "ENDPOINT")
    .replaceAll(/"(ClusterID|MemberID|Revision|RaftTerm)" : \d+/g, '"$1" : N')
    .replaceAll(/"(cluster_id|member_id|revision|raft_term)":\d+/g, '"$1":N')
    .replaceAll(/\/member\/[0-9a-f]+/g, "/member/ID")

withEtcd("etcdctl is told the same by a group of ours as by etcd, whatever it asks", async (t) => {
  t.timeout(240_000)
  const etcd = await Etcd.start({ args: ["--bcrypt-cost", "4"] })
  try {
    await inCluster(async (_etcdctl, endpoints) => {
      // A key that both have: the group was asked whether it is there by a put.
      await told(etcd.address, ["put", "settled", "yes"], undefined)
      const [ours = ""] = endpoints
      for (const [args, input] of session) {
        const expected = await told(etcd.address, args, input)
        // Only whoever leads can hand that on, and etcdctl looks for it.
        const asked = args[0] === "move-leader" ? endpoints.join() : ours
        t.is(await told(asked, args, input), expected, args.join(" "))
      }
    })
  } finally {
    await etcd.stop()
  }
})
