import test from "ava"
import { Effect } from "effect"
import { etcdctlInstalled, inCluster } from "./fixtures/etcdctl.ts"

const withEtcdctl = etcdctlInstalled ? test : test.skip

interface Listed {
  readonly ID: number
  readonly name?: string
  readonly isLearner?: boolean
  readonly peerURLs: ReadonlyArray<string>
}

withEtcdctl("every member names all members", async (t) => {
  t.timeout(120_000)
  await inCluster(async (etcdctl, endpoints) => {
    for (const endpoint of endpoints) {
      const listed = await etcdctl("member", "list", `--endpoints=${endpoint}`)
      t.is(listed.split("\n").length, 3)
      for (const name of ["node01", "node02", "node03"]) t.regex(listed, new RegExp(`started, ${name}, http`))
    }
  })
})

withEtcdctl(
  "a member that is added catches up, votes, and one that is removed is none any more",
  async (t) => {
    t.timeout(120_000)
    await inCluster(
      async (etcdctl, endpoints, { spares: [spare] }) => {
        if (spare === undefined) throw new Error("there is no spare node")
        const members = async (): Promise<ReadonlyArray<Listed>> =>
          JSON.parse(await etcdctl("member", "list", "--write-out=json")).members
        const until = async (what: string, isSo: (members: ReadonlyArray<Listed>) => boolean) => {
          const endMillis = performance.now() + 30_000
          while (!isSo(await members())) if (performance.now() > endMillis) throw new Error(`never ${what}`)
        }
        for (let key = 0; key < 50; key++) await etcdctl("put", `key${key}`, "before")
        t.regex(await etcdctl("member", "add", "node04", `--peer-urls=${spare.peerUrl}`), /Member +\w+ added/)
        t.regex(
          String(await t.throwsAsync(etcdctl("member", "add", "node05", `--peer-urls=${spare.peerUrl}`))),
          /Peer URLs already exists/
        )
        t.is((await members()).find(({ peerURLs }) => peerURLs.includes(spare.peerUrl))?.isLearner, true)
        const { endpoint } = await Effect.runPromise(spare.start)
        await until("a voter", (all) =>
          all.some(({ isLearner, name }) => name === "node04" && isLearner !== true)
        )
        t.is(await etcdctl("get", "key49", `--endpoints=${endpoint}`), "key49\nbefore")
        t.is(await etcdctl("put", "through", "the new one", `--endpoints=${endpoint}`), "OK")

        const [first] = await members()
        if (first === undefined) throw new Error("there are no members")
        const id = first.ID.toString(16)
        t.regex(await etcdctl("member", "remove", id, `--endpoints=${endpoint}`), /removed from cluster/)
        const rest = [...endpoints.slice(1), endpoint]
        t.is((await etcdctl("member", "list", `--endpoints=${rest.join()}`)).split("\n").length, 3)
        t.is(await etcdctl("put", "after", "all", `--endpoints=${rest.join()}`), "OK")
        t.regex(
          String(await t.throwsAsync(etcdctl("member", "remove", id, `--endpoints=${rest.join()}`))),
          /member not found/
        )
      },
      { spares: 1 }
    )
  }
)

withEtcdctl("a learner is promoted when it is level and not before, and a bad URL is none", async (t) => {
  t.timeout(120_000)
  await inCluster(
    async (etcdctl, _endpoints, { spares: [spare] }) => {
      if (spare === undefined) throw new Error("there is no spare node")
      const added = await etcdctl("member", "add", "node04", "--learner", `--peer-urls=${spare.peerUrl}`)
      const id = /Member +(\w+) added/.exec(added)?.[1] ?? ""
      t.regex(
        String(await t.throwsAsync(etcdctl("member", "promote", id))),
        /can only promote a learner member which is in sync with leader/
      )
      const { endpoint } = await Effect.runPromise(spare.start)
      const endMillis = performance.now() + 30_000
      for (;;) {
        const promoted = await etcdctl("member", "promote", id).catch(() => "")
        if (/promoted/.test(promoted)) break
        if (performance.now() > endMillis) throw new Error("never promoted")
      }
      t.is(await etcdctl("put", "through", "it", `--endpoints=${endpoint}`), "OK")
      t.regex(
        String(await t.throwsAsync(etcdctl("member", "promote", id))),
        /can only promote a learner member/
      )
      t.regex(await etcdctl("member", "update", id, "--peer-urls=http://127.0.0.1:9"), /updated in cluster/)
      t.regex(await etcdctl("member", "list"), /http:\/\/127.0.0.1:9/)
    },
    { spares: 1 }
  )
})
