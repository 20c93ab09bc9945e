/**
 * What all guests boot: Debian's kernel, a first root of busybox and a few modules, and a read-only disk with
 * Node, the bundled node, and the scripts of guest/. Made of what is installed, without mounts and without root,
 * and kept by the content of what it is made of.
 */
import { execFile } from "node:child_process"
import { createHash } from "node:crypto"
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { basename, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { Effect, Schema } from "effect"
import type { Bundle } from "../bundle.ts"
import { cacheFolder, inDraft, keepRecent } from "../cache.ts"
import { authorityIn, type CertificateFailed } from "../certificates.ts"
import { type CpioEntry, cpio } from "./cpio.ts"
import { type GuestKernel, guestKernel, LabBlocked, program } from "./programs.ts"
import { names } from "./rehearsal-names.ts"

const run = promisify(execFile)

export interface GuestImage {
  readonly kernel: string
  readonly firstRoot: string
  readonly root: string
  readonly digest: string
  readonly release: string
}

/** Making something for guests of what is there did not work. */
export class ImageFailed extends Schema.TaggedError<ImageFailed>()("ImageFailed", {
  doing: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `${this.doing} failed: ${this.reason}`
  }
}

const guestFolder = fileURLToPath(new URL("./guest", import.meta.url))

/** With what they need, in the order of loading. The last two are the power button, and how a program hears of it. */
const modules = [
  ...["virtio_pci", "virtio_blk", "virtio_net", "virtio_console", "virtio-rng"],
  ...["button", "evdev"]
]

/** For the kernel's own use; the rest of the root is made of files. */
const mountPoints = ["dev", "proc", "sys", "tmp", "run", "etc", "usr", "root"]

export const guestImage = (
  bundle: Bundle
): Effect.Effect<GuestImage, LabBlocked | ImageFailed | CertificateFailed> =>
  Effect.gen(function* () {
    const kernel = yield* guestKernel
    const busybox = yield* staticBusybox
    const mke2fs = yield* program("mke2fs")
    const perl = yield* program("perl")
    const openssl = yield* program("openssl")
    const digest = digestOf(kernel, bundle, [busybox, perl, process.execPath])
    const folder = join(cacheFolder, "images", digest)
    const making = (make: () => Promise<void>) =>
      Effect.tryPromise({
        try: make,
        catch: (cause) =>
          new ImageFailed({
            doing: `making ${folder}`,
            reason: cause instanceof Error ? cause.message : String(cause)
          })
      })
    if (!existsSync(folder)) {
      yield* inDraft(folder, (draft) => {
        const tree = join(draft, "tree")
        return Effect.gen(function* () {
          yield* making(async () => {
            writeFileSync(join(draft, "first-root.cpio"), firstRoot(kernel, busybox))
            await rootTree(tree, bundle, { busybox, perl })
          })
          yield* rehearsalCertificates(join(tree, "lab/certificates"), openssl)
          yield* making(async () => {
            const size = `${await mebibytesFor(tree)}M`
            await run(mke2fs, [...format, "-d", tree, join(draft, "root.ext4"), size])
            rmSync(tree, { recursive: true })
          })
        })
      })
    }
    yield* keepRecent(folder)
    return {
      kernel: kernel.image,
      firstRoot: join(folder, "first-root.cpio"),
      root: join(folder, "root.ext4"),
      digest,
      release: kernel.release
    }
  })

/** No journal: nobody writes to it. */
const format = ["-q", "-F", "-t", "ext4", "-O", "^has_journal", "-E", "root_owner=0:0"]

/** The first root has no libraries. */
const staticBusybox = Effect.gen(function* () {
  const busybox = yield* program("busybox")
  const ldd = yield* program("ldd")
  const isDynamic = yield* Effect.promise(() =>
    run(ldd, [busybox]).then(
      () => true,
      () => false
    )
  )
  if (isDynamic)
    return yield* new LabBlocked({
      missing: "a busybox that needs no libraries",
      remedy: "apt-get install busybox-static"
    })
  return busybox
})

const digestOf = (kernel: GuestKernel, bundle: Bundle, programs: ReadonlyArray<string>): string => {
  const hash = createHash("sha256").update(`${kernel.release}\0${bundle.digest}\0`)
  for (const path of [kernel.image, ...programs]) {
    const { mtimeMs, size } = statSync(path)
    hash.update(`${path} ${size} ${mtimeMs}\0`)
  }
  const own = [
    fileURLToPath(import.meta.url),
    ...readdirSync(guestFolder)
      .sort()
      .map((name) => join(guestFolder, name))
  ]
  for (const path of own) hash.update(readFileSync(path))
  return hash.digest("hex").slice(0, 24)
}

const firstRoot = (kernel: GuestKernel, busybox: string): Buffer => {
  const files = loadOrder(kernel)
  const folders = ["bin", "dev", "proc", "sys", "root", "modules"]
  return cpio([
    ...folders.map((name): CpioEntry => ({ name, kind: "folder" })),
    { name: "bin/busybox", kind: "program", content: readFileSync(busybox) },
    { name: "init", kind: "program", content: readFileSync(join(guestFolder, "init")) },
    ...files.map(
      (path): CpioEntry => ({ name: `modules/${basename(path)}`, kind: "file", content: readFileSync(path) })
    ),
    {
      name: "modules/list",
      kind: "file",
      content: Buffer.from(files.map((path) => `${basename(path)}\n`).join(""))
    }
  ])
}

/** Files of modules, each after those it needs; modules.dep names these from the last needed to the first. */
const loadOrder = ({ modules: folder }: GuestKernel): ReadonlyArray<string> => {
  const needs = new Map(
    readFileSync(join(folder, "modules.dep"), "utf8")
      .split("\n")
      .filter((line) => line.includes(":"))
      .map((line) => {
        const [path = "", needed = ""] = line.split(":")
        return [basename(path).replace(/\.ko.*$/, ""), [path, ...needed.split(" ").filter(Boolean)]] as const
      })
  )
  // What is in no list is built into the kernel.
  const ordered = modules.flatMap((name) => [...(needs.get(name) ?? [])].reverse())
  return [...new Set(ordered)].map((path) => join(folder, path))
}

const rootTree = async (
  tree: string,
  bundle: Bundle,
  programs: { readonly busybox: string; readonly perl: string }
): Promise<void> => {
  for (const name of [...mountPoints, "bin", "lab"]) mkdirSync(join(tree, name), { recursive: true })
  copyFileSync(programs.busybox, join(tree, "bin/busybox"))
  const { stdout: applets } = await run(programs.busybox, ["--list"])
  for (const applet of applets.split("\n").filter((name) => name !== "" && name !== "busybox"))
    symlinkSync("busybox", join(tree, "bin", applet))
  copyFileSync(process.execPath, join(tree, "bin/node"))
  mkdirSync(join(tree, "usr/bin"))
  copyFileSync(programs.perl, join(tree, "usr/bin/perl"))
  for (const name of readdirSync(guestFolder)) {
    copyFileSync(join(guestFolder, name), join(tree, "lab", name))
    chmodSync(join(tree, "lab", name), 0o755)
  }
  cpSync(bundle.folder, join(tree, "app"), { recursive: true, dereference: true })
  writeFileSync(join(tree, "etc/passwd"), "root:x:0:0:root:/run:/bin/sh\n")
  writeFileSync(join(tree, "etc/group"), "root:x:0:\n")
  writeFileSync(join(tree, "etc/hosts"), "127.0.0.1 localhost\n")
  const native = globSync("app/node_modules/**/*.node", { cwd: tree }).map((name) => join(tree, name))
  for (const library of await librariesOf([process.execPath, programs.perl, ...native])) {
    const target = join(tree, library)
    mkdirSync(dirname(target), { recursive: true })
    copyFileSync(library, target)
  }
}

/** For the rehearsal of guest-main.ts, which takes place in the future. */
const rehearsalCertificates = (folder: string, openssl: string): Effect.Effect<void, CertificateFailed> =>
  Effect.gen(function* () {
    mkdirSync(folder)
    const authority = yield* authorityIn(folder, openssl, 20 * 365)
    yield* Effect.forEach(names, (name) => authority.issue(name, []))
  })

const librariesOf = async (binaries: ReadonlyArray<string>): Promise<ReadonlySet<string>> => {
  const found = new Set<string>()
  for (const binary of binaries) {
    const { stdout } = await run("ldd", [binary])
    for (const [, path] of stdout.matchAll(/(\/\S+) \(0x/g)) if (path !== undefined) found.add(path)
  }
  return found
}

/** With some room for what a file system needs itself. */
const mebibytesFor = async (tree: string): Promise<number> => {
  const { stdout } = await run("du", ["-sm", tree])
  return Math.ceil(Number.parseInt(stdout, 10) * 1.1) + 16
}
