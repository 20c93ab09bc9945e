/**
 * One process at a time runs on a data directory. Whoever comes second learns it before anything else happens: no port
 * is opened, no file is touched.
 *
 * A directory whose process died is free, also after a reboot where another program has the same id by now; see
 * actors/platform/data-lock.ts. Journal and stores have locks of their own besides, for programs that open only those.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Option, Schema, type Scope } from "effect"
import type { StorageFault } from "#actors/kernel/ports/storage-faults.ts"
import { lockDirectory } from "#actors/platform/data-lock.ts"
import { Door, doorFileName } from "../shell/door.ts"

export class NodeRunsAlready extends Schema.TaggedError<NodeRunsAlready>()("NodeRunsAlready", {
  node: Schema.String,
  /** Of the process that has it, as far as that has said so. */
  holder: Schema.String,
  dataDirectory: Schema.String,
  pid: Schema.Int
}) {
  override get message() {
    const { dataDirectory, holder, node, pid } = this
    const runs = holder === "" ? "is at work in" : `runs ${holder} on`
    return `${node} cannot start: process ${pid} ${runs} ${dataDirectory} already; stop that process (kill ${pid}), or give ${node} another data directory`
  }
}

/** Held until the scope closes. */
export const holdDataDirectory = (
  node: string,
  dataDirectory: string
): Effect.Effect<void, NodeRunsAlready | StorageFault, Scope.Scope> =>
  Effect.catchTag(lockDirectory(dataDirectory), "StorageLocked", ({ pid }) =>
    Effect.fail(new NodeRunsAlready({ node, holder: holderOf(dataDirectory), dataDirectory, pid }))
  )

const decodeDoor = Schema.decodeUnknownOption(Schema.parseJson(Door))

/** What it has written for shells; nothing while it is still starting. */
const holderOf = (dataDirectory: string): string => {
  try {
    const door = decodeDoor(readFileSync(join(dataDirectory, doorFileName), "utf8"))
    return Option.match(door, { onNone: () => "", onSome: ({ node }) => node })
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return ""
    throw cause
  }
}
