/**
 * Archives in cpio's "newc" format, which is what a kernel unpacks as its first root: for each file a header of
 * hexadecimal numbers, the name, and the content, each filled up to four bytes.
 */

export interface CpioEntry {
  readonly name: string
  readonly kind: "file" | "program" | "folder"
  readonly content?: Uint8Array
}

const modes = { file: 0o100644, program: 0o100755, folder: 0o040755 }

/** Folders have to come before what is in them. */
export const cpio = (entries: ReadonlyArray<CpioEntry>): Buffer =>
  Buffer.concat([
    ...entries.flatMap((entry, index) => parts(entry, index + 1)),
    ...parts({ name: "TRAILER!!!", kind: "file" }, 0)
  ])

const parts = (
  { content = new Uint8Array(), kind, name }: CpioEntry,
  inode: number
): ReadonlyArray<Buffer> => {
  const links = kind === "folder" ? 2 : 1
  //      inode, mode, user, group, links, time, size, device (2), special device (2), length of name, checksum
  const numbers = [inode, modes[kind], 0, 0, links, 0, content.length, 0, 0, 0, 0, name.length + 1, 0]
  const fields = numbers.map((number) => number.toString(16).padStart(8, "0")).join("")
  return [filled(Buffer.from(`070701${fields}${name}\0`)), filled(Buffer.from(content))]
}

const filled = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)])
