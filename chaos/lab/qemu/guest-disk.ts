/**
 * The data disk of a guest, made by mke2fs from a folder, without a mount: the file of the cluster, the certificate of
 * the node, the key of the cluster, and room for data.
 */
import { execFile } from "node:child_process"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { Effect } from "effect"
import type { LinkTls } from "#actors/platform/certificates.ts"
import { keyFileName } from "#actors/platform/tokens.ts"
import { ImageFailed } from "./guest-image.ts"
import { type LabBlocked, program } from "./programs.ts"

const run = promisify(execFile)

/** Where it is mounted in the guest. */
export const mountPoint = "/run/data"
export const certificateFiles = {
  certificate: `${mountPoint}/node.pem`,
  key: `${mountPoint}/node.key`,
  authority: `${mountPoint}/ca.pem`
}
export const dataDirectory = `${mountPoint}/node`

export interface DiskContent {
  /** What `ultracloud node --cluster` reads. */
  readonly cluster: object
  readonly tls: LinkTls
  /** The content of the file that is the same on all nodes. */
  readonly clusterKey: string
}

/** Everything is written at once when the file system is made, so that guests find nothing left to do. */
const format = [
  "-q",
  "-F",
  "-t",
  "ext4",
  "-m",
  "0",
  "-E",
  "lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0"
]

/** All guests have disks of this size: a copy of a guest has what that had. */
export const diskMebibytes = 512

/** With the content of a folder, if there is one. */
export const formatDisk = (path: string, tree?: string): Effect.Effect<void, LabBlocked | ImageFailed> =>
  Effect.flatMap(program("mke2fs"), (mke2fs) =>
    trying(path, async () => {
      const content = tree === undefined ? [] : ["-d", tree]
      await run(mke2fs, [...format, ...content, path, `${diskMebibytes}M`])
    })
  )

export const makeDisk = (
  path: string,
  { cluster, clusterKey, tls }: DiskContent
): Effect.Effect<void, LabBlocked | ImageFailed> => {
  const tree = `${path}.tree`
  return trying(path, async () => {
    mkdirSync(join(tree, "node"), { recursive: true, mode: 0o700 })
    writeFileSync(join(tree, "cluster.json"), `${JSON.stringify(cluster, undefined, 2)}\n`)
    writeFileSync(join(tree, "node.pem"), tls.cert)
    writeFileSync(join(tree, "node.key"), tls.key, { mode: 0o600 })
    writeFileSync(join(tree, "ca.pem"), tls.ca)
    writeFileSync(join(tree, "node", keyFileName), clusterKey, { mode: 0o600 })
    rmSync(path, { force: true })
  }).pipe(
    Effect.zipRight(formatDisk(path, tree)),
    Effect.ensuring(Effect.sync(() => rmSync(tree, { recursive: true, force: true })))
  )
}

const trying = (path: string, make: () => Promise<void>): Effect.Effect<void, ImageFailed> =>
  Effect.tryPromise({
    try: make,
    catch: (cause) =>
      new ImageFailed({
        doing: `making the disk ${path}`,
        reason: cause instanceof Error ? cause.message : String(cause)
      })
  })
