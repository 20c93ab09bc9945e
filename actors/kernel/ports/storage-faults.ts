/**
 * What can be wrong with storage, as faults: the words that stores, journals and files share.
 *
 * A storage that met `StorageBroken` or `StorageCorrupt` takes no more writes until it is opened again. After
 * a failed fsync the kernel may have dropped the pages and call the next fsync a success, so trying again would
 * only look like a cure.
 */
import { Schema } from "effect"
import type { FaultUnion } from "#protocols/fault.ts"

/** There is no room, on the disk or below a bound that was set. What was acknowledged is untouched. */
export class StorageFull extends Schema.TaggedError<StorageFull>()("StorageFull", {
  path: Schema.String,
  reason: Schema.String,
  /** Whether the write was refused before anything changed. */
  definite: Schema.Boolean
}) {
  override get message() {
    return `${this.path} is full: ${this.reason}; free space or raise its bound, then open it again`
  }
}

/** The operating system refused to read or write. */
export class StorageBroken extends Schema.TaggedError<StorageBroken>()("StorageBroken", {
  path: Schema.String,
  operation: Schema.String,
  reason: Schema.String
}) {
  readonly definite = false
  override get message() {
    return `${this.path}: ${this.operation} went wrong (${this.reason}); see to the disk, then open it again`
  }
}

/** What was acknowledged is not there any more, or has changed. */
export class StorageCorrupt extends Schema.TaggedError<StorageCorrupt>()("StorageCorrupt", {
  path: Schema.String,
  /** In bytes from the start of the file; -1 where that is not known. */
  offset: Schema.Number,
  reason: Schema.String
}) {
  readonly definite = true
  override get message() {
    const where = this.offset < 0 ? this.path : `${this.path} at byte ${this.offset}`
    return `${where} is damaged: ${this.reason}; restore a backup, or remove this replica and let it join again`
  }
}

/** Another process has it open. */
export class StorageLocked extends Schema.TaggedError<StorageLocked>()("StorageLocked", {
  path: Schema.String,
  pid: Schema.Int
}) {
  readonly definite = true
  override get message() {
    return `${this.path} is in use by process ${this.pid}; stop that first, or choose another data directory`
  }
}

/** A later release has written it. */
export class StorageNewer extends Schema.TaggedError<StorageNewer>()("StorageNewer", {
  path: Schema.String,
  found: Schema.Number,
  supported: Schema.Number
}) {
  readonly definite = true
  override get message() {
    return `${this.path} has format ${this.found}, this release reads up to ${this.supported}; run the release that wrote it`
  }
}

/** More waits to be written than is allowed to. */
export class StorageBusy extends Schema.TaggedError<StorageBusy>()("StorageBusy", {
  path: Schema.String,
  pendingBytes: Schema.Number,
  pendingBytesMax: Schema.Number
}) {
  readonly definite = true
  override get message() {
    return `${this.path} has ${this.pendingBytes} bytes to write and takes at most ${this.pendingBytesMax}; wait until they are durable, then write again`
  }
}

/** A snapshot was held for too long, or too many are. */
export class SnapshotRefused extends Schema.TaggedError<SnapshotRefused>()("SnapshotRefused", {
  reason: Schema.String
}) {
  readonly definite = true
  override get message() {
    return `the snapshot is not there: ${this.reason}; take another one`
  }
}

export const StorageFault = Schema.Union(
  StorageFull,
  StorageBroken,
  StorageCorrupt,
  StorageLocked,
  StorageNewer,
  StorageBusy,
  SnapshotRefused
)
export type StorageFault = FaultUnion<typeof StorageFault.Type>

/** For what synchronous calls throw. */
export const isStorageFault = Schema.is(StorageFault)
