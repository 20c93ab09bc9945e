/** The Lease service of etcd v3, but for keep-alive, which is a stream: see etcd-streams.ts. */
import type { Unary } from "#actors/kernel/ports/grpc.ts"
import {
  LeaseLeasesResponse,
  type LeaseTimeToLiveRequest,
  LeaseTimeToLiveResponse
} from "#protocols/wire/etcd/lease.ts"
import { LEASE } from "#protocols/wire/etcd/methods.ts"
import { refusesLease } from "./authorisation.ts"
import { type Calls, headerNow, unary } from "./etcd-calls.ts"
import { costOfGrant } from "./quota.ts"

export const leaseCalls = (calls: Calls): Readonly<Record<string, Unary>> => {
  const { endpoint } = calls
  const { machine } = endpoint.member
  const { auth, lessor } = machine

  const timeToLive = ({ ID, keys }: LeaseTimeToLiveRequest, remainingMillis: number | undefined) => {
    const grantedTTL = remainingMillis === undefined ? undefined : lessor.ttlSeconds(ID)
    return LeaseTimeToLiveResponse.encode({
      header: headerNow(endpoint),
      ID,
      TTL: grantedTTL === undefined ? -1 : Math.ceil((remainingMillis ?? 0) / 1_000),
      grantedTTL: grantedTTL ?? 0,
      keys: keys && grantedTTL !== undefined ? lessor.keys(ID) : []
    })
  }

  return {
    [LEASE.grant.path]: unary(LEASE.grant, (request, call, bytes) => {
      const refused = endpoint.quota.refuses(costOfGrant(request))
      if (refused !== undefined) return call.fail(refused)
      if (request.ID !== 0n) return calls.propose("LeaseGrant", LEASE.grant, bytes, call)
      const high = BigInt(Math.floor(endpoint.random() * 2 ** 31))
      const ID = (high << 32n) | BigInt(1 + Math.floor(endpoint.random() * (2 ** 32 - 1)))
      calls.propose("LeaseGrant", LEASE.grant, LEASE.grant.request.encode({ ...request, ID }), call)
    }),

    [LEASE.revoke.path]: unary(LEASE.revoke, (_request, call, bytes) =>
      calls.propose("LeaseRevoke", LEASE.revoke, bytes, call)
    ),

    [LEASE.timeToLive.path]: unary(LEASE.timeToLive, (request, call) =>
      calls.afterRead(call, () =>
        endpoint.remainingMillis(request.ID, (remaining) => {
          if (typeof remaining === "object") return call.fail(remaining)
          const answer = () => call.reply(timeToLive(request, remaining))
          // As etcd has it, anybody may know of leases; but not which keys there are.
          if (!request.keys) return answer()
          calls.permitted(
            call,
            (asker) => auth.refusesUser(asker) ?? refusesLease(machine, asker, "read", request.ID),
            answer
          )
        })
      )
    ),

    [LEASE.leases.path]: unary(LEASE.leases, (_request, call) =>
      calls.afterRead(call, () =>
        call.reply(
          LeaseLeasesResponse.encode({
            header: headerNow(endpoint),
            leases: lessor.ids.map((ID) => ({ ID }))
          })
        )
      )
    )
  }
}
