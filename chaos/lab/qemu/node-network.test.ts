import test from "ava"
import { Cut, fairNetwork, Mend, Network } from "#chaos/faults/action.ts"
import { NodeNetwork } from "./node-network.ts"

const cutsOf = (links: ReturnType<NodeNetwork["change"]>) =>
  links.filter(({ cut }) => cut).map(({ from, to }) => `${from}>${to}`)

test("a cut has a direction, and lasts until it is mended whatever the weather does", (t) => {
  const network = new NodeNetwork(["a", "b", "c"])
  t.deepEqual(cutsOf(network.change(new Cut({ from: ["a"], to: ["b", "c"] }))), ["a>b", "a>c"])
  t.deepEqual(cutsOf(network.change(new Network({ ...fairNetwork, loss: 0.5 }))), ["a>b", "a>c"])
  t.deepEqual(cutsOf(network.change(new Mend({ from: ["a"], to: ["b"] }))), ["a>c"])
  t.deepEqual(cutsOf(network.change(new Mend({ from: ["a"], to: ["c"] }))), [])
})

test("weather is the same on all links between nodes, and ends on all", (t) => {
  const network = new NodeNetwork(["a", "b"])
  const bad = network.change(new Network({ ...fairNetwork, delayMillis: 30, loss: 0.1 }))
  t.deepEqual(
    bad.map(({ delayMillis, from, loss, to }) => [from, to, delayMillis, loss]),
    [
      ["a", "b", 30, 0.1],
      ["b", "a", 30, 0.1]
    ]
  )
  t.true(network.change(fairNetwork).every(({ delayMillis, loss }) => delayMillis === 0 && loss === 0))
})
