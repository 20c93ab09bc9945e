/** The console's `/api/act` as a program sees it: what a shell does, said and refused in the same words, behind the same gate. */
import { join } from "node:path"
import test from "ava"
import { Effect } from "effect"
import { openTokens } from "#actors/platform/tokens.ts"
import { type ConsoleCluster, withConsoles } from "./fixtures/console-cluster.ts"

let cluster: ConsoleCluster | undefined
let release = () => {}
let running: Promise<void> = Promise.resolve()

test.before(async (t) => {
  t.timeout(120_000)
  await new Promise<void>((ready, failed) => {
    running = withConsoles({ nodes: 1, shop: true }, async (started) => {
      cluster = started
      ready()
      await new Promise<void>((resolve) => {
        release = resolve
      })
    })
    running.catch(failed)
  })
})

test.after.always(async () => {
  release()
  await running
})

interface Order {
  readonly name: string
  readonly fields?: Readonly<Record<string, string>>
  readonly confirmed?: boolean
}

const send = (body: unknown, headers: Readonly<Record<string, string>>): Promise<Response> =>
  fetch(`${cluster?.nodes[0]?.console}/api/act`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body)
  })

const bearer = (token = cluster?.token ?? "") => ({ authorization: `Bearer ${token}` })

const act = async ({ confirmed = true, fields = {}, name }: Order, token?: string): Promise<unknown> => {
  const response = await send({ name, fields, confirmed }, bearer(token))
  return response.json()
}

/** May look, and nothing else. */
const looker = async (): Promise<string> => {
  const tokens = await Effect.runPromise(openTokens(join(cluster?.folder ?? "", "node01"), "console-test"))
  const grants = [{ permission: "observe", prefix: "/" }] as const
  return Effect.runPromise(tokens.sign({ actorId: "HUMAN::ann", grants }))
}

const store = "/node01/shop/store"

test.serial("it says what it will do, and does nothing before that is confirmed", async (t) => {
  const stop = { name: "stop", fields: { path: store } }
  t.deepEqual(await act({ ...stop, confirmed: false }), {
    outcome: "asks",
    says: `${store} and all below it stop, by their deadlines at the latest, and stay down until somebody starts them`
  })
  t.like(await act({ name: "start", fields: { path: store } }), {
    outcome: "refused",
    message: "/node01/shop already runs store; stop it first with TerminateChild"
  })
  t.like(await act(stop), { outcome: "done", lines: [`${store} is stopped`] })
  t.like(await act({ name: "start", fields: { path: store }, confirmed: false }), { says: "" })
  t.like(await act({ name: "start", fields: { path: store } }), { outcome: "done", lines: [`${store} runs`] })
})

test.serial("what is wrong is said with its field, before anything is sent", async (t) => {
  t.deepEqual(await act({ name: "suspend", fields: { path: store, for: "long" } }), {
    outcome: "refused",
    message: "for is a time such as 500ms, 30s, 5m or 1h, not long",
    field: "for"
  })
  const write = { path: store, message: "Write", fields: '{"key": "pears", "by": "many"}' }
  t.like(await act({ name: "tell", fields: write }), { outcome: "refused", field: "by" })
  t.like(await act({ name: "ask", fields: { ...write, fields: '{"key": "pears", "by": 1}' } }), {
    outcome: "refused",
    message: "Write is not answered; send it with tell"
  })
  t.like(await act({ name: "tell", fields: { ...write, fields: '{"key": "pears", "by": 2}' } }), {
    outcome: "done"
  })
  const total = { path: store, message: "Total", fields: '{"key": "pears"}' }
  t.like(await act({ name: "ask", fields: total }), { outcome: "done", value: 2 })
  t.like(await act({ name: "format the disk" }), {
    outcome: "refused",
    message: "there is no action format the disk"
  })
})

test.serial("only our page or a bearer may act, and the body has a form and a bound", async (t) => {
  const stop = { name: "stop", fields: { path: store }, confirmed: true }
  t.is((await send(stop, {})).status, 401)
  t.is((await send(stop, { ...bearer(), origin: "http://127.0.0.1:1" })).status, 403)
  t.is((await send({ ...stop, confirmed: "yes" }, bearer())).status, 400)
  t.is((await send({ ...stop, fields: { path: 5 } }, bearer())).status, 400)
  t.is((await send({ ...stop, fields: { path: "x".repeat(70_000) } }, bearer())).status, 400)
  t.is((await fetch(`${cluster?.nodes[0]?.console}/api/actions`)).status, 401)
})

test.serial("a backup comes as a file, and its refusal as a refusal", async (t) => {
  const backup = { name: "backup", fields: { file: 'a"b\n.db' }, confirmed: true }
  const response = await send(backup, bearer())
  t.is(response.headers.get("content-type"), "application/octet-stream")
  t.is(response.headers.get("content-disposition"), 'attachment; filename="a_b_.db"')
  t.true((await response.arrayBuffer()).byteLength > 1_000)
  const refused = await send(backup, bearer(await looker()))
  t.is(refused.status, 200)
  t.regex(JSON.stringify(await refused.json()), /HUMAN::ann may not send BeginBackup to .*: it takes admin/)
})

test.serial("more than a few at once are refused, and their end makes room", async (t) => {
  // An ask of an actor that handles nothing waits for its deadline.
  t.like(await act({ name: "suspend", fields: { path: store, for: "1m" } }), { outcome: "done" })
  const total = { path: store, message: "Total", fields: '{"key": "pears"}', deadline: "3s" }
  const order = { name: "ask", fields: total, confirmed: true }
  const answers = await Promise.all(Array.from({ length: 20 }, () => send(order, bearer())))
  t.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200, 503]))
  t.is(answers.filter(({ status }) => status === 503).length, 4)
  t.like(await act({ name: "resume", fields: { path: store } }), { lines: [`${store} goes on`] })
})
