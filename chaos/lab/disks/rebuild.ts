/**
 * Builds what a disk holds after a power cut: from the image with which the recording began, and the log.
 *
 *   base ──copy──► running, patched forward to what is durable ──copy──► image, and what survived on top
 *
 * The running image goes forward through the log once, so crash points are built fastest in the order of their
 * positions; one that is further back begins again at the base. All work is in small steps, so that whoever shares
 * the process (the switch of a lab) goes on meanwhile.
 */
import { closeSync, fstatSync, openSync, readSync, renameSync, rmSync } from "node:fs"
import { Effect, type Scope } from "effect"
import type { CrashImage, Survivor } from "./crash-points.ts"
import { attempt, ImageBroken, pieceBytes, SparseImage } from "./sparse-image.ts"
import {
  type LogEntry,
  logEntriesMax,
  readWriteLog,
  type Trimmed,
  type WriteLog,
  WriteLogRefused
} from "./write-log.ts"

export interface RecordedDisk {
  /** The disk as it was when the log began, or where it was trimmed. */
  readonly basePath: string
  readonly logPath: string
  readonly trimmed?: Trimmed | undefined
}

export type RebuildFault = ImageBroken | WriteLogRefused

/** A step moves at most a piece of an image, or so many writes. */
const stepEntries = 50
/** Between two turns of others: some milliseconds. */
const stepsMax = 16

/** A log that stays in its file. */
class LogFile {
  readonly path: string
  readonly bytes: number
  readonly #file: number

  constructor(path: string) {
    this.path = path
    this.#file = attempt(path, () => openSync(path, "r"))
    this.bytes = attempt(path, () => fstatSync(this.#file).size)
  }

  read(offset: number, length: number): Uint8Array {
    const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(length, this.bytes - offset)))
    const read = attempt(this.path, () => readSync(this.#file, bytes, 0, bytes.length, offset))
    return bytes.subarray(0, read)
  }

  close(): void {
    closeSync(this.#file)
  }
}

export class DiskRebuild {
  readonly log: WriteLog
  readonly #basePath: string
  readonly #file: LogFile
  #running: SparseImage
  #position = 0

  private constructor(basePath: string, file: LogFile, log: WriteLog, running: SparseImage) {
    this.#basePath = basePath
    this.#file = file
    this.log = log
    this.#running = running
  }

  /** `workPath`: a file for it to use, which goes with the scope. */
  static open(
    { basePath, logPath, trimmed }: RecordedDisk,
    workPath: string
  ): Effect.Effect<DiskRebuild, RebuildFault, Scope.Scope> {
    const opened = function* () {
      const file = new LogFile(logPath)
      try {
        const running = yield* SparseImage.copyOf(basePath, workPath)
        const limits = { diskBytes: running.bytes, entriesMax: logEntriesMax, trimmed }
        return new DiskRebuild(basePath, file, readWriteLog(file, limits), running)
      } catch (cause) {
        file.close()
        throw cause
      }
    }
    return Effect.acquireRelease(inSteps(opened()), (rebuild) => Effect.sync(() => rebuild.#close()))
  }

  /** Writes what the disk holds to a file, in place of what was there. */
  write(image: CrashImage, path: string): Effect.Effect<void, RebuildFault> {
    return inSteps(this.#write(image, path))
  }

  *#write({ durableUpTo, survivors }: CrashImage, path: string): Generator<undefined, void> {
    if (durableUpTo < this.#position) {
      this.#running.close()
      this.#running = yield* SparseImage.copyOf(this.#basePath, this.#running.path)
      this.#position = 0
    }
    yield* this.#advance(durableUpTo)
    const image = yield* this.#running.copyTo(path)
    try {
      yield* this.#apply(survivors, image)
    } finally {
      image.close()
    }
  }

  /** The base becomes the disk with all entries up to this one. Ends the use of this. */
  moveBase(durableUpTo: number): Effect.Effect<void, RebuildFault> {
    const moved = function* (this: DiskRebuild) {
      yield* this.#advance(durableUpTo)
      attempt(this.#basePath, () => renameSync(this.#running.path, this.#basePath))
    }
    return inSteps(moved.call(this))
  }

  *#advance(durableUpTo: number): Generator<undefined, void> {
    const durable: Array<Survivor> = []
    for (let entry = this.#position; entry < durableUpTo; entry++) durable.push({ entry })
    yield* this.#apply(durable, this.#running)
    this.#position = durableUpTo
  }

  *#apply(survivors: ReadonlyArray<Survivor>, image: SparseImage): Generator<undefined, void> {
    let [bytes, entries] = [0, 0]
    for (const { entry: index, sectors } of survivors) {
      const entry = this.log.entries[index]
      if (entry === undefined || entry.kind === "flush" || entry.kind === "mark") continue
      for (const piece of piecesOf(entry, sectors, this.log.sectorBytes)) {
        if (entry.kind === "discard") image.clear(entry.offset + piece.from, piece.length)
        else
          image.write(entry.offset + piece.from, this.#file.read(entry.dataOffset + piece.from, piece.length))
        bytes += piece.length
      }
      if (bytes < pieceBytes && ++entries < stepEntries) continue
      yield
      bytes = entries = 0
    }
  }

  #close(): void {
    this.#file.close()
    this.#running.close()
    rmSync(this.#running.path, { force: true })
  }
}

interface Piece {
  readonly from: number
  readonly length: number
}

/** Sectors of it that are there, as many together as are beside each other. */
function* piecesOf(
  { bytes }: LogEntry,
  sectors: ReadonlyArray<boolean> | undefined,
  sectorBytes: number
): Iterable<Piece> {
  const isThere = (at: number) => sectors === undefined || sectors[at / sectorBytes] === true
  for (let from = 0; from < bytes; ) {
    let end = sectors === undefined ? Math.min(bytes, from + pieceBytes) : from + sectorBytes
    while (sectors !== undefined && end < bytes && end - from < pieceBytes && isThere(end) === isThere(from))
      end += sectorBytes
    if (isThere(from)) yield { from, length: end - from }
    from = end
  }
}

/** Lets others have a turn now and then. */
export const inSteps = <A>(moves: Iterator<undefined, A>): Effect.Effect<A, RebuildFault> =>
  Effect.gen(function* () {
    for (let steps = 1; ; steps++) {
      const step = yield* Effect.try({ try: () => moves.next(), catch: rebuildFault })
      if (step.done === true) return step.value
      if (steps % stepsMax === 0) yield* Effect.sleep(0)
    }
  }).pipe(Effect.onInterrupt(() => Effect.sync(() => moves.return?.())))

/** What is none of these is a bug, and dies. */
const rebuildFault = (problem: unknown): RebuildFault => {
  if (problem instanceof ImageBroken || problem instanceof WriteLogRefused) return problem
  throw problem
}
