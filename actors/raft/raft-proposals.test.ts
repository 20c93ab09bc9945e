import test from "ava"
import { describeRefusal } from "./raft-proposals.ts"

test("a refusal says what is the case", (t) => {
  t.is(describeRefusal({ _tag: "NotLeader", leader: 0 }), "no leader is known")
  t.is(describeRefusal({ _tag: "NotLeader", leader: 2 }), "member 2 leads")
  t.is(describeRefusal({ _tag: "NotCaughtUp", node: 4, lag: 9 }), "member 4 is 9 entries behind")
  t.is(describeRefusal({ _tag: "InvalidTransfer", to: undefined }), "no member can take over")
  t.regex(describeRefusal({ _tag: "Transferring", to: 3 }), /transferred to member 3/)
  t.regex(describeRefusal({ _tag: "Overloaded", uncommittedBytes: 7 }), /7 bytes/)
  t.regex(describeRefusal({ _tag: "ChangeInFlight", index: 7 }), /change at 7/)
  t.regex(describeRefusal({ _tag: "InvalidChange", reason: "nobody would vote" }), /nobody would vote/)
})
