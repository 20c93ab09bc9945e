/**
 * nix/package.nix, built: from the lock and from tarballs that have its digests, without nixpkgs, whose part
 * nix/checks/build.nix takes. The tarballs are those that npm has kept when it installed this checkout. The store is one
 * of its own, in memory and for this test only.
 */
import { execFile, spawnSync } from "node:child_process"
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import test from "ava"
import { Schema } from "effect"

const run = promisify(execFile)
const root = join(import.meta.dirname, "..")

const Lock = Schema.parseJson(
  Schema.Struct({
    packages: Schema.Record({
      key: Schema.String,
      value: Schema.Struct({
        integrity: Schema.optional(Schema.String),
        dev: Schema.optional(Schema.Boolean),
        optional: Schema.optional(Schema.Boolean)
      })
    })
  })
)

const { packages } = Schema.decodeUnknownSync(Lock)(readFileSync(join(root, "package-lock.json"), "utf8"))
const cache = spawnSync("npm", ["config", "get", "cache"], { encoding: "utf8" }).stdout?.trim() ?? ""

/** Where npm keeps what has this digest. */
const kept = (integrity: string): string => {
  const [algorithm = "", digest = ""] = integrity.split("-")
  const hex = Buffer.from(digest, "base64").toString("hex")
  return join(cache, "_cacache/content-v2", algorithm, hex.slice(0, 2), hex.slice(2, 4), hex.slice(4))
}

const tarballs = Object.fromEntries(
  Object.values(packages).flatMap(({ dev, integrity }) =>
    dev !== true && integrity !== undefined && existsSync(kept(integrity))
      ? [[integrity, kept(integrity)]]
      : []
  )
)

const missing = Object.entries(packages).find(
  ([, { dev, integrity, optional }]) =>
    integrity !== undefined && dev !== true && optional !== true && tarballs[integrity] === undefined
)
const lacks =
  process.getuid?.() !== 0 || spawnSync("unshare", ["--mount", "--net", "true"]).status !== 0
    ? "store of its own (root, unshare)"
    : ["nix-build", "nix-store", "etcdctl"].find((name) => spawnSync("which", [name]).status !== 0)
const reason = lacks ?? (missing === undefined ? undefined : `${missing[0]} in the cache of npm`)
const withNix = reason === undefined ? test : test.skip

/** With its first process all end. */
const namespaces = ["--mount", "--net", "--pid", "--mount-proc", "--fork", "--kill-child"]
const folder = mkdtempSync(join(tmpdir(), "nix-build-"))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))

withNix(
  `the package is built of what the lock names and nothing else, and runs a node${reason === undefined ? "" : ` (skipped: there is no ${reason})`}`,
  async (t) => {
    t.timeout(600_000)
    const npm = realpathSync((await run("which", ["npm"])).stdout.trim())
    writeFileSync(join(folder, "tarballs.json"), JSON.stringify(tarballs))
    writeFileSync(
      join(folder, "package.nix"),
      `import ${join(root, "nix/checks/build.nix")} {
        tarballs = builtins.fromJSON (builtins.readFile ${join(folder, "tarballs.json")});
        node = "${realpathSync(process.execPath)}";
        npm = "${npm}";
        registry = "https://packages.example";
      }`
    )
    mkdirSync("/nix", { recursive: true })
    const script = `set -eu
      ip link set lo up
      mount -t tmpfs store /nix
      cd '${folder}'
      nix-build --option sandbox false --option build-users-group '' package.nix >built 2>said || { tail -n 40 said; exit 1; }
      nix-store --query --references "$(readlink result)" | sed 's:^/nix/store/[^-]*-::; s:^ultracloud-.*:ultracloud:' | sort >references
      result/bin/ultracloud --version
      result/bin/ultracloud up >log 2>&1 &
      node=$!
      until ETCDCTL_API=3 etcdctl --dial-timeout 1s put greeting hello 2>/dev/null; do
        kill -0 $node || { cat log; exit 1; }
        sleep 0.2
      done
      ETCDCTL_API=3 etcdctl get greeting
      kill -INT $node
      wait $node
    `
    const fromMillis = performance.now()
    const { stdout } = await run("unshare", [...namespaces, "bash", "-c", script], {
      timeout: 560_000,
      killSignal: "SIGKILL"
    })
    t.regex(stdout, /^\d+\.\d+\.\d+\n+OK\ngreeting\nhello\n$/)
    t.log(
      `${Object.keys(tarballs).length} tarballs, ${((performance.now() - fromMillis) / 1_000).toFixed(1)} s`
    )
    // A package whose files name the tarballs would keep all of them, also those for development.
    t.is(readFileSync(join(folder, "references"), "utf8"), "nodejs\nultracloud\n")
  }
)
