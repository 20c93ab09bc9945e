import test from "ava"
import { Metadata } from "#protocols/membership.ts"
import { type Situation, stayOrLeastLoaded } from "./failover-policy.ts"

const policy = stayOrLeastLoaded(["volumes", "routes", "names"], ({ metadata }, role) =>
  metadata.roles.includes(role)
)

test("roles that nobody has are spread, in order of names", (t) => {
  t.deepEqual(holders(situation(["n2", "n1"])), { volumes: "n1", routes: "n2", names: "n1" })
})

test("a role stays with its holder while that is a member, suspected or not", (t) => {
  const at = situation(["n1", "n2"], { volumes: "n2", routes: "n2", names: "n2" }, ["n2"])
  t.deepEqual(holders(at), { volumes: "n2", routes: "n2", names: "n2" })
})

test("the roles of who is gone go to those who have the fewest, and it is said why", (t) => {
  const at = situation(["n1", "n2"], { volumes: "n1", routes: "gone", names: "gone" })
  t.deepEqual(holders(at), { volumes: "n1", routes: "n2", names: "n1" })
  t.is(policy(at).get("routes")?.reason, "gone cannot have it, and n2 has 0 others")
})

test("nothing new is given to a suspect, a vetoed node or one that is no candidate", (t) => {
  const vetoed = situation(["n1", "n2", "n3"], {}, ["n1"], (_role, node) => node === "n2")
  t.deepEqual(holders(vetoed), { volumes: "n3", routes: "n3", names: "n3" })
  t.deepEqual(holders(situation([])), {})
})

test("asked again after its wish was done it wishes the same", (t) => {
  const first = holders(situation(["n1", "n2", "n3"]))
  t.deepEqual(holders(situation(["n1", "n2", "n3"], first)), first)
})

const holders = (at: Situation): Record<string, string> =>
  Object.fromEntries([...policy(at)].map(([role, { holder }]) => [role, holder ?? ""]))

const situation = (
  names: ReadonlyArray<string>,
  holding: Record<string, string> = {},
  suspects: ReadonlyArray<string> = [],
  isVetoed: Situation["isVetoed"] = () => false
): Situation => {
  const metadata = new Metadata({ roles: ["volumes", "routes", "names"], zone: "a", version: "1", ports: {} })
  return {
    members: new Map(
      names.map((name) => {
        const status = suspects.includes(name) ? ("suspect" as const) : ("alive" as const)
        return [name, { name, zone: "a", status, metadata }]
      })
    ),
    roles: new Map(
      Object.entries(holding).map(([role, holder]) => [role, { role, holder, epoch: 1, confirmed: true }])
    ),
    isVetoed
  }
}
