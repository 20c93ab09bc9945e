import test from "ava"
import * as Supervisor from "../engine/supervisor.ts"
import { draw } from "../engine/tree.ts"
import { demonstration } from "./demonstration.ts"

test("the demonstration looks like this", (t) => {
  t.is(
    draw(
      Supervisor.make("node01", {
        strategy: "one-for-one",
        intensity: { restarts: 5, within: "10 seconds" },
        children: demonstration("node01", "forked")
      })
    ),
    `
node01 [one-for-one, 5 restarts in 10000 ms]
  shop [rest-for-one, 10 restarts in 10000 ms] (permanent)
    store (permanent)
    writers [one-for-one, 10 restarts in 10000 ms] (permanent)
      anna (permanent)
      bert (permanent)
      cleo (permanent)
  annex [rest-for-one, 10 restarts in 10000 ms] (permanent)
    store (permanent)
    writers [one-for-one, 10 restarts in 10000 ms] (permanent)
      anna (permanent)
      bert (permanent)
      cleo (permanent)
  gremlin (permanent)
    `.trim()
  )
})
