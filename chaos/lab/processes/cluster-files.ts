/**
 * What processes need in a folder to be the nodes of one cluster: the file that describes it, and in each data
 * directory the cluster's key.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"
import { type KeyFileRefused, tokenFileName } from "#actors/platform/tokens.ts"
import type { ClusterSpec } from "#supervisors/cluster-spec.ts"
import { shareKey } from "#supervisors/local-nodes.ts"

export interface ClusterFiles {
  readonly spec: ClusterSpec
  /** Of the file. */
  readonly path: string
  /** The operator's. */
  readonly token: string
}

export interface Command {
  readonly program: string
  readonly args: ReadonlyArray<string>
}

export const writeCluster = (
  folder: string,
  spec: ClusterSpec
): Effect.Effect<ClusterFiles, KeyFileRefused> =>
  Effect.gen(function* () {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const path = join(folder, "cluster.json")
    writeFileSync(path, `${JSON.stringify(spec, undefined, 2)}\n`)
    yield* shareKey(spec.cluster, spec.nodes)
    const token = readFileSync(join(spec.nodes[0].dataDirectory, tokenFileName), "utf8").trim()
    return { spec, path, token }
  })

/** As an operator starts it. `nodeArgs` are for Node, before our program. */
export const nodeCommand = (
  { path }: ClusterFiles,
  name: string,
  nodeArgs: ReadonlyArray<string> = []
): Command => {
  const main = fileURLToPath(import.meta.resolve("#supervisors/main.ts"))
  return { program: process.execPath, args: [...nodeArgs, main, "node", "--cluster", path, "--name", name] }
}
