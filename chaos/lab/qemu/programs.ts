/** What the lab needs of the machine it runs on, and which package of Debian has it. */
import { existsSync, readdirSync } from "node:fs"
import { delimiter, join } from "node:path"
import { Effect, Schema } from "effect"

/** Something that the lab needs is not on this machine. */
export class LabBlocked extends Schema.TaggedError<LabBlocked>()("LabBlocked", {
  missing: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    return `the QEMU lab cannot run here: ${this.missing}; ${this.remedy}`
  }
}

const packageOf = {
  "qemu-system-x86_64": "qemu-system-x86",
  "qemu-img": "qemu-utils",
  mke2fs: "e2fsprogs",
  debugfs: "e2fsprogs",
  tune2fs: "e2fsprogs",
  e2fsck: "e2fsprogs",
  busybox: "busybox-static",
  openssl: "openssl",
  setpriv: "util-linux",
  fallocate: "util-linux",
  ldd: "libc-bin",
  perl: "perl-base"
} as const
export type Program = keyof typeof packageOf

/** Where Debian has programs of administrators, which not every path names. */
const moreFolders = ["/usr/sbin", "/sbin"]

/** The path of an installed program. */
export const program = (name: Program): Effect.Effect<string, LabBlocked> => {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), ...moreFolders]
  const path = folders.map((folder) => join(folder, name)).find(existsSync)
  return path === undefined
    ? Effect.fail(
        new LabBlocked({ missing: `the program ${name}`, remedy: `apt-get install ${packageOf[name]}` })
      )
    : Effect.succeed(path)
}

export interface GuestKernel {
  readonly release: string
  readonly image: string
  readonly modules: string
}

const flavour = /^vmlinuz-(.+-cloud-amd64)$/

/** The newest of Debian's kernels for clouds: small, and with what guests need built in or beside it. */
export const guestKernel: Effect.Effect<GuestKernel, LabBlocked> = Effect.suspend(() => {
  const installed = readdirSync("/boot")
    .flatMap((name) => flavour.exec(name)?.[1] ?? [])
    .filter((release) => existsSync(`/lib/modules/${release}/modules.dep`))
    .sort(new Intl.Collator("en", { numeric: true }).compare)
  const release = installed.at(-1)
  return release === undefined
    ? Effect.fail(
        new LabBlocked({
          missing: "a kernel for guests, /boot/vmlinuz-*-cloud-amd64",
          remedy: "INITRD=No apt-get install --no-install-recommends linux-image-cloud-amd64"
        })
      )
    : Effect.succeed({
        release,
        image: `/boot/vmlinuz-${release}`,
        modules: `/lib/modules/${release}`
      })
})
