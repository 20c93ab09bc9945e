/**
 * Block files for real: one directory, raw file descriptors, fsync on libuv's threads.
 *
 * A small write goes into the page cache on this thread, which takes microseconds, where a trip to the thread
 * pool and back would cost as much as the fsync that follows. New files are filled with zeros, written and not
 * merely allocated: an fdatasync after an overwrite has no metadata to bring along, which measured here is the
 * difference between 170 and 100 µs. Names survive since the directory is synced after each create and remove.
 */
import {
  close,
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  fsync,
  ftruncate,
  mkdirSync,
  open,
  openSync,
  readdirSync,
  readSync,
  unlink,
  write,
  writeSync
} from "node:fs"
import { dirname, join } from "node:path"
import { Effect, Predicate } from "effect"
import type { BlockDirectory, BlockFile, Done, FileFault } from "../kernel/ports/block-files.ts"
import { StorageBroken, StorageFull } from "../kernel/ports/storage-faults.ts"

const writtenHereBytesMax = 64 * 1024
const zeros = new Uint8Array(1024 * 1024)
const mode = 0o600

export const errorCode = (cause: unknown): string =>
  Predicate.hasProperty(cause, "code") ? String(cause.code) : String(cause)

export const fileFault = (path: string, operation: string, cause: unknown): FileFault => {
  const reason = errorCode(cause)
  return ["ENOSPC", "EDQUOT", "EFBIG"].includes(reason)
    ? new StorageFull({ path, reason: `${operation} ended with ${reason}`, definite: false })
    : new StorageBroken({ path, operation, reason })
}

/** The directory is made if it is not there. Throws what the system says. */
export const openDirectory = (path: string): BlockDirectory => {
  mkdirSync(path, { recursive: true, mode: 0o700 })
  const broken = (operation: string, cause: unknown) =>
    new StorageBroken({ path, operation, reason: errorCode(cause) })
  return {
    path,
    list: () => {
      try {
        return readdirSync(path).toSorted()
      } catch (cause) {
        throw broken("listing it", cause)
      }
    },
    open: (name) => {
      try {
        const fd = openSync(join(path, name), "r+")
        return new LiveFile(path, name, fd, fstatSync(fd).size)
      } catch (cause) {
        throw new StorageBroken({ path: join(path, name), operation: "open", reason: errorCode(cause) })
      }
    },
    create: (name, head, size, done) => createFile(path, name, head, size, done),
    remove: (names, done) => removeFiles(path, names, done)
  }
}

const createFile: (path: string, ...rest: Parameters<BlockDirectory["create"]>) => void = (
  path,
  name,
  head,
  size,
  done
) => {
  const { O_CREAT, O_EXCL, O_RDWR } = constants
  const filePath = join(path, name)
  open(filePath, O_CREAT | O_EXCL | O_RDWR, mode, (unopened, fd) => {
    if (unopened !== null) return done(fileFault(filePath, "create", unopened))
    const failed = (operation: string, cause: unknown) =>
      close(fd, () => unlink(filePath, () => done(fileFault(filePath, operation, cause))))
    const fill = (position: number) => {
      const bytes =
        position === 0 ? head : zeros.subarray(0, Math.max(0, Math.min(zeros.length, size - position)))
      if (bytes.length === 0) return fsync(fd, synced)
      writeWhole(fd, bytes, position, (cause) =>
        cause === undefined ? fill(position + bytes.length) : failed("write", cause)
      )
    }
    const synced = (cause: Error | null) => {
      if (cause !== null) return failed("fsync", cause)
      syncDirectory(path, (fault) => {
        if (fault === undefined) return done(new LiveFile(path, name, fd, Math.max(size, head.length)))
        // Or its name would be taken when it is made again.
        close(fd, () => unlink(filePath, () => done(fault)))
      })
    }
    fill(0)
  })
}

const removeFiles = (path: string, names: ReadonlyArray<string>, done: Done): void => {
  const [name, ...others] = names
  if (name === undefined) return syncDirectory(path, done)
  unlink(join(path, name), (cause) => {
    if (cause !== null && cause.code !== "ENOENT") return done(fileFault(join(path, name), "unlink", cause))
    removeFiles(path, others, done)
  })
}

export const syncDirectory = (path: string, done: Done): void =>
  open(path, "r", (unopened, fd) => {
    if (unopened !== null) return done(fileFault(path, "open", unopened))
    fsync(fd, (unsynced) =>
      close(fd, () => done(unsynced === null ? undefined : fileFault(path, "fsync", unsynced)))
    )
  })

/** The directory's own name, and those in it. */
export const syncNames = (path: string): Effect.Effect<void, FileFault> => {
  const synced = (directory: string) =>
    Effect.async<void, FileFault>((resume) =>
      syncDirectory(directory, (fault) => resume(fault === undefined ? Effect.void : Effect.fail(fault)))
    )
  return Effect.zipRight(synced(path), synced(dirname(path)))
}

/** A write may end early, at a signal or when the disk is nearly full. */
const writeWhole = (
  fd: number,
  bytes: Uint8Array,
  position: number,
  done: (cause: Error | undefined) => void
): void =>
  write(fd, bytes, 0, bytes.length, position, (cause, written) => {
    if (cause !== null) return done(cause)
    if (written === bytes.length) return done(undefined)
    if (written === 0) return done(new Error("nothing was written"))
    writeWhole(fd, bytes.subarray(written), position + written, done)
  })

class LiveFile implements BlockFile {
  readonly name: string
  readonly #path: string
  readonly #fd: number
  #size: number
  #underWay = 0
  #closing = false

  constructor(directory: string, name: string, fd: number, size: number) {
    this.name = name
    this.#path = join(directory, name)
    this.#fd = fd
    this.#size = size
  }

  readonly size = (): number => this.#size

  readonly read = (position: number, length: number): Uint8Array => {
    const bytes = new Uint8Array(Math.max(0, length))
    try {
      let filled = 0
      while (filled < bytes.length) {
        const read = readSync(this.#fd, bytes, filled, bytes.length - filled, position + filled)
        if (read === 0) break
        filled += read
      }
      return bytes.subarray(0, filled)
    } catch (cause) {
      throw new StorageBroken({ path: this.#path, operation: "read", reason: errorCode(cause) })
    }
  }

  readonly write = (position: number, bytes: Uint8Array, done: Done): void => {
    this.#size = Math.max(this.#size, position + bytes.length)
    const finished = this.#begin("write", done)
    if (bytes.length > writtenHereBytesMax) return writeWhole(this.#fd, bytes, position, finished)
    try {
      for (let written = 0; written < bytes.length; ) {
        written += writeSync(this.#fd, bytes, written, bytes.length - written, position + written)
      }
      queueMicrotask(() => finished(undefined))
    } catch (cause) {
      queueMicrotask(() => finished(cause))
    }
  }

  readonly sync = (done: Done): void => {
    const finished = this.#begin("fdatasync", done)
    fdatasync(this.#fd, (cause) => finished(cause ?? undefined))
  }

  readonly cut = (position: number, size: number, done: Done): void => {
    this.#size = size
    const finished = this.#begin("ftruncate", done)
    ftruncate(this.#fd, position, (uncut) => {
      if (uncut !== null) return finished(uncut)
      ftruncate(this.#fd, size, (cause) => finished(cause ?? undefined))
    })
  }

  /** The number of a closed descriptor may soon be another file's: it stays open while it is in use. */
  readonly close = (): void => {
    if (this.#closing) return
    this.#closing = true
    if (this.#underWay === 0) closeSync(this.#fd)
  }

  #begin(operation: string, done: Done) {
    this.#underWay++
    return (cause: unknown): void => {
      this.#underWay--
      if (this.#closing && this.#underWay === 0) closeSync(this.#fd)
      done(cause === undefined ? undefined : fileFault(this.#path, operation, cause))
    }
  }
}
