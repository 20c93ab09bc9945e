/**
 * What etcd answers over HTTP besides its API: is it healthy, which version is it, and its numbers.
 *
 * Healthy is who can serve: no alarm is raised, the disk takes what is written, a leader is known, and a
 * linearizable read gets through within a second. The reason why not is told as etcd 3.5 tells it.
 */

import type { Metrics } from "#actors/kernel/metrics.ts"
import type { PlainReply } from "#actors/kernel/ports/grpc.ts"
import { jsonText } from "#protocols/wire/json-text.ts"
import { expositionType } from "#protocols/wire/prometheus-text.ts"
import { etcdVersion } from "./etcd-maintenance.ts"
import { type Route, type RoutedRequest, respondJson, respondText } from "./http-routes.ts"
import type { Member } from "./member.ts"

const checkMillis = 1_000
/** Checks at once; each is a read that waits. */
const checksMax = 1_000

interface Check {
  readonly untilMillis: number
  readonly answer: (reason: string | undefined) => void
}

export interface HttpFacts {
  readonly member: Pick<Member, "failed" | "leader" | "read">
  /** Names of the alarms that are raised, such as NOSPACE. */
  readonly alarms: () => ReadonlyArray<string>
  readonly metrics: Metrics
  /** Monotonic. */
  readonly nowMillis: () => number
}

export class EtcdHttp {
  readonly #facts: HttpFacts
  readonly #checks = new Set<Check>()

  constructor(facts: HttpFacts) {
    this.#facts = facts
  }

  get routes(): ReadonlyArray<Route> {
    const health = (request: RoutedRequest, reply: PlainReply) => this.#health(request, reply)
    return [
      { path: "/health", methods: ["GET"], handle: health },
      { path: "/healthz", methods: ["GET"], handle: health },
      {
        path: "/version",
        methods: ["GET"],
        handle: (_request, reply) =>
          respondJson(reply, 200, { etcdserver: etcdVersion, etcdcluster: clusterVersion })
      },
      {
        path: "/metrics",
        handle: (_request, reply) =>
          reply.respond(200, ["content-type", expositionType], utf8.encode(this.#facts.metrics.text()))
      }
    ]
  }

  /** Answers the checks that have waited for long enough. To be called now and then. */
  tick(): void {
    const nowMillis = this.#facts.nowMillis()
    for (const check of this.#checks)
      if (check.untilMillis <= nowMillis) check.answer("RANGE ERROR:request timed out")
  }

  /** Nobody serves any more. */
  close(): void {
    for (const check of this.#checks) check.answer("STOPPED")
  }

  #health({ query }: RoutedRequest, reply: PlainReply): void {
    const { alarms, member, nowMillis } = this.#facts
    const excluded = query.getAll("exclude")
    const alarm = alarms().find((name) => !excluded.includes(name))
    if (alarm !== undefined) return respondHealth(reply, `ALARM ${alarm}`)
    if (member.failed !== undefined) return respondHealth(reply, `DISK ${member.failed.message}`)
    if (member.leader === 0) return respondHealth(reply, "RAFT NO LEADER")
    if (this.#checks.size >= checksMax) return respondHealth(reply, "RANGE ERROR:too many requests")
    const check: Check = {
      untilMillis: nowMillis() + checkMillis,
      answer: (reason) => {
        if (this.#checks.delete(check)) respondHealth(reply, reason)
      }
    }
    this.#checks.add(check)
    reply.onCancel = () => void this.#checks.delete(check)
    member.read((refused) => check.answer(refused === undefined ? undefined : `RANGE ERROR:${refused}`))
  }
}

/** The version that members agree to speak. */
const clusterVersion = "3.4.0"

const utf8 = new TextEncoder()

const respondHealth = (reply: PlainReply, reason: string | undefined): void => {
  if (reason !== undefined) return respondText(reply, 503, `${jsonText({ health: "false", reason })}\n`)
  const headers = ["content-type", "text/plain; charset=utf-8"]
  reply.respond(200, headers, utf8.encode(jsonText({ health: "true" })))
}
