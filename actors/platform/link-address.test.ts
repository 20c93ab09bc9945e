import test from "ava"
import { endpointOf, isLoopback, linkAddress } from "./link-address.ts"

test("addresses are a host and a port", (t) => {
  t.deepEqual(endpointOf("127.0.0.1:7700"), { host: "127.0.0.1", port: 7700 })
  t.deepEqual(endpointOf("[::1]:1"), { host: "::1", port: 1 })
  t.is(linkAddress("::1", 1), "[::1]:1")
  for (const bad of ["", "host", ":1", "a:b", "host:70000", "u@h:1", "h:1/p", "[x]:1", "::1:7700", "h h:1"])
    t.is(endpointOf(bad), undefined, bad)
  t.deepEqual(["localhost", "127.8.9.1", "::1"].map(isLoopback), [true, true, true])
  t.deepEqual(["0.0.0.0", "127.evil.example", "localhost.example", "::"].map(isLoopback), [
    false,
    false,
    false,
    false
  ])
})
