import test from "ava"
import { LeaseGrantResponse } from "#protocols/wire/etcd/lease.ts"
import { encodeResponse } from "./command-codecs.ts"

test("an answer is encoded as that of its command", (t) => {
  const answer = LeaseGrantResponse.make({ ID: 2n ** 60n, TTL: 7 })
  t.deepEqual(LeaseGrantResponse.decode(encodeResponse("LeaseGrant", answer)), answer)
})
