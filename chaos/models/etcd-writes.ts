/** What an operation on etcd has changed, as far as its answer says. */
import type { EtcdInput, EtcdOp, EtcdOutput } from "./etcd-model.ts"

/** Of the branch that was taken; of an operation without an answer, of the one that it hoped for. */
const opsOf = ({ failure, success }: EtcdInput, output: EtcdOutput | undefined): ReadonlyArray<EtcdOp> =>
  output === undefined || output.succeeded ? success : failure

const putsOf = (ops: ReadonlyArray<EtcdOp>): ReadonlyArray<string> =>
  ops.flatMap((op) => (op._tag === "Put" ? [`${op.key} = ${op.value}`] : []))

/** Names the write by the first value that it puts; undefined where it puts none. */
export const writtenBy = (input: EtcdInput, output: EtcdOutput | undefined): string | undefined =>
  putsOf(opsOf(input, output))[0]

/** Whatever it may have put besides. */
export const alsoWrittenBy = ({ failure, success }: EtcdInput): ReadonlyArray<string> => [
  ...putsOf(success).slice(1),
  ...putsOf(failure).slice(1)
]

export const stampOf = (_input: EtcdInput, { results, revision = 0 }: EtcdOutput) => ({
  revision,
  changed: results.some(
    (result) => result._tag === "Wrote" || (result._tag === "Deleted" && result.count > 0)
  )
})
