/** All files of this repository that are made of the schema of the cluster file. */
import { clusterJsonSchema } from "./json-schema.ts"
import { nixOptions } from "./nix-options.ts"
import { clusterFilePage } from "./page.ts"

export interface Generated {
  /** From the root of the repository. */
  readonly path: string
  readonly content: string
}

export const schemaText = (): string => `${JSON.stringify(clusterJsonSchema(), undefined, 2)}\n`

export const generated = (): ReadonlyArray<Generated> => [
  { path: "nix/cluster.schema.json", content: schemaText() },
  { path: "nix/options.nix", content: nixOptions() },
  { path: "docs/cluster-file.md", content: clusterFilePage() }
]
