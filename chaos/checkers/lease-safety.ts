/**
 * Check: leases mean what they say. Stricter than `singleHolder`, and true only while clocks run as they promise:
 * not for schedules that change the rate of clocks.
 */
import { type Check, finding, type Holding, unknown } from "./evidence.ts"
import { fewOf } from "./few.ts"
import { endOf, overlapsOf, shownHolding } from "./holdings.ts"

const check = "lease safety"

export const leaseSafety: Check = {
  name: check,
  holds:
    "Nobody believes longer than its lease, and nobody else begins before that lease is over or given back.",
  judge: ({ holdings }) => {
    const leased = holdings.filter(({ leaseMillis }) => leaseMillis !== undefined)
    if (leased.length === 0) return unknown(check, "nobody held anything by a lease")
    const problems = [
      ...leased
        .filter((holding) => endOf(holding) > leaseOf(holding) && holding.untilMillis !== undefined)
        .map((holding) => `${shownHolding(holding)}, and its lease ended at ${shownLease(holding)}`),
      ...leased
        .filter((holding) => (holding.lostMillis ?? Number.POSITIVE_INFINITY) < leaseOf(holding))
        .map(
          (holding) =>
            `${shownHolding(holding)}, and was told that it had lost it, with a lease until ${shownLease(holding)}`
        ),
      ...overlapsOf(leased.map(withinLease)).map(
        ({ former, later }) =>
          `${shownHolding(later)}, while the lease of ${former.holder} under fence ${former.fence} was to last until ${shownLease(former)}`
      )
    ]
    return finding(check, fewOf(problems), `${leased.length} leases were kept`)
  }
}

const leaseOf = ({ leaseMillis = Number.POSITIVE_INFINITY }: Holding): number => leaseMillis

const shownLease = (holding: Holding): string => `${Math.round(leaseOf(holding))} ms`

/** Whoever believes longer is one problem; what happens then is not another one. */
const withinLease = (holding: Holding): Holding => ({
  ...holding,
  untilMillis: Math.min(endOf(holding), leaseOf(holding))
})
