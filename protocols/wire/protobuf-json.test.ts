import test from "ava"
import { PutRequest } from "./etcd/kv-fast.ts"
import { fromJson, ProtobufJsonMalformed } from "./protobuf-json.ts"

const keyOf = (text: string): string => Buffer.from(fromJson(PutRequest, { key: text }).key).toString()

test("base64 is taken in both alphabets, with and without padding, and over several lines", (t) => {
  for (const text of ["YWJjZA==", "YWJjZA", "YWJj\r\nZA==\n", "YW\nJjZA=\n=", "YWJjZA======"])
    t.is(keyOf(text), "abcd", text)
  t.is(keyOf("PDw_Pz8-Pg"), keyOf("PDw/Pz8+Pg=="))
})

test("millions of characters that are no base64 are refused at once", (t) => {
  for (const text of [`${"=".repeat(3_000_000)}A`, `${"\n=".repeat(1_500_000)}A`, "=A".repeat(1_500_000)]) {
    const since = performance.now()
    t.throws(() => keyOf(text), { instanceOf: ProtobufJsonMalformed })
    // A program that looks back from each of them takes hours.
    t.true(performance.now() - since < 20_000)
  }
})
