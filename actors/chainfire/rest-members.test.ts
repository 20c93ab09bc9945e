/** A machine that boots for the first time adds itself with curl, as the first-boot unit does. */
import test from "ava"
import { amongMembers, ask } from "./fixtures/side-by-side.ts"

test("a member is added once, and listed; what describes none is refused with an example", async (t) => {
  t.timeout(60_000)
  await amongMembers(async ([one = "", two = ""]) => {
    const path = "/admin/member/add"
    const body = JSON.stringify({ raft_addr: "127.0.0.1:9" })
    const added = await ask(one, { path, method: "POST", body })
    t.is(added.status, 201)
    const { id, members } = JSON.parse(added.body)
    t.like(
      members.find((member: { readonly id: string }) => member.id === id),
      { name: "", peer_urls: ["http://127.0.0.1:9"], is_learner: true }
    )
    const again = await ask(two, { path, method: "POST", body })
    t.deepEqual(
      [again.status, JSON.parse(again.body)],
      [409, { error: "etcdserver: Peer URLs already exists" }]
    )
    const listed = await ask(two, { path: "/admin/members" })
    t.is(JSON.parse(listed.body).members.length, 4)
    const bad = await ask(one, { path, method: "POST", body: '{"peer_urls":7}' })
    t.deepEqual([bad.status, /peer_urls/.test(bad.body)], [400, true])
    t.is((await ask(one, { path, method: "POST", body: "{}" })).status, 400)
  })
})
