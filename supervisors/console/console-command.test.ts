/** `ultracloud console`, as an operator types it, beside a node that runs, one without a console, and none. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import test from "ava"
import { startCluster } from "../shell/fixtures/attached.ts"
import { withConsoles } from "./fixtures/console-cluster.ts"
import { told } from "./where-console.ts"

const main = fileURLToPath(new URL("../main.ts", import.meta.url))

/** In a folder of its own where nothing else is said: there may be nodes where tests are run. */
const ultracloud = async (cwd: string, ...args: ReadonlyArray<string>) => {
  const child = spawn(process.execPath, [main, "console", ...args], {
    cwd,
    stdio: ["ignore", "pipe", "pipe"]
  })
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")])
  return { code: child.exitCode, out, err }
}

test("says where the console is and with what to log in there, until the node is gone", async (t) => {
  t.timeout(120_000)
  await withConsoles({ nodes: 1 }, async ({ folder, nodes: [node], token }) => {
    const url = node?.console ?? ""
    const dataDirectory = join(folder, "node01")
    const file = join(dataDirectory, "token")
    const [said, bare, json] = await Promise.all([
      ultracloud(folder, "--data-directory", dataDirectory),
      ultracloud(folder, "--data-directory", dataDirectory, "--url"),
      ultracloud(folder, "--data-directory", dataDirectory, "--json")
    ])
    t.deepEqual(said, {
      code: 0,
      out: `the console of node01 is at ${url}\nlog in with the token in ${file}\n`,
      err: ""
    })
    t.deepEqual(bare, { code: 0, out: `${url}\n`, err: "" })
    t.deepEqual(JSON.parse(json.out), { node: "node01", url, tokenFile: file })

    // What it says is what lets one in.
    t.is(readFileSync(file, "utf8").trim(), token)
    const login = await fetch(`${bare.out.trim()}/api/login`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token: readFileSync(JSON.parse(json.out).tokenFile, "utf8") })
    })
    t.is(login.status, 200)

    // What a node that was killed leaves behind misleads nobody.
    if (node !== undefined) {
      const exit = once(node.process, "exit")
      node.process.kill("SIGKILL")
      await exit
    }
    const gone = await ultracloud(folder, "--data-directory", dataDirectory, "--url")
    t.like(gone, { code: 1, out: "" })
    t.regex(gone.err, /^ultracloud: no node was found: [^\n]*start one with npm start[^\n]*\n$/)
  })
})

test("where no node runs, or it has no console, one line says why and what to do", async (t) => {
  t.timeout(120_000)
  const nowhere = mkdtempSync(join(tmpdir(), "no-console-"))
  const cluster = await startCluster(1)
  try {
    const [none, without] = await Promise.all([
      ultracloud(nowhere),
      ultracloud(nowhere, "--data-directory", cluster.dataDirectory)
    ])
    t.like(none, { code: 1, out: "" })
    t.regex(
      none.err,
      /^ultracloud: no node was found: no node runs on this machine; start one with npm start[^\n]*\n$/
    )
    t.deepEqual(without, {
      code: 1,
      out: "",
      err: "ultracloud: node01 has no console: it was started without one; give it a port with `console` in the cluster's file\n"
    })
  } finally {
    await cluster.close()
    rmSync(nowhere, { recursive: true, force: true })
  }
})

test("the console of another machine is on the loopback over there, and the way to it is said", (t) => {
  const place = { node: "n", url: "http://127.0.0.1:7780", tokenFile: "t", tunnelTo: "host-2" }
  t.is(
    told(place, "text"),
    [
      "the console of n is at http://127.0.0.1:7780",
      "it is on the loopback of that machine: first ssh -N -L 7780:127.0.0.1:7780 host-2",
      "log in with the token in t"
    ].join("\n")
  )
})
