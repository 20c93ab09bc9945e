/** An operator looks into a lab while it runs, with the shell that is for clusters: who is there, and what they do. */
import { existsSync } from "node:fs"
import test from "ava"
import { Effect, Either, Schedule } from "effect"
import { KV } from "#protocols/wire/etcd/methods.ts"
import { attach } from "#supervisors/shell/attach.ts"
import { Cloud } from "#supervisors/shell/cloud.ts"
import { runLine, type Voice } from "#supervisors/shell/run-line.ts"
import { processWorld } from "./processes/process-world.ts"

const onLinux = process.platform === "linux" ? test : test.skip

/** What a line prints, and the values that it shows. */
const runOn = (cloud: Cloud, line: string, json: boolean) =>
  Effect.gen(function* () {
    const printed: Array<string> = []
    const complaints: Array<string> = []
    const voice: Voice = {
      print: (text) => void printed.push(text),
      complain: (text) => void complaints.push(text),
      confirm: undefined,
      json,
      yes: true,
      screen: undefined
    }
    yield* runLine(line, cloud, voice)
    return [...printed, ...complaints].join("\n")
  })

onLinux("a shell that attaches to a lab sees its nodes, its network and its clients at work", async (t) => {
  t.timeout(120_000)
  const lines: Array<string> = []
  let folder = ""
  const story = Effect.gen(function* () {
    const world = yield* processWorld.open({
      shape: { nodes: 1, spares: 0, roles: [], zones: ["a"] },
      seed: 1,
      folder: undefined,
      note: (line) => lines.push(line)
    })
    folder = lines.map((line) => /--data-directory (\S+)/.exec(line)?.[1]).find(Boolean) ?? ""
    const cloud = new Cloud(yield* attach({ dataDirectory: folder }))
    const [node = ""] = world.nodes
    const put = Effect.async<boolean>((resume) =>
      world.etcd.call(node, KV.put, { key: Buffer.from("a"), value: Buffer.from("1") }, (answer) =>
        resume(Effect.succeed(Either.isRight(answer)))
      )
    )
    yield* Effect.repeat(put, { until: (isDone) => isDone, schedule: Schedule.spaced(100) })

    const tree = yield* runOn(cloud, "tree", false)
    for (const name of ["proxy", "nodes", "node01", "clients", "membership"])
      t.regex(tree, new RegExp(`\\b${name}\\b`))
    const clients = yield* runOn(cloud, "inspect /lab/clients", true)
    t.regex(clients, /"node":"node01","calls":[1-9]\d*,"answered":[1-9]/)
    // And it can have a lab's own actors crash, like those of any cluster.
    yield* runOn(cloud, "kill /lab/clients --reason drill --yes", false)
    yield* Effect.repeat(put, { until: (isDone) => isDone, schedule: Schedule.spaced(100) })
    t.regex(yield* runOn(cloud, "why /lab/clients", false), /drill/)
  })
  await Effect.runPromise(Effect.scoped(story))
  t.not(folder, "", lines.join("\n"))
  t.false(existsSync(folder), "its token went with it")
})
