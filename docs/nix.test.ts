/** What of nix/ can be tried with Nix alone: that it is Nix, and what its modules make of a configuration. */
import { execFile, spawnSync } from "node:child_process"
import { globSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import test from "ava"
import { Either, Schema } from "effect"
import { clusterOf } from "#supervisors/cluster-file/cluster-file.ts"
import { clusterDigest } from "#supervisors/cluster-spec.ts"

const run = promisify(execFile)
const root = join(import.meta.dirname, "..")
const shell = join(root, "nix/shell.nix")

const installed = spawnSync("nix-instantiate", ["--version"]).status === 0
const withNix = installed ? test : test.skip
if (!installed)
  test("nix-instantiate is not installed (Debian: nix-bin), so nothing of nix/ is evaluated", (t) => t.pass())

withNix("the shell for Nix names Node and Erlang", async (t) => {
  const pkgs = `{ mkShell = shell: shell.packages; nodejs = "nodejs"; erlang = "erlang"; }`
  const expression = `toString (import ${shell} { pkgs = ${pkgs}; })`
  const { stdout } = await run("nix-instantiate", ["--eval", "--expr", expression])
  t.is(stdout.trim(), `"nodejs erlang"`)
})

withNix("every file of nix/ is Nix", async (t) => {
  const files = globSync("nix/**/*.nix", { cwd: root }).map((file) => join(root, file))
  t.true(files.length >= 8)
  for (const file of files) await t.notThrowsAsync(run("nix-instantiate", ["--parse", file]), file)
})

const Settings = Schema.Record({
  key: Schema.String,
  value: Schema.Union(Schema.String, Schema.Array(Schema.String))
})

const Sample = Schema.Struct({
  file: Schema.String,
  broken: Schema.Array(Schema.String),
  ports: Schema.Array(Schema.Int),
  rules: Schema.Array(Schema.String),
  service: Schema.NullOr(
    Schema.Struct({
      wants: Schema.Array(Schema.String),
      after: Schema.Array(Schema.String),
      wantedBy: Schema.Array(Schema.String),
      unitConfig: Settings,
      serviceConfig: Settings
    })
  ),
  etc: Schema.Record({ key: Schema.String, value: Schema.Struct({ text: Schema.String }) })
})

const sample = async (given = ""): Promise<typeof Sample.Type> => {
  const expression = `import ${join(root, "nix/checks/sample.nix")} { ${given} }`
  const { stdout } = await run("nix-instantiate", ["--eval", "--strict", "--json", "--expr", expression])
  return Schema.decodeUnknownSync(Sample)(JSON.parse(stdout))
}

const clusterIn = (text: string) =>
  Either.getOrThrowWith(clusterOf(text, "cluster.json"), ({ message }) => new Error(message))

withNix(
  "the file that NixOS makes of ultracloud.cluster is one that nodes take, as it was said",
  async (t) => {
    const { broken, etc, file } = await sample()
    const cluster = clusterIn(file)
    t.deepEqual(broken, [])
    t.is(etc["ultracloud/cluster.json"]?.text, file)
    t.like(cluster, {
      profile: "three-node-control-plane",
      components: {
        chainfire: { quotaBytes: 4_294_967_296, autoCompaction: { mode: "periodic", retention: "30m" } }
      },
      limits: { shells: { clientsMax: 5 }, links: { connectionsMax: 10_000 } },
      log: { level: "warn" },
      telemetry: { otlp: "http://10.0.0.9:4318", ratio: 0.25, intervalMillis: 2_000 },
      stopMillis: 20_000
    })
    t.deepEqual(cluster.nodes[1]?.health, { host: "127.0.0.1", port: 9_100 })
    // What is left out is said by the profile, and not by the options.
    t.is(cluster.nodes[0].tls?.clientCertificates, "needed")
    const written = `profile: three-node-control-plane
cluster: west
nodes:
  - { name: node01, host: 10.0.0.1, zone: zone-a, tls: &tls { certificate: /etc/ultracloud/node.pem, key: /etc/ultracloud/node.key, authority: /etc/ultracloud/ca.pem } }
  - { name: node02, host: 10.0.0.2, zone: zone-b, tls: *tls, links: 7711, health: { port: 9100 } }
  - { name: node03, host: 10.0.0.3, zone: zone-c, tls: *tls }
components: { chainfire: { quotaBytes: 4294967296, autoCompaction: { retention: 30m } } }
limits: { shells: { clientsMax: 5 } }
log: { level: warn }
telemetry: { otlp: "http://10.0.0.9:4318", ratio: 0.25 }
stopMillis: 20000
`
    const byHand = Either.getOrThrowWith(clusterOf(written, "c.yaml"), ({ message }) => new Error(message))
    t.is(clusterDigest(cluster), clusterDigest(byHand))
  }
)

withNix("the service runs the node that the machine is, as the unit for other systems does", async (t) => {
  const { ports, rules, service } = await sample()
  const unit = await sections("nix/systemd/ultracloud@.service")
  const { After, Description, Wants, ...unitConfig } = unit["Unit"] ?? {}
  t.is(Description, "UltraCloud node %i")
  t.deepEqual([service?.after, service?.wants], [[After], [Wants]])
  t.deepEqual(service?.wantedBy, [unit["Install"]?.["WantedBy"]])
  t.deepEqual(service?.unitConfig, unitConfig)

  const { StateDirectory, StateDirectoryMode, ...serviceConfig } = unit["Service"] ?? {}
  t.deepEqual([StateDirectory, StateDirectoryMode], ["ultracloud/%i", "0700"])
  t.is(serviceConfig["OOMPolicy"], "continue")
  t.deepEqual(service?.serviceConfig, {
    ...serviceConfig,
    // All that is not the same:
    ExecStart: "/package/bin/ultracloud node --cluster /etc/ultracloud/cluster.json --name node02",
    ExecStartPre: ["/coreutils/bin/install -m 0600 %d/cluster.key /var/lib/ultracloud/cluster.key"],
    LoadCredential: ["cluster.key:/run/secrets/cluster.key"],
    WorkingDirectory: "/var/lib/ultracloud",
    ReadWritePaths: ["/var/lib/ultracloud"],
    CacheDirectory: "ultracloud",
    Environment: "NODE_COMPILE_CACHE=%C/ultracloud"
  })
  t.false(Object.values(service?.serviceConfig ?? {}).some((value) => value.includes("%i")))
  t.deepEqual(ports, [7711, 2379])
  t.deepEqual(rules, ["d /var/lib/ultracloud 0700 ultracloud ultracloud -"])
})

/** Read apart from Nix, which reads the same file. */
const sections = async (path: string): Promise<Record<string, Record<string, string>>> => {
  const read: Record<string, Record<string, string>> = {}
  let section: Record<string, string> = {}
  for (const line of (await readFile(join(root, path), "utf8")).split("\n")) {
    const title = /^\[(\w+)\]$/.exec(line)?.[1]
    const [, key, value] = /^(\w+)=(.*)$/.exec(line) ?? []
    if (title !== undefined) read[title] = section = {}
    if (key !== undefined && value !== undefined) section[key] = value
  }
  return read
}

const Lock = Schema.parseJson(
  Schema.Struct({
    packages: Schema.Record({
      key: Schema.String,
      value: Schema.Struct({
        resolved: Schema.optional(Schema.String),
        integrity: Schema.optional(Schema.String)
      })
    })
  })
)

/** The lock that package.nix hands to nixpkgs, of which there are only names here. */
const lockFor = async (registry: string): Promise<typeof Lock.Type> => {
  const expression = `(import ${join(root, "nix/package.nix")} {
    lib = {
      importJSON = file: builtins.fromJSON (builtins.readFile file);
      cleanSource = source: source;
      licenses.asl20 = "asl20";
    };
    stdenv.cc.cc.lib = "lib";
    buildNpmPackage = package: package;
    importNpmLock = { __functor = _: { npmRoot, packageLock }: packageLock; npmConfigHook = "hook"; };
    nodejs_24 = "node"; makeWrapper = "wrapper"; autoPatchelfHook = "hook";
    registry = "${registry}";
  }).npmDeps`
  const bytesMax = 16 * 1024 * 1024
  const args = ["--eval", "--strict", "--json", "--expr", expression]
  const { stdout } = await run("nix-instantiate", args, { maxBuffer: bytesMax })
  return Schema.decodeUnknownSync(Lock)(stdout)
}

withNix(
  "each package of the lock has an address in the registry that was said, and keeps its digest",
  async (t) => {
    const written = Schema.decodeUnknownSync(Lock)(await readFile(join(root, "package-lock.json"), "utf8"))
    for (const registry of ["https://packages.example/npm", "https://packages.example/npm/"]) {
      const { packages } = await lockFor(registry)
      t.deepEqual(Object.keys(packages).sort(), Object.keys(written.packages).sort())
      for (const [path, { integrity, resolved }] of Object.entries(packages)) {
        t.is(integrity, written.packages[path]?.integrity)
        if (path === "") t.is(resolved, undefined)
        else
          t.regex(
            resolved ?? path,
            /^https:\/\/packages\.example\/npm\/(@[\w.-]+\/)?([\w.-]+)\/-\/\2-\d[\w.+-]*\.tgz$/
          )
      }
      t.regex(packages["node_modules/@grpc/grpc-js"]?.resolved ?? "", /npm\/@grpc\/grpc-js\/-\/grpc-js-1\./)
      t.regex(
        packages["node_modules/@effect/rpc/node_modules/msgpackr"]?.resolved ?? "",
        /npm\/msgpackr\/-\/msgpackr-/
      )
    }
    const refused = await t.throwsAsync(lockFor("packages.example"))
    t.regex(
      refused?.message ?? "",
      /registry is packages\.example: expected the address of a registry of npm/
    )
  }
)

withNix("a machine that is no node, or that is none of the cluster, has no service or is told", async (t) => {
  const off = await sample('node = { enable = false; name = "node02"; };')
  t.deepEqual([off.service, off.ports], [null, []])
  const stranger = await sample('node = { enable = true; name = "node07"; };')
  t.deepEqual(stranger.broken, [
    "ultracloud.node.name is node07: ultracloud.cluster.nodes has no node of that name"
  ])
})

withNix("what an option does not take is refused where it is evaluated", async (t) => {
  const refusal = async (cluster: string) => {
    const failed = await t.throwsAsync(sample(`cluster = ${cluster};`))
    return failed?.message ?? ""
  }
  const node = 'name = "node01";'
  t.regex(
    await refusal(`{ nodes = [ { ${node} etcd = 70000; } ]; }`),
    /ultracloud\.cluster\.nodes\.0\.etcd: expected an integer from 0 to 65535, got 70000/
  )
  t.regex(await refusal(`{ nodes = [ { ${node} etdc = 1; } ]; }`), /there is no option etdc/)
  t.regex(await refusal("{ nodes = [ { } ]; }"), /nodes\.0\.name: is needed and was not said/)
  t.regex(
    await refusal("{ telemetry.ratio = 1.5; }"),
    /telemetry\.ratio: expected a number from 0 to 1, got 1\.5/
  )
  t.regex(await refusal("{ stopMillis = 30000; }"), /stopMillis: expected an integer from 1000 to 25000/)
  t.regex(await refusal('{ cluster = "West"; }'), /ultracloud\.cluster\.cluster: expected a string like/)
})
